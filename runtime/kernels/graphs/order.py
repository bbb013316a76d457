"""Orders of a graph's states at the speed of compiled code: for packing a new graph of a million arcs.

Stage: symbolic part, called by ``regions.orders`` and ``build.operators.connect``. The results are those of
`arcgrad.compiler.graphs.orders`, number for number; its docstrings say what they mean.
"""

from __future__ import annotations

from arcgrad.runtime.jit.declare import helper, kernel

__all__ = [
    "BACKWARD",
    "FORWARD",
    "ON_ACCEPTING_PATHS",
    "components_ints",
    "mark_reached",
    "order_ints",
    "trim_ints",
]

FORWARD, BACKWARD, ON_ACCEPTING_PATHS = 1, 2, 3
"""Marks of states that are reached from starts, that reach accepts, and both."""


@helper
def _list_successors(tails, heads, kinds, limit, n_states, pointers, ends):
    """The heads of each state's arcs in order of arcs: ``ends[pointers[state] : pointers[state + 1]]``.

    Arcs of a kind below the limit count.
    """
    for state in range(n_states + 1):
        pointers[state] = 0
    for arc in range(len(tails)):
        if kinds[arc] < limit:
            pointers[tails[arc]] += 1
    total = 0
    for state in range(n_states + 1):
        total += pointers[state]
        pointers[state] = total
    for arc in range(len(tails) - 1, -1, -1):  # pointers step back from each state's end to its begin
        if kinds[arc] < limit:
            pointers[tails[arc]] -= 1
            ends[pointers[tails[arc]]] = heads[arc]


@kernel(f"void({', '.join(['const int32[::1]'] * 3)}, int64, int64, {', '.join(['int32[::1]'] * 4)})", lazy=True)
def mark_reached(tails, heads, kinds, limit, bit, marks, pointers, ends, stack):
    """Set ``bit`` in the mark of each state that states with it lead to by arcs of a kind below the limit."""
    n_states = len(marks)
    _list_successors(tails, heads, kinds, limit, n_states, pointers, ends)
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


@kernel(f"int64({', '.join(['const int32[::1]'] * 4 + ['int32[::1]'] * 4)})")
def trim_ints(src, dst, start, accept, marks, pointers, ends, stack):
    """Mark with ON_ACCEPTING_PATHS each state that lies on an accepting path; how many do."""
    n_states = len(marks)
    # Of most graphs that people make, numbers alone tell that every state does: each is entered from a smaller one and
    # left for a larger one.
    for state in range(n_states):
        marks[state] = 0
    for state in start:
        marks[state] = FORWARD
    for state in accept:
        marks[state] |= BACKWARD
    for arc in range(len(src)):
        if src[arc] < dst[arc]:
            marks[dst[arc]] |= FORWARD
            marks[src[arc]] |= BACKWARD
    sure = True
    for state in range(n_states):
        sure &= marks[state] == ON_ACCEPTING_PATHS
    if sure:
        return n_states
    for state in range(n_states):
        marks[state] = 0
    for state in start:
        marks[state] = FORWARD
    for state in accept:
        marks[state] |= BACKWARD
    mark_reached(src, dst, src, n_states, FORWARD, marks, pointers, ends, stack)
    mark_reached(dst, src, src, n_states, BACKWARD, marks, pointers, ends, stack)
    kept = 0
    for state in range(n_states):
        kept += marks[state] == ON_ACCEPTING_PATHS
    return kept


@kernel(f"int64({', '.join(['const int32[::1]'] * 3)}, int64, {', '.join(['int32[::1]'] * 5)})", lazy=True)
def order_ints(src, dst, kinds, limit, order, pointers, ends, waiting, ready):
    """Write the states so that every arc of a kind below the limit leads forward.

    Returns how many states could be placed: where these are fewer than all, there is a cycle.
    """
    n_states = len(order)
    forward = True
    for arc in range(len(src)):
        forward &= src[arc] < dst[arc] or kinds[arc] >= limit
    if forward:
        for state in range(n_states):
            order[state] = state
        return n_states
    _list_successors(src, dst, kinds, limit, n_states, pointers, ends)
    for state in range(n_states):
        waiting[state] = 0
    for arc in range(len(src)):
        if kinds[arc] < limit:
            waiting[dst[arc]] += 1
    n_ready = 0
    for state in range(n_states - 1, -1, -1):
        if not waiting[state]:
            ready[n_ready] = state
            n_ready += 1
    done = 0
    while n_ready:
        n_ready -= 1
        state = ready[n_ready]
        order[done] = state
        done += 1
        for k in range(pointers[state], pointers[state + 1]):
            end = ends[k]
            waiting[end] -= 1
            if not waiting[end]:
                ready[n_ready] = end
                n_ready += 1
    return done


@kernel(f"int64({', '.join(['const int32[::1]'] * 2 + ['int32[::1]'] * 11)})")
def components_ints(
    src, dst, order, begins, pointers, ends, number, low, member_of, position, stack, call, by_finish
):  # fmt: skip
    """Write the states by strongly connected component and where each begins; how many components there are."""
    n_states = len(order)
    _list_successors(src, dst, src, n_states, n_states, pointers, ends)
    for state in range(n_states):
        number[state] = 0  # order of discovery from 1; 0: not seen
        member_of[state] = -1  # number of its component in order of completion; −1: on the stack, or not seen
        position[state] = pointers[state]
    clock = 0
    finished = 0
    found = 0
    depth = 0
    for root in range(n_states):
        if number[root]:
            continue
        call[0] = root
        calls = 1
        while calls:
            state = call[calls - 1]
            if not number[state]:
                clock += 1
                number[state] = clock
                low[state] = clock
                stack[depth] = state
                depth += 1
            deeper = False
            while position[state] < pointers[state + 1] and not deeper:
                end = ends[position[state]]
                position[state] += 1
                if not number[end]:
                    call[calls] = end
                    calls += 1
                    deeper = True
                elif member_of[end] < 0:
                    low[state] = min(low[state], number[end])
            if deeper:
                continue
            calls -= 1
            by_finish[finished] = state
            finished += 1
            if calls:
                low[call[calls - 1]] = min(low[call[calls - 1]], low[state])
            if low[state] == number[state]:
                while member_of[state] < 0:
                    depth -= 1
                    member_of[stack[depth]] = found
                found += 1
    # Components are completed against the topological order, states finish against the order within a component.
    for k in range(found + 1):
        begins[k] = 0
    for state in range(n_states):
        begins[found - 1 - member_of[state] + 1] += 1
    for k in range(found):
        begins[k + 1] += begins[k]
        position[k] = begins[k]
    for k in range(n_states - 1, -1, -1):
        component = found - 1 - member_of[by_finish[k]]
        order[position[component]] = by_finish[k]
        position[component] += 1
    return found
