"""Parts of the packer of trellises: what lies on accepting paths, and the order of ε arcs.

Called by ``pack_trellis``.
"""

from __future__ import annotations

from arcgrad.runtime.jit.declare import helper

__all__ = [
    "BACKWARD",
    "FORWARD",
    "ON_PATHS",
    "mark_reached",
    "order_silent",
]

FORWARD, BACKWARD, ON_PATHS = 1, 2, 3
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
