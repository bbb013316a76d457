"""Determinisation: subsets of states with residual weights, followed in order of arrival; and the way back.

The graph's rows have no ε:ε arcs: state s has entries ``begins[s]`` to ``finals[s]`` of ``keys`` (rank of the labels,
then destination, sorted) and ``values``; a path that ends at s weighs ``ends[s]``.

Subset k has the members ``member_pointers[k]`` to ``member_pointers[k + 1]`` of ``members`` and ``residuals``, and the
arcs ``arc_pointers[k]`` to ``arc_pointers[k + 1]`` of ``ranks``, ``targets`` and ``weights``. ``is_first`` says which
arcs lead to a subset that was new. What competes has a weight in common, the greatest, that is taken off before sums.
"""

from __future__ import annotations

from math import exp, inf, log

import numpy as np

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.weighted.sorting import sort_by_key

__all__ = [
    "COUNTERS", "DONE", "ENDLESS", "LABEL", "N_ARCS", "N_FOLLOWED", "N_MEMBERS", "N_SUBSETS", "ROOM",
    "find_places", "follow_subsets", "pull_back_subsets",
]  # fmt: skip

N_SUBSETS, N_FOLLOWED, N_MEMBERS, N_ARCS, ROOM, LABEL = 0, 1, 2, 3, 4, 5
"""Counters: subsets that arrived, and of these were followed; their members and arcs; what the next one needs room for;
the rank of the labels that led to one too many with the same members. These stand behind all others then, ROOM of them.
"""

COUNTERS = 6
DONE, MORE_ROOM, ENDLESS = 0, 1, 2

_ROWS = "const int64[::1], const int64[::1], const int64[::1], const float64[::1], const float64[::1]"
_SCRATCH = "int64[::1], int32[::1], int32[::1], int64[::1], int32[::1], int32[::1], int32[::1]"
_RANK = 32
_FURTHEST = 2.0**40


@helper
def gather(
    subset, begins, finals, keys, member_pointers, members,
    s_keys, s_members, s_entries, s_keys_too, s_members_too, s_entries_too, runs,
):  # fmt: skip
    """Write the sorted entries of all members' rows: key, member, entry; how many there are."""
    count = 0
    for member in range(member_pointers[subset], member_pointers[subset + 1]):
        state = members[member]
        for entry in range(begins[state], finals[state]):
            s_keys[count], s_members[count], s_entries[count] = keys[entry], member, entry
            count += 1
    if member_pointers[subset + 1] - member_pointers[subset] > 1:
        sort_by_key(count, s_keys, s_members, s_entries, s_keys_too, s_members_too, s_entries_too, runs)
    return count


@helper
def label_end(low, count, s_keys, s_entries, values):
    """Where the entries of a label end that begin at ``low``, and their greatest value."""
    high = low
    top = -inf
    while high < count and s_keys[high] >> _RANK == s_keys[low] >> _RANK:
        top = max(top, values[s_entries[high]])
        high += 1
    return high, top


@helper
def sum_of_key(low, high, best, common, s_keys, s_members, s_entries, values, residuals):
    """Where the entries of a key end that begin at ``low``, and the sum of their values times members' residuals."""
    end = low
    top = -inf
    while end < high and s_keys[end] == s_keys[low]:
        top = max(top, (values[s_entries[end]] - common) + residuals[s_members[end]])
        end += 1
    if best == 0 and end - low > 1:
        total = 0.0
        for k in range(low, end):
            total += exp((values[s_entries[k]] - common) + residuals[s_members[k]] - top)
        top += log(total)
    return end, top


@helper
def sum_of(low, high, best, terms):
    """The sum of some terms."""
    top = -inf
    for k in range(low, high):
        top = max(top, terms[k])
    if best == 0 and high - low > 1:
        total = 0.0
        for k in range(low, high):
            total += exp(terms[k] - top)
        top += log(total)
    return top


