"""Drops the states of a composition from which no accept can be reached.

Stage: symbolic part; helpers of the kernel in `arcgrad.runtime.kernels.graphs.compose`.
"""

from __future__ import annotations

from arcgrad.runtime.jit.declare import helper

__all__ = ["mark_coaccessible", "trim"]

# States are trimmed by sweeps over those not yet known to be useful, which may look at so many times all arcs.
_SWEPT = 4


@helper
def mark_coaccessible(n_states, n_arcs, first, dst, marks, waiting, scratch):
    """Mark the states from which arcs lead to a marked one; whether that is done, without scratch."""
    # Breadth first, most arcs lead on: one sweep from the last state to the first marks nearly all, and few are left.
    n_left = 0
    for state in range(n_states - 1, -1, -1):
        if not marks[state]:
            for k in range(first[state], first[state + 1]):
                if marks[dst[k]]:
                    marks[state] = 1
                    break
            if not marks[state]:
                waiting[n_left] = state
                n_left += 1
    work = 0
    while n_left:
        before, n_left = n_left, 0
        for i in range(before):
            state = waiting[i]
            work += first[state + 1] - first[state] + 1
            for k in range(first[state], first[state + 1]):
                if marks[dst[k]]:
                    marks[state] = 1
                    break
            if not marks[state]:
                waiting[n_left] = state
                n_left += 1
        if n_left == before:
            break
        if work > _SWEPT * (n_states + n_arcs):
            if len(scratch) == 0:
                return False
            _mark_backward(n_states, n_arcs, first, dst, marks, waiting, scratch)
            break
    return True


@helper
def _mark_backward(n_states, n_arcs, first, dst, marks, waiting, scratch):
    """The same in time that is linear whatever the order of the states: along the arcs that enter each state."""
    pointers = scratch[: n_states + 1]
    sources = scratch[n_states + 1 :]
    for state in range(n_states + 1):
        pointers[state] = 0
    for k in range(n_arcs):
        pointers[dst[k]] += 1
    for state in range(n_states):
        pointers[state + 1] += pointers[state]
    for state in range(n_states):
        for k in range(first[state], first[state + 1]):
            pointers[dst[k]] -= 1
            sources[pointers[dst[k]]] = state
    n_waiting = 0
    for state in range(n_states):
        if marks[state]:
            waiting[n_waiting] = state
            n_waiting += 1
    while n_waiting:
        n_waiting -= 1
        state = waiting[n_waiting]
        for k in range(pointers[state], pointers[state + 1]):
            if not marks[sources[k]]:
                marks[sources[k]] = 1
                waiting[n_waiting] = sources[k]
                n_waiting += 1


@helper
def trim(n_states, n_arcs, n_starts, marks, accepts, out, counts):
    """Drop the states that are not marked, order kept, and write the accepts, which are marked 2."""
    n_kept = 0
    n_accepts = 0
    counts[3] = 0
    for state in range(n_states):
        mark = marks[state]
        marks[state] = n_kept if mark else -1
        if mark == 2:
            accepts[n_accepts] = n_kept
            n_accepts += 1
        if mark:
            n_kept += 1
            if state < n_starts:
                counts[3] = n_kept
    if n_kept < n_states:
        to = 0
        for k in range(n_arcs):
            source, destination = marks[out[0, k]], marks[out[1, k]]
            if source >= 0 and destination >= 0:
                out[0, to] = source
                out[1, to] = destination
                for row in range(2, 6):
                    out[row, to] = out[row, k]
                to += 1
        n_arcs = to
    counts[0] = n_kept
    counts[1] = n_arcs
    counts[4] = n_accepts
