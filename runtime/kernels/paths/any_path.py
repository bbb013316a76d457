"""Whether there is a path, of graphs, of dense inputs, and of dense compositions; arcs of weight −inf are absent."""

from __future__ import annotations

from math import inf

from arcgrad.runtime.jit.declare import kernel
from arcgrad.runtime.kernels.entries import FRAMES_FORWARD, GRAPH_FORWARD, gather_weights
from arcgrad.runtime.kernels.lattice import lattice_format as L
from arcgrad.runtime.kernels.trellis import trellis_format as T

__all__ = [
    "frames_any_forward",
    "frames_any_forward_float32",
    "graph_any_forward",
    "trellis_any_forward",
    "trellis_any_forward_float32",
]


@kernel(GRAPH_FORWARD)
def graph_any_forward(region, leaves, work, iwork, sign):
    """1 where an accept can be reached from a start, else 0; states wait in the workspace to be left."""
    n_states = region[L.N_STATES]
    n_arcs = region[L.N_ARCS]
    rows = region[L.ARC_POINTERS]
    ends = region[L.ARC_ENDS]
    gather_weights(region, n_arcs, leaves, work, 1.0)
    marks = n_arcs
    stack = n_arcs + n_states
    for state in range(n_states):
        work[marks + state] = 0.0
    for k in range(region[L.N_ACCEPTS]):
        work[marks + region[region[L.ACCEPTS] + k]] = 2.0
    waiting = 0
    for k in range(region[L.N_STARTS]):
        state = region[region[L.STARTS] + k]
        if work[marks + state] == 2.0:
            return 1.0
        work[marks + state] = 1.0
        work[stack + waiting] = state
        waiting += 1
    while waiting > 0:
        waiting -= 1
        state = int(work[stack + waiting])
        for arc in range(region[rows + state], region[rows + state + 1]):
            end = region[ends + arc]
            if work[arc] > -inf and work[marks + end] != 1.0:
                if work[marks + end] == 2.0:
                    return 1.0
                work[marks + end] = 1.0
                work[stack + waiting] = end
                waiting += 1
    return 0.0


def _frames(region, leaves, frames, work, iwork, sign):
    """1 where every frame has a column that is not −inf, else 0."""
    for frame in range(frames.shape[0]):
        column = 0
        while column < frames.shape[1] and frames[frame, column] == -inf:
            column += 1
        if column == frames.shape[1]:
            return 0.0
    return 1.0


def _trellis(region, leaves, frames, work, iwork, sign):
    """1 where a path takes all frames from a start to an accept, else 0."""
    n_states = region[T.N_STATES]
    n_arcs = region[T.N_ARCS]
    sources = region[T.ARC_SOURCES]
    slots = region[T.ARC_SLOTS]
    columns = region[T.SLOT_COLUMNS]
    emitting = region[T.EMITTING]
    silent = region[T.SILENT]
    gather_weights(region, n_arcs, leaves, work, 1.0)
    previous = n_arcs
    row = previous + n_states
    for state in range(n_states):
        work[row + state] = 0.0
    for k in range(region[T.N_STARTS]):
        work[row + region[region[T.STARTS] + k]] = 1.0
    for step in range(frames.shape[0] + 1):
        found = False
        for state in range(n_states):
            reached = 0.0
            if step == 0:
                reached = work[row + state]
            else:
                for arc in range(region[emitting + state], region[emitting + state + 1]):
                    column = region[columns + region[slots + arc]]
                    is_present = work[arc] > -inf and frames[step - 1, column] != -inf
                    if is_present and work[previous + region[sources + arc]] == 1.0:
                        reached = 1.0
            for arc in range(region[silent + state], region[silent + state + 1]):
                if work[row + region[sources + arc]] == 1.0 and work[arc] > -inf:
                    reached = 1.0
            work[row + state] = reached
            found = found or reached == 1.0
        if not found:
            return 0.0
        previous, row = row, previous
    for k in range(region[T.N_ACCEPTS]):
        if work[previous + region[region[T.ACCEPTS] + k]] == 1.0:
            return 1.0
    return 0.0


frames_any_forward = kernel(FRAMES_FORWARD.replace("FRAMES", "float64[:, ::1]"))(_frames)
frames_any_forward_float32 = kernel(FRAMES_FORWARD.replace("FRAMES", "float32[:, ::1]"))(_frames)
trellis_any_forward = kernel(FRAMES_FORWARD.replace("FRAMES", "float64[:, ::1]"))(_trellis)
trellis_any_forward_float32 = kernel(FRAMES_FORWARD.replace("FRAMES", "float32[:, ::1]"))(_trellis)
