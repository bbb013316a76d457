"""Best path of a dense composition, and its gradients. MIN is this with the sign −1.

Time-synchronous dynamic programming with one back pointer for each frame and state: the arc by which the best path
came, an ε arc within the frame or an emitting one from the frame before; −1 at a start. Among equals the arc packed
first wins.
"""

from __future__ import annotations

from math import inf

from arcgrad.runtime.jit.declare import kernel
from arcgrad.runtime.kernels.entries import FRAMES_BACKWARD, FRAMES_FORWARD, add_to_entries, gather_weights, is_stopped
from arcgrad.runtime.kernels.trellis import trellis_format as T

__all__ = [
    "trellis_max_backward",
    "trellis_max_backward_float32",
    "trellis_max_forward",
    "trellis_max_forward_float32",
]

_END, _CHOICES = 0, 1
"""Integers of the workspace: the best path's last state; by frame and state, the arc by which the best path came."""


def _forward(region, leaves, frames, work, iwork, sign):
    """sign × the greatest of sign × path weight; sign × −inf where there is no path."""
    n_frames = len(frames)
    n_states = region[T.N_STATES]
    n_arcs = region[T.N_ARCS]
    sources = region[T.ARC_SOURCES]
    slots = region[T.ARC_SLOTS]
    columns = region[T.SLOT_COLUMNS]
    emitting = region[T.EMITTING]
    silent = region[T.SILENT]
    gather_weights(region, n_arcs, leaves, work, sign)
    previous = n_arcs
    row = previous + n_states
    pointers = _CHOICES
    for state in range(n_states):
        work[row + state] = -inf
    for k in range(region[T.N_STARTS]):
        work[row + region[region[T.STARTS] + k]] = 0.0
    iwork[_END] = -1
    for step in range(n_frames + 1):
        if is_stopped(iwork):
            return -sign * inf
        for state in range(n_states):
            best = -inf
            choice = -1
            if step == 0:
                best = work[row + state]
            else:
                for arc in range(region[emitting + state], region[emitting + state + 1]):
                    column = region[columns + region[slots + arc]]
                    score = work[previous + region[sources + arc]] + work[arc]
                    score += sign * frames[step - 1, column]
                    if score > best:
                        best = score
                        choice = arc
            for arc in range(region[silent + state], region[silent + state + 1]):
                score = work[row + region[sources + arc]] + work[arc]
                if score > best:
                    best = score
                    choice = arc
            work[row + state] = best
            iwork[pointers + state] = choice
        pointers += n_states
        previous, row = row, previous
    best = -inf
    end = -1
    for k in range(region[T.N_ACCEPTS]):
        state = region[region[T.ACCEPTS] + k]
        if work[previous + state] > best:
            best = work[previous + state]
            end = state
    iwork[_END] = end
    return sign * best + 0.0


def _backward(
    region, leaves, frames, work, iwork, sign, cotangent, gradient, frames_gradient, want_weights, want_frames
):
    """Add the cotangent to the entries of each arc of the best path, and to the frames and columns that it takes."""
    n_frames = len(frames)
    state = iwork[_END]
    if state < 0:
        return
    frame = n_frames
    arc = iwork[_CHOICES + frame * region[T.N_STATES] + state]
    while arc >= 0:
        if want_weights:
            add_to_entries(region, arc, cotangent, gradient)
        if arc < region[T.N_EMITTING]:
            frame -= 1
            if want_frames:
                column = region[region[T.SLOT_COLUMNS] + region[region[T.ARC_SLOTS] + arc]]
                frames_gradient[frame, column] += cotangent
        state = region[region[T.ARC_SOURCES] + arc]
        arc = iwork[_CHOICES + frame * region[T.N_STATES] + state]


trellis_max_forward = kernel(FRAMES_FORWARD.replace("FRAMES", "float64[:, ::1]"))(_forward)
trellis_max_forward_float32 = kernel(FRAMES_FORWARD.replace("FRAMES", "float32[:, ::1]"))(_forward)
trellis_max_backward = kernel(FRAMES_BACKWARD.replace("FRAMES", "float64[:, ::1]"))(_backward)
trellis_max_backward_float32 = kernel(FRAMES_BACKWARD.replace("FRAMES", "float32[:, ::1]"))(_backward)
