"""Composition by compiled kernels where their code is compiled or cached, else by the compiler's operator in numpy.

Stage: symbolic part, called by `arcgrad.runtime.build.builder.build_node`. Both give the same graph, number for number.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.topology import IntArray, Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Parameters
from arcgrad.compiler.operators.compose import BYTES_PER_ARC
from arcgrad.compiler.operators.compose import composed as composed_by_numpy
from arcgrad.runtime.buffers import Kept
from arcgrad.runtime.data.checks import freeze
from arcgrad.runtime.jit.patience import Patience
from arcgrad.runtime.kernels.graphs import compose as kernels
from arcgrad.runtime.kernels.graphs.label_index import index_arcs, index_size, scratch_size

__all__ = ["build_composition", "build_intersection", "composed", "composed_by_kernel", "patience"]

LongArray = NDArray[np.int64]

# The kernels take about five seconds to compile.
patience = Patience(2.0)

# Kernels number what they look up with 32 bits: beyond so many numbers of an index, numpy composes.
_MOST_NUMBERS = 2**31 - 1
# Arcs to look at before Ctrl-C may come: about a tenth of a second.
_MOST_WORK = 1 << 24

# What a thread keeps for its next composition, beyond the first arrays: memory fresh from the system costs much beside
# what the kernels do with it. States (20 bytes), entries of a table of all state pairs (4 bytes), of a hash table (12
# bytes), numbers of an index (4 bytes).
_KEPT_STATES = 1 << 20
_KEPT_TABLE = 1 << 21
_KEPT_HASH_TABLE = 1 << 18
_KEPT_INDEX = 1 << 20
# The first arrays' sizes, and how many times larger the next may be than the last.
_FIRST_ARCS, _FIRST_STATES, _FIRST_TABLE, _FIRST_HASH_TABLE = 1 << 15, 1 << 14, 1 << 16, 1 << 15
_LEAST_GROWTH, _MOST_GROWTH = 4, 128


_NO_KEYS: LongArray = np.empty(0, dtype=np.int64)
_NO_NUMBERS: IntArray = np.empty(0, dtype=np.int32)
_ONE_START: IntArray = freeze(np.zeros(1, dtype=np.int32))


class _Workspace:
    """Arrays that the kernels work in."""

    def __init__(self) -> None:
        self.counts = np.zeros(6, dtype=np.int64)
        self.codes: LongArray = np.empty(_FIRST_STATES, dtype=np.int64)
        self.states: IntArray = np.empty((3, _FIRST_STATES), dtype=np.int32)
        self.out: IntArray = np.empty((6, _FIRST_ARCS), dtype=np.int32)
        self.hits: IntArray = np.empty((2, 1 << 10), dtype=np.int32)
        self.table: IntArray = np.zeros(_FIRST_TABLE, dtype=np.int32)  # the kernel leaves zeros behind
        self.keys, self.entries = _NO_KEYS, _NO_NUMBERS
        self.index = _NO_NUMBERS


_kept = Kept[_Workspace]()


def composed(left: Topology, right: Topology, limits: Limits, what: str) -> Built:
    """As `arcgrad.compiler.operators.compose.composed`, which says what the arguments are, and what raises.

    Example:
        >>> from arcgrad.compiler.limits import DEFAULT_LIMITS
        >>> from arcgrad.compiler.graphs.topology import Topology
        >>> line = Topology.from_arcs(2, [(0, 1, 5)], [0], [1])
        >>> [s.tolist() for s in composed(line, line, DEFAULT_LIMITS, "the composition").selections]
        [[0], [0]]
    """
    if patience.ends_for(kernels.compose_arcs, index_arcs):
        built = composed_by_kernel(left, right, limits)
        if built is not None:
            return built
    with patience.tried():
        return composed_by_numpy(left, right, limits, what)


def composed_by_kernel(left: Topology, right: Topology, limits: Limits) -> Built | None:
    """The same by the kernels; None where numpy's has to decide: too many states or arcs, too large numbers."""
    n_starts = len(left.start) * len(right.start)
    if n_starts > limits.states:
        return None
    space = _kept.take() or _Workspace()
    left_indexed, right_indexed = _index(left, "output", space), _index(right, "input", space)
    if left_indexed is None or right_indexed is None:
        return None
    (left_index, _), (right_index, reads_epsilon) = left_indexed, right_indexed
    n_filters = 2 if reads_epsilon else 1
    n_pairs = max(left.n_states * right.n_states * n_filters, 1)
    most_arcs = min(limits.arcs, limits.bytes // BYTES_PER_ARC)

    counts, out, hits = space.counts, space.out, space.hits
    counts[:] = 0
    if n_starts >= len(space.codes):
        _make_room_for_states(space, 2 * n_starts)
    degree = _degree(left, left_index)
    if degree > hits.shape[1]:
        hits = np.empty((2, degree), dtype=np.int32)
    keys, entries, scratch = _NO_KEYS, space.table, _NO_NUMBERS
    if n_pairs > len(entries):
        keys, entries = _table(space, max(_FIRST_HASH_TABLE, 4 * n_starts), n_pairs)
    while True:
        answer = kernels.compose_arcs(
            left.n_states, left.n_arcs, left_index, left.start,
            right.n_states, right_index, right.dst, right.olabel, right.start,
            n_filters, limits.states, most_arcs, _MOST_WORK,
            counts, space.codes, keys, entries, space.states, out, hits, scratch,
        )  # fmt: skip
        if answer == kernels.DONE:
            break
        if answer == kernels.FULL_ARCS and out.shape[1] < most_arcs + left.n_arcs:
            expected = min(_growth(out.shape[1], _expected_arcs(left, right)), most_arcs + left.n_arcs)
            larger = np.empty((6, expected), dtype=np.int32)
            larger[:, : counts[1]] = out[:, : counts[1]]
            out = larger
        elif answer == kernels.FULL_STATES:
            expected = min(n_pairs, _expected_arcs(left, right), limits.states + left.n_arcs)
            _make_room_for_states(space, _growth(len(space.codes), expected))
        elif answer == kernels.FULL_TABLE:
            keys, entries = _table(space, _LEAST_GROWTH * len(keys), n_pairs)
            counts[5] = 1
        elif answer == kernels.UNTRIMMED:
            scratch = np.empty(counts[0] + counts[1] + 1, dtype=np.int32)
        elif answer != kernels.MORE:
            return None

    n_states, n_arcs, _, n_starts, n_accepts, _ = counts.tolist()
    accept = freeze(space.states[2, :n_accepts].copy())
    rows = _rows(out, n_arcs, out is not space.out)
    if len(space.codes) > _KEPT_STATES:
        space.codes, space.states = space.codes[:_FIRST_STATES].copy(), space.states[:, :_FIRST_STATES].copy()
    if len(space.table) > _KEPT_TABLE:
        space.table = np.zeros(_FIRST_TABLE, dtype=np.int32)
    if len(space.keys) > _KEPT_HASH_TABLE:
        space.keys, space.entries = _NO_KEYS, _NO_NUMBERS
    _kept.keep(space)
    src, dst, ilabel, olabel, left_arc, right_arc = rows
    start = _ONE_START if n_starts == 1 else freeze(np.arange(n_starts, dtype=np.int32))
    if left.is_acceptor and right.is_acceptor:
        olabel = ilabel
    return Built(Topology(n_states, src, dst, ilabel, olabel, start, accept), (left_arc, right_arc))


def _rows(out: IntArray, count: int, give_away: bool) -> IntArray:
    """The first ``count`` columns of ``out``, read-only, in memory of their own; ``out`` is not used any more then."""
    if give_away:
        n_rows, width = out.shape
        flat = out.reshape(-1)
        for row in range(1, n_rows):
            flat[row * count : (row + 1) * count] = flat[row * width : row * width + count]
        del flat
        out.resize((n_rows, count), refcheck=False)  # in place, what is beyond goes back to the system
    else:
        out = out[:, :count].copy()
    return freeze(out)


def _growth(size: int, expected: int) -> int:
    return min(max(_LEAST_GROWTH * size, expected), _MOST_GROWTH * size)


def _expected_arcs(left: Topology, right: Topology) -> int:
    """About how many arcs the composition has, and some more; what of an array is not touched costs nothing."""
    return left.n_arcs * right.n_arcs // max(left.n_labels, right.n_labels, 1) * 5 // 4


def _make_room_for_states(space: _Workspace, count: int) -> None:
    codes, states = np.empty(count, dtype=np.int64), np.empty((3, count), dtype=np.int32)
    codes[: len(space.codes)] = space.codes
    states[0, : len(space.codes)] = space.states[0]
    space.codes, space.states = codes, states


def _table(space: _Workspace, size: int, n_pairs: int) -> tuple[LongArray, IntArray]:
    """A new hash table of at least that size, or one of all state pairs where that takes no more memory."""
    size = 1 << (size - 1).bit_length()
    if size > _FIRST_HASH_TABLE and n_pairs <= 3 * size:
        if n_pairs > len(space.table):
            space.table = np.zeros(n_pairs, dtype=np.int32)
        return _NO_KEYS, space.table
    if size > len(space.keys):
        space.keys, space.entries = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int32)
    space.entries[:size] = 0
    return space.keys[:size], space.entries[:size]


