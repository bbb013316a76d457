"""Forward score of a graph met with a dense chain, and its gradients by arc weights and by frames."""

from __future__ import annotations

from math import exp, inf, log

from arcgrad.runtime.kernels.common import FRAMES_BACKWARD, FRAMES_FORWARD, add_to_entries, gather_weights
from arcgrad.runtime.routines import helper, kernel

__all__ = [
    "trellis_log_backward",
    "trellis_log_backward_float32",
    "trellis_log_forward",
    "trellis_log_forward_float32",
]


@helper
def incoming_score(ints, base, arc, work, work0, row, previous, frames, frame):
    """Score of the paths that end with this arc."""
    source = ints[base + ints[base + 9] + arc]
    if arc >= ints[base + 8]:
        return work[row + source] + work[work0 + arc]
    column = ints[base + ints[base + 14] + ints[base + ints[base + 12] + arc]]
    return work[previous + source] + work[work0 + arc] + frames[frame, column]


@helper
def enter_states(ints, base, work, work0, row, previous, frames, frame):
    """Forward scores after one frame, states in order of ε arcs; before the first frame, ``row`` is ``previous``."""
    n_states = ints[base]
    emitting = base + ints[base + 15]
    silent = base + ints[base + 16]
    for state in range(n_states):
        own = -inf
        low = 0
        high = 0
        if row != previous:
            low = ints[emitting + state]
            high = ints[emitting + state + 1]
        else:
            own = work[row + state]
        best = own
        for arc in range(low, high):
            best = max(best, incoming_score(ints, base, arc, work, work0, row, previous, frames, frame))
        for arc in range(ints[silent + state], ints[silent + state + 1]):
            best = max(best, incoming_score(ints, base, arc, work, work0, row, previous, frames, frame))
        if best == -inf:
            work[row + state] = -inf
            continue
        total = exp(own - best)
        for arc in range(low, high):
            total += exp(incoming_score(ints, base, arc, work, work0, row, previous, frames, frame) - best)
        for arc in range(ints[silent + state], ints[silent + state + 1]):
            total += exp(incoming_score(ints, base, arc, work, work0, row, previous, frames, frame) - best)
        work[row + state] = best + log(total)


def _forward(ints, base, weights, n_shared, shift, frames, frame0, n_frames, work, work0, iwork, iwork0, sign):
    """Log of the sum over accepting paths of exp(weight of arcs and frames); −inf where there is none."""
    n_states = ints[base]
    n_arcs = ints[base + 1]
    gather_weights(ints, base, n_arcs, weights, n_shared, shift, work, work0, 1.0)
    total = work0 + n_arcs
    row = total + 1 + 2 * n_states
    for state in range(n_states):
        work[row + state] = -inf
    for k in range(ints[base + 2]):
        work[row + ints[base + ints[base + 3] + k]] = 0.0
    enter_states(ints, base, work, work0, row, row, frames, frame0)
    for frame in range(n_frames):
        enter_states(ints, base, work, work0, row + n_states, row, frames, frame0 + frame)
        row += n_states
    accepts = base + ints[base + 5]
    best = -inf
    for k in range(ints[base + 4]):
        best = max(best, work[row + ints[accepts + k]])
    if best > -inf:
        score = 0.0
        for k in range(ints[base + 4]):
            score += exp(work[row + ints[accepts + k]] - best)
        best += log(score)
    work[total] = best
    return best


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
    """Add seed × posterior of each arc to its entries' gradient, and of each frame and column to the frames'."""
    n_states = ints[base]
    n_arcs = ints[base + 1]
    n_emitting = ints[base + 8]
    sources = base + ints[base + 9]
    ends = base + ints[base + 10]
    total = work0 + n_arcs
    score = work[total]
    if score == -inf:
        return
    occupancy = total + 1
    earlier = occupancy + n_states
    row = total + 1 + (2 + n_frames) * n_states
    for state in range(n_states):
        work[occupancy + state] = 0.0
    for k in range(ints[base + 4]):
        state = ints[base + ints[base + 5] + k]
        work[occupancy + state] = seed * exp(work[row + state] - score)
    for frame in range(n_frames, -1, -1):
        for state in range(n_states):
            work[earlier + state] = 0.0
        for arc in range(n_arcs - 1, n_emitting - 1, -1):
            flow = work[occupancy + ints[ends + arc]]
            if flow != 0.0:
                arrived = work[row + ints[ends + arc]]
                share = flow * exp(work[row + ints[sources + arc]] + work[work0 + arc] - arrived)
                work[occupancy + ints[sources + arc]] += share
                if want_weights:
                    add_to_entries(ints, base, arc, share, gradient, n_shared, g_shared, g_shift)
        if frame == 0:
            break
        for arc in range(n_emitting):
            flow = work[occupancy + ints[ends + arc]]
            if flow != 0.0:
                column = ints[base + ints[base + 14] + ints[base + ints[base + 12] + arc]]
                here = work[row - n_states + ints[sources + arc]] + work[work0 + arc] + frames[frame0 + frame - 1, column]
                share = flow * exp(here - work[row + ints[ends + arc]])
                work[earlier + ints[sources + arc]] += share
                if want_weights:
                    add_to_entries(ints, base, arc, share, gradient, n_shared, g_shared, g_shift)
                if want_frames:
                    frames_gradient[gframe0 + frame - 1, column] += share
        occupancy, earlier = earlier, occupancy
        row -= n_states


trellis_log_forward = kernel(FRAMES_FORWARD.replace("FRAMES", "float64[:, ::1]"))(_forward)
trellis_log_forward_float32 = kernel(FRAMES_FORWARD.replace("FRAMES", "float32[:, ::1]"))(_forward)
trellis_log_backward = kernel(FRAMES_BACKWARD.replace("FRAMES", "float64[:, ::1]"))(_backward)
trellis_log_backward_float32 = kernel(FRAMES_BACKWARD.replace("FRAMES", "float32[:, ::1]"))(_backward)
