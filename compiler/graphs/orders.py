"""Orders of a graph's states: what lies on accepting paths, topological order, strongly connected components.

Used by the packers, which take them as an argument, so that the runtime may give compiled ones. No recursion, so that
long chains do not meet Python's stack limit.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.csr import row_pointers
from arcgrad.compiler.graphs.topology import IntArray

__all__ = ["PLAIN", "Orders", "components", "outgoing", "reached", "topological_order", "trim"]


def outgoing(n_states: int, src: IntArray, dst: IntArray) -> list[list[int]]:
    """For each state, the destinations of its arcs in order of arcs."""
    order = np.argsort(src, kind="stable")
    ends = dst[order].tolist()
    pointers = row_pointers(src, n_states).tolist()
    return [ends[low:high] for low, high in itertools.pairwise(pointers)]


def reached(successors: list[list[int]], begin: Iterable[int]) -> bytearray:
    """For each state 1 where it is one of ``begin`` or can be reached from them, else 0."""
    seen = bytearray(len(successors))
    stack = list(begin)
    for state in stack:
        seen[state] = 1
    while stack:
        for state in successors[stack.pop()]:
            if not seen[state]:
                seen[state] = 1
                stack.append(state)
    return seen


def trim(n_states: int, src: IntArray, dst: IntArray, start: IntArray, accept: IntArray) -> NDArray[np.bool_]:
    """(n_states,) whether each state can be reached from a start and reaches an accept."""
    if _is_trim(n_states, src, dst, start, accept):
        return np.ones(n_states, dtype=np.bool_)
    forward = reached(outgoing(n_states, src, dst), start.tolist())
    backward = reached(outgoing(n_states, dst, src), accept.tolist())
    both = np.frombuffer(forward, dtype=np.uint8) & np.frombuffer(backward, dtype=np.uint8)
    return both.astype(np.bool_)


def _is_trim(n_states: int, src: IntArray, dst: IntArray, start: IntArray, accept: IntArray) -> bool:
    """Whether numbers alone tell that every state lies on an accepting path, as of most graphs that people make.

    That is where each state is a start or entered from a smaller number, and an accept or left for a larger one.
    """
    ahead = src < dst
    sure = np.zeros(n_states, dtype=np.bool_)
    sure[start] = True
    sure[dst[ahead]] = True
    if not sure.all():
        return False
    sure[:] = False
    sure[accept] = True
    sure[src[ahead]] = True
    return bool(sure.all())


def topological_order(n_states: int, src: IntArray, dst: IntArray) -> IntArray | None:
    """(n_states,) states so that every arc leads forward, or None where there is a cycle.

    States keep their numbers' order where every arc already leads from a smaller to a larger number.
    """
    if bool(np.all(src < dst)):
        return np.arange(n_states, dtype=np.int32)
    successors = outgoing(n_states, src, dst)
    waiting = np.bincount(dst, minlength=n_states).tolist()
    ready = [state for state in range(n_states - 1, -1, -1) if not waiting[state]]
    order = []
    while ready:
        state = ready.pop()
        order.append(state)
        for successor in successors[state]:
            waiting[successor] -= 1
            if not waiting[successor]:
                ready.append(successor)
    if len(order) < n_states:
        return None
    return np.array(order, dtype=np.int32)


def components(n_states: int, src: IntArray, dst: IntArray) -> tuple[IntArray, IntArray]:
    """Strongly connected components by Tarjan's algorithm (SIAM J. Comput. 1, 1972), iterative.

    Returns:
        (n_states,) states, component by component in topological order and within a component in reverse postorder of
        the search, so that most arcs lead forward; and (n_components + 1,) where each component begins.
    """
    successors = outgoing(n_states, src, dst)
    number = [0] * n_states  # order of discovery from 1; 0: not seen
    low = [0] * n_states
    on_stack = bytearray(n_states)
    finished = [0] * n_states
    position = [0] * n_states
    stack: list[int] = []
    found: list[list[int]] = []
    clock = ticks = 0
    for root in range(n_states):
        if number[root]:
            continue
        call = [root]
        while call:
            state = call[-1]
            if not number[state]:
                clock += 1
                number[state] = low[state] = clock
                stack.append(state)
                on_stack[state] = 1
            ends = successors[state]
            deeper = False
            while position[state] < len(ends):
                successor = ends[position[state]]
                position[state] += 1
                if not number[successor]:
                    call.append(successor)
                    deeper = True
                    break
                if on_stack[successor] and number[successor] < low[state]:
                    low[state] = number[successor]
            if deeper:
                continue
            call.pop()
            ticks += 1
            finished[state] = ticks
            if call and low[state] < low[call[-1]]:
                low[call[-1]] = low[state]
            if low[state] == number[state]:
                members = [stack.pop()]
                while members[-1] != state:
                    members.append(stack.pop())
                for member in members:
                    on_stack[member] = 0
                members.sort(key=finished.__getitem__, reverse=True)
                found.append(members)
    found.reverse()
    order = [state for members in found for state in members]
    begins = np.zeros(len(found) + 1, dtype=np.int32)
    np.cumsum([len(members) for members in found], out=begins[1:])
    return np.array(order, dtype=np.int32), begins


class Orders(NamedTuple):
    """The functions by which packers order states: those of this module, or others with the same results."""

    trim: Callable[[int, IntArray, IntArray, IntArray, IntArray], NDArray[np.bool_]]
    topological_order: Callable[[int, IntArray, IntArray], IntArray | None]
    components: Callable[[int, IntArray, IntArray], tuple[IntArray, IntArray]]


PLAIN = Orders(trim, topological_order, components)
"""Those of this module."""
