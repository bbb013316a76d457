"""Parts of the packer of trellises: what lies on accepting paths, the order of ε arcs, and what arcs' weights sum.

Called by ``pack_trellis``.
"""

from __future__ import annotations

from arcgrad.runtime.routines import helper

__all__ = [
    "BACKWARD",
    "FORWARD",
    "KEPT",
    "count_entries",
    "largest_entry",
    "mark_reached",
    "order_silent",
    "write_entries",
]

FORWARD, BACKWARD, KEPT = 1, 2, 3
"""Marks of states that are reached from starts, that reach accepts, and both."""


@helper
def _sweep(tails, heads, labels, n_columns, bit, marks):
    """Mark what can be reached from marked states, in a few passes over the arcs in their order or against it.

    Returns whether that was enough, as it is for graphs whose arcs are numbered along the paths.
    """
    n_arcs = len(tails)
    for _ in range(4):
        changed = False
        for k in range(n_arcs):
            arc = k if bit == FORWARD else n_arcs - 1 - k
            if marks[tails[arc]] & ~marks[heads[arc]] & bit and labels[arc] < n_columns:
                marks[heads[arc]] |= bit
                changed = True
        if not changed:
            return True
    return False


@helper
def mark_reached(tails, heads, labels, n_columns, begin, bit, n_states, marks, pointers, ends, stack):
    """Set ``bit`` in the mark of each state that can be reached from ``begin`` by arcs with a column or ε."""
    for k in range(len(begin)):
        marks[begin[k]] |= bit
    if _sweep(tails, heads, labels, n_columns, bit, marks):
        return
    n_arcs = len(tails)
    for state in range(n_states + 1):
        pointers[state] = 0
    for arc in range(n_arcs):
        if labels[arc] < n_columns:
            pointers[tails[arc]] += 1
    total = 0
    for state in range(n_states + 1):
        total += pointers[state]
        pointers[state] = total
    for arc in range(n_arcs):  # pointers step back from each state's end to its begin
        if labels[arc] < n_columns:
            tail = tails[arc]
            pointers[tail] -= 1
            ends[pointers[tail]] = heads[arc]
    waiting = 0
    for state in range(n_states):
        if marks[state] & bit:
            stack[waiting] = state
            waiting += 1
    while waiting:
        waiting -= 1
        state = stack[waiting]
        for k in range(pointers[state], pointers[state + 1]):
            end = ends[k]
            if not marks[end] & bit:
                marks[end] |= bit
                stack[waiting] = end
                waiting += 1


@helper
def order_silent(n_states, n_arcs, src, dst, silent, position, pointers, ends, waiting, ready):
    """Number the states so that ε arcs lead forward, as ``compiler.regions.order.topological_order`` does.

    Returns whether that is possible.
    """
    forward = True
    for arc in range(n_arcs):
        if silent[arc] and src[arc] >= dst[arc]:
            forward = False
    if forward:
        for state in range(n_states):
            position[state] = state
        return True
    for state in range(n_states + 1):
        pointers[state] = 0
    for state in range(n_states):
        waiting[state] = 0
    for arc in range(n_arcs):
        if silent[arc]:
            pointers[src[arc]] += 1
            waiting[dst[arc]] += 1
    total = 0
    for state in range(n_states + 1):
        total += pointers[state]
        pointers[state] = total
    for arc in range(n_arcs - 1, -1, -1):  # backwards, so that each state's arcs keep their order
        if silent[arc]:
            state = src[arc]
            pointers[state] -= 1
            ends[pointers[state]] = dst[arc]
    n_ready = 0
    for state in range(n_states - 1, -1, -1):
        if not waiting[state]:
            ready[n_ready] = state
            n_ready += 1
    done = 0
    while n_ready:
        n_ready -= 1
        state = ready[n_ready]
        position[state] = done
        done += 1
        for k in range(pointers[state], pointers[state + 1]):
            end = ends[k]
            waiting[end] -= 1
            if not waiting[end]:
                ready[n_ready] = end
                n_ready += 1
    return done == n_states


@helper
def count_entries(n_arcs, chosen, pointers, parts, arcs, others):
    """How many entries the first of the chosen arcs have, and whether each has one."""
    if not len(pointers) and len(parts) == 1:
        return n_arcs, True
    count = 0
    single = True
    for k in range(n_arcs):
        arc = chosen[k]
        if len(pointers):
            length = pointers[arc + 1] - pointers[arc]
        else:
            length = (1 if arcs[arc] >= 0 else 0) + (1 if others[arc] >= 0 else 0)
        count += length
        if length != 1:
            single = False
    return count, single


@helper
def write_entries(n_arcs, arc_at, pointers, parts, arcs, others, leaf_offsets, out, rows_at, at):
    """Write the entries of arcs that stand in ``out``, and where each arc's begin, unless each has one (0)."""
    first = leaf_offsets[parts[0]] if len(parts) else 0
    if not len(pointers) and len(parts) == 1:
        for k in range(n_arcs):
            out[at + k] = first + out[arc_at + k]
        return
    second = leaf_offsets[parts[1]] if len(parts) > 1 else 0
    entry = 0
    for k in range(n_arcs):
        arc = out[arc_at + k]
        if rows_at:
            out[rows_at + k] = entry
        if len(pointers):
            for e in range(pointers[arc], pointers[arc + 1]):
                out[at + entry] = leaf_offsets[parts[e]] + arcs[e]
                entry += 1
        else:
            if arcs[arc] >= 0:
                out[at + entry] = first + arcs[arc]
                entry += 1
            if others[arc] >= 0:
                out[at + entry] = second + others[arc]
                entry += 1
    if rows_at:
        out[rows_at + n_arcs] = entry


@helper
def largest_entry(n_arcs, pointers, parts, arcs, others, leaf_offsets):
    """The largest of all entries."""
    largest = 0
    if len(pointers):
        for e in range(len(parts)):
            largest = max(largest, leaf_offsets[parts[e]] + arcs[e])
    elif len(parts) == 1:
        largest = leaf_offsets[parts[0]] + n_arcs - 1
    else:
        for k in range(n_arcs):
            largest = max(largest, leaf_offsets[parts[0]] + arcs[k], leaf_offsets[parts[1]] + others[k])
    return largest
