"""Arcs by state and label, and where the arcs with a label begin: what composition looks up, in one array of numbers.

Stage: symbolic part, called by `arcgrad.runtime.build.operators.compose`, which keeps the array in the topology's memo.
"""

from __future__ import annotations

from arcgrad.runtime.jit.declare import helper, kernel

__all__ = ["ONLY_WAY", "index_arcs", "index_size", "scratch_size"]

EPSILON = -1
# In place of an ε label: the arc is the only one into its destination, which is no start. Composition then meets each
# pair with that destination once, and need not look it up.
ONLY_WAY = -2
# A state's labels are looked up in a table of their whole range where that has at most so many entries an arc.
_RANGE_PER_ARC = 8
_BUCKETS = 1 << 11


def index_size(n_states: int, n_arcs: int) -> int:
    """The most numbers that ``index_arcs`` writes."""
    return 5 * n_states + 2 + (7 + _RANGE_PER_ARC) * n_arcs


def scratch_size(n_states: int, n_arcs: int) -> int:
    """Numbers of scratch that ``index_arcs`` needs."""
    return 2 * n_arcs + n_states + 1 + _BUCKETS


@helper
def _sort_by_digit(given, sorted_, label, shift, mask, counts):
    """A stable pass of radix sort: the arcs ``given``, by one digit of their labels + 1."""
    for k in range(mask + 2):
        counts[k] = 0
    for k in range(len(given)):
        counts[(((label[given[k]] + 1) >> shift) & mask) + 1] += 1
    for k in range(mask + 1):
        counts[k + 1] += counts[k]
    for k in range(len(given)):
        arc = given[k]
        digit = ((label[arc] + 1) >> shift) & mask
        sorted_[counts[digit]] = arc
        counts[digit] += 1


@helper
def _sort_by_source(given, sorted_, src, first, place):
    """Another stable pass: by source, whose arcs begin at ``first``."""
    for state in range(len(first) - 1):
        place[state] = first[state]
    for k in range(len(given)):
        arc = given[k]
        state = src[arc]
        sorted_[place[state]] = arc
        place[state] += 1


@kernel(f"int64(int64, {', '.join(['const int32[::1]'] * 6)}, boolean, int32[::1], int32[::1])")
def index_arcs(n_states, src, dst, ilabel, label, start, accept, with_moves, index, scratch):
    """Write the index of a topology's arcs by source and label, which is one of its two.

    Returns ``2 n_numbers + (1 if a label is ε)``.

    The numbers are, for n states and m arcs::

        n + 1  where each state's arcs begin in each of the next three
        m      arcs by source, then label (ε first), then number, each as ``2 arc + (1 if the next has its label)``
        m      their labels
        m      arcs by source, then number; only ``with_moves``
        4 m    of each arc by its number, side by side: its label, or ONLY_WAY; destination; input label; nothing; only
               ``with_moves``
        n      1 where the state accepts, else 0
        n      the lowest label of each state that has a table
        n + 1  where each state's table begins; a state without one has the next one's begin
        …      tables: for each label from the lowest on, the position of its first arc, −1: none; then another −1
    """
    n_arcs = len(src)
    first = index[: n_states + 1]
    at = n_states + 1
    arcs = index[at : at + n_arcs]
    at += n_arcs
    labels = index[at : at + n_arcs]
    at += n_arcs
    n_moves = n_arcs if with_moves else 0
    order = index[at : at + n_moves]
    at += n_moves
    moves = index[at : at + 4 * n_moves]
    at += 4 * n_moves
    accepts = index[at : at + n_states]
    at += n_states
    lowest = index[at : at + n_states]
    at += n_states
    table_at = index[at : at + n_states + 1]
    table = index[at + n_states + 1 :]
    spare = scratch[:n_arcs]
    other = scratch[n_arcs : 2 * n_arcs]
    place = scratch[2 * n_arcs : 2 * n_arcs + n_states + 1]
    counts = scratch[2 * n_arcs + n_states :]  # the digits', one more than there are buckets; place is done with then

    for state in range(n_states):
        accepts[state] = 0
        place[state] = 0
        first[state] = 0
    first[n_states] = 0
    highest = 0
    has_epsilon = 0
    in_order = True
    for arc in range(n_arcs):
        first[src[arc] + 1] += 1
        highest = max(highest, label[arc] + 1)
        if label[arc] == EPSILON:
            has_epsilon = 1
        if arc and src[arc] < src[arc - 1]:
            in_order = False
    for state in range(n_states):
        first[state + 1] += first[state]
    for k in range(len(accept)):
        accepts[accept[k]] = 1
    if with_moves:
        for arc in range(n_arcs):
            place[dst[arc]] += 1
        for k in range(len(start)):
            place[start[k]] = 2
        for arc in range(n_arcs):
            moves[4 * arc] = ONLY_WAY if label[arc] == EPSILON and place[dst[arc]] == 1 else label[arc]
            moves[4 * arc + 1] = dst[arc]
            moves[4 * arc + 2] = ilabel[arc]
    for arc in range(n_arcs):
        arcs[arc] = arc
        spare[arc] = arc
    if not in_order:
        _sort_by_source(spare, arcs, src, first, place)
    for k in range(n_moves):
        order[k] = arcs[k]

    in_order = True
    for k in range(1, n_arcs):
        if src[arcs[k]] == src[arcs[k - 1]] and label[arcs[k]] < label[arcs[k - 1]]:
            in_order = False
    if not in_order:
        bits = 8 if n_arcs < _BUCKETS else 11
        shift = 0
        while highest >> shift:
            _sort_by_digit(spare, other, label, shift, (1 << bits) - 1, counts)
            spare, other = other, spare
            shift += bits
        _sort_by_source(spare, arcs, src, first, place)

    for k in range(n_arcs):
        labels[k] = label[arcs[k]]
        arcs[k] *= 2
    end = 0
    for state in range(n_states):
        table_at[state] = end
        begin = first[state]
        for k in range(begin + 1, first[state + 1]):
            if labels[k] == labels[k - 1]:
                arcs[k - 1] += 1
        while begin < first[state + 1] and labels[begin] == EPSILON:
            begin += 1
        count = first[state + 1] - begin
        if count:
            low = labels[begin]
            lowest[state] = low
            span = labels[first[state + 1] - 1] - low + 1
            if span <= _RANGE_PER_ARC * count:
                for k in range(end, end + span + 1):
                    table[k] = -1
                for k in range(first[state + 1] - 1, begin - 1, -1):
                    table[end + labels[k] - low] = k
                end += span + 1
        else:
            lowest[state] = 0
    table_at[n_states] = end
    return 2 * (at + n_states + 1 + end) + has_epsilon
