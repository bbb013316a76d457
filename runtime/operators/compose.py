"""Composition by compiled kernels where their code is at hand, else by the compiler's operator in numpy.

Stage: symbolic part, called by `arcgrad.runtime.symbolic.build_node`. Both give the same graph, number for number.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Parameters
from arcgrad.compiler.operators.compose import BYTES_PER_ARC
from arcgrad.compiler.operators.compose import composed as composed_by_numpy
from arcgrad.compiler.topology import IntArray, Topology
from arcgrad.runtime.kernels import compose as kernels
from arcgrad.runtime.kernels.label_index import index_arcs, index_size, scratch_size

__all__ = ["build_composition", "build_intersection", "composed", "composed_by_kernel"]

LongArray = NDArray[np.int64]

# Seconds that numpy's composition may take in this process before the kernels are compiled.
_PATIENCE = 1.5
# Kernels number what they look up with 32 bits: beyond so many numbers of an index, numpy composes.
_MOST_NUMBERS = 2**31 - 1
# Arcs to look at before Ctrl-C may come: about a tenth of a second.
_MOST_WORK = 1 << 24

# What a thread keeps for its next composition: room for so many arcs and states; and a table of all state pairs, for
# graphs that have so few.
_KEPT_ARCS = 1 << 16
_KEPT_STATES = 1 << 15
_KEPT_TABLE = 1 << 16
_FIRST_HASH_TABLE = 1 << 13

_spent = 0.0
_kept = threading.local()


class _Workspace:
    """Arrays that the kernels work in; those of the first sizes are used again by the thread's next composition."""

    def __init__(self) -> None:
        self.counts = np.zeros(6, dtype=np.int64)
        self.codes: LongArray = np.empty(_KEPT_STATES, dtype=np.int64)
        self.marks: IntArray = np.empty(_KEPT_STATES, dtype=np.int32)
        self.out: NDArray[np.int32] = np.empty((6, _KEPT_ARCS), dtype=np.int32)
        self.table: IntArray = np.zeros(_KEPT_TABLE, dtype=np.int32)  # the kernel leaves zeros behind
        self.hash_keys: LongArray = np.empty(_FIRST_HASH_TABLE, dtype=np.int64)
        self.hash_entries: IntArray = np.zeros(_FIRST_HASH_TABLE, dtype=np.int32)


_NO_KEYS: LongArray = np.empty(0, dtype=np.int64)
_NO_SCRATCH: IntArray = np.empty(0, dtype=np.int32)


def composed(left: Topology, right: Topology, limits: Limits, what: str) -> Built:
    """As `arcgrad.compiler.operators.compose.composed`, which says what the arguments are, and what raises.

    Example:
        >>> from arcgrad.compiler.limits import DEFAULT_LIMITS
        >>> from arcgrad.compiler.topology import Topology
        >>> line = Topology.from_arcs(2, [(0, 1, 5)], [0], [1])
        >>> [s.tolist() for s in composed(line, line, DEFAULT_LIMITS, "the composition").selections]
        [[0], [0]]
    """
    global _spent
    if _spent > _PATIENCE or (kernels.compose_arcs.is_ready and index_arcs.is_ready):
        built = composed_by_kernel(left, right, limits)
        if built is not None:
            return built
    began = time.perf_counter()
    found = composed_by_numpy(left, right, limits, what)
    _spent += time.perf_counter() - began
    return found


