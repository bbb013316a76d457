"""The best path of a graph in plain Python, exact: what PATH, MAX and MIN mean, and whom compiled ones are held to."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.score_values import as_float
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.graphs.useful_graph import (
    UsefulGraph,
    divergence_error,
    is_cyclic,
    path_weight,
    shortest_path,
    useful_graph,
)

__all__ = ["Pair", "Rounding", "best_pairs", "best_path", "best_weights", "exact_weights"]

FloatArray = NDArray[np.float64]
Pair = tuple[Any, int]
"""The weight of a path to an accept, and its number of arcs as a negative, so that the better pair is the greater."""


def best_path(topology: Topology, weights: FloatArray, sign: float = 1.0) -> tuple[float, list[int] | None]:
    """Find the greatest path weight (sign −1: the smallest) and the arcs of a path that has it, None without a path.

    Among best paths: one with fewest arcs, then the lexicographically smallest sequence of arc numbers.

    Raises:
        DivergenceError: a cycle improves without end.
    """
    graph = useful_graph(topology, weights * sign, drop_minus_infinity=sign > 0)
    if not graph.start:
        return -sign * math.inf, None
    try:
        value, path = _best_path(graph, sign)
    except Rounding:
        value, path = _best_path(exact_weights(graph), sign)
    return as_float(value) * sign + 0.0, path


def best_weights(graph: UsefulGraph, reduction: str, sign: float = 1.0, *, exact: bool = False) -> list[Pair | None]:
    """For each state the greatest weight of a path from it to an accept, and minus the fewest arcs of such a path.

    Args:
        graph: what lies on accepting paths; other states have None.
        reduction: what diverges where a cycle improves without end, for the message.
        sign: −1 where the graph's weights are the negatives of those that the message shows.
        exact: add fractions, not floats; so it is done, too, where floats cannot tell a cycle's weight from zero.

    Raises:
        DivergenceError: a cycle improves without end.
    """
    try:
        return best_pairs(exact_weights(graph) if exact else graph, sign, reduction)
    except Rounding:
        return best_pairs(exact_weights(graph), sign, reduction)


def exact_weights(graph: UsefulGraph) -> UsefulGraph:
    """Give the same graph with fractions for weights, whose sums are not rounded."""
    out = [[(arc, other, _exact(weight)) for arc, other, weight in arcs] for arcs in graph.out]
    return replace(graph, out=out, accept={state: _exact(weight) for state, weight in graph.accept.items()})


class Rounding(Exception):  # noqa: N818 - a signal to the caller, who tries again
    """Sums in floating point cannot tell a cycle's weight from zero: they have to be exact."""


def _exact(weight: float) -> Any:
    return Fraction(weight) if math.isfinite(weight) else weight


def best_pairs(graph: UsefulGraph, sign: float, reduction: str | None = None) -> list[Pair | None]:
    """For each state, the best pair of a path to an accept; None off accepting paths.

    Args:
        graph: what lies on accepting paths.
        sign: −1 where its weights are the negatives of those that messages show.
        reduction: what diverges, for the message; MAX or MIN unless said.

    Raises:
        DivergenceError: a cycle improves without end.
        Rounding: sums have to be exact.
    """
    reduction = reduction or ("MAX" if sign > 0 else "MIN")
    best: list[Pair | None] = [None] * graph.n_states
    for state in graph.accept:
        best[state] = (graph.accept[state] or 0, 0)  # a whole number leaves fractions exact
    for component in reversed(graph.components):
        if is_cyclic(graph, component):
            _relax_component(graph, component, best, reduction, sign)
        else:
            _relax(graph, component[0], best)
    return best


def _best_path(graph: UsefulGraph, sign: float) -> tuple[float, list[int]]:
    best = best_pairs(graph, sign)
    value = max(b for s in graph.start if (b := best[s]) is not None)
    path: list[int] = []
    states = [s for s in graph.start if best[s] == value]
    here = value
    while here[1] != 0:
        choices = [
            (arc, other, after)
            for s in states
            for arc, other, weight in graph.out[s]
            if (after := best[other]) is not None and (weight + after[0], after[1] - 1) == here
        ]
        if not choices:  # a later state's value moved by a rounding error after this one's was made of it
            raise Rounding
        arc, state, here = min(choices)
        path.append(arc)
        states = [state]
    return value[0], path


def _relax(graph: UsefulGraph, state: int, best: list[Pair | None]) -> bool:
    found = best[state]
    for _, other, weight in graph.out[state]:
        after = best[other]
        if after is not None:
            candidate = (weight + after[0], after[1] - 1)
            if found is None or candidate > found:
                found = candidate
    changed = found != best[state]
    best[state] = found
    return changed


def _relax_component(
    graph: UsefulGraph, component: list[int], best: list[Pair | None], reduction: str, sign: float
) -> None:
    members = set(component)
    word = "greater" if sign > 0 else "smaller"
    why = f"makes the path's weight ever {word}"
    for state in component:
        # Under MIN an arc of weight −inf is an ordinary one: any cycle through it has weight −inf.
        for arc, other, weight in graph.out[state]:
            if other in members and weight == math.inf:
                arcs = [arc, *shortest_path(graph, members, other, state)]
                raise divergence_error(graph, reduction, why, arcs, state, sign)
    exact = any(isinstance(weight, Fraction) for state in component for _, _, weight in graph.out[state])
    for turn in itertools.count():
        changed = [state for state in component if _relax(graph, state, best)]
        if not changed:
            return
        # Mostly a cycle that improves shows long before a sum over as many arcs as there are states does.
        enough = turn >= len(component)
        if enough or turn & (turn - 1) == 0:
            cycle = _improving_cycle(graph, members, best, changed[0])
            if cycle is not None:
                arcs, state = cycle
                raise divergence_error(graph, reduction, why, arcs, state, sign)
        if enough and not exact:
            # Rounding alone kept the loop going, as where 0.25 < -0.3 + (0.3 + 0.25).
            raise Rounding


def _improving_cycle(
    graph: UsefulGraph, members: set[int], best: list[Pair | None], state: int
) -> tuple[list[int], int] | None:
    """Follow each state's best arc within the component until a state repeats; the cycle, where its weight is > 0."""
    order: dict[int, int] = {}
    arcs: list[int] = []
    while state not in order:
        order[state] = len(arcs)
        choices = [
            ((weight + after[0], after[1] - 1), -arc, other)
            for arc, other, weight in graph.out[state]
            if other in members and (after := best[other]) is not None
        ]
        if not choices:
            return None
        _, negative_arc, state = max(choices)
        arcs.append(-negative_arc)
    cycle = arcs[order[state] :]
    return (cycle, state) if path_weight([graph.weights[arc] for arc in cycle]) > 0 else None