@helper
def hash_of(low, high, members, residuals, grid):
    """A hash of some states, and where the grid is not 0, of residual weights rounded to it."""
    found = np.int64(high - low)
    for k in range(low, high):
        found = (found ^ np.int64(members[k])) * np.int64(0x100000001B3)
        if grid > 0.0:
            rounded = np.floor(min(max(residuals[k], -_FURTHEST), _FURTHEST) * grid + 0.5)
            found = (found ^ np.int64(rounded)) * np.int64(0x100000001B3)
        found ^= found >> np.int64(29)
    return found


@kernel("void(int64, const int64[::1], const int32[::1], const float64[::1], float64, int32[::1])")
def find_places(n_subsets, member_pointers, members, residuals, grid, places):
    """Fill a table of another size with the subsets."""
    mask = len(places) - 1
    for place in range(len(places)):
        places[place] = -1
    for subset in range(n_subsets):
        place = hash_of(member_pointers[subset], member_pointers[subset + 1], members, residuals, grid) & mask
        while places[place] >= 0:
            place = (place + 1) & mask
        places[place] = subset


@kernel(
    f"int64({_ROWS}, int64, float64, float64, int64, int64[::1], int32[::1], int64[::1], int32[::1], float64[::1], "
    f"int64[::1], int32[::1], int32[::1], float64[::1], int8[::1], float64[::1], {_SCRATCH})"
)
def follow_subsets(
    begins, finals, keys, values, ends, best, tolerance, grid, most_variants, counters, places,
    member_pointers, members, residuals, arc_pointers, ranks, targets, weights, is_first, subset_ends,
    s_keys, s_members, s_entries, s_keys_too, s_members_too, s_entries_too, runs,
):  # fmt: skip
    """Follow subsets until none is left, or room is, or one has arrived too often with other residual weights.

    Where ``grid`` is not 0, subsets are looked up by residual weights, too, and may arrive any number of times.
    """
    mask = len(places) - 1
    n_subsets, n_members, n_arcs = counters[N_SUBSETS], counters[N_MEMBERS], counters[N_ARCS]
    for subset in range(counters[N_FOLLOWED], len(subset_ends)):
        counters[N_SUBSETS], counters[N_MEMBERS], counters[N_ARCS] = n_subsets, n_members, n_arcs
        counters[N_FOLLOWED] = subset
        if subset == n_subsets:
            return DONE
        count = 0
        for member in range(member_pointers[subset], member_pointers[subset + 1]):
            count += finals[members[member]] - begins[members[member]]
        if (
            count > len(s_keys) or n_arcs + count > len(ranks) or n_members + count > len(members)
            or n_subsets + count + 1 > len(subset_ends) or 2 * (n_subsets + count) > len(places)
        ):  # fmt: skip
            counters[ROOM] = count
            return MORE_ROOM
        count = gather(
            subset, begins, finals, keys, member_pointers, members,
            s_keys, s_members, s_entries, s_keys_too, s_members_too, s_entries_too, runs,
        )  # fmt: skip
        low = 0
        while low < count:
            high, common = label_end(low, count, s_keys, s_entries, values)
            rank = s_keys[low] >> _RANK
            first = n_members
            size = first
            while low < high:
                members[size] = np.int32(s_keys[low] & 0x7FFFFFFF)
                low, residuals[size] = sum_of_key(
                    low, high, best, common, s_keys, s_members, s_entries, values, residuals
                )
                size += 1
            total = sum_of(first, size, best, residuals)
            for k in range(first, size):
                residuals[k] -= total
            place = hash_of(first, size, members, residuals, grid) & mask
            target = -1
            variants = 0
            while target < 0 and places[place] >= 0:
                other = places[place]
                begin = member_pointers[other]
                if member_pointers[other + 1] - begin == size - first:
                    same = True
                    near = True
                    for k in range(size - first):
                        same &= members[begin + k] == members[first + k]
                        residual = residuals[first + k]
                        near &= abs(residual - residuals[begin + k]) <= tolerance * max(1.0, abs(residual))
                    if same and near:
                        target = other
                    elif same:
                        variants += 1
                place = (place + 1) & mask
            is_first[n_arcs] = target < 0
            if target < 0:
                if variants >= most_variants and grid == 0.0:
                    counters[LABEL], counters[N_MEMBERS], counters[ROOM] = rank, first, size - first
                    arc_pointers[subset + 1] = n_arcs
                    return ENDLESS
                target = n_subsets
                places[place] = target
                n_subsets += 1
                n_members = size
                member_pointers[n_subsets] = size
            ranks[n_arcs] = rank
            targets[n_arcs] = target
            weights[n_arcs] = total + common
            n_arcs += 1
        arc_pointers[subset + 1] = n_arcs
        top = -inf
        ending = 0
        everything = True
        for member in range(member_pointers[subset], member_pointers[subset + 1]):
            end = ends[members[member]]
            everything &= end == 0.0
            if end > -inf:
                top = max(top, end + residuals[member])
                ending += 1
        if everything and subset > 0:
            top = 0.0  # residual weights add up to it
        elif best == 0 and ending > 1:
            total = 0.0
            for member in range(member_pointers[subset], member_pointers[subset + 1]):
                end = ends[members[member]]
                if end > -inf:
                    total += exp(end + residuals[member] - top)
            top += log(total)
        subset_ends[subset] = top
    return MORE_ROOM


