"""Which states lie on accepting paths, in time linear in states and arcs whatever the paths' lengths.

Stage: symbolic part, called by `arcgrad.runtime.operators.connect`.
"""

from __future__ import annotations

from arcgrad.runtime.routines import helper, kernel

__all__ = ["FORWARD_AND_BACKWARD", "mark_useful"]

_FORWARD, _BACKWARD = 1, 2
FORWARD_AND_BACKWARD = 3


@helper
def _mark_reached(n_states, tails, heads, seeds, bit, marks, pointers, ends, stack):
    """Set ``bit`` in the mark of each state that arcs lead to from the seeds."""
    for state in range(n_states + 1):
        pointers[state] = 0
    for arc in range(len(tails)):
        pointers[tails[arc]] += 1
    for state in range(n_states):
        pointers[state + 1] += pointers[state]
    for arc in range(len(tails)):  # pointers step back from each state's end to its begin
        pointers[tails[arc]] -= 1
        ends[pointers[tails[arc]]] = heads[arc]
    waiting = 0
    for k in range(len(seeds)):
        marks[seeds[k]] |= bit
        stack[waiting] = seeds[k]
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


@kernel(f"void(int64, {', '.join(['int32[::1]'] * 4)}, uint8[::1], {', '.join(['int32[::1]'] * 3)})")
def mark_useful(n_states, src, dst, start, accept, marks, pointers, ends, stack):
    """Mark states by FORWARD_AND_BACKWARD where a start leads to them and they lead to an accept.

    Args:
        n_states: number of states.
        src, dst, start, accept: of the topology; each start and accept once.
        marks: (n_states,) zeros at first.
        pointers, ends, stack: scratch, (n_states + 1,), (n_arcs,), (n_states,).
    """
    _mark_reached(n_states, src, dst, start, _FORWARD, marks, pointers, ends, stack)
    _mark_reached(n_states, dst, src, accept, _BACKWARD, marks, pointers, ends, stack)
