"""Sorting for kernels that allocate nothing: stable, by merging the runs that are there already.

What is sorted are mostly rows that are sorted, one behind the other.
"""

from __future__ import annotations

from arcgrad.runtime.jit.declare import kernel

__all__ = ["rows_by_state", "sort_by_key", "sort_rows"]

_SPACE = "int64[::1], int32[::1], int32[::1]"


@kernel(f"void(int64, {_SPACE}, {_SPACE}, int32[::1])", internal=True)
def sort_by_key(count, keys, firsts, seconds, keys_too, firsts_too, seconds_too, runs):
    """Sort so many keys, and two numbers beside each, in the order of the keys; the other arrays are space."""
    n_runs = 0
    for k in range(count):
        if k == 0 or keys[k] < keys[k - 1]:
            runs[n_runs] = k
            n_runs += 1
    from_first = True
    while n_runs > 1:
        a_keys = keys if from_first else keys_too
        a_firsts = firsts if from_first else firsts_too
        a_seconds = seconds if from_first else seconds_too
        b_keys = keys_too if from_first else keys
        b_firsts = firsts_too if from_first else firsts
        b_seconds = seconds_too if from_first else seconds
        merged = 0
        run = 0
        while run < n_runs:
            low = runs[run]
            middle = runs[run + 1] if run + 1 < n_runs else count
            high = runs[run + 2] if run + 2 < n_runs else count
            left = low
            right = middle
            for k in range(low, high):
                if left < middle and (right >= high or a_keys[left] <= a_keys[right]):
                    b_keys[k], b_firsts[k], b_seconds[k] = a_keys[left], a_firsts[left], a_seconds[left]
                    left += 1
                else:
                    b_keys[k], b_firsts[k], b_seconds[k] = a_keys[right], a_firsts[right], a_seconds[right]
                    right += 1
            runs[merged] = low
            merged += 1
            run += 2
        n_runs = merged
        from_first = not from_first
    if not from_first:
        for k in range(count):
            keys[k], firsts[k], seconds[k] = keys_too[k], firsts_too[k], seconds_too[k]


@kernel("void(const int32[::1], int64[::1], int32[::1])")
def rows_by_state(states, pointers, arcs):
    """Write the arcs of each state in order of arcs: those of s are ``arcs[pointers[s] : pointers[s + 1]]``."""
    n_states = len(pointers) - 1
    for state in range(n_states + 1):
        pointers[state] = 0
    for arc in range(len(states)):
        pointers[states[arc]] += 1
    total = 0
    for state in range(n_states + 1):
        total += pointers[state]
        pointers[state] = total
    for arc in range(len(states) - 1, -1, -1):
        pointers[states[arc]] -= 1
        arcs[pointers[states[arc]]] = arc


@kernel(f"void(const int64[::1], {_SPACE}, {_SPACE}, int32[::1])")
def sort_rows(pointers, keys, firsts, seconds, keys_too, firsts_too, seconds_too, runs):
    """Sort each row by its keys."""
    for state in range(len(pointers) - 1):
        low, high = pointers[state], pointers[state + 1]
        ascending = True
        for k in range(low + 1, high):
            ascending &= keys[k - 1] <= keys[k]
        if not ascending:
            sort_by_key(
                high - low, keys[low:high], firsts[low:high], seconds[low:high],
                keys_too, firsts_too, seconds_too, runs,
            )  # fmt: skip
