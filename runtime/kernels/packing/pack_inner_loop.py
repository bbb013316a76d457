"""Chooses and writes the format of a trellis' inner loop: the twin of ``arcgrad.runtime.regions.inner_loop``.

Called by ``pack_trellis``; ``trellis_format`` names what stands in the tables.
"""

from __future__ import annotations

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.trellis import trellis_format as T

__all__ = [
    "BOUNDS",
    "SHARED",
    "group_states",
    "inner_loop_size",
    "most_numbers",
    "write_arcs",
    "write_diagonals",
    "write_matrix",
]

MOST_SHARED_COLUMNS = 3
"""Groups that share a column, at most."""

MOST_DIAGONALS = 12
"""Diagonals, at most, the empty one included."""

SHORTEST_DIAGONAL = 4
"""Arcs that a diagonal has at least."""

NARROWEST = 8
"""Sources that a full matrix has at least."""

# Places in the scratch array `bounds`: behind the groups' bounds, columns of shared-column groups, then diagonals.
SHARED = MOST_SHARED_COLUMNS + 2
_FOUND = SHARED + MOST_SHARED_COLUMNS

# What is found of a diagonal: group of destinations, of sources, offset, first destination, end, its number among all.
_HEAD, _TAIL, _STEP, _FIRST, _END, _NUMBER, _EACH = 0, 1, 2, 3, 4, 5, 6

_INTS = "int32[::1]"


