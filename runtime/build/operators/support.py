"""``support`` by compiled kernels where their code is compiled or cached, else by the compiler's operator in Python.

Stage: symbolic part, called by `arcgrad.runtime.build.builder.build_node`. Both give the same graph, number for number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.topology import EPSILON, IntArray, Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Parameters
from arcgrad.compiler.operators.support import check_subsets
from arcgrad.compiler.operators.support import minimal_acceptor as minimal_by_python
from arcgrad.runtime.build.operators.connect import connected_by_kernel
from arcgrad.runtime.jit.patience import Patience
from arcgrad.runtime.kernels.graphs import order, partition, subsets

__all__ = ["build_support", "minimal_acceptor", "minimal_by_kernel", "patience"]

# The kernels take about four seconds to compile.
patience = Patience(2.0)

# Arcs to look at before Ctrl-C may come: about a tenth of a second.
_MOST_WORK = 1 << 23
# How much larger the next arrays are.
_GROWTH = 3
# Labels below this multiple of the number of arcs index a table as they are; larger ones are numbered first.
_RANGE_PER_ARC = 2


def minimal_acceptor(topology: Topology, limits: Limits) -> Topology:
    """As `arcgrad.compiler.operators.support.minimal_acceptor`, which says what the arguments are, and what raises.

    Example:
        >>> from arcgrad.compiler.graphs.topology import Topology
        >>> from arcgrad.compiler.limits import DEFAULT_LIMITS
        >>> twice = Topology.from_arcs(3, [(0, 1, 5), (0, 2, 5)], [0], [1, 2])
        >>> minimal_acceptor(twice, DEFAULT_LIMITS).n_states
        2
    """
    if patience.ends_for(subsets.determinize_arcs, partition.minimize_arcs, order.trim_ints):
        return minimal_by_kernel(topology, limits)
    with patience.tried():
        return minimal_by_python(topology, limits)


def minimal_by_kernel(topology: Topology, limits: Limits) -> Topology:
    """The same by the kernels."""
    trim = connected_by_kernel(topology).topology
    if not len(trim.start):
        return Topology.make(0, (), (), ())
    labels, label = _numbered(trim.ilabel)
    n_labels = int(label.max(initial=-1)) + 1
    out, accepts = _determinized(trim, label, n_labels, limits)
    n, m = len(accepts), out.shape[1]
    states, arcs = (
        np.empty((partition.WORK_ROWS, n), dtype=np.int32),
        np.empty((partition.WORK_ROWS, m), dtype=np.int32),
    )
    first, entering = np.empty(n + 1, dtype=np.int32), np.empty(m, dtype=np.int32)
    counts, sizes = np.empty(max(n_labels + 1, 3), dtype=np.int32), np.empty(2, dtype=np.int64)
    partition.minimize_arcs(n_labels, accepts, out, states, arcs, first, entering, counts, sizes)
    n_states, n_arcs = sizes.tolist()
    src, dst, names = out[:, :n_arcs]
    found = names if labels is None else labels[names]
    accept = np.flatnonzero(states[0, :n_states])
    return Topology.make(n_states, src.copy(), dst.copy(), found.copy(), start=(0,), accept=accept)


def _numbered(ilabel: IntArray) -> tuple[IntArray | None, IntArray]:
    """Labels, rising, and for each arc the index of its own, ε −1; None where small labels may stand for themselves."""
    if int(ilabel.max(initial=EPSILON)) < _RANGE_PER_ARC * len(ilabel) + 1024:
        return None, ilabel
    labels, inverse = np.unique(ilabel, return_inverse=True)
    has_epsilon = int(labels[0] == EPSILON)
    found: IntArray = (inverse.reshape(-1) - has_epsilon).astype(np.int32)
    return labels[has_epsilon:], found


def _by_state(topology: Topology, label: IntArray, chosen: NDArray[np.bool_]) -> tuple[IntArray, IntArray, IntArray]:
    """Where each state's arcs begin among those chosen, by source and label, their destinations and labels."""
    keys = (topology.src.astype(np.int64) << 32) + label
    arcs = np.flatnonzero(chosen)
    if bool(np.any(keys[1:] < keys[:-1])) or len(arcs) < len(keys):
        arcs = arcs[np.argsort(keys[arcs], kind="stable")]
    first = np.zeros(topology.n_states + 1, dtype=np.int32)
    np.cumsum(np.bincount(topology.src[arcs], minlength=topology.n_states), out=first[1:])
    return first, topology.dst[arcs], label[arcs]


