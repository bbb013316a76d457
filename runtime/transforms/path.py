"""Best paths for PATH: by kernels where they are compiled or cached, else by the reference, which is as exact.

All of them sum the same weights in the same order and follow the same rule for ties, so that a result does not depend
on which of them found it, nor on whether a dense composition was built.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from math import isqrt
from typing import Any

import numpy as np

from arcgrad.compiler.graphs.selection import Selection
from arcgrad.compiler.graphs.topology import IntArray, Topology
from arcgrad.compiler.graphs.transforms import FloatArray, Transformed, copied_arcs, line_of
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Parameters
from arcgrad.grammar.errors import LimitError
from arcgrad.runtime.buffers import empty_floats
from arcgrad.runtime.jit.declare import Kernel
from arcgrad.runtime.jit.patience import Patience
from arcgrad.runtime.kernels.frames.frames_path import frames_path, frames_path_float32
from arcgrad.runtime.kernels.lattice.graph_max import graph_max_forward, graph_max_path
from arcgrad.runtime.kernels.trellis.trellis_path import trellis_path, trellis_path_float32, trellis_path_walk
from arcgrad.runtime.reference import reductions as reference
from arcgrad.runtime.regions.graph import pack_graph
from arcgrad.runtime.regions.orders import ORDERS
from arcgrad.runtime.regions.out_arcs import OutArcs
from arcgrad.runtime.transforms.composition import Chosen, Composition

__all__ = ["path_of_composition", "path_of_graph"]

# Arcs below which the reference is as fast as packing the graph for the kernel.
_SMALL = 500
# Seconds that the reference may take in this process before kernels are compiled, and its seconds an arc.
patience = Patience(1.5)
_REFERENCE = 2e-6
# The same for an arc of a dense composition, which is built for it.
_BUILT = 6e-6
_FRAMES: Mapping[str, Kernel[..., Any]] = {"d": frames_path, "f": frames_path_float32}
_TRELLIS: Mapping[str, Kernel[..., Any]] = {"d": trellis_path, "f": trellis_path_float32}
# Bytes of choices that are kept at a time; for more, the levels before them are gone through twice.
_CHOICES = 64 << 20


def path_of_graph(topology: Topology, weights: FloatArray, parameters: Parameters, limits: Limits) -> Transformed:
    """The best path of a built graph, as the operator's own function."""
    line, chosen = line_of(topology, _best_arcs(topology, weights))
    return copied_arcs(line, weights, chosen)


def path_of_composition(composition: Composition, parameters: Parameters, limits: Limits) -> Chosen:
    """The best path of a dense composition, which is built only where it is small, or has cycles of ε arcs.

    Raises:
        DivergenceError: a cycle of ε arcs makes the path's weight ever greater.
        LimitError: the path or the workspace exceeds the budget.
    """
    found = composition.line(_path(composition, limits))
    limits.check_graph("the best path", found.topology.n_states, found.topology.n_arcs)
    return found


def _path(composition: Composition, limits: Limits) -> tuple[IntArray, IntArray] | None:
    """The path's arcs, or columns where there is no graph, and their frames."""
    is_alone = composition.graph is None
    if not is_alone and composition.arcs is None:
        return _path_of_built(composition, limits)
    search = (_FRAMES if is_alone else _TRELLIS)[composition.scores.dtype.char]
    needed = (search,) if is_alone else (search, trellis_path_walk)
    if not patience.ends_for(*needed, expected=_BUILT * composition.work):
        with contextlib.suppress(LimitError):
            return _path_of_built(composition, limits)
    if composition.arcs is not None:
        return _path_of_trellis(composition, composition.arcs, search, limits)
    columns = np.empty(len(composition.scores), dtype=np.int32)
    if search(composition.scores, columns) == -math.inf:
        return None
    return columns, np.arange(len(columns), dtype=np.int32)


