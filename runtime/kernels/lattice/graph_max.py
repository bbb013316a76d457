"""Best path of a graph, acyclic or not, its gradient and its arcs. MIN is this with the sign −1.

Dynamic programming from the accepts over pairs (weight, number of arcs), component by component; then a walk from the
starts takes at each state the first of the optimal arcs in the graph's order: among the best paths one with fewest
arcs, and among those the lexicographically smallest.

Of an acyclic graph, mostly one path only is best, and then its length does not matter: weights alone are summed first,
in half the time, and the pairs only where the walk meets a tie.
"""

from __future__ import annotations

from math import inf, nan

import numpy as np

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.entries import (
    GRAPH_BACKWARD,
    GRAPH_FORWARD,
    LEAVES,
    add_to_entries,
    first_in_line,
    gather_weights,
    improves,
    is_stopped,
)
from arcgrad.runtime.kernels.lattice import lattice_format as L

__all__ = ["graph_max_backward", "graph_max_forward", "graph_max_pairs", "graph_max_path"]


@helper
def drop_unreached(region, n_states, work, iwork, marks, stack):
    """Make arcs absent whose source no finite path from a start reaches: a cycle there diverges for nobody."""
    rows = region[L.ARC_POINTERS]
    ends = region[L.ARC_ENDS]
    for state in range(n_states):
        iwork[marks + state] = 0
    waiting = 0
    for k in range(region[L.N_STARTS]):
        state = region[region[L.STARTS] + k]
        iwork[marks + state] = 1
        iwork[stack + waiting] = state
        waiting += 1
    while waiting > 0:
        waiting -= 1
        state = iwork[stack + waiting]
        for arc in range(region[rows + state], region[rows + state + 1]):
            end = region[ends + arc]
            if work[arc] > -inf and iwork[marks + end] == 0:
                iwork[marks + end] = 1
                iwork[stack + waiting] = end
                waiting += 1
    for state in range(n_states):
        if iwork[marks + state] == 0:
            for arc in range(region[rows + state], region[rows + state + 1]):
                work[arc] = -inf


@helper
def relax(region, state, work, best, iwork, lengths, choices):
    """Improve one state's pair by its outgoing arcs, and write which was chosen last; whether it improved."""
    ends = region[L.ARC_ENDS]
    rows = region[L.ARC_POINTERS]
    score = work[best + state]
    length = iwork[lengths + state]
    improved = False
    for arc in range(region[rows + state], region[rows + state + 1]):
        end = region[ends + arc]
        candidate = work[arc] + work[best + end]
        if candidate > score or (candidate == score and candidate > -inf and iwork[lengths + end] + 1 < length):
            score = candidate
            length = iwork[lengths + end] + 1
            improved = True
            if choices >= 0:
                iwork[choices + state] = arc
    work[best + state] = score
    iwork[lengths + state] = length
    return improved


@helper
def relax_component(region, low, high, work, best, iwork, lengths, queue, is_waiting, choices, marks):
    """Improve the states of a component until none does; False where that finds no end, or is not to.

    States wait in a ring for their turn, each when the destination of one of its arcs has improved.
    """
    in_pointers, in_sources = region[L.IN_POINTERS], region[L.IN_SOURCES]
    size = high - low
    for k in range(size):
        iwork[queue + low + k] = high - 1 - k
        iwork[is_waiting + low + k] = 1
        iwork[choices + low + k] = -1
    waiting = size
    first = turns = 0
    check = np.int64(2 * size)
    # Enough for any graph without a positive cycle, with some rounds for last-place noise of cycles of weight 0.
    most = (2 * size + 64) * size
    while waiting > 0:
        state = np.int64(iwork[queue + low + first])
        first = first + 1 if first + 1 < size else 0
        waiting -= 1
        iwork[is_waiting + state] = 0
        if relax(region, state, work, best, iwork, lengths, choices):
            for k in range(region[in_pointers + state], region[in_pointers + state + 1]):
                source = region[in_sources + k]
                if source >= low and source < high and iwork[is_waiting + source] == 0:
                    last = first + waiting
                    iwork[queue + low + (last if last < size else last - size)] = source
                    iwork[is_waiting + source] = 1
                    waiting += 1
        turns += 1
        if turns == check:
            check *= 2
            if (
                turns > most
                or is_stopped(iwork)
                or improves(region, region[L.ARC_ENDS], low, high, work, iwork, choices, marks)
            ):
                return False
    return True