def inner_loop_size(n_states: int, n_arcs: int) -> int:
    """The most numbers that a format may take."""
    n_groups = MOST_SHARED_COLUMNS + 1
    table = (
        T.GROUPS + T.GROUP * n_groups + T.DIAGONAL * (MOST_DIAGONALS + 1) + 2 * T.TRIPLE * (MOST_DIAGONALS + n_groups)
    )
    return table + max(8, n_arcs // 8) + n_arcs + n_states


@helper
def most_numbers(n_states: int) -> int:
    """How many numbers groups may take, at most."""
    return 2 * (n_states + 8 * (MOST_SHARED_COLUMNS + 1))


BOUNDS = _FOUND + _EACH * (MOST_DIAGONALS + 2)
"""Length of the array of groups' bounds, with its scratch."""


@kernel(f"int64(int64, int64, int64, {', '.join([_INTS] * 8)})")
def group_states(n_states, n_arcs, n_columns, heads, labels, position, label_of, counts, new, group, bounds):
    """Renumber states by groups, in ``position``; how many of these share a column, −1 where there can be no groups.

    Args:
        n_states: number of states.
        n_arcs: number of arcs, none of them ε.
        n_columns: number of labels.
        heads: destinations.
        labels: of the arcs.
        position: (n_states,) new numbers of the states so far.
        label_of: scratch for each state.
        counts: (n_columns,) zeros, and zeros again afterwards.
        new: scratch for each state.
        group: gets the label that each state is entered with, by new number; some label where there is none.
        bounds: gets where groups begin, and the end; at `SHARED`, the columns of shared-column groups.
    """
    if n_arcs == 0:
        return -1
    for state in range(n_states):
        label_of[state] = -1
    for arc in range(n_arcs):
        label_of[position[heads[arc]]] = labels[arc]
    for arc in range(n_arcs):
        if label_of[position[heads[arc]]] != labels[arc]:
            return -1
    least = n_columns
    for state in range(n_states):
        label = label_of[state]
        if label >= 0:
            counts[label] += 1
            least = min(least, label)
    n_sharing = 0
    for column in range(n_columns):
        if counts[column] >= max(SHORTEST_DIAGONAL, (n_states + 3) // 4) and n_sharing < MOST_SHARED_COLUMNS:
            bounds[SHARED + n_sharing] = column
            n_sharing += 1
    for state in range(n_states):
        label = label_of[state]
        new[state] = n_sharing
        if label < 0 and n_sharing:
            new[state] = 0
        if label >= 0:
            counts[label] = 0
            for number in range(n_sharing):
                if bounds[SHARED + number] == label:
                    new[state] = number
    for number in range(n_sharing + 1):
        bounds[number + 1] = 0
    for state in range(n_states):
        bounds[new[state] + 1] += 1
    bounds[0] = 0
    highest = 0
    total = 0
    n_groups = 0
    for number in range(n_sharing + 1):
        height = (bounds[number + 1] + 7) // 8
        highest = max(highest, height)
        total += height
        n_groups += height > 0
    for number in range(n_sharing + 1):
        begin = bounds[number]
        height = (bounds[number + 1] + 7) // 8
        if height and n_groups * highest <= 2 * total:
            height = highest
        rank = 0
        for state in range(n_states):
            if new[state] == number:
                # Negative, since it is not a group's number any more.
                new[state] = -1 - (begin + 8 * (rank % height) + rank // height)
                rank += 1
        bounds[number + 1] = begin + 8 * height
    for state in range(bounds[n_sharing + 1]):
        group[state] = least
    for state in range(n_states):
        new[state] = -1 - new[state]
        if label_of[state] >= 0:
            group[new[state]] = label_of[state]
    for state in range(n_states):
        position[state] = new[position[state]]
    return n_sharing


@kernel(f"int64(int64, int64, int64, int64, int64, {_INTS}, {_INTS}, int64)", internal=True)
def _write_triples(diagonals, n_diagonals, n_long, n_groups, side, found, out, at):
    """Write long diagonals by three for each group of destinations or of sources; where they end."""
    for number in range(n_groups):
        taken = 0
        for k in range(1, n_diagonals):
            place = found[_EACH * k + _NUMBER]
            if found[_EACH * k + side] == number and place < n_long:
                if taken % 3 == 0:
                    out[at + T.TRIPLE_GROUP] = number
                    out[at + T.IS_FIRST] = taken == 0
                    at += 2
                out[at] = out[diagonals + T.DIAGONAL * place + T.DIAGONAL_OFFSET]
                out[at + 1] = out[diagonals + T.DIAGONAL * place + T.DIAGONAL_FACTOR]
                at += 2
                taken += 1
        if taken == 0:
            out[at + T.TRIPLE_GROUP] = number
            out[at + T.IS_FIRST] = 1
            at += 2
        while taken == 0 or taken % 3:
            out[at] = 0
            out[at + 1] = 0
            at += 2
            taken += 1
    return at


@kernel(f"int64(int64, int64, int64, int64, int64, int64, {', '.join([_INTS] * 6)})")
def write_diagonals(n_states, n_arcs, n_sharing, src_at, dst_at, at, out, bounds, ranks, group, seen, diagonal_of):
    """Write diagonals, if few enough hold nearly all arcs; where the array ends, or −1.

    Args:
        n_states, n_arcs, n_sharing: sizes.
        src_at, dst_at: where the arcs' ends stand in ``out``, sorted by destination.
        at: where to write.
        out: the packed array.
        bounds: where groups begin; from `_FOUND` on, scratch for what is found of each diagonal.
        ranks: scratch, 32 for each state.
        group: scratch for each state.
        seen: scratch for each state.
        diagonal_of: scratch for each arc.
    """
    n_groups = n_sharing + 1 if bounds[n_sharing] < bounds[n_sharing + 1] else n_sharing
    for number in range(n_groups):
        for state in range(bounds[number], bounds[number + 1]):
            group[state] = number
    for k in range(n_groups * n_groups * 2 * n_states):
        ranks[k] = 0
    for state in range(n_states):
        seen[state] = -1
    for arc in range(n_arcs):
        tail = out[src_at + arc]
        head = out[dst_at + arc]
        kind = (group[head] * n_groups + group[tail]) * 2 * n_states + head - tail + n_states
        diagonal_of[arc] = -1
        if seen[tail] != head:
            ranks[kind] += 1
            diagonal_of[arc] = kind
        seen[tail] = head
    found = bounds[_FOUND:]
    n_diagonals = 1
    for kind in range(n_groups * n_groups * 2 * n_states):
        count = ranks[kind]
        ranks[kind] = 0
        if count >= SHORTEST_DIAGONAL:
            if n_diagonals > MOST_DIAGONALS:
                return -1
            found[_EACH * n_diagonals + _HEAD] = kind // (2 * n_states) // n_groups
            found[_EACH * n_diagonals + _TAIL] = kind // (2 * n_states) % n_groups
            found[_EACH * n_diagonals + _STEP] = kind % (2 * n_states) - n_states
            found[_EACH * n_diagonals + _FIRST] = n_states
            found[_EACH * n_diagonals + _END] = 0
            ranks[kind] = n_diagonals
            n_diagonals += 1
    n_leftover = 0
    for arc in range(n_arcs):
        diagonal = ranks[diagonal_of[arc]] if diagonal_of[arc] >= 0 else 0
        diagonal_of[arc] = diagonal
        if diagonal == 0:
            n_leftover += 1
        else:
            eight = out[dst_at + arc] // 8 * 8
            found[_EACH * diagonal + _FIRST] = min(found[_EACH * diagonal + _FIRST], eight)
            found[_EACH * diagonal + _END] = max(found[_EACH * diagonal + _END], eight + 8)
    if n_diagonals == 1 or n_leftover > max(8, n_arcs // 8):
        return -1
    table = at
    groups = at + T.GROUPS
    diagonals = groups + T.GROUP * n_groups
    for place in range(T.DIAGONAL):
        out[diagonals + place] = 0
    found[_NUMBER] = 0  # of no diagonal
    next_place = n_states
    pad = 0
    n_long = 1
    number = 1
    for wanted in (True, False):
        for diagonal in range(1, n_diagonals):
            head = found[_EACH * diagonal + _HEAD]
            tail = found[_EACH * diagonal + _TAIL]
            step = found[_EACH * diagonal + _STEP]
            first = found[_EACH * diagonal + _FIRST]
            end = found[_EACH * diagonal + _END]
            is_long = 2 * (end - first) > bounds[head + 1] - bounds[head]
            if is_long == wanted:
                begin = first
                source = first - step
                source_end = end - step
                last = end
                if is_long:
                    first = bounds[head]
                    last = bounds[head + 1]
                    source = bounds[tail]
                    source_end = bounds[tail + 1]
                    begin = min(first, source + step)
                    end = max(last, source_end + step)
                    n_long += 1
                place = (next_place - begin + 7) // 8 * 8
                row = diagonals + T.DIAGONAL * number
                out[row + T.DIAGONAL_OFFSET] = step
                out[row + T.DIAGONAL_FACTOR] = place
                out[row + T.DIAGONAL_BEGIN] = first
                out[row + T.DIAGONAL_END] = last
                next_place = place + end
                pad = max(pad, step - first, last - step - n_states)
                pad = max(pad, -(source + step), source_end + step - n_states)
                found[_EACH * diagonal + _NUMBER] = number
                number += 1
    if next_place > 4 * n_arcs + 2 * n_states + 64:
        return -1
    for arc in range(n_arcs):
        diagonal_of[arc] = found[_EACH * diagonal_of[arc] + _NUMBER]
    at = diagonals + T.DIAGONAL * n_diagonals
    begin = at
    middle = _write_triples(diagonals, n_diagonals, n_long, n_groups, _HEAD, found, out, begin)
    at = _write_triples(diagonals, n_diagonals, n_long, n_groups, _TAIL, found, out, middle)
    out[table + T.N_DIAGONALS] = n_diagonals
    out[table + T.N_LEFTOVER] = n_leftover
    out[table + T.N_GROUPS] = n_groups
    out[table + T.N_TRIPLES_FORWARD] = (middle - begin) // T.TRIPLE
    out[table + T.N_TRIPLES_BACK] = (at - middle) // T.TRIPLE
    out[table + T.N_LONG] = n_long
    n_own = bounds[n_sharing + 1] - bounds[n_sharing]
    for number in range(n_groups):
        row = groups + T.GROUP * number
        out[row + T.GROUP_BEGIN] = bounds[number]
        out[row + T.GROUP_END] = bounds[number + 1]
        out[row + T.GROUP_SLOT] = n_own + number if number < n_sharing else 0
        out[row + T.GROUP_STEP] = number >= n_sharing
    for arc in range(n_arcs):
        if diagonal_of[arc] == 0:
            out[at] = arc
            at += 1
    leftover = 0
    for arc in range(n_arcs):
        if diagonal_of[arc] == 0:
            out[at + arc] = next_place + leftover
            leftover += 1
        else:
            out[at + arc] = out[diagonals + T.DIAGONAL * diagonal_of[arc] + T.DIAGONAL_FACTOR] + out[dst_at + arc]
    out[T.INNER_LOOP] = T.DIAGONALS
    out[T.TABLE] = table
    out[T.PAD] = (pad + 7) // 8 * 8
    out[T.N_FACTORS] = next_place + leftover
    out[T.ARC_FACTORS] = at
    at += n_arcs
    out[T.STATE_SLOTS] = at
    for state in range(n_states):
        out[at + state] = n_own + group[state] if group[state] < n_sharing else state - bounds[n_sharing]
    return at + n_states


@helper
def _write_state_slots(n_states, n_emitting, dst_at, slot_at, out, at):
    """Write the slot that each state is entered with; −1 where there is none, or several."""
    for state in range(n_states):
        out[at + state] = -1
    for arc in range(n_emitting):
        out[at + out[dst_at + arc]] = out[slot_at + arc]
    state = -1
    for arc in range(n_emitting):  # arcs of one destination stand together
        if out[dst_at + arc] != state:
            state = out[dst_at + arc]
            first = arc
        if out[slot_at + arc] != out[slot_at + first]:
            out[at + state] = -1


@kernel(f"int64({', '.join(['int64'] * 6)}, {_INTS})")
def write_matrix(n_states, n_arcs, src_at, dst_at, slot_at, at, out):
    """Write a full matrix where the arcs, none of them ε, make one; where the array ends, or −1."""
    if n_arcs == 0:
        return -1
    first = out[dst_at]
    n_rows = out[dst_at + n_arcs - 1] + 1 - first
    width = n_arcs // n_rows
    if n_rows * width != n_arcs or width < NARROWEST:
        return -1
    source = out[src_at]
    for row in range(n_rows):
        for k in range(width):
            arc = row * width + k
            if out[dst_at + arc] != first + row or out[src_at + arc] != source + k:
                return -1
            if out[slot_at + arc] != out[slot_at + row * width]:
                return -1
    padded = (width + 7) // 8 * 8
    fours = (n_rows + 3) // 4 * 4
    out[T.INNER_LOOP] = T.MATRIX
    out[T.TABLE] = at
    out[at + T.MATRIX_BEGIN] = first
    out[at + T.MATRIX_ROWS] = n_rows
    out[at + T.MATRIX_SOURCE] = source
    out[at + T.MATRIX_COLUMNS] = width
    out[at + T.MATRIX_WIDTH] = padded
    at += T.MATRIX_TABLE
    out[T.PAD] = max(0, (max(source + padded, first + fours) - (n_states + 7) // 8 * 8 + 7) // 8 * 8)
    out[T.N_FACTORS] = fours * padded
    out[T.ARC_FACTORS] = at
    for arc in range(n_arcs):
        out[at + arc] = arc // width * padded + arc % width
    out[T.STATE_SLOTS] = at + n_arcs
    _write_state_slots(n_states, n_arcs, dst_at, slot_at, out, at + n_arcs)
    return at + n_arcs + n_states


@kernel(f"int64({', '.join(['int64'] * 6)}, {_INTS})")
def write_arcs(n_states, n_arcs, n_emitting, dst_at, slot_at, at, out):
    """Write a factor for each arc; where the array ends."""
    out[T.INNER_LOOP] = T.ARC_BY_ARC
    out[T.PAD] = 0
    out[T.N_FACTORS] = n_arcs
    out[T.ARC_FACTORS] = at
    for arc in range(n_arcs):
        out[at + arc] = arc
    out[T.STATE_SLOTS] = at + n_arcs
    _write_state_slots(n_states, n_emitting, dst_at, slot_at, out, at + n_arcs)
    return at + n_arcs + n_states
