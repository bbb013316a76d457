"""Best paths, one by one, for NBEST: by kernels where they are compiled or cached, else by the reference.

As for PATH, all of them sum the same weights in the same order and follow one rule for ties, whether a dense
composition is built or not.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.best_paths import best_paths, check_paths
from arcgrad.compiler.graphs.selection import Selection
from arcgrad.compiler.graphs.topology import IntArray, Topology
from arcgrad.compiler.graphs.transforms import FloatArray, Transformed, copied_arcs, lines_of
from arcgrad.compiler.limits import DEFAULT_LIMITS, Limits
from arcgrad.compiler.operators import operator
from arcgrad.compiler.operators.base import Parameters
from arcgrad.grammar.errors import LimitError
from arcgrad.runtime.buffers import empty_floats
from arcgrad.runtime.data.paths import finders
from arcgrad.runtime.jit.declare import Kernel
from arcgrad.runtime.jit.patience import Patience
from arcgrad.runtime.kernels.header import HEADER
from arcgrad.runtime.kernels.lattice import lattice_format as L
from arcgrad.runtime.kernels.lattice.graph_max import graph_max_pairs
from arcgrad.runtime.kernels.paths import best_paths as B
from arcgrad.runtime.kernels.paths.heaps import LENGTH
from arcgrad.runtime.kernels.paths.trellis_values import trellis_values, trellis_values_float32
from arcgrad.runtime.regions.graph import pack_graph
from arcgrad.runtime.regions.orders import ORDERS
from arcgrad.runtime.transforms.composition import Chosen, Composition, TrellisGraph
from arcgrad.runtime.transforms.path import path_of_composition, path_of_graph

__all__ = ["KERNELS_OF_GRAPHS", "BestPaths", "nbest_of_composition", "nbest_of_graph", "trellis_kernels"]

# Arcs and paths below which the reference is as fast as packing the graph for the kernels.
_SMALL = 200
# Seconds that the reference may take in this process before kernels are compiled; its seconds an arc, and a path's arc.
patience = Patience(1.5)
_REFERENCE, _FURTHER = 3e-6, 6e-6
# The same for an arc of a dense composition, which is built for it.
_BUILT = 8e-6
# Paths that are found before their lengths are looked at.
_AT_A_TIME = 64
_ANY_NUMBER = 2**62

KERNELS_OF_GRAPHS = (graph_max_pairs, B.best_paths, B.best_paths_arcs)
_SEARCH: Mapping[str, Kernel[..., int]] = {"d": B.best_paths, "f": B.best_paths_float32}
_ARCS: Mapping[str, Kernel[..., int]] = {"d": B.best_paths_arcs, "f": B.best_paths_arcs_float32}
_VALUES: Mapping[str, Kernel[..., None]] = {"d": trellis_values, "f": trellis_values_float32}


def trellis_kernels(dtype: str) -> tuple[Kernel[..., Any], ...]:
    """The kernels for frames of a dtype ("d" or "f")."""
    return _VALUES[dtype], _SEARCH[dtype], _ARCS[dtype]


class BestPaths:
    """The best paths of a graph, or of a dense composition, by the kernels: as many as were asked for so far.

    Args:
        graph: rows, ends, columns, ranks, weights, accepts, as `best_paths` takes them.
        frames: (T, C) scores.
        starts: states.
        by_arc: whether equal paths of different starts come in the order of their first arcs.
        best, lengths: what the best paths from each state have.
        numbers: the graph's numbers of the arcs.
        limits: budget.
        most: no more paths will be asked for, so that no more ways on from a state need be kept.
    """

    def __init__(
        self,
        graph: TrellisGraph,
        frames: NDArray[Any],
        starts: IntArray,
        by_arc: bool,
        best: FloatArray,
        lengths: IntArray,
        numbers: IntArray,
        limits: Limits,
        most: int,
    ) -> None:
        self._arguments = graph, frames, most, starts, by_arc, best, lengths
        self._numbers, self._limits = numbers, limits
        self._search, self._collect = _SEARCH[frames.dtype.char], _ARCS[frames.dtype.char]
        self._where: IntArray = np.zeros((len(frames) + 1) * len(graph[5]), dtype=np.int32)
        size = 256
        self._opened: IntArray = np.empty((size, 5), dtype=np.int32)
        self._entries: IntArray = np.empty((size, 5), dtype=np.int32)
        self._entry_values: FloatArray = np.empty(size)
        self._heaps: IntArray = np.empty((4 * size + len(starts), 4), dtype=np.int32)
        self._heap_values: FloatArray = np.empty(len(self._heaps))
        self._stack: IntArray = np.empty(size, dtype=np.int32)
        self._paths: IntArray = np.empty(0, dtype=np.int32)
        self._counts: NDArray[np.int64] = np.zeros(B.N_COUNTS, dtype=np.int64)

    def find(self, n: int) -> int:
        """Find the n best paths, or all if there are fewer; how many that is, or −1 where rounding hides them.

        Raises:
            LimitError: the workspace exceeds the budget.
        """
        if len(self._paths) < n:
            self._paths = _enlarged(self._paths, n)
        while True:
            why = self._search(
                *self._arguments, self._where, self._opened, self._entries, self._entry_values, self._heaps,
                self._heap_values, self._stack, self._paths[:n], self._counts,
            )  # fmt: skip
            if why in (0, B.FEW):
                return min(n, int(self._counts[B.FOUND]))
            if why == B.ROUNDING:
                return -1
            self._enlarge(why)

    def _enlarge(self, full: int) -> None:
        if full == B.OPENED_FULL:
            self._opened = _enlarged(self._opened, 2 * len(self._opened))
        elif full == B.ENTRIES_FULL:
            self._entries = _enlarged(self._entries, 2 * len(self._entries))
            self._entry_values = _enlarged(self._entry_values, len(self._entries))
        elif full == B.HEAPS_FULL:
            self._heaps = _enlarged(self._heaps, 2 * len(self._heaps))
            self._heap_values = _enlarged(self._heap_values, len(self._heaps))
        else:
            self._stack = _enlarged(self._stack, 2 * len(self._stack))
        arrays = (
            self._where, self._opened, self._entries, self._entry_values, self._heaps, self._heap_values, self._stack,
            self._arguments[5], self._arguments[6],
        )  # fmt: skip
        used = sum(array.nbytes for array in arrays)
        self._limits.check("the workspace of the best paths", bytes=used, smaller="ask for fewer paths")

    def lengths(self, first: int, last: int) -> NDArray[np.int64]:
        """(last − first,) numbers of arcs of some of the paths that were found."""
        entries: NDArray[np.int64] = self._entries[self._paths[first:last], LENGTH].astype(np.int64)
        entries += len(self._arguments[1])
        return entries

    def weights(self, first: int, last: int) -> FloatArray:
        """(last − first,) weights of some of the paths that were found."""
        values: FloatArray = self._entry_values[self._paths[first:last]] + 0.0
        return values

    def arcs(self, first: int, last: int) -> tuple[IntArray, IntArray, NDArray[np.int64]]:
        """Arcs of some of the paths, one behind the other, the frames that they take, and the paths' lengths."""
        lengths = self.lengths(first, last)
        found, frames = np.empty((2, int(lengths.sum())), dtype=np.int32)
        graph, scores, _, _, _, best, silent = self._arguments
        self._collect(
            graph, scores, best, silent, self._where, self._opened, self._entries, self._paths[first:last], found,
            frames,
        )  # fmt: skip
        return self._numbers[found], frames, lengths


