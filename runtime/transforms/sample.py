"""Draws of paths for SAMPLE: by kernels where they are compiled or cached, else by the reference.

All of them take the same random numbers in the same order, so that they draw the same paths, up to what the rounding of
probabilities decides.
"""

from __future__ import annotations

import contextlib
import importlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from arcgrad.compiler.graphs.best_paths import check_paths
from arcgrad.compiler.graphs.csr import row_pointers
from arcgrad.compiler.graphs.selection import Selection
from arcgrad.compiler.graphs.topology import IntArray, Topology
from arcgrad.compiler.graphs.transforms import FloatArray, Transformed, copied_arcs, lines_of
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Parameters
from arcgrad.grammar.errors import LimitError
from arcgrad.runtime.buffers import empty_floats
from arcgrad.runtime.jit.declare import Kernel
from arcgrad.runtime.jit.patience import Patience
from arcgrad.runtime.kernels import kernel_names
from arcgrad.runtime.kernels.paths import draws as D
from arcgrad.runtime.reference.draws import draw_arguments, draw_paths, keys_of, with_ends
from arcgrad.runtime.regions.graph import pack_graph
from arcgrad.runtime.regions.orders import ORDERS
from arcgrad.runtime.transforms.composition import Chosen, Composition

__all__ = ["KERNELS_OF_GRAPHS", "sample_of_composition", "sample_of_graph", "trellis_kernels"]

# Arcs and paths below which the reference is as fast as packing the graph for the kernels.
_SMALL = 200
# Seconds that the reference may take in this process before kernels are compiled; its seconds an arc, and a path's arc.
patience = Patience(1.5)
_REFERENCE, _FURTHER = 5e-6, 1e-6
# The same for an arc of a dense composition, which is built for it.
_BUILT = 8e-6

KERNELS_OF_GRAPHS = (D.row_sums, D.graph_draws)
_SUMS: Mapping[str, Kernel[..., None]] = {"d": D.trellis_log_sums, "f": D.trellis_log_sums_float32}
_DRAWS: Mapping[str, Kernel[..., None]] = {"d": D.trellis_draws, "f": D.trellis_draws_float32}
_NONE: IntArray = np.empty(0, dtype=np.int32)


def trellis_kernels(dtype: str) -> tuple[Kernel[..., Any], ...]:
    """The kernels for frames of a dtype ("d" or "f")."""
    return _SUMS[dtype], _DRAWS[dtype]


def sample_of_graph(topology: Topology, weights: FloatArray, parameters: Parameters, limits: Limits) -> Transformed:
    """Paths drawn from a built graph, as the reference draws them."""
    n, seed, item = draw_arguments(parameters)
    size = topology.n_arcs
    expected = _REFERENCE * size + _FURTHER * min(n, 10_000) * min(size, 1000)
    if size + min(n, 1000) >= _SMALL and patience.ends_for(*KERNELS_OF_GRAPHS, expected=expected):
        whole, counts = _counts(topology, weights)
        if counts is not None:
            return _drawn(topology, weights, whole, counts, (n, seed, item), limits)
    with patience.tried():
        return draw_paths(topology, weights, parameters, limits)


def _counts(topology: Topology, weights: FloatArray) -> tuple[Topology, FloatArray | None]:
    """How often each arc is taken on average, by the gradient's kernels; None where the reference has to look."""
    memo = topology.memo("draws")
    if "region" not in memo:
        whole = with_ends(topology)
        identity = Selection.identity(0, whole.n_arcs)
        offsets = np.zeros(1, dtype=np.int64)
        memo["whole"], memo["region"] = whole, pack_graph(whole, identity, offsets, "log", orders=ORDERS)
    whole, region = memo["whole"], memo["region"]
    names = kernel_names(region.kind, "log")
    module: Any = importlib.import_module(names.module)
    assert names.backward is not None
    forward, backward = getattr(module, names.forward), getattr(module, names.backward)
    if not patience.ends_for(forward, backward, expected=_REFERENCE * topology.n_arcs):
        return whole, None
    extended = np.zeros(whole.n_arcs)
    extended[len(topology.start) : len(topology.start) + topology.n_arcs] = weights
    floats, integers = region.work(0)
    work, iwork = empty_floats(floats), np.empty(integers, dtype=np.int32)
    score = forward(region.ints, (extended, len(extended), 0), work, iwork, 1.0)
    if math.isnan(score):
        return whole, None
    counts = np.zeros(whole.n_arcs)
    if score > -math.inf:
        backward(region.ints, (extended, len(extended), 0), work, iwork, 1.0, 1.0, (counts, len(counts), 0))
    return whole, counts


