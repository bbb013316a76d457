"""Heaps of candidates: the ways on from a state, of which the best comes first."""

from __future__ import annotations

from arcgrad.runtime.jit.declare import helper

__all__ = ["ARC", "LENGTH", "REST", "TIE", "keep_best", "make_heap", "sink"]

ARC, REST, LENGTH, TIE = 0, 1, 2, 3
"""Columns of candidates: their arc (of the root's: the start), the entry behind it, the number of their ε arcs, and
their order among equal ones."""


@helper
def precedes(cands, values, one, other):
    """Whether one candidate is better than another."""
    if values[one] != values[other]:
        return values[one] > values[other]
    if cands[one, LENGTH] != cands[other, LENGTH]:
        return cands[one, LENGTH] < cands[other, LENGTH]
    if cands[one, TIE] != cands[other, TIE]:
        return cands[one, TIE] < cands[other, TIE]
    return cands[one, ARC] < cands[other, ARC]


@helper
def swap(cands, values, one, other):
    """Exchange two candidates."""
    for k in range(4):
        number = cands[one, k]
        cands[one, k] = cands[other, k]
        cands[other, k] = number
    value = values[one]
    values[one] = values[other]
    values[other] = value


@helper
def sink(cands, values, begin, size, place):
    """Let one candidate of a heap sink to where it belongs."""
    while True:
        child = 2 * place + 1
        if child >= size:
            return
        if child + 1 < size and precedes(cands, values, begin + child + 1, begin + child):
            child += 1
        if not precedes(cands, values, begin + child, begin + place):
            return
        swap(cands, values, begin + child, begin + place)
        place = child


@helper
def make_heap(cands, values, begin, size):
    """Order candidates as a heap."""
    for place in range(size // 2 - 1, -1, -1):
        sink(cands, values, begin, size, place)


@helper
def keep_best(cands, values, begin, size, most):
    """Leave no more of a heap than its best candidates, in order; how many."""
    if size <= most:
        return size
    left = size
    while left > size - most:
        left -= 1
        swap(cands, values, begin, begin + left)
        sink(cands, values, begin, left, 0)
    for k in range(min(most, size // 2)):  # the best stand last now
        swap(cands, values, begin + k, begin + size - 1 - k)
    return most
