"""Weights of any size in the log domain: exact sums of them, and the graph less what its best path weighs.

Under `reference` and `interpreter`. Floats near −1e30, which users write for log zero, swallow every ordinary weight
that they are added to. Where all paths take such arcs, the ordinary weights alone decide between the paths, so sums
have to be exact until what all paths share is taken off. Every float is a multiple of the smallest one, 2⁻¹⁰⁷⁴: whole
numbers of that unit add exactly.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.useful_graph import Arcs, UsefulGraph, divergence_error

__all__ = ["DIVERGES", "balanced", "from_units", "has_large", "in_units"]

Units = NDArray[np.object_]

DIVERGES = "their weights do not sum to a finite value"

# Floats round sums of a few weights of this size in their thirteenth digit after the point.
_LARGE = 1e3
_UNITS_OF_ONE = 1 << 1074


def has_large(weights: list[float]) -> bool:
    """Tell whether some finite weight is so large that sums in floating point lose digits of ordinary weights."""
    if not weights or (min(weights) >= -_LARGE and max(weights) <= _LARGE):
        return False
    return any(_LARGE < abs(weight) < math.inf for weight in weights)


def in_units(weights: list[float]) -> Units:
    """Write weights as whole numbers of the smallest float; infinite ones, which no sum is asked for, as 0."""
    found = np.zeros(len(weights), dtype=object)
    for index, weight in enumerate(weights):
        if weight and math.isfinite(weight):
            numerator, denominator = weight.as_integer_ratio()
            found[index] = numerator << (_UNITS_OF_ONE.bit_length() - denominator.bit_length())
    return found


def from_units(whole: int) -> float:
    """Round a whole number of units to a float, ±inf where it is beyond all of them.

    Example:
        >>> from arcgrad.runtime.reference.exact_weights import from_units, in_units
        >>> units = in_units([-1e30, 0.5, 1e30])
        >>> from_units(sum(units)), from_units(2 * units[0])
        (0.5, -2e+30)
    """
    try:
        return whole / _UNITS_OF_ONE
    except OverflowError:
        return math.inf if whole > 0 else -math.inf


def balanced(graph: UsefulGraph, exact: Units) -> tuple[UsefulGraph, int]:
    """Move weights along the paths so that the best path weighs 0, and tell what it weighed.

    An arc's weight becomes w + φ(destination) − φ(source), with φ(state) the greatest weight of a path from that state
    to an accept state (D. B. Johnson, Efficient Algorithms for Shortest Paths in Sparse Networks, 1977). All paths lose
    the same by that, and keep their shares; no arc's weight is then above 0, and all along a best path are 0.

    Args:
        graph: what to balance.
        exact: (n_arcs,) its weights in units.

    Raises:
        DivergenceError: a cycle has a weight above 0.
    """
    best = _best_weights(graph, exact)
    top = max(best[state] for state in graph.start)
    out: Arcs = [
        [(arc, other, from_units(exact[arc] + best[other] - best[state])) for arc, other, _ in arcs]
        for state, arcs in enumerate(graph.out)
    ]
    moved = {arc: weight for arcs in out for arc, _, weight in arcs}
    into: Arcs = [[(arc, other, moved[arc]) for arc, other, _ in arcs] for arcs in graph.into]
    start = {state: from_units(best[state] - top) for state in graph.start}
    accept = {state: from_units(-best[state]) for state in graph.accept}
    return replace(graph, out=out, into=into, start=start, accept=accept), top


def _best_weights(graph: UsefulGraph, exact: Units) -> list[Any]:
    """Compute the greatest weight, in units, of a path from each useful state to an accept state (Bellman and Ford)."""
    best: list[Any] = [None] * graph.n_states
    taken: dict[int, tuple[int, int]] = {}  # for each state, the arc with which its best path begins, and where to
    for state in graph.accept:
        best[state] = 0
    for component in reversed(graph.components):
        members = set(component)
        frontier = members
        # Without a cycle above 0 a best path has fewer arcs than the component has states, and no state follows itself.
        for turn in itertools.count():
            improved = [state for state in frontier if _improve(graph, exact, state, best, taken)]
            if not improved:
                break
            if turn & (turn - 1) == 0 or turn >= len(component):
                cycle = _cycle(taken, improved[0])
                if cycle is not None:
                    raise divergence_error(graph, "LSE", DIVERGES, *cycle)
            frontier = {other for state in improved for _, other, _ in graph.into[state] if other in members}
    return best


def _improve(graph: UsefulGraph, exact: Units, state: int, best: list[Any], taken: dict[int, tuple[int, int]]) -> bool:
    """Take the best arc that leaves a state, where that is better than what was found so far."""
    improved = False
    for arc, other, _ in graph.out[state]:
        after = best[other]
        if after is not None and (best[state] is None or exact[arc] + after > best[state]):
            best[state] = exact[arc] + after
            taken[state] = (arc, other)
            improved = True
    return improved


def _cycle(taken: dict[int, tuple[int, int]], state: int) -> tuple[list[int], int] | None:
    """Follow the arcs taken until a state repeats: that cycle's arcs, and the state. None where they end before."""
    arcs: list[int] = []
    order: dict[int, int] = {}
    while state not in order:
        if state not in taken:
            return None
        order[state] = len(arcs)
        arc, state = taken[state]
        arcs.append(arc)
    return arcs[order[state] :], state
