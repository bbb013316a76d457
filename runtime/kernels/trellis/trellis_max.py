"""Best path of a graph met with a dense chain, its gradients and its arcs. MIN is this with the sign −1.

Time-synchronous dynamic programming with one back pointer for each frame and state: the arc by which the best path
came, an ε arc within the frame or an emitting one from the frame before; −1 at a start. Among equals the arc packed
first wins.
"""

from __future__ import annotations

from math import inf

from arcgrad.runtime.jit.declare import kernel
from arcgrad.runtime.kernels.entries import FRAMES_BACKWARD, FRAMES_FORWARD, add_to_entries, gather_weights

__all__ = [
    "trellis_max_backward",
    "trellis_max_backward_float32",
    "trellis_max_forward",
    "trellis_max_forward_float32",
    "trellis_max_path",
]


def _forward(ints, base, weights, n_shared, shift, frames, frame0, n_frames, work, work0, iwork, iwork0, sign):
    """sign × the greatest of sign × path weight; sign × −inf where there is no path."""
    n_states = ints[base]
    n_arcs = ints[base + 1]
    sources = base + ints[base + 9]
    slots = base + ints[base + 12]
    columns = base + ints[base + 14]
    emitting = base + ints[base + 15]
    silent = base + ints[base + 16]
    gather_weights(ints, base, n_arcs, weights, n_shared, shift, work, work0, sign)
    previous = work0 + n_arcs
    row = previous + n_states
    pointers = iwork0 + 1
    for state in range(n_states):
        work[row + state] = -inf
    for k in range(ints[base + 2]):
        work[row + ints[base + ints[base + 3] + k]] = 0.0
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
    for k in range(ints[base + 4]):
        state = ints[base + ints[base + 5] + k]
        if work[previous + state] > best:
            best = work[previous + state]
            end = state
    iwork[iwork0] = end
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
    seed,
    gradient,
    g_shared,
    g_shift,
    frames_gradient,
    gframe0,
    want_weights,
    want_frames,
):
    """Add the seed to the entries of each arc of the best path, and to the frames and columns that it takes."""
    state = iwork[iwork0]
    if state < 0:
        return
    frame = n_frames
    arc = iwork[iwork0 + 1 + frame * ints[base] + state]
    while arc >= 0:
        if want_weights:
            add_to_entries(ints, base, arc, seed, gradient, n_shared, g_shared, g_shift)
        if arc < ints[base + 8]:
            frame -= 1
            if want_frames:
                column = ints[base + ints[base + 14] + ints[base + ints[base + 12] + arc]]
                frames_gradient[gframe0 + frame, column] += seed
        state = ints[base + ints[base + 9] + arc]
        arc = iwork[iwork0 + 1 + frame * ints[base] + state]


@kernel("int64(int32[::1], int64, int32[::1], int64, int64, int32[::1], int32[::1])")
def trellis_max_path(ints, base, iwork, iwork0, n_frames, arcs, arc_frames):
    """Write the best path after forward: the graph's arc numbers, and for each its frame (from 0), −1 for ε arcs.

    Returns the number of arcs; where the arrays are shorter than that, nothing is written.
    """
    length = 0
    for turn in range(2):
        state = iwork[iwork0]
        if state < 0:
            return 0
        frame = n_frames
        arc = iwork[iwork0 + 1 + frame * ints[base] + state]
        step = 0
        while arc >= 0:
            emits = arc < ints[base + 8]
            if emits:
                frame -= 1
            step += 1
            if turn == 1:
                arcs[length - step] = ints[base + ints[base + 11] + arc]
                arc_frames[length - step] = frame if emits else -1
            state = ints[base + ints[base + 9] + arc]
            arc = iwork[iwork0 + 1 + frame * ints[base] + state]
        length = step
        if length > len(arcs) or length > len(arc_frames):
            return length
    return length


trellis_max_forward = kernel(FRAMES_FORWARD.replace("FRAMES", "float64[:, ::1]"))(_forward)
trellis_max_forward_float32 = kernel(FRAMES_FORWARD.replace("FRAMES", "float32[:, ::1]"))(_forward)
trellis_max_backward = kernel(FRAMES_BACKWARD.replace("FRAMES", "float64[:, ::1]"))(_backward)
trellis_max_backward_float32 = kernel(FRAMES_BACKWARD.replace("FRAMES", "float32[:, ::1]"))(_backward)