@helper
def fewest_arcs(region, n_states, work, best, iwork, counts, free):
    """For each state, the fewest arcs of a path to an accept through an arc of infinite weight, for MIN's −inf.

    Once such an arc is taken, any way on is as good: first ``iwork[free]`` gets the fewest arcs of any path.
    """
    rows = region[L.ARC_POINTERS]
    ends = region[L.ARC_ENDS]
    never = 1 << 30
    for state in range(n_states):
        iwork[counts + state] = never
        iwork[free + state] = never
    for k in range(region[L.N_ACCEPTS]):
        iwork[free + region[region[L.ACCEPTS] + k]] = 0
    improved = True
    while improved:
        improved = False
        for state in range(n_states - 1, -1, -1):
            for arc in range(region[rows + state], region[rows + state + 1]):
                end = region[ends + arc]
                if iwork[free + end] + 1 < iwork[free + state]:
                    iwork[free + state] = iwork[free + end] + 1
                    improved = True
                onward = iwork[free + end] if work[arc] == inf else iwork[counts + end]
                if onward + 1 < iwork[counts + state]:
                    iwork[counts + state] = onward + 1
                    improved = True
    for state in range(n_states):
        work[best + state] = inf if iwork[counts + state] < never else -inf


@kernel("int64(const int32[::1], int64, float64[::1], int64, int32[::1], int64, int64, boolean)")
def first_optimal(region, state, work, best, iwork, lengths, free, infinite):
    """The first arc out of a state that a best path can go on with, −1 at the path's end."""
    rows = region[L.ARC_POINTERS]
    ends = region[L.ARC_ENDS]
    for arc in range(region[rows + state], region[rows + state + 1]):
        end = region[ends + arc]
        weight = work[arc]
        if infinite:
            onward = iwork[free + end] if weight == inf else iwork[lengths + end]
            if onward + 1 == iwork[lengths + state]:
                return arc
        elif iwork[lengths + end] + 1 == iwork[lengths + state] and (
            lengths == free or weight + work[best + end] == work[best + state]
        ):
            return arc
    return -1


@helper
def walk(region, work, best, iwork, lengths, free, path, infinite):
    """Write the best path's packed arcs behind ``iwork[path]``, which takes their number.

    Returns:
        False where rounding hides the path: sums around a cycle of weight 0 differ in their last place, so that a
        state's value is no longer that of any arc and its end, or the path goes around.
    """
    state = -1
    first = -1
    for k in range(region[L.N_STARTS]):
        candidate = region[region[L.STARTS] + k]
        arc = first_optimal(region, candidate, work, best, iwork, lengths, free, infinite)
        number = region[region[L.ARC_NUMBERS] + arc] if arc >= 0 else -1
        if state < 0 or work[best + candidate] > work[best + state]:
            better = True
        elif work[best + candidate] < work[best + state]:
            better = False
        elif iwork[lengths + candidate] == iwork[lengths + state]:
            better = number < first
        else:
            better = iwork[lengths + candidate] < iwork[lengths + state]
        if better:
            state = candidate
            first = number
    n_arcs = iwork[lengths + state]
    if n_arcs >= region[L.N_STATES]:
        return False
    for k in range(n_arcs):
        arc = first_optimal(region, state, work, best, iwork, lengths, free, infinite)
        if arc < 0:
            return False
        iwork[path + 1 + k] = arc
        if infinite and work[arc] == inf:
            infinite = False
            lengths = free
        state = region[region[L.ARC_ENDS] + arc]
    iwork[path] = n_arcs
    return True


@helper
def best_weights(rows, ends, weights, best):
    """Raise the states' best weights, −inf or an accept's 0, to those of an acyclic graph."""
    for state in range(len(best) - 1, -1, -1):
        score = best[state]
        other = -inf  # two maxima take half the time of one, whose comparisons wait for each other
        arc = rows[state]
        high = rows[state + 1]
        while arc + 1 < high:
            score = max(score, weights[arc] + best[ends[arc]])
            other = max(other, weights[arc + 1] + best[ends[arc + 1]])
            arc += 2
        if arc < high:
            other = max(other, weights[arc] + best[ends[arc]])
        best[state] = max(score, other)


@helper
def walk_without_ties(starts, rows, ends, weights, best, score, path):
    """Write the arcs of the only best path behind ``path[0]``, which takes their number; False where there may be two.

    The path ends at a state whose best weight is not an arc's; one of weight 0 with such an arc may accept, too.
    """
    state = -1
    for candidate in starts:
        if best[candidate] == score:
            if state >= 0:
                return False
            state = candidate
    n_arcs = 0
    found = state
    while found >= 0:
        found = -1
        for arc in range(rows[state], rows[state + 1]):
            if weights[arc] + best[ends[arc]] == best[state]:
                if found >= 0 or best[state] == 0.0:
                    return False
                found = arc
        if found >= 0:
            n_arcs += 1
            path[n_arcs] = found
            state = ends[found]
    path[0] = n_arcs
    return True


