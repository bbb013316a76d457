"""Best path of a dense chain alone: each frame's greatest column, the first among equals. MIN has the sign −1."""

from __future__ import annotations

from math import inf

from arcgrad.runtime.jit.declare import kernel
from arcgrad.runtime.kernels.entries import FRAMES_BACKWARD, FRAMES_FORWARD

__all__ = [
    "frames_max_backward",
    "frames_max_backward_float32",
    "frames_max_forward",
    "frames_max_forward_float32",
]

_LENGTH, _CHOICES = 0, 1
"""Integers of the workspace: arcs of the best path; each frame's best column."""


def _forward(region, leaves, frames, work, iwork, sign):
    """sign × the greatest of sign × path weight; sign × −inf where there is no path."""
    n_frames = len(frames)
    score = 0.0
    for frame in range(n_frames):
        best = -inf
        choice = -1
        for column in range(frames.shape[1]):
            candidate = sign * frames[frame, column]
            if candidate > best:
                best = candidate
                choice = column
        iwork[_CHOICES + frame] = choice
        # A frame without a column leaves no path, whatever the others hold.
        score = -inf if choice < 0 or score == -inf else score + best
    iwork[_LENGTH] = 0 if score == -inf else n_frames
    return sign * score + 0.0


def _backward(
    region, leaves, frames, work, iwork, sign, cotangent, gradient, frames_gradient, want_weights, want_frames
):
    """Add the cotangent to each frame's best column."""
    if want_frames:
        for frame in range(iwork[_LENGTH]):
            frames_gradient[frame, iwork[_CHOICES + frame]] += cotangent


frames_max_forward = kernel(FRAMES_FORWARD.replace("FRAMES", "float64[:, ::1]"))(_forward)
frames_max_forward_float32 = kernel(FRAMES_FORWARD.replace("FRAMES", "float32[:, ::1]"))(_forward)
frames_max_backward = kernel(FRAMES_BACKWARD.replace("FRAMES", "float64[:, ::1]"))(_backward)
frames_max_backward_float32 = kernel(FRAMES_BACKWARD.replace("FRAMES", "float32[:, ::1]"))(_backward)