def composed_by_kernel(left: Topology, right: Topology, limits: Limits) -> Built | None:
    """The same by the kernels; None where numpy's has to decide: too many states or arcs, too large numbers."""
    n_starts = len(left.start) * len(right.start)
    left_index, right_index = _index(left, "output"), _index(right, "input")
    if left_index is None or right_index is None or n_starts > limits.states:
        return None
    space: _Workspace = getattr(_kept, "workspace", None) or _Workspace()
    _kept.workspace = None  # whoever runs within this call, as a finaliser may, takes another one
    n_filters = 2 if _reads_epsilon(right) else 1
    n_pairs = max(right.n_states, 1) * left.n_states * n_filters
    most_arcs = min(limits.arcs, limits.bytes // BYTES_PER_ARC)

    counts, codes, marks, out = space.counts, space.codes, space.marks, space.out
    counts[:] = 0
    if n_starts > len(codes):
        codes, marks = _room_for_states(codes, 2 * n_starts)
    if out.shape[1] > most_arcs:
        out = np.empty((6, most_arcs), dtype=np.int32)
    keys, entries, scratch = _NO_KEYS, space.table, _NO_SCRATCH
    if n_pairs > len(entries):
        keys, entries = space.hash_keys, space.hash_entries
        entries[:] = 0
        if 2 * n_starts > len(keys):
            keys, entries = _table_of(4 * n_starts, n_pairs)
    while True:
        answer = kernels.compose_arcs(
            left.n_states, left_index, left.dst, left.ilabel, left.start,
            right.n_states, right_index, right.dst, right.olabel, right.start,
            n_filters, limits.states, _MOST_WORK, counts, codes, keys, entries, marks, out, scratch,
        )  # fmt: skip
        if answer == kernels.DONE:
            break
        if answer == kernels.TOO_MANY or (answer == kernels.FULL_ARCS and out.shape[1] == most_arcs):
            return None
        if answer == kernels.FULL_ARCS:
            larger = np.empty((6, min(4 * out.shape[1] + 16, most_arcs)), dtype=np.int32)
            larger[:, : counts[1]] = out[:, : counts[1]]
            out = larger
        elif answer == kernels.FULL_STATES:
            codes, marks = _room_for_states(codes, 4 * len(codes))
        elif answer == kernels.FULL_TABLE:
            keys, entries = _table_of(4 * len(keys), n_pairs)
            counts[5] = 1
        elif answer == kernels.UNTRIMMED:
            scratch = np.empty(2 * counts[0] + counts[1] + 1, dtype=np.int32)

    n_states, n_arcs, _, n_starts, n_accepts, _ = counts.tolist()
    accept = codes[:n_accepts].astype(np.int32)
    rows = out[:, :n_arcs].copy()
    _kept.workspace = space
    rows.flags.writeable = False
    accept.flags.writeable = False
    src, dst, ilabel, olabel, left_arc, right_arc = rows
    start = np.arange(n_starts, dtype=np.int32)
    start.flags.writeable = False
    if left.is_acceptor and right.is_acceptor:
        olabel = ilabel
    return Built(Topology(n_states, src, dst, ilabel, olabel, start, accept), (left_arc, right_arc))


def _room_for_states(codes: LongArray, count: int) -> tuple[LongArray, IntArray]:
    """Larger arrays of codes, with those that there are, and of marks."""
    larger = np.empty(count, dtype=np.int64)
    larger[: len(codes)] = codes
    return larger, np.empty(count, dtype=np.int32)


def _table_of(size: int, n_pairs: int) -> tuple[LongArray, IntArray]:
    """A hash table of at least that size, or a table of all state pairs where that takes no more memory."""
    size = 1 << (size - 1).bit_length()
    if n_pairs <= 3 * size:
        return _NO_KEYS, np.zeros(n_pairs, dtype=np.int32)
    return np.empty(size, dtype=np.int64), np.zeros(size, dtype=np.int32)


def _reads_epsilon(topology: Topology) -> bool:
    memo = topology.memo("composition")
    if "reads epsilon" not in memo:
        memo["reads epsilon"] = bool((topology.ilabel < 0).any())
    return bool(memo["reads epsilon"])


def _index(topology: Topology, side: str) -> IntArray | None:
    """The topology's arcs by labels of that side, as `index_arcs` writes them; None where there are too many."""
    memo = topology.memo("composition")
    if side not in memo:
        label = topology.ilabel if side == "input" else topology.olabel
        n_states, n_arcs = topology.n_states, topology.n_arcs
        size = index_size(n_states, n_arcs)
        if size > _MOST_NUMBERS:
            return None
        index, scratch = np.empty(size, dtype=np.int32), np.empty(scratch_size(n_states, n_arcs), dtype=np.int32)
        length = index_arcs(
            n_states, topology.src, topology.dst, label, topology.start, topology.accept, index, scratch
        )
        memo[side] = index[:length].copy()
    found: IntArray = memo[side]
    return found


def build_composition(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    """The operator ∘."""
    left, right = topologies
    return composed(left, right, limits, "the composition")


def build_intersection(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    """The operator ∩."""
    left, right = topologies
    return composed(left, right, limits, "the intersection")