def _enlarged(array: Any, size: int) -> Any:
    larger = np.empty((size, *array.shape[1:]), dtype=array.dtype)
    larger[: len(array)] = array
    return larger


def nbest_of_graph(topology: Topology, weights: FloatArray, parameters: Parameters, limits: Limits) -> Transformed:
    """The best paths of a built graph, as the operator's own function."""
    (n,) = parameters
    assert isinstance(n, int)
    if n == 1:
        return path_of_graph(topology, weights, (), limits)
    size = topology.n_arcs
    expected = _REFERENCE * size + _FURTHER * min(n, 1000) * min(size, 1000)
    if size + min(n, 1000) >= _SMALL and patience.ends_for(*KERNELS_OF_GRAPHS, expected=expected):
        paths = best_paths_of_graph(topology, weights, limits, n)
        found = None if paths is None else _found(paths, n, limits)
        if found is not None:
            arcs, _, lengths = found
            return copied_arcs(lines_of(topology, arcs, lengths), weights, arcs)
    transform = operator("nbest").transform
    assert transform is not None
    with patience.tried():
        return transform(topology, weights, parameters, limits)


def nbest_of_composition(composition: Composition, parameters: Parameters, limits: Limits) -> Chosen:
    """The best paths of a dense composition, which is built only where it is small, or has cycles of ε arcs.

    Raises:
        DivergenceError: a cycle of ε arcs makes the path's weight ever greater.
        LimitError: the paths or the workspace exceed the budget.
    """
    (n,) = parameters
    assert isinstance(n, int)
    if n == 1:
        return path_of_composition(composition, (), limits)
    is_alone = composition.graph is None
    if not is_alone and composition.arcs is None:
        return _of_built(composition, parameters, limits)
    kernels = trellis_kernels(composition.scores.dtype.char)
    if not patience.ends_for(*kernels, expected=_BUILT * (composition.work + min(n, 1000) * len(composition.scores))):
        with contextlib.suppress(LimitError):
            return _of_built(composition, parameters, limits)
    paths = _best_paths_of_composition(composition, limits, n)
    found = (_NONE, _NONE, _NONE) if paths is None else _found(paths, n, limits)
    assert found is not None  # without cycles, rounding hides nothing
    return composition.lines(*found)


_NONE: IntArray = np.empty(0, dtype=np.int32)


