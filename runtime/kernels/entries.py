"""Pieces that kernels of several shapes share: signatures, and gathering and scattering of leaf entries.

Kernels take a region's own part of every array, and leaf weights as a bundle, ``(weights, n_shared, shift)``: entry e
is ``weights[e]`` below ``n_shared``, where the batch shares it, else the item's own, ``weights[e + shift]``. The
weights' gradient is such a bundle, too.
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
    "LEAVES",
    "ORDINARY",
    "SUMS",
    "add_to_entries",
    "first_in_line",
    "gather_arcs",
    "gather_weights",
    "improves",
    "is_stopped",
    "rounded_off",
]

ORDINARY = 1024.0
"""Sums of entries up to this are rounded like ordinary numbers; what the rounding of larger ones leaves off counts."""

LEAVES = "Tuple((const float64[::1], int64, int64))"
"""Type of a bundle of leaf weights."""

SUMS = LEAVES.replace("const ", "")
"""Type of the bundle of their gradient."""

_SPACE = "float64[::1], int32[::1], float64"
GRAPH_FORWARD = f"float64(const int32[::1], {LEAVES}, {_SPACE})"
GRAPH_BACKWARD = f"void(const int32[::1], {LEAVES}, {_SPACE}, float64, {SUMS})"
FRAMES_FORWARD = f"float64(const int32[::1], {LEAVES}, const FRAMES, {_SPACE})"
FRAMES_BACKWARD = f"void(const int32[::1], {LEAVES}, const FRAMES, {_SPACE}, float64, {SUMS}, FRAMES, boolean, boolean)"
FRAMES_SEEDED = "float64(const FRAMES, float64, FRAMES)"


@helper
def is_stopped(iwork):
    """Whether to give up, which a kernel that takes seconds asks now and then.

    The last integer of the workspace is zero when a routine is called. Whoever waits for it may write another number
    there meanwhile: kernels return soon, and what they computed means nothing.
    """
    return iwork[len(iwork) - 1] != 0


@helper
def gather_weights(region, n_arcs, leaves, work, sign):
    """Write each arc's weight, the sum of its entries times the sign, into the workspace."""
    gather_arcs(region, 0, leaves, sign, work[:n_arcs])


@helper
def gather_arcs(region, first, leaves, sign, result):
    """Write the weights of as many arcs as ``result`` takes, from arc ``first`` on."""
    weights, n_shared, shift = leaves
    entries = region[H.ENTRIES]
    if region[H.ENTRY_POINTERS] == 0:
        for k in range(len(result)):
            entry = region[entries + first + k]
            if entry >= n_shared:
                entry += shift
            result[k] = sign * weights[entry]
    else:
        pointers = region[H.ENTRY_POINTERS] + first
        for k in range(len(result)):
            total = 0.0
            for e in range(region[pointers + k], region[pointers + k + 1]):
                entry = region[entries + e]
                if entry >= n_shared:
                    entry += shift
                total += weights[entry]
            result[k] = sign * total


@helper
def rounded_off(region, arc, leaves, found):
    """What is left of the sum of an arc's entries after rounding, where that was ``found`` and is large."""
    weights, n_shared, shift = leaves
    rest = 0.0
    if region[H.ENTRY_POINTERS] != 0 and abs(found) > ORDINARY and found > -inf:
        entries = region[H.ENTRIES]
        pointers = region[H.ENTRY_POINTERS] + arc
        total = 0.0
        for e in range(region[pointers], region[pointers + 1]):
            entry = region[entries + e]
            if entry >= n_shared:
                entry += shift
            total, more = two_sum(total, weights[entry])
            rest += more
        rest += total - found
    return rest


@helper
def first_in_line(region, leaves):
    """Where the entry of a graph's first arc lies if those of all others lie behind it in the arcs' order, else −1.

    Then no index need be read. The entries must be all shared or all the item's own.
    """
    _, n_shared, shift = leaves
    if region[L.IN_LINE] == 0:
        return -1
    first = region[region[H.ENTRIES]]
    if first >= n_shared:
        return first + shift
    return first if first + region[H.N_ARCS] <= n_shared else -1


@helper
def add_to_entries(region, arc, value, gradient):
    """Add a value to the gradient of each entry of one arc."""
    sums, n_shared, shift = gradient
    entries = region[H.ENTRIES]
    low = arc
    high = arc + 1
    if region[H.ENTRY_POINTERS] != 0:
        pointers = region[H.ENTRY_POINTERS]
        low = region[pointers + arc]
        high = region[pointers + arc + 1]
    for k in range(low, high):
        entry = region[entries + k]
        if entry >= n_shared:
            entry += shift
        sums[entry] += value


@helper
def improves(region, ends, low, high, work, iwork, choices, marks):
    """Whether the arcs chosen last by states from ``low`` on run around a cycle that gains, whatever rounding does."""
    for state in range(low, high):
        iwork[marks + state] = -1
    for root in range(low, high):
        state = root
        while state >= low and state < high and iwork[marks + state] < 0 and iwork[choices + state] >= 0:
            iwork[marks + state] = root
            state = region[ends + iwork[choices + state]]
        if state >= low and state < high and iwork[marks + state] == root:
            gain = size = 0.0
            again = state
            while True:
                weight = work[iwork[choices + again]]
                gain += weight
                size += abs(weight)
                again = region[ends + iwork[choices + again]]
                if again == state:
                    break
            if gain > 1e-9 * size:
                return True
    return False
