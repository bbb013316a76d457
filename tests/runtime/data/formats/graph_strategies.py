"""Random graphs for the round trips of formats, and the paths by which two of them are compared."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

from arcgrad.runtime.data.graph import Graph
from arcgrad.runtime.data.isomorphism import equal

WEIGHTS = st.one_of(st.sampled_from([0.0, -np.inf, 0.1, -2.5, 1e-300, 1e300]), st.floats(-1e300, 1e300))


@st.composite
def graphs(draw: st.DrawFn, *, low: int = 0, tied: bool = False, acyclic: bool = False) -> Graph:
    """Graphs of up to five states, with everything that is legal; labels from ``low``."""
    n_states = draw(st.integers(0, 5))
    states = st.integers(0, max(n_states - 1, 0))
    labels = st.one_of(st.just(-1), st.sampled_from([low, low + 1, 2**31 - 2]))
    acceptor = draw(st.booleans())
    arcs = []
    for _ in range(draw(st.integers(0, 6)) if n_states else 0):
        src, dst, label = draw(states), draw(states), draw(labels)
        if acyclic and src == dst:
            continue
        ends = sorted((src, dst)) if acyclic else (src, dst)
        arcs.append((*ends, label, label if acceptor else draw(labels), draw(WEIGHTS)))
    start = draw(st.sets(states, max_size=3)) if n_states else ()
    accept = draw(st.sets(states, max_size=3)) if n_states else ()
    g = Graph.from_arcs(arcs, start, accept, n_states)
    if tied and draw(st.booleans()) and arcs:
        tie = draw(st.lists(st.integers(0, 2), min_size=len(arcs), max_size=len(arcs)))
        return Graph(
            g.src,
            g.dst,
            g.ilabel,
            g.olabel,
            draw(st.lists(WEIGHTS, min_size=3, max_size=3)),
            start=start,
            accept=accept,
            n_states=n_states,
            tie=tie,
        )
    return g


def paths(g: Graph) -> list[tuple[tuple[int, ...], tuple[int, ...], float]]:
    """Input string, output string (both without ε) and weight of each accepting path of an acyclic graph, sorted."""
    found = []
    waiting = [(int(s), (), (), 0.0) for s in g.start]
    while waiting:
        state, inputs, outputs, weight = waiting.pop()
        if state in g.accept:
            found.append((inputs, outputs, weight))
        for arc in np.flatnonzero(g.src == state):
            i, o = int(g.ilabel[arc]), int(g.olabel[arc])
            # Adding the 0 of a new arc changes no sum, whatever the order.
            waiting.append(
                (
                    int(g.dst[arc]),
                    inputs + (i,) * (i >= 0),
                    outputs + (o,) * (o >= 0),
                    weight + float(g.arc_weight[arc]),
                )
            )
    return sorted(found)


def check_round_trip(g: Graph, write: Callable[[Graph], str | bytes], read: Callable[[str | bytes], Graph]) -> None:
    """Reading what was written gives the same graph, or after a warning one with the same paths."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = write(g)
    h = read(data)
    if not caught:
        assert equal(g, h), f"{data!r}"
    elif g.is_acyclic:
        assert paths(g) == paths(h), f"{data!r}"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert write(h) == data or caught  # what was read can be written without a warning