def _first_sizes(n_states: int, n_arcs: int) -> tuple[int, int, int]:
    """Room at first for subsets, members and arcs: few graphs need more, and what is not touched costs nothing."""
    return n_states + 64, 3 * n_states + 256, n_arcs + 256


def _determinized(topology: Topology, label: IntArray, n_labels: int, limits: Limits) -> tuple[IntArray, IntArray]:
    """Rows source, destination, label of the arcs between subsets, and (n_subsets,) 1 where one accepts."""
    n, m = topology.n_states, topology.n_arcs
    has_label = label >= 0
    first, dst, names = _by_state(topology, label, has_label)
    epsilon_first, epsilon_dst, _ = _by_state(topology, label, ~has_label)
    accepts = np.zeros(n, dtype=np.int32)
    accepts[topology.accept] = 1
    useful = ((first[1:] > first[:-1]) | (accepts > 0)).astype(np.int32)

    counts, stamps = np.zeros(6, dtype=np.int64), np.zeros(n, dtype=np.int64)
    places, reached = np.zeros(2 * n_labels, dtype=np.int32), np.empty(len(dst), dtype=np.int32)
    room, n_members, n_arcs = _first_sizes(n, m)
    by_state = np.empty((2, max(n, room)), dtype=np.int32)
    begins, hashes = np.empty(room + 1, dtype=np.int64), np.empty(room, dtype=np.int64)
    table = np.zeros(1 << (2 * room - 1).bit_length(), dtype=np.int32)
    members, out = np.empty(n_members, dtype=np.int32), np.empty((3, n_arcs), dtype=np.int32)
    while True:
        answer = subsets.determinize_arcs(
            first, dst, names, epsilon_first, epsilon_dst, topology.start, accepts, useful, _MOST_WORK,
            counts, stamps, by_state, places, reached, begins, hashes, table, members, out,
        )  # fmt: skip
        n_states, n_arcs, _, n_members = counts[:4].tolist()
        check_subsets(limits, n_states, n_arcs, n_members)
        if answer == subsets.DONE:
            break
        if answer == subsets.FULL_ARCS:
            out = _larger(out, _GROWTH * out.shape[1] + n_labels)
        elif answer == subsets.FULL_STATES:
            room = _GROWTH * room + n_labels
            by_state = _larger(by_state, max(room, n))
            begins, hashes = _larger(begins, room + 1), _larger(hashes, room)
        elif answer == subsets.FULL_MEMBERS:
            members = _larger(members, _GROWTH * len(members) + n)
        elif answer == subsets.FULL_TABLE:
            table = np.zeros(4 * (1 << (len(table) + n_labels - 1).bit_length()), dtype=np.int32)
            counts[5] = 1
    return np.ascontiguousarray(out[:, :n_arcs]), np.ascontiguousarray(by_state[1, :n_states])


def _larger(array: NDArray[Any], size: int) -> NDArray[Any]:
    """The array with a longer last axis."""
    grown = np.empty((*array.shape[:-1], size), dtype=array.dtype)
    grown[..., : array.shape[-1]] = array
    return grown


def build_support(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    """The operator ``support``."""
    made = minimal_acceptor(topologies[0], limits)
    return Built(made, (np.full(made.n_arcs, -1, dtype=np.int32),))