def _degree(topology: Topology, index: IntArray) -> int:
    """The most arcs that leave a state."""
    memo = topology.memo("composition")
    if "degree" not in memo:
        first = index[: topology.n_states + 1]
        memo["degree"] = int((first[1:] - first[:-1]).max(initial=0))
    return int(memo["degree"])


def _index(topology: Topology, side: str, space: _Workspace) -> tuple[IntArray, bool] | None:
    """The topology's arcs by labels of that side, as `index_arcs` writes them, and whether any is ε.

    None where there are too many arcs.
    """
    memo = topology.memo("composition")
    if side not in memo:
        label = topology.ilabel if side == "input" else topology.olabel
        n_states, n_arcs = topology.n_states, topology.n_arcs
        size = index_size(n_states, n_arcs)
        if size > _MOST_NUMBERS:
            return None
        room = space.index
        if len(room) < size + scratch_size(n_states, n_arcs):
            room = np.empty(size + scratch_size(n_states, n_arcs), dtype=np.int32)
            if len(room) <= _KEPT_INDEX:
                space.index = room
        answer = index_arcs(
            n_states, topology.src, topology.dst, topology.ilabel, label, topology.start, topology.accept,
            side == "output", room[:size], room[size:],
        )  # fmt: skip
        index, has_epsilon = room[: answer >> 1], bool(answer & 1)
        if side == "input" and "met" not in memo:
            # Many a right side is composed once, as a target: its index stays in the workspace, which the left side's
            # has left already.
            memo["met"] = True
            return index, has_epsilon
        memo[side] = index.copy(), has_epsilon
    found: tuple[IntArray, bool] = memo[side]
    return found


def build_composition(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    """The operator ∘."""
    left, right = topologies
    return composed(left, right, limits, "the composition")


def build_intersection(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    """The operator ∩."""
    left, right = topologies
    return composed(left, right, limits, "the intersection")