def _path_of_built(composition: Composition, limits: Limits) -> tuple[IntArray, IntArray] | None:
    with patience.tried():
        topology, weights, arcs, frames = composition.build(limits)
    path = _best_arcs(topology, weights)
    if path is None:
        return None
    chosen = np.asarray(path, dtype=np.int32)
    return arcs[chosen], frames[chosen]


def _path_of_trellis(
    composition: Composition, arcs: OutArcs, search: Kernel[..., int], limits: Limits
) -> tuple[IntArray, IntArray] | None:
    """The best path by the kernels, in segments of as many levels as choices may be kept of."""
    assert composition.weights is not None
    scores, weights = composition.scores, composition.weights[arcs.numbers]
    n_levels, n_states = len(scores) + 1, len(arcs.rows) // 2
    if not n_states:
        return None
    step = max(min(n_levels, _CHOICES // (4 * n_states)), isqrt(n_levels) + 1)
    begins = range(0, n_levels, step)
    limits.check("the workspace of the best path", bytes=n_states * (4 * step + 12 * (len(begins) + 1)))
    rows, silent = np.full((2, n_states), -math.inf), np.zeros((2, n_states), dtype=np.int32)
    rows[0, arcs.accepts] = 0.0
    choices: IntArray = np.empty((step, n_states), dtype=np.int32)
    kept: dict[int, tuple[FloatArray, IntArray]] = {}  # the rows behind segments that are gone through again

    def fill(begin: int, turn: int) -> int:
        last = min(begin + step, n_levels) - 1
        return search(
            arcs.rows, arcs.ends, arcs.columns, arcs.ranks, weights, arcs.has_silent, scores, begin, last, rows, silent,
            choices, turn,
        )  # fmt: skip

    turn = 0
    for begin in reversed(begins):
        if begin:
            kept[begin] = rows[turn].copy(), silent[turn].copy()
        turn = fill(begin, turn)
    values = rows[turn, arcs.starts]
    best = values.max()
    if best == -math.inf:
        return None
    starts = arcs.starts[values == best]
    state = starts[silent[turn, starts].argmin()]
    length = len(scores) + int(silent[turn, state])
    limits.check_graph("the best path", length + 1, length)
    found, frames = np.empty((2, length), dtype=np.int32)
    done = 0
    for begin in begins:
        if begin:
            rows[0], silent[0] = kept.pop(begin)
            fill(begin, 0)
        last = min(begin + step, n_levels) - 1
        done = trellis_path_walk(arcs.ends, arcs.columns, choices, begin, last, state, done, found, frames)
        state = arcs.ends[found[done - 1]] if done else state
    return arcs.numbers[found], frames


def _best_arcs(topology: Topology, weights: FloatArray) -> Sequence[int] | IntArray | None:
    """Arc numbers of the best path of a built graph, or None where there is none.

    Raises:
        DivergenceError: a cycle makes the path's weight ever greater.
    """
    n_arcs = topology.n_arcs
    if n_arcs >= _SMALL and patience.ends_for(graph_max_forward, graph_max_path, expected=_REFERENCE * n_arcs):
        memo = topology.memo("best path")
        if "region" not in memo:
            identity = Selection.identity(0, n_arcs)
            memo["region"] = pack_graph(topology, identity, np.zeros(1, dtype=np.int64), "max", orders=ORDERS)
        region = memo["region"]
        floats, numbers = region.work(0)
        work, found = empty_floats(floats), np.empty(numbers + 1, dtype=np.int32)
        found[numbers] = 0  # not to give up
        score = graph_max_forward(region.ints, (weights, len(weights), 0), work, found, 1.0)
        if score == -math.inf:
            return None
        if not math.isnan(score):
            arcs = np.empty(numbers, dtype=np.int32)
            return arcs[: graph_max_path(region.ints, found, arcs)]
    with patience.tried():
        score, best = reference.best_path(topology, weights)
    return best if score > -math.inf else None
