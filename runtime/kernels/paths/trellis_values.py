"""Weights of the best paths from all states of a dense composition, level by level, for whoever enumerates paths."""

from __future__ import annotations

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.paths.best_paths import TRELLIS_GRAPH
from arcgrad.runtime.kernels.trellis.trellis_path import trellis_path, trellis_path_float32

__all__ = ["trellis_values", "trellis_values_float32"]


def _values(search, graph, has_silent, frames, best, silent, choices):
    """Fill the levels' rows from the last to the first; that of the last holds what paths that end there have."""
    rows, ends, columns, ranks, weights, accepts = graph
    n_states = len(accepts)
    n_frames = frames.shape[0]
    for level in range(n_frames, -1, -1):
        low = level * n_states
        scores = best[low : low + 2 * n_states].reshape((2, n_states))
        first = low if has_silent else 0
        numbers = silent[first : first + 2 * n_states].reshape((2, n_states))
        turn = 0 if level == n_frames else 1
        search(
            rows, ends, columns, ranks, weights, has_silent, frames, level, level, scores, numbers, choices, turn
        )  # fmt: skip


def _trellis_values(graph, has_silent, frames, best, silent, choices):
    """Fill ((T + 2) S,) the weights of the best paths to an accept, and their numbers of ε arcs where there are any."""
    fill(trellis_path, graph, has_silent, frames, best, silent, choices)


def _trellis_values_float32(graph, has_silent, frames, best, silent, choices):
    """Do the same for float32 frames."""
    fill(trellis_path_float32, graph, has_silent, frames, best, silent, choices)


fill = helper(_values)

_VALUES = f"void({TRELLIS_GRAPH}, boolean, const FRAMES[:, ::1], float64[::1], int32[::1], int32[:, ::1])"

trellis_values = kernel(_VALUES.replace("FRAMES", "float64"))(_trellis_values)
trellis_values_float32 = kernel(_VALUES.replace("FRAMES", "float32"))(_trellis_values_float32)
