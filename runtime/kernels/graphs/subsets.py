"""Makes an acceptor deterministic: subsets of states, breadth first, at the speed of compiled code.

Stage: symbolic part, called by `arcgrad.runtime.build.operators.support`. The result is, number for number, that of
``determinized`` in `arcgrad.compiler.operators.support`.
"""

from __future__ import annotations

import numpy as np

from arcgrad.runtime.jit.declare import helper, kernel

__all__ = ["DONE", "FULL_ARCS", "FULL_MEMBERS", "FULL_STATES", "FULL_TABLE", "MORE", "determinize_arcs"]

# What ``determinize_arcs`` answers: it is done, or is to be called again with more room (for arcs, for states, for
# members of subsets, in the table), or because it has worked for a while.
DONE, FULL_ARCS, FULL_STATES, FULL_MEMBERS, FULL_TABLE, MORE = range(6)

# Odd multipliers that spread neighbouring numbers: 2⁶⁴ divided by the golden ratio, and one of MurmurHash3's.
_SPREAD = 0x9E3779B97F4A7C15 - (1 << 64)
_MIX = 0xC4CEB9FE1A85EC53 - (1 << 64)


@helper
def _hash_of(state):
    spread = (state + 1) * _SPREAD
    return (spread ^ (spread >> 29)) * _MIX


@helper
def _close(reached, begin, end, epsilon_first, epsilon_dst, useful, stamps, clock, stack, members, used):
    """Write what ``reached[begin:end]`` and ε from there lead to behind ``used``: how many, the sum of their hashes."""
    size = 0
    total = np.int64(0)
    for i in range(begin, end):
        state = np.int64(reached[i])
        if stamps[state] == clock:
            continue
        stamps[state] = clock
        top = 0
        while True:
            if useful[state]:
                members[used + size] = state
                size += 1
                total += _hash_of(state)
            for k in range(epsilon_first[state], epsilon_first[state + 1]):
                other = epsilon_dst[k]
                if stamps[other] != clock:
                    stamps[other] = clock
                    stack[top] = other
                    top += 1
            if top == 0:
                break
            top -= 1
            state = np.int64(stack[top])
    return size, total


@helper
def _enter(size, total, accepts, stamps, clock, members, used, begins, hashes, table, n_states, subset_accepts):
    """The number of the subset just written behind ``used``, whose members bear the stamp; a new one if it is new."""
    mask = len(table) - 1
    slot = (total ^ (total >> 32)) & mask
    while table[slot]:
        number = table[slot] - 1
        begin, end = begins[number], begins[number + 1]
        if hashes[number] == total and end - begin == size:
            k = begin
            while k < end and stamps[members[k]] == clock:
                k += 1
            if k == end:
                return np.int64(number)
        slot = (slot + 1) & mask
    table[slot] = n_states + 1
    hashes[n_states] = total
    begins[n_states + 1] = used + size
    subset_accepts[n_states] = 0
    for k in range(used, used + size):
        if accepts[members[k]]:
            subset_accepts[n_states] = 1
            break
    return np.int64(n_states)


@helper
def _sort(numbers, count):
    """Shell's sort of the first ``count`` numbers."""
    gap = 1
    while 3 * gap < count:
        gap = 3 * gap + 1
    while gap:
        for k in range(gap, count):
            number = numbers[k]
            to = k
            while to >= gap and numbers[to - gap] > number:
                numbers[to] = numbers[to - gap]
                to -= gap
            numbers[to] = number
        gap //= 3


