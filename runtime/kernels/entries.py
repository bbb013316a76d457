"""Pieces that kernels of several shapes share: signatures, and gathering and scattering of leaf entries.

A region's header begins at ``ints[base]``; its offsets count from there. An entry below ``n_shared`` is shared by the
batch; any other belongs to the item and lies ``shift`` further.
"""

from __future__ import annotations

from math import inf

from arcgrad.runtime.jit.declare import helper
from arcgrad.runtime.kernels import header as H
from arcgrad.runtime.kernels.lattice import lattice_format as L
from arcgrad.runtime.kernels.math.scaled import two_sum

__all__ = [
    "FRAMES_BACKWARD",
    "FRAMES_FORWARD",
    "FRAMES_SEEDED",
    "GRAPH_BACKWARD",
    "GRAPH_FORWARD",
    "ORDINARY",
    "add_to_entries",
    "first_in_line",
    "gather_arcs",
    "gather_weights",
    "rounded_off",
]

ORDINARY = 1024.0
"""Sums of entries up to this are rounded like ordinary numbers; what the rounding of larger ones leaves off counts."""

_REGION = "const int32[::1], int64, const float64[::1], int64, int64"
_WORK = "float64[::1], int64, int32[::1], int64, float64"
GRAPH_FORWARD = f"float64({_REGION}, {_WORK})"
GRAPH_BACKWARD = f"void({_REGION}, {_WORK}, float64, float64[::1], int64, int64)"
FRAMES_FORWARD = f"float64({_REGION}, const FRAMES, int64, int64, {_WORK})"
FRAMES_BACKWARD = (
    f"void({_REGION}, const FRAMES, int64, int64, {_WORK}, "
    "float64, float64[::1], int64, int64, FRAMES, int64, boolean, boolean)"
)
FRAMES_SEEDED = "float64(const FRAMES, int64, int64, float64, FRAMES, int64)"


@helper
def gather_weights(ints, base, n_arcs, weights, n_shared, shift, work, work0, sign):
    """Write each arc's weight, the sum of its entries times the sign, into the workspace."""
    gather_arcs(ints, base, 0, weights, n_shared, shift, sign, work[work0 : work0 + n_arcs])


@helper
def gather_arcs(ints, base, first, weights, n_shared, shift, sign, result):
    """Write the weights of as many arcs as ``result`` takes, from arc ``first`` on."""
    entries = base + ints[base + H.ENTRIES]
    if ints[base + H.ENTRY_POINTERS] == 0:
        for k in range(len(result)):
            entry = ints[entries + first + k]
            if entry >= n_shared:
                entry += shift
            result[k] = sign * weights[entry]
    else:
        pointers = base + ints[base + H.ENTRY_POINTERS] + first
        for k in range(len(result)):
            total = 0.0
            for e in range(ints[pointers + k], ints[pointers + k + 1]):
                entry = ints[entries + e]
                if entry >= n_shared:
                    entry += shift
                total += weights[entry]
            result[k] = sign * total


@helper
def rounded_off(ints, base, arc, weights, n_shared, shift, found):
    """What is left of the sum of an arc's entries after rounding, where that was ``found`` and is large."""
    rest = 0.0
    if ints[base + H.ENTRY_POINTERS] != 0 and abs(found) > ORDINARY and found > -inf:
        entries = base + ints[base + H.ENTRIES]
        pointers = base + ints[base + H.ENTRY_POINTERS] + arc
        total = 0.0
        for e in range(ints[pointers], ints[pointers + 1]):
            entry = ints[entries + e]
            if entry >= n_shared:
                entry += shift
            total, more = two_sum(total, weights[entry])
            rest += more
        rest += total - found
    return rest


@helper
def first_in_line(ints, base, n_shared, shared_shift, own_shift):
    """Where the entry of a graph's first arc lies if those of all others lie behind it in the arcs' order, else −1.

    Then no index need be read. The entries must be all shared or all the item's own.
    """
    if ints[base + L.IN_LINE] == 0:
        return -1
    first = ints[base + ints[base + H.ENTRIES]]
    if first >= n_shared:
        return first + own_shift
    return first + shared_shift if first + ints[base + H.N_ARCS] <= n_shared else -1


@helper
def add_to_entries(ints, base, arc, value, gradient, n_shared, g_shared, g_shift):
    """Add a value to the gradient of each entry of one arc."""
    entries = base + ints[base + H.ENTRIES]
    low = arc
    high = arc + 1
    if ints[base + H.ENTRY_POINTERS] != 0:
        pointers = base + ints[base + H.ENTRY_POINTERS]
        low = ints[pointers + arc]
        high = ints[pointers + arc + 1]
    for k in range(low, high):
        entry = ints[entries + k]
        if entry < n_shared:
            gradient[g_shared + entry] += value
        else:
            gradient[g_shift + entry] += value
