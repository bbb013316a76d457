"""Best path of a dense composition, its gradients and its arcs. MIN is this with the sign −1.

Time-synchronous dynamic programming with one back pointer for each frame and state: the arc by which the best path
came, an ε arc within the frame or an emitting one from the frame before; −1 at a start. Among equals the arc packed
first wins.
"""

from __future__ import annotations

from math import inf

from arcgrad.runtime.jit.declare import kernel
from arcgrad.runtime.kernels.entries import FRAMES_BACKWARD, FRAMES_FORWARD, add_to_entries, gather_weights
from arcgrad.runtime.kernels.trellis import trellis_format as T

__all__ = [
    "trellis_max_backward",
    "trellis_max_backward_float32",
    "trellis_max_forward",
    "trellis_max_forward_float32",
    "trellis_max_path",
]

_END, _CHOICES = 0, 1
"""Integers of the workspace: the best path's last state; by frame and state, the arc by which the best path came."""


def _forward(ints, base, weights, n_shared, shift, frames, frame0, n_frames, work, work0, iwork, iwork0, sign):
    """sign × the greatest of sign × path weight; sign × −inf where there is no path."""
    n_states = ints[base + T.N_STATES]
    n_arcs = ints[base + T.N_ARCS]
    sources = base + ints[base + T.ARC_SOURCES]
    slots = base + ints[base + T.ARC_SLOTS]
    columns = base + ints[base + T.SLOT_COLUMNS]
    emitting = base + ints[base + T.EMITTING]
    silent = base + ints[base + T.SILENT]
    gather_weights(ints, base, n_arcs, weights, n_shared, shift, work, work0, sign)
    previous = work0 + n_arcs
    row = previous + n_states
    pointers = iwork0 + _CHOICES
    for state in range(n_states):
        work[row + state] = -inf
    for k in range(ints[base + T.N_STARTS]):
        work[row + ints[base + ints[base + T.STARTS] + k]] = 0.0
    for step in range(n_frames + 1):
        for state in range(n_states):
            best = -inf
            choice = -1
            if step == 0:
                best = work[row + state]
            else:
                for arc in range(ints[emitting + state], ints[emitting + state + 1]):
                    column = ints[columns + ints[slots + arc]]
                    score = work[previous + ints[sources + arc]] + work[work0 + arc]
                    score += sign * frames[frame0 + step - 1, column]
                    if score > best:
                        best = score
                        choice = arc
            for arc in range(ints[silent + state], ints[silent + state + 1]):
                score = work[row + ints[sources + arc]] + work[work0 + arc]
                if score > best:
                    best = score
                    choice = arc
            work[row + state] = best
            iwork[pointers + state] = choice
        pointers += n_states
        previous, row = row, previous
    best = -inf
    end = -1
    for k in range(ints[base + T.N_ACCEPTS]):
        state = ints[base + ints[base + T.ACCEPTS] + k]
        if work[previous + state] > best:
            best = work[previous + state]
            end = state
    iwork[iwork0 + _END] = end
    return sign * best


def _backward(
    ints,
    base,
    weights,
    n_shared,
    shift,
    frames,
    frame0,
    n_frames,
    work,
    work0,
    iwork,
    iwork0,
    sign,
    cotangent,
    gradient,
    g_shared,
    g_shift,
    frames_gradient,
    gframe0,
    want_weights,
    want_frames,
):
    """Add the cotangent to the entries of each arc of the best path, and to the frames and columns that it takes."""
    state = iwork[iwork0 + _END]
    if state < 0:
        return
    frame = n_frames
    arc = iwork[iwork0 + _CHOICES + frame * ints[base + T.N_STATES] + state]
    while arc >= 0:
        if want_weights:
            add_to_entries(ints, base, arc, cotangent, gradient, n_shared, g_shared, g_shift)
        if arc < ints[base + T.N_EMITTING]:
            frame -= 1
            if want_frames:
                column = ints[base + ints[base + T.SLOT_COLUMNS] + ints[base + ints[base + T.ARC_SLOTS] + arc]]
                frames_gradient[gframe0 + frame, column] += cotangent
        state = ints[base + ints[base + T.ARC_SOURCES] + arc]
        arc = iwork[iwork0 + _CHOICES + frame * ints[base + T.N_STATES] + state]


@kernel("int64(const int32[::1], int64, int32[::1], int64, int64, int32[::1], int32[::1])")
def trellis_max_path(ints, base, iwork, iwork0, n_frames, arcs, arc_frames):
    """Write the best path after forward: the graph's arc numbers, and for each its frame (from 0), −1 for ε arcs.

    Returns the number of arcs; where the arrays are shorter than that, nothing is written.
    """
    length = 0
    for turn in range(2):
        state = iwork[iwork0 + _END]
        if state < 0:
            return 0
        frame = n_frames
        arc = iwork[iwork0 + _CHOICES + frame * ints[base + T.N_STATES] + state]
        step = 0
        while arc >= 0:
            emits = arc < ints[base + T.N_EMITTING]
            if emits:
                frame -= 1
            step += 1
            if turn == 1:
                arcs[length - step] = ints[base + ints[base + T.ARC_NUMBERS] + arc]
                arc_frames[length - step] = frame if emits else -1
            state = ints[base + ints[base + T.ARC_SOURCES] + arc]
            arc = iwork[iwork0 + _CHOICES + frame * ints[base + T.N_STATES] + state]
        length = step
        if length > len(arcs) or length > len(arc_frames):
            return length
    return length


trellis_max_forward = kernel(FRAMES_FORWARD.replace("FRAMES", "float64[:, ::1]"))(_forward)
trellis_max_forward_float32 = kernel(FRAMES_FORWARD.replace("FRAMES", "float32[:, ::1]"))(_forward)
trellis_max_backward = kernel(FRAMES_BACKWARD.replace("FRAMES", "float64[:, ::1]"))(_backward)
trellis_max_backward_float32 = kernel(FRAMES_BACKWARD.replace("FRAMES", "float32[:, ::1]"))(_backward)