@kernel(
    "int64(const int32[::1], const int32[::1], const int32[::1], const int32[::1], const int32[::1], const int32[::1], "
    "const int32[::1], const int32[::1], int64, int64[::1], int64[::1], int32[:, ::1], int32[::1], int32[::1], "
    "int64[::1], int64[::1], int32[::1], int32[::1], int32[:, ::1])"
)
def determinize_arcs(
    first,
    dst,
    label,
    epsilon_first,
    epsilon_dst,
    start,
    accepts,
    useful,
    most_work,
    counts,
    stamps,
    by_state,
    places,
    reached,
    begins,
    hashes,
    table,
    members,
    out,
):
    """Go on with the subset construction; what to do next, as the constants at the head of this file say.

    Args:
        first, dst, label: arcs with a label by state, those of state s from ``first[s]`` to ``first[s + 1]``, in order
            of labels, which are ``0 … n_labels − 1``.
        epsilon_first, epsilon_dst: arcs with ε likewise.
        start: start states.
        accepts, useful: (n,) 1 where a state accepts; where it accepts or has an arc with a label.
        most_work: arcs to look at in one call.
        counts: numbers of subsets, arcs, subsets done, members; the stamp; whether the table is new. Zeros at first.
        stamps: (n,) zeros at first.
        by_state: rows (n,) a stack, and whether each subset accepts in a row as long as there may be subsets.
        places: two times n_labels; zeros at first.
        reached: as long as there are arcs.
        begins, hashes: where each subset's members begin, one more than there may be; the sums of their hashes.
        table: a subset's number + 1, or 0; its length is a power of two.
        members: of all subsets.
        out: rows source, destination, label.
    """
    n = len(first) - 1
    n_labels = len(places) // 2
    place, touched = places[:n_labels], places[n_labels:]
    stack, subset_accepts = by_state[0], by_state[1]
    n_states, n_arcs, done, used, clock = counts[0], counts[1], counts[2], counts[3], counts[4]
    capacity, room = out.shape[1], len(hashes)
    if counts[5]:
        counts[5] = 0
        for number in range(n_states):
            total = hashes[number]
            slot = (total ^ (total >> 32)) & (len(table) - 1)
            while table[slot]:
                slot = (slot + 1) & (len(table) - 1)
            table[slot] = number + 1
    if n_states == 0:
        if used + n > len(members):
            return FULL_MEMBERS
        clock += 1
        size, total = _close(
            start, 0, len(start), epsilon_first, epsilon_dst, useful, stamps, clock, stack, members, used
        )
        begins[0] = 0
        _enter(size, total, accepts, stamps, clock, members, used, begins, hashes, table, n_states, subset_accepts)
        n_states = 1
        used = size
        counts[0], counts[3], counts[4] = n_states, used, clock
    work = 0
    while done < n_states:
        if work > most_work:
            return MORE
        begin, end = begins[done], begins[done + 1]
        n_groups = 0
        if end - begin == 1:  # its arcs are in order
            state = members[begin]
            for k in range(first[state], first[state + 1]):
                at = k - first[state]
                reached[at] = dst[k]
                if place[label[k]] == 0:
                    touched[n_groups] = label[k]
                    n_groups += 1
                place[label[k]] = at + 1
            work += first[state + 1] - first[state]
        else:
            for i in range(begin, end):
                state = members[i]
                for k in range(first[state], first[state + 1]):
                    if place[label[k]] == 0:
                        touched[n_groups] = label[k]
                        n_groups += 1
                    place[label[k]] += 1
                work += first[state + 1] - first[state]
            _sort(touched, n_groups)
            at = 0
            for g in range(n_groups):
                size = place[touched[g]]
                place[touched[g]] = at
                at += size
            for i in range(begin, end):
                state = members[i]
                for k in range(first[state], first[state + 1]):
                    reached[place[label[k]]] = dst[k]
                    place[label[k]] += 1
        answer = DONE
        if n_arcs + n_groups > capacity:
            answer = FULL_ARCS
        elif n_states + n_groups > room:
            answer = FULL_STATES
        elif 2 * (n_states + n_groups) > len(table):
            answer = FULL_TABLE
        low = np.int64(0)
        at = n_arcs
        for g in range(n_groups):
            name = touched[g]
            high = np.int64(place[name])
            place[name] = 0
            if used + n > len(members) and answer == DONE:
                answer = FULL_MEMBERS
            if answer == DONE:  # else what is left is to put the places back
                clock += 1
                size, total = _close(
                    reached, low, high, epsilon_first, epsilon_dst, useful, stamps, clock, stack, members, used
                )
                number = _enter(
                    size, total, accepts, stamps, clock, members, used, begins, hashes, table, n_states, subset_accepts
                )
                if number == n_states:
                    n_states += 1
                    used += size
                out[0, at] = done
                out[1, at] = number
                out[2, at] = name
                at += 1
                work += size
            low = high
        # Subsets found keep their numbers where this one is begun again.
        counts[0], counts[3], counts[4] = n_states, used, clock
        if answer != DONE:
            return answer
        n_arcs = at
        done += 1
        counts[1], counts[2] = n_arcs, done
    return DONE