@helper
def relax_all(region, work, iwork):
    """Find each state's best pair, given the arcs' weights; False where a cycle improves without end, or seems to.

    Behind the arcs' weights, ``work`` takes the pairs' weights; ``iwork`` takes their numbers of arcs first.
    """
    n_states = region[L.N_STATES]
    n_arcs = region[L.N_ARCS]
    rows = region[L.ARC_POINTERS]
    ends = region[L.ARC_ENDS]
    begins = region[L.COMPONENTS]
    best = n_arcs
    lengths = 0
    path = 2 * n_states
    if region[L.HAS_CYCLE] == 1:
        absent = False
        for arc in range(n_arcs):
            if work[arc] == -inf:
                absent = True
        if absent:
            drop_unreached(region, n_states, work, iwork, n_states, path + n_states + 2)
    for state in range(n_states):
        work[best + state] = -inf
        iwork[lengths + state] = 0
    for k in range(region[L.N_ACCEPTS]):
        work[best + region[region[L.ACCEPTS] + k]] = 0.0
    for component in range(region[L.N_COMPONENTS] - 1, -1, -1):
        low = region[begins + component]
        high = region[begins + component + 1]
        if region[L.HAS_CYCLE] == 0:
            relax(region, np.int64(low), work, best, iwork, lengths, -1)
        elif not relax_component(
            region,
            low,
            high,
            work,
            best,
            iwork,
            lengths,
            n_states,
            path + n_states + 2,
            path + 2 * n_states + 2,
            path + 1,
        ):
            return False
        if region[L.HAS_CYCLE] == 1:
            # Under MIN, a cycle through an arc of weight −inf has no least weight.
            for state in range(low, high):
                for arc in range(region[rows + state], region[rows + state + 1]):
                    end = region[ends + arc]
                    if work[arc] == inf and low <= end < high:
                        return False
    return True


@kernel(f"boolean(const int32[::1], {LEAVES}, float64[::1], int32[::1])")
def graph_max_pairs(region, leaves, work, iwork):
    """Write the arcs' weights and each state's greatest weight to an accept, and the fewest arcs of a path of it.

    The weights lie in the workspaces as `relax_all` says. False where that is not found: there is a cycle that
    improves without end, or rounding makes one seem to.
    """
    gather_weights(region, region[L.N_ARCS], leaves, work, 1.0)
    return relax_all(region, work, iwork)


@kernel(GRAPH_FORWARD)
def graph_max_forward(region, leaves, work, iwork, sign):
    """sign × the greatest of sign × path weight; sign × −inf where there is no path, NaN where it diverges."""
    weights, _, _ = leaves
    n_states = region[L.N_STATES]
    n_arcs = region[L.N_ARCS]
    rows = region[L.ARC_POINTERS]
    ends = region[L.ARC_ENDS]
    best = n_arcs
    lengths = 0
    path = 2 * n_states
    line = first_in_line(region, leaves) if sign > 0.0 else -1
    iwork[path] = 0
    for state in range(n_states):
        work[best + state] = -inf
    for k in range(region[L.N_ACCEPTS]):
        work[best + region[region[L.ACCEPTS] + k]] = 0.0
    arc_weights = work[:best]
    if line < 0:
        gather_weights(region, n_arcs, leaves, work, sign)
    else:
        arc_weights = weights[line : line + n_arcs]
    if region[L.HAS_CYCLE] == 0:
        row_pointers = region[rows : rows + n_states + 1]
        destinations = region[ends : ends + n_arcs]
        values = work[best : best + n_states]
        starts = region[region[L.STARTS] : region[L.STARTS] + region[L.N_STARTS]]
        best_weights(row_pointers, destinations, arc_weights, values)
        score = -inf
        for state in starts:
            score = max(score, values[state])
        if score == -inf or (
            score < inf
            and walk_without_ties(starts, row_pointers, destinations, arc_weights, values, score, iwork[path:])
        ):
            return sign * score + 0.0
    if line >= 0:
        for arc in range(n_arcs):
            work[arc] = arc_weights[arc]
    if not relax_all(region, work, iwork):
        return nan
    score = -inf
    for k in range(region[L.N_STARTS]):
        score = max(score, work[best + region[region[L.STARTS] + k]])
    work[best + n_states] = score
    if score == inf:
        fewest_arcs(region, n_states, work, best, iwork, lengths, n_states)
        infinite = False
        for k in range(region[L.N_STARTS]):
            infinite = infinite or work[best + region[region[L.STARTS] + k]] == inf
        if not infinite:  # no arc is infinite: finite weights overflowed, and there is no path to walk
            return nan
    if score > -inf and not walk(region, work, best, iwork, lengths, n_states, path, score == inf):
        return nan
    return sign * score + 0.0


@kernel(GRAPH_BACKWARD)
def graph_max_backward(region, leaves, work, iwork, sign, cotangent, gradient):
    """Add the cotangent to the entries of each arc of the best path, as often as it is taken."""
    path = 2 * region[L.N_STATES]
    for k in range(iwork[path]):
        add_to_entries(region, iwork[path + 1 + k], cotangent, gradient)


@kernel("int64(const int32[::1], int32[::1], int32[::1])")
def graph_max_path(region, iwork, arcs):
    """Write the graph's arc numbers of the best path into ``arcs`` (as many as fit) after forward; their number."""
    path = 2 * region[L.N_STATES]
    for k in range(min(iwork[path], len(arcs))):
        arcs[k] = region[region[L.ARC_NUMBERS] + iwork[path + 1 + k]]
    return iwork[path]
