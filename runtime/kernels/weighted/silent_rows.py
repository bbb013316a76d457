"""Rows without ε:ε arcs, for graphs whose ε:ε arcs have no cycle; and the way back.

A state's row has an entry for each key (labels and destination): the sum over paths of ε:ε arcs and then an arc of that
key. It is made of the state's own arcs and of the rows that its ε:ε arcs lead to, which come first in the order.

The state's own arcs are entries ``pointers[s]`` to ``pointers[s + 1]`` of ``own_keys``, sorted; its ε:ε arcs are
``silent[silent_pointers[s] : silent_pointers[s + 1]]``. Its row is entries ``begins[s]`` to ``finals[s]`` of ``keys``
and ``values``.
"""

from __future__ import annotations

from math import exp, inf, log

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.weighted.sorting import sort_by_key

__all__ = ["make_rows", "pull_back_rows"]

_GRAPH = ", ".join(
    (
        "const int32[::1]",  # order
        "const int64[::1]", "const int64[::1]", "const float64[::1]",  # own arcs: pointers, keys, weights
        "const int64[::1]", "const int32[::1]", "const int32[::1]", "const float64[::1]",  # ε:ε arcs
        "int64",  # best
    )
)  # fmt: skip
_SCRATCH = "int64[::1], int32[::1], int32[::1], int64[::1], int32[::1], int32[::1], int32[::1]"


@helper
def gather(
    state, pointers, own_keys, silent_pointers, silent, dst, begins, finals, keys,
    s_keys, s_sources, s_entries, s_keys_too, s_sources_too, s_entries_too, runs,
):  # fmt: skip
    """Write the sorted terms of a state's row: key, and ε:ε arc with entry of a row, or −1 with an own arc's place."""
    count = 0
    for place in range(pointers[state], pointers[state + 1]):
        s_keys[count], s_sources[count], s_entries[count] = own_keys[place], -1, place
        count += 1
    for place in range(silent_pointers[state], silent_pointers[state + 1]):
        arc = silent[place]
        for entry in range(begins[dst[arc]], finals[dst[arc]]):
            s_keys[count], s_sources[count], s_entries[count] = keys[entry], arc, entry
            count += 1
    sort_by_key(count, s_keys, s_sources, s_entries, s_keys_too, s_sources_too, s_entries_too, runs)
    return count


@helper
def term_of(k, s_sources, s_entries, own_weights, silent_weights, values):
    """The weight of a gathered term."""
    if s_sources[k] < 0:
        return own_weights[s_entries[k]]
    return silent_weights[s_sources[k]] + values[s_entries[k]]


@kernel(f"int64({_GRAPH}, int64, int64, int64[::1], int64[::1], int64[::1], float64[::1], float64[::1], {_SCRATCH})")
def make_rows(
    order, pointers, own_keys, own_weights, silent_pointers, silent, dst, silent_weights, best,
    done, n_entries, begins, finals, keys, values, ends,
    s_keys, s_sources, s_entries, s_keys_too, s_sources_too, s_entries_too, runs,
):  # fmt: skip
    """Make rows from place ``done`` of the order, which runs backwards; how far they got, where space ends.

    ``ends`` holds what a path weighs that ends at a state, and becomes what all weigh that do along ε:ε arcs.
    """
    for k in range(done, -1, -1):
        state = order[k]
        count = pointers[state + 1] - pointers[state]
        for place in range(silent_pointers[state], silent_pointers[state + 1]):
            count += finals[dst[silent[place]]] - begins[dst[silent[place]]]
        if count > len(s_keys) or n_entries + count > len(keys):
            begins[state] = count
            return k
        count = gather(
            state, pointers, own_keys, silent_pointers, silent, dst, begins, finals, keys,
            s_keys, s_sources, s_entries, s_keys_too, s_sources_too, s_entries_too, runs,
        )  # fmt: skip
        begins[state] = n_entries
        low = 0
        while low < count:
            high = low
            top = -inf
            while high < count and s_keys[high] == s_keys[low]:
                top = max(top, term_of(high, s_sources, s_entries, own_weights, silent_weights, values))
                high += 1
            if best == 0 and high - low > 1:
                total = 0.0
                for place in range(low, high):
                    total += exp(term_of(place, s_sources, s_entries, own_weights, silent_weights, values) - top)
                top += log(total)
            keys[n_entries] = s_keys[low]
            values[n_entries] = top
            n_entries += 1
            low = high
        finals[state] = n_entries
        top = ends[state]
        for place in range(silent_pointers[state], silent_pointers[state + 1]):
            top = max(top, silent_weights[silent[place]] + ends[dst[silent[place]]])
        if best == 0 and top > -inf:
            total = exp(ends[state] - top)
            for place in range(silent_pointers[state], silent_pointers[state + 1]):
                total += exp(silent_weights[silent[place]] + ends[dst[silent[place]]] - top)
            top += log(total)
        ends[state] = top
    return -1


@kernel(
    f"void({_GRAPH}, const int64[::1], const int64[::1], const int64[::1], const float64[::1], const float64[::1], "
    f"const float64[::1], {_SCRATCH}, float64[::1], float64[::1], float64[::1], float64[::1])"
)
def pull_back_rows(
    order, pointers, own_keys, own_weights, silent_pointers, silent, dst, silent_weights, best,
    begins, finals, keys, values, own_ends, ends,
    s_keys, s_sources, s_entries, s_keys_too, s_sources_too, s_entries_too, runs,
    bars, end_bars, own_bars, silent_bars,
):  # fmt: skip
    """Add to own arcs, by place, and to ε:ε arcs what the cotangents of entries and ends, which are spent, give."""
    for k in range(len(order)):
        state = order[k]
        count = gather(
            state, pointers, own_keys, silent_pointers, silent, dst, begins, finals, keys,
            s_keys, s_sources, s_entries, s_keys_too, s_sources_too, s_entries_too, runs,
        )  # fmt: skip
        entry = begins[state]
        found = False
        for place in range(count):
            if s_keys[place] != keys[entry]:
                entry += 1
                found = False
            bar = bars[entry]
            if bar == 0.0:
                continue
            term = term_of(place, s_sources, s_entries, own_weights, silent_weights, values)
            if best == 0:
                bar *= exp(term - values[entry])
            elif found or term != values[entry]:
                continue
            found = True
            if s_sources[place] < 0:
                own_bars[s_entries[place]] += bar
            else:
                silent_bars[s_sources[place]] += bar
                bars[s_entries[place]] += bar
        bar = end_bars[state]
        if bar == 0.0 or ends[state] == -inf:
            continue
        found = best != 0 and own_ends[state] == ends[state]
        for place in range(silent_pointers[state], silent_pointers[state + 1]):
            arc = silent[place]
            term = silent_weights[arc] + ends[dst[arc]]
            share = 0.0
            if best == 0:
                share = bar * exp(term - ends[state]) if term > -inf else 0.0
            elif not found and term == ends[state]:
                share = bar
                found = True
            silent_bars[arc] += share
            end_bars[dst[arc]] += share
