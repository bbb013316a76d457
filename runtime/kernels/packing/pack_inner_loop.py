"""Chooses and writes the format of a trellis' inner loop: the twin of ``arcgrad.runtime.regions.inner_loop``.

Called by ``pack_trellis``; what the formats and their tables are is told there.
"""

from __future__ import annotations

from arcgrad.runtime.jit.declare import helper, kernel

__all__ = ["BOUNDS", "group_states", "inner_loop_size", "most_numbers", "write_arcs", "write_matrix", "write_strips"]

MOST_HUBS = 3
MOST_STRIPS = 12
SHORTEST_STRIP = 4
NARROWEST = 8  # sources of a full matrix

_INTS = "int32[::1]"


def inner_loop_size(n_states: int, n_arcs: int) -> int:
    """The most numbers that a format may take."""
    table = 6 + 4 * (MOST_HUBS + 1) + 4 * (MOST_STRIPS + 1) + 16 * (MOST_STRIPS + MOST_HUBS + 1)
    return table + max(8, n_arcs // 8) + n_arcs + n_states


@helper
def most_numbers(n_states: int) -> int:
    """How many numbers groups may take, at most."""
    return 2 * (n_states + 8 * (MOST_HUBS + 1))


BOUNDS = 5 + MOST_HUBS + 6 * (MOST_STRIPS + 2)
"""Length of the array of groups' bounds, with its scratch."""


@kernel(f"int64(int64, int64, int64, {', '.join([_INTS] * 8)})")
def group_states(n_states, n_arcs, n_columns, heads, labels, position, label_of, counts, new, group, bounds):
    """Renumber states by groups, in ``position``; how many hubs there are, −1 where there can be no groups.

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
        bounds: gets where groups begin, the end, and behind these five places the hubs' columns.
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
    n_hubs = 0
    for column in range(n_columns):
        if counts[column] >= max(SHORTEST_STRIP, (n_states + 3) // 4) and n_hubs < MOST_HUBS:
            bounds[5 + n_hubs] = column
            n_hubs += 1
    for state in range(n_states):
        label = label_of[state]
        new[state] = n_hubs
        if label < 0 and n_hubs:
            new[state] = 0
        if label >= 0:
            counts[label] = 0
            for hub in range(n_hubs):
                if bounds[5 + hub] == label:
                    new[state] = hub
    for number in range(n_hubs + 1):
        bounds[number + 1] = 0
    for state in range(n_states):
        bounds[new[state] + 1] += 1
    bounds[0] = 0
    highest = 0
    total = 0
    n_groups = 0
    for number in range(n_hubs + 1):
        height = (bounds[number + 1] + 7) // 8
        highest = max(highest, height)
        total += height
        n_groups += height > 0
    for number in range(n_hubs + 1):
        begin = bounds[number]
        height = (bounds[number + 1] + 7) // 8
        if height and n_groups * highest <= 2 * total:
            height = highest
        rank = 0
        for state in range(n_states):
            if new[state] == number:
                # Negative, since it is no group's number any more.
                new[state] = -1 - (begin + 8 * (rank % height) + rank // height)
                rank += 1
        bounds[number + 1] = begin + 8 * height
    for state in range(bounds[n_hubs + 1]):
        group[state] = least
    for state in range(n_states):
        new[state] = -1 - new[state]
        if label_of[state] >= 0:
            group[new[state]] = label_of[state]
    for state in range(n_states):
        position[state] = new[position[state]]
    return n_hubs


@helper
def _write_triples(strips, n_strips, n_long, n_groups, side, strip, out, at):
    """Write long strips by three for each group of destinations or of sources; where they end, and how many."""
    count = 0
    for number in range(n_groups):
        found = 0
        for k in range(1, n_strips):
            place = strip[6 * k + 5]
            if strip[6 * k + side] == number and place < n_long:
                if found % 3 == 0:
                    out[at] = number
                    out[at + 1] = found == 0
                    at += 2
                    count += 1
                out[at] = out[strips + 4 * place]
                out[at + 1] = out[strips + 4 * place + 1]
                at += 2
                found += 1
        if found == 0:
            out[at] = number
            out[at + 1] = 1
            at += 2
            count += 1
        while found == 0 or found % 3:
            out[at] = 0
            out[at + 1] = 0
            at += 2
            found += 1
    return at, count


@kernel(f"int64(int64, int64, int64, int64, int64, int64, {', '.join([_INTS] * 5)})")
def write_strips(n_states, n_arcs, n_hubs, src_at, dst_at, at, out, bounds, ranks, group, seen):
    """Write strips, if few enough hold nearly all arcs; where the array ends, or −1.

    Args:
        n_states, n_arcs, n_hubs: sizes.
        src_at, dst_at: where the arcs' ends stand in ``out``, sorted by destination.
        at: where to write.
        out: the packed array.
        bounds: where groups begin; behind eight places, scratch for six numbers of each strip.
        ranks: scratch, 32 for each state.
        group: scratch for each state.
        seen: scratch for each state and each arc.
    """
    n_groups = n_hubs + 1 if bounds[n_hubs] < bounds[n_hubs + 1] else n_hubs
    for number in range(n_groups):
        for state in range(bounds[number], bounds[number + 1]):
            group[state] = number
    for k in range(n_groups * n_groups * 2 * n_states):
        ranks[k] = 0
    strip_of = seen[n_states:]
    for state in range(n_states):
        seen[state] = -1
    for arc in range(n_arcs):
        tail = out[src_at + arc]
        head = out[dst_at + arc]
        kind = (group[head] * n_groups + group[tail]) * 2 * n_states + head - tail + n_states
        strip_of[arc] = -1
        if seen[tail] != head:
            ranks[kind] += 1
            strip_of[arc] = kind
        seen[tail] = head
    # Of each strip: group of destinations, of sources, offset, first destination, end, and its number among all.
    found = bounds[5 + MOST_HUBS :]
    n_strips = 1
    for kind in range(n_groups * n_groups * 2 * n_states):
        count = ranks[kind]
        ranks[kind] = 0
        if count >= SHORTEST_STRIP:
            if n_strips > MOST_STRIPS:
                return -1
            found[6 * n_strips] = kind // (2 * n_states) // n_groups
            found[6 * n_strips + 1] = kind // (2 * n_states) % n_groups
            found[6 * n_strips + 2] = kind % (2 * n_states) - n_states
            found[6 * n_strips + 3] = n_states
            found[6 * n_strips + 4] = 0
            ranks[kind] = n_strips
            n_strips += 1
    n_odd = 0
    for arc in range(n_arcs):
        strip = ranks[strip_of[arc]] if strip_of[arc] >= 0 else 0
        strip_of[arc] = strip
        if strip == 0:
            n_odd += 1
        else:
            eight = out[dst_at + arc] // 8 * 8
            found[6 * strip + 3] = min(found[6 * strip + 3], eight)
            found[6 * strip + 4] = max(found[6 * strip + 4], eight + 8)
    if n_strips == 1 or n_odd > max(8, n_arcs // 8):
        return -1
    table = at
    strips = at + 6 + 4 * n_groups
    for place in range(4):
        out[strips + place] = 0
    found[5] = 0
    cell = n_states
    pad = 0
    n_long = 1
    number = 1
    for wanted in (True, False):
        for strip in range(1, n_strips):
            head = found[6 * strip]
            tail = found[6 * strip + 1]
            step = found[6 * strip + 2]
            first = found[6 * strip + 3]
            end = found[6 * strip + 4]
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
                place = (cell - begin + 7) // 8 * 8
                out[strips + 4 * number] = step
                out[strips + 4 * number + 1] = place
                out[strips + 4 * number + 2] = first
                out[strips + 4 * number + 3] = last
                cell = place + end
                pad = max(pad, step - first, last - step - n_states)
                pad = max(pad, -(source + step), source_end + step - n_states)
                found[6 * strip + 5] = number
                number += 1
    if cell > 4 * n_arcs + 2 * n_states + 64:
        return -1
    for arc in range(n_arcs):
        strip_of[arc] = found[6 * strip_of[arc] + 5]
    at = strips + 4 * n_strips
    at, forward = _write_triples(strips, n_strips, n_long, n_groups, 0, found, out, at)
    at, back = _write_triples(strips, n_strips, n_long, n_groups, 1, found, out, at)
    out[table] = n_strips
    out[table + 1] = n_odd
    out[table + 2] = n_groups
    out[table + 3] = forward
    out[table + 4] = back
    out[table + 5] = n_long
    n_own = bounds[n_hubs + 1] - bounds[n_hubs]
    for number in range(n_groups):
        out[table + 6 + 4 * number] = bounds[number]
        out[table + 7 + 4 * number] = bounds[number + 1]
        out[table + 8 + 4 * number] = n_own + number if number < n_hubs else 0
        out[table + 9 + 4 * number] = number >= n_hubs
    for arc in range(n_arcs):
        if strip_of[arc] == 0:
            out[at] = arc
            at += 1
    odd = 0
    for arc in range(n_arcs):
        if strip_of[arc] == 0:
            out[at + arc] = cell + odd
            odd += 1
        else:
            out[at + arc] = out[strips + 4 * strip_of[arc] + 1] + out[dst_at + arc]
    out[18] = 1
    out[19] = table
    out[20] = (pad + 7) // 8 * 8
    out[21] = cell + odd
    out[22] = at
    at += n_arcs
    out[23] = at
    for state in range(n_states):
        out[at + state] = n_own + group[state] if group[state] < n_hubs else state - bounds[n_hubs]
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
    out[18] = 2
    out[19] = at
    out[at] = first
    out[at + 1] = n_rows
    out[at + 2] = source
    out[at + 3] = width
    out[at + 4] = padded
    at += 5
    out[20] = max(0, (max(source + padded, first + fours) - (n_states + 7) // 8 * 8 + 7) // 8 * 8)
    out[21] = fours * padded
    out[22] = at
    for arc in range(n_arcs):
        out[at + arc] = arc // width * padded + arc % width
    out[23] = at + n_arcs
    _write_state_slots(n_states, n_arcs, dst_at, slot_at, out, at + n_arcs)
    return at + n_arcs + n_states


@kernel(f"int64({', '.join(['int64'] * 6)}, {_INTS})")
def write_arcs(n_states, n_arcs, n_emitting, dst_at, slot_at, at, out):
    """Write a cell for each arc; where the array ends."""
    out[18] = 0
    out[20] = 0
    out[21] = n_arcs
    out[22] = at
    for arc in range(n_arcs):
        out[at + arc] = arc
    out[23] = at + n_arcs
    _write_state_slots(n_states, n_emitting, dst_at, slot_at, out, at + n_arcs)
    return at + n_arcs + n_states
