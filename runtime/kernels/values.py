"""Values of arcs: further weights of a region's arcs, of which expectations are taken; gathering and scattering.

A region has up to two kinds of values, each packed as the arcs' weights are (``header``), with entries in the same flat
vector of leaf weights.
"""

from __future__ import annotations

from arcgrad.runtime.jit.declare import helper
from arcgrad.runtime.kernels import header as H

__all__ = ["add_to_values", "gather_values", "values_line"]


@helper
def values_line(region, kind, leaves):
    """As `entries.first_in_line`, of the arcs' values of a kind: 0, or 1 for the second."""
    _, n_shared, shift = leaves
    fields = H.VALUES + kind * H.VALUE_FIELDS
    if region[fields + H.VALUE_IN_LINE] == 0:
        return -1
    first = region[region[fields + H.VALUE_ENTRIES]]
    if first >= n_shared:
        return first + shift
    return first if first + region[H.N_ARCS] <= n_shared else -1


@helper
def gather_values(region, kind, leaves, result):
    """Write the arcs' values of a kind, each the sum of its entries."""
    weights, n_shared, shift = leaves
    fields = H.VALUES + kind * H.VALUE_FIELDS
    entries = region[fields + H.VALUE_ENTRIES]
    pointers = region[fields + H.VALUE_POINTERS]
    for arc in range(region[H.N_ARCS]):
        low = arc
        high = arc + 1
        if pointers != 0:
            low = region[pointers + arc]
            high = region[pointers + arc + 1]
        total = 0.0
        for k in range(low, high):
            entry = region[entries + k]
            if entry >= n_shared:
                entry += shift
            total += weights[entry]
        result[arc] = total


@helper
def add_to_values(region, kind, arc, value, gradient):
    """Add to the gradient of each entry of one arc's value of a kind."""
    sums, n_shared, shift = gradient
    fields = H.VALUES + kind * H.VALUE_FIELDS
    entries = region[fields + H.VALUE_ENTRIES]
    pointers = region[fields + H.VALUE_POINTERS]
    low = arc
    high = arc + 1
    if pointers != 0:
        low = region[pointers + arc]
        high = region[pointers + arc + 1]
    for k in range(low, high):
        entry = region[entries + k]
        if entry >= n_shared:
            entry += shift
        sums[entry] += value
