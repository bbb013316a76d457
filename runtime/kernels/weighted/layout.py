"""Lays a deterministic machine's arcs out as a graph's: each state's in order, then an ε arc where it ends."""

from __future__ import annotations

from math import inf

from arcgrad.runtime.jit.declare import kernel

__all__ = ["lay_out"]


@kernel(
    "int64(const int64[::1], const int32[::1], const int32[::1], const float64[::1], const float64[::1], "
    "const int32[::1], const int32[::1], int32, int32[::1], int32[::1], int32[::1], int32[::1], float64[::1])"
)
def lay_out(pointers, ranks, targets, weights, ends, ilabels, olabels, sink, src, dst, ilabel, olabel, found):
    """Write source, destination, labels and weight of each arc; ε arcs lead to ``sink``. How many arcs there are."""
    at = 0
    for state in range(len(ends)):
        for arc in range(pointers[state], pointers[state + 1]):
            src[at], dst[at] = state, targets[arc]
            ilabel[at], olabel[at] = ilabels[ranks[arc]], olabels[ranks[arc]]
            found[at] = weights[arc]
            at += 1
        if ends[state] > -inf and ends[state] != 0.0:
            src[at], dst[at], ilabel[at], olabel[at], found[at] = state, sink, -1, -1, ends[state]
            at += 1
    return at