def _of_built(composition: Composition, parameters: Parameters, limits: Limits) -> Chosen:
    with patience.tried():
        topology, weights, arcs, frames = composition.build(limits)
    made = nbest_of_graph(topology, weights, parameters, limits)
    assert made.copies is not None
    lengths = np.array(made.topology.accept, dtype=np.int64) - made.topology.start
    return composition.lines(arcs[made.copies], frames[made.copies], lengths)


def _found(paths: BestPaths, n: int, limits: Limits) -> tuple[IntArray, IntArray, NDArray[np.int64]] | None:
    """Arcs, frames and lengths of the n best paths; None where rounding hides them."""
    found = n_arcs = 0
    asked = min(n, _AT_A_TIME)
    while True:
        before, found = found, paths.find(asked)
        if found < 0:
            return None
        n_arcs += int(paths.lengths(before, found).sum())
        check_paths(limits, found, n_arcs, n if found == asked else found)
        if found < asked or found == n:
            return paths.arcs(0, found)
        asked = min(n, 2 * asked)


def best_paths_of_graph(topology: Topology, weights: FloatArray, limits: Limits, most: int) -> BestPaths | None:
    """Prepare the enumeration of a built graph's paths; None where the reference has to look at its cycles."""
    memo = topology.memo("best path")
    if "region" not in memo:
        identity = Selection.identity(0, topology.n_arcs)
        memo["region"] = pack_graph(topology, identity, np.zeros(1, dtype=np.int64), "max", orders=ORDERS)
    region = memo["region"]
    floats, integers = region.work(0)
    work, found = empty_floats(floats), np.empty(integers, dtype=np.int32)
    if not graph_max_pairs(region.ints, (weights, len(weights), 0), work, found):
        return None
    header = region.ints[:HEADER].tolist()
    n_states, n_arcs = header[L.N_STATES], header[L.N_ARCS]

    def array(place: int, size: int) -> IntArray:
        part: IntArray = region.ints[header[place] : header[place] + size]
        return part

    if "rows" not in memo:  # all arcs are ε arcs of the one level
        memo["rows"] = np.repeat(array(L.ARC_POINTERS, n_states + 1), 2)[:-1].copy()
        accepts = np.zeros(n_states, dtype=np.bool_)
        accepts[array(L.ACCEPTS, header[L.N_ACCEPTS])] = True
        memo["accepts"] = accepts
    ends, numbers = array(L.ARC_ENDS, n_arcs), array(L.ARC_NUMBERS, n_arcs)
    graph = memo["rows"], ends, ends, numbers, work[:n_arcs], memo["accepts"]
    best, lengths = work[n_arcs : n_arcs + n_states], found[:n_states]
    starts = array(L.STARTS, header[L.N_STARTS])
    return BestPaths(graph, np.empty((0, 0)), starts, True, best, lengths, numbers, limits, most)


def _find(topology: Topology, weights: FloatArray) -> Iterator[tuple[float, IntArray]] | None:
    """The paths of a graph as `compiler.graphs.best_paths` gives them; None where the reference is to look for them."""
    if topology.n_arcs < _SMALL or not patience.ends_for(*KERNELS_OF_GRAPHS, expected=_REFERENCE * topology.n_arcs):
        return None
    paths = best_paths_of_graph(topology, weights, DEFAULT_LIMITS, _ANY_NUMBER)
    return None if paths is None else _one_by_one(paths, best_paths(topology, weights))


def _one_by_one(paths: BestPaths, others: Iterator[Any]) -> Iterator[tuple[float, Any]]:
    """The paths, some at a time; the reference's from where rounding hides them."""
    done, asked = 0, 1
    while True:
        found = paths.find(asked)
        if found < 0:
            yield from islice(others, done, None)
            return
        weights = paths.weights(done, found).tolist()
        arcs, _, lengths = paths.arcs(done, found)
        yield from zip(weights, np.split(arcs, np.cumsum(lengths))[:-1], strict=True)
        if found < asked:
            return
        done, asked = found, min(2 * asked, asked + _AT_A_TIME)


finders.append(_find)


def _best_paths_of_composition(composition: Composition, limits: Limits, most: int) -> BestPaths | None:
    """Prepare the enumeration of a dense composition's paths; None where it has no states."""
    scores, found = composition.scores, composition.trellis()
    if found is None:
        return None
    graph, starts, numbers, has_silent = found
    accepts = graph[5]
    n_states, n_levels = len(accepts), len(scores) + 1
    each = 16 if has_silent else 12
    limits.check("the workspace of the best paths", bytes=each * n_states * (n_levels + 1), smaller=_SHORTER)
    best = np.full((n_levels + 1) * n_states, -np.inf)
    best[(n_levels - 1) * n_states : -n_states][accepts] = 0.0
    lengths = np.zeros((n_levels + 1) * n_states if has_silent else 2 * n_states, dtype=np.int32)
    choices = np.empty((1, n_states), dtype=np.int32)
    _VALUES[scores.dtype.char](graph, has_silent, scores, best, lengths, choices)
    return BestPaths(graph, scores, starts, False, best, lengths if has_silent else lengths[:0], numbers, limits, most)


_SHORTER = "give fewer frames at a time"
