"""Random graphs for the round trips of formats, and their comparison."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st
from oracle.relations import relation_of
from support import random_graphs
from support.adapter import convert, naive

from arcgrad.runtime.data.graph import Graph
from arcgrad.runtime.data.isomorphism import equal

WEIGHTS = st.one_of(st.sampled_from([0.0, -np.inf, 0.1, -2.5, 1e-300, 1e300]), st.floats(-1e300, 1e300))


def graphs(*, low: int = 0, **options: bool) -> st.SearchStrategy[Graph]:
    """Graphs with everything that is legal; labels from ``low``."""
    labels = st.one_of(st.just(-1), st.sampled_from([low, low + 1, 2**31 - 2]))
    return random_graphs.graphs(labels=labels, weights=WEIGHTS, **options).map(convert)


def check_round_trip(g: Graph, write: Callable[[Graph], str | bytes], read: Callable[[str | bytes], Graph]) -> None:
    """Reading what was written gives the same graph, or after a warning one with the same paths."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = write(g)
    h = read(data)
    if not caught:
        assert equal(g, h), f"{data!r}"
    elif g.is_acyclic:
        # Adding the 0 of a new arc changes no sum, whatever the order.
        assert sorted(relation_of(naive(g))) == sorted(relation_of(naive(h))), f"{data!r}"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert write(h) == data or caught  # what was read can be written without a warning
