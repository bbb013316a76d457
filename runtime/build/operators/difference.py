"""Difference by the compiled composition with the strings that B lacks, where these are few arcs.

Stage: symbolic part, called by `arcgrad.runtime.build.builder.build_node`. The graph is, number for number, that of
`arcgrad.compiler.operators.difference`, which goes level by level: slow where there are many levels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arcgrad.compiler.graphs.adjacency import state_mask
from arcgrad.compiler.graphs.topology import EPSILON, IntArray, Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Parameters
from arcgrad.compiler.operators.difference import without
from arcgrad.runtime.build.operators.compose import composed_by_kernel, patience
from arcgrad.runtime.build.operators.support import minimal_acceptor
from arcgrad.runtime.kernels.graphs.compose import compose_arcs
from arcgrad.runtime.kernels.graphs.label_index import index_arcs

__all__ = ["build_difference", "complement", "without_by_kernel"]

# Arcs of the complement, which has one for each state of B and label of A, that take less time than many levels.
_FEW_ARCS = 1 << 20


def complement(strings: Topology, labels: IntArray) -> Topology:
    """The deterministic acceptor of the strings of these labels that ``strings``, minimal and deterministic, lacks.

    Args:
        strings: n states.
        labels: (m,) rising, each once.

    Returns:
        n + 1 states, each with an arc for each label; the last one is left by no string.
    """
    n, m = strings.n_states, len(labels)
    reached = np.full((n + 1, m), n, dtype=np.int32)
    place = np.minimum(np.searchsorted(labels, strings.ilabel), max(m - 1, 0))
    known = labels[place] == strings.ilabel if m else np.zeros(strings.n_arcs, dtype=np.bool_)
    reached[strings.src[known], place[known]] = strings.dst[known]
    src = np.repeat(np.arange(n + 1, dtype=np.int32), m)
    accept = np.flatnonzero(~np.append(state_mask(n, strings.accept), False))
    start = strings.start if n else (0,)
    return Topology.make(n + 1, src, reached.reshape(-1), np.tile(labels, n + 1), None, start, accept)


def without_by_kernel(left: Topology, strings: Topology, limits: Limits) -> Built | None:
    """As ``without``, by the compiled composition; None where that has to decide: too many states or arcs."""
    labels = np.unique(left.ilabel)
    labels = labels[labels != EPSILON]
    if (strings.n_states + 1) * len(labels) > _FEW_ARCS:
        return None
    built = composed_by_kernel(left, complement(strings, labels), limits)
    if built is None:
        return None
    return Built(built.topology, (built.selections[0], np.full(built.topology.n_arcs, -1, dtype=np.int32)))


def build_difference(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    """The operator ``-`` between graphs."""
    left, right = topologies
    strings = minimal_acceptor(right, limits)
    if patience.ends_for(compose_arcs, index_arcs):
        built = without_by_kernel(left, strings, limits)
        if built is not None:
            return built
    with patience.tried():
        return without(left, strings, limits)
