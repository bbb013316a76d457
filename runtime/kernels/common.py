"""Pieces that kernels of several shapes share: signatures, and gathering and scattering of leaf entries.

A region's header begins at ``ints[base]``; its offsets count from there. An entry below ``n_shared`` is shared by the
batch; any other belongs to the item and lies ``shift`` further.
"""

from __future__ import annotations

from arcgrad.runtime.routines import helper

__all__ = [
    "FRAMES_BACKWARD",
    "FRAMES_FORWARD",
    "FRAMES_SEEDED",
    "GRAPH_BACKWARD",
    "GRAPH_FORWARD",
    "add_to_entries",
    "gather_weights",
]

_REGION = "int32[::1], int64, float64[::1], int64, int64"
_WORK = "float64[::1], int64, int32[::1], int64, float64"
GRAPH_FORWARD = f"float64({_REGION}, {_WORK})"
GRAPH_BACKWARD = f"void({_REGION}, {_WORK}, float64, float64[::1], int64, int64)"
FRAMES_FORWARD = f"float64({_REGION}, FRAMES, int64, int64, {_WORK})"
FRAMES_BACKWARD = (
    f"void({_REGION}, FRAMES, int64, int64, {_WORK}, "
    "float64, float64[::1], int64, int64, FRAMES, int64, boolean, boolean)"
)
FRAMES_SEEDED = "float64(FRAMES, int64, int64, float64, FRAMES, int64)"


@helper
def gather_weights(ints, base, n_arcs, weights, n_shared, shift, work, work0, sign):
    """Write each arc's weight, the sum of its entries times the sign, into the workspace."""
    entries = base + ints[base + 7]
    if ints[base + 6] == 0:
        for arc in range(n_arcs):
            entry = ints[entries + arc]
            if entry >= n_shared:
                entry += shift
            work[work0 + arc] = sign * weights[entry]
    else:
        pointers = base + ints[base + 6]
        for arc in range(n_arcs):
            total = 0.0
            for k in range(ints[pointers + arc], ints[pointers + arc + 1]):
                entry = ints[entries + k]
                if entry >= n_shared:
                    entry += shift
                total += weights[entry]
            work[work0 + arc] = sign * total


@helper
def add_to_entries(ints, base, arc, value, gradient, n_shared, g_shared, g_shift):
    """Add a value to the gradient of each entry of one arc."""
    entries = base + ints[base + 7]
    low = arc
    high = arc + 1
    if ints[base + 6] != 0:
        pointers = base + ints[base + 6]
        low = ints[pointers + arc]
        high = ints[pointers + arc + 1]
    for k in range(low, high):
        entry = ints[entries + k]
        if entry < n_shared:
            gradient[g_shared + entry] += value
        else:
            gradient[g_shift + entry] += value