@kernel(
    f"void({_ROWS}, int64, int64, const int64[::1], const int32[::1], const float64[::1], const int64[::1], "
    f"const int32[::1], const int8[::1], const float64[::1], {_SCRATCH}, float64[::1], const float64[::1], "
    "const float64[::1], float64[::1], float64[::1], float64[::1])"
)
def pull_back_subsets(
    begins, finals, keys, values, ends, best, n_subsets,
    member_pointers, members, residuals, arc_pointers, targets, is_first, subset_ends,
    s_keys, s_members, s_entries, s_keys_too, s_members_too, s_entries_too, runs,
    sums, arc_bars, subset_end_bars, member_bars, bars, end_bars,
):  # fmt: skip
    """Add to entries and ends of rows what the cotangents of the subsets' arcs and ends give them.

    ``sums`` is space for as many as an arc's target has members; ``member_bars`` begins with zeros.
    """
    for subset in range(n_subsets - 1, -1, -1):
        count = gather(
            subset, begins, finals, keys, member_pointers, members,
            s_keys, s_members, s_entries, s_keys_too, s_members_too, s_entries_too, runs,
        )  # fmt: skip
        low = 0
        for arc in range(arc_pointers[subset], arc_pointers[subset + 1]):
            high, common = label_end(low, count, s_keys, s_entries, values)
            bar = arc_bars[arc]
            first = member_pointers[targets[arc]]
            if is_first[arc] != 0:
                for member in range(first, member_pointers[targets[arc] + 1]):
                    bar -= member_bars[member]
            n_keys = 0
            k = low
            while k < high:
                k, sums[n_keys] = sum_of_key(k, high, best, common, s_keys, s_members, s_entries, values, residuals)
                n_keys += 1
            total = sum_of(0, n_keys, best, sums)
            taken = False
            for key in range(n_keys):
                own = 0.0
                if best == 0:
                    own = bar * exp(sums[key] - total)
                elif not taken and sums[key] == total:
                    own = bar
                    taken = True
                if is_first[arc] != 0:
                    own += member_bars[first + key]
                begin = low
                found = False
                while low < high and s_keys[low] == s_keys[begin]:
                    term = (values[s_entries[low]] - common) + residuals[s_members[low]]
                    share = 0.0
                    if best == 0:
                        share = own * exp(term - sums[key])
                    elif not found and term == sums[key]:
                        share = own
                        found = True
                    if share != 0.0:
                        bars[s_entries[low]] += share
                        member_bars[s_members[low]] += share
                    low += 1
            low = high
        bar = subset_end_bars[subset]
        if bar == 0.0 or subset_ends[subset] == -inf:
            continue
        found = False
        for member in range(member_pointers[subset], member_pointers[subset + 1]):
            term = ends[members[member]] + residuals[member]
            share = 0.0
            if term > -inf and best == 0:
                share = bar * exp(term - subset_ends[subset])
            elif best != 0 and not found and term == subset_ends[subset]:
                share = bar
                found = True
            member_bars[member] += share
            end_bars[members[member]] += share