def _drawn(
    topology: Topology,
    weights: FloatArray,
    whole: Topology,
    counts: FloatArray,
    arguments: tuple[int, float, int],
    limits: Limits,
) -> Transformed:
    n, seed, item = arguments
    if not counts.any():
        return copied_arcs(lines_of(topology, _NONE, _NONE), weights, _NONE)
    memo = topology.memo("draws")
    if "rows" not in memo:
        order = np.argsort(whole.src, kind="stable").astype(np.int32)
        memo["order"], memo["ends"] = order, np.ascontiguousarray(whole.dst[order])
        memo["rows"] = row_pointers(whole.src[order], whole.n_states).astype(np.int32)
    order, rows, ends = memo["order"], memo["rows"], memo["ends"]
    sums = counts[order]
    D.row_sums(rows, sums)
    state = np.zeros(D.N_COUNTS, dtype=np.int64)
    check_paths(limits, n, 0, n)
    keys, lengths = keys_of(seed, item, n), np.empty(n, dtype=np.int32)
    arcs = np.empty(max(1024, 4 * n), dtype=np.int32)
    start, accept = whole.n_states - 2, whole.n_states - 1
    while True:
        D.graph_draws(rows, ends, sums, start, accept, keys, state, arcs, lengths)
        drawn, used = int(state[D.DRAWN]), int(state[D.USED])
        check_paths(limits, drawn, used - 2 * drawn, n)
        if drawn == n:
            break
        arcs = _enlarged(arcs, used, limits)
    found, sizes = order[arcs[:used]], lengths.astype(np.int64)
    kept = np.ones(used, dtype=np.bool_)  # all but the first and the last arc of each path
    kept[np.cumsum(sizes) - 1] = kept[np.cumsum(sizes) - sizes] = False
    chosen = found[kept] - np.int32(len(topology.start))
    return copied_arcs(lines_of(topology, chosen, sizes - 2), weights, chosen)


def _enlarged(arcs: IntArray, used: int, limits: Limits) -> IntArray:
    limits.check("a path that was drawn", arcs=len(arcs) - used - 2, at_least=True)
    larger = np.empty(2 * len(arcs), dtype=np.int32)
    larger[:used] = arcs[:used]
    return larger


def sample_of_composition(composition: Composition, parameters: Parameters, limits: Limits) -> Chosen:
    """Paths drawn from a dense composition, which is built only where it is small, or has cycles of ε arcs.

    Raises:
        DivergenceError: a cycle of ε arcs makes the sum over all paths infinite.
        LimitError: the paths or the workspace exceed the budget.
    """
    n, seed, item = draw_arguments(parameters)
    is_alone = composition.graph is None
    if not is_alone and composition.arcs is None:
        return _of_built(composition, parameters, limits)
    kernels = trellis_kernels(composition.scores.dtype.char)
    work = composition.work + min(n, 10_000) * len(composition.scores)
    if not patience.ends_for(*kernels, expected=_BUILT * work):
        with contextlib.suppress(LimitError):
            return _of_built(composition, parameters, limits)
    return _draw_from_trellis(composition, (n, seed, item), limits)


def _of_built(composition: Composition, parameters: Parameters, limits: Limits) -> Chosen:
    with patience.tried():
        topology, weights, arcs, frames = composition.build(limits)
    made = sample_of_graph(topology, weights, parameters, limits)
    assert made.copies is not None
    lengths = np.array(made.topology.accept, dtype=np.int64) - made.topology.start
    return composition.lines(arcs[made.copies], frames[made.copies], lengths)


def _draw_from_trellis(composition: Composition, arguments: tuple[int, float, int], limits: Limits) -> Chosen:
    n, seed, item = arguments
    scores = composition.scores
    found = composition.trellis()
    if found is None:
        return composition.lines(_NONE, _NONE, _NONE)
    graph, starts, numbers, _ = found
    n_pairs = (len(scores) + 1) * len(graph[5])
    limits.check("the workspace of the draws", bytes=20 * n_pairs, smaller="give fewer frames at a time")
    highs, lows, shifts = np.full(n_pairs, -np.inf), np.zeros(n_pairs), np.zeros((len(scores) + 1, 2))
    _SUMS[scores.dtype.char](graph, scores, highs, lows, shifts)
    if not (highs[starts] > -np.inf).any():
        return composition.lines(_NONE, _NONE, _NONE)
    where = np.zeros(n_pairs, dtype=np.int32)
    opened = np.empty((256, 2), dtype=np.int64)
    size = max(1024, len(starts), len(graph[1]) + 1)
    sums, choices = np.empty(size), np.empty(size, dtype=np.int32)
    check_paths(limits, n, n * len(scores), n)
    keys, lengths = keys_of(seed, item, n), np.empty(n, dtype=np.int32)
    counts = np.zeros(D.N_COUNTS, dtype=np.int64)
    arcs, levels = np.empty((2, max(1024, n * len(scores))), dtype=np.int32)
    while True:
        _DRAWS[scores.dtype.char](
            graph, scores, starts, highs, lows, shifts, where, opened, sums, choices, keys, counts, arcs, levels,
            lengths,
        )  # fmt: skip
        drawn, used, n_opened, n_sums = counts.tolist()
        check_paths(limits, drawn, used, n)
        if drawn == n:
            break
        if n_opened == len(opened):
            opened = np.concatenate([opened, opened])
        elif n_sums + len(graph[1]) + 1 > len(sums):
            sums, choices = np.concatenate([sums, sums]), np.concatenate([choices, choices])
        else:
            arcs, levels = _enlarged(arcs, used, limits), _enlarged(levels, used, limits)
        limits.check("the workspace of the draws", bytes=20 * n_pairs + opened.nbytes + sums.nbytes + choices.nbytes)
    return composition.lines(numbers[arcs[:used]], levels[:used], lengths)
