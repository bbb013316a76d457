"""Reductions over explicit graphs in plain Python: the slow, exact reference that the kernels are compared with.

Also the court of appeal: where a compiled routine signals that something diverged or overflowed, the interpreter
evaluates again with these functions, whose verdict (a value or a DivergenceError that names the cycle) stands.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.topology import Topology
from arcgrad.grammar.errors import DivergenceError

__all__ = ["best_path", "count_paths", "log_score", "log_score_and_gradient"]

FloatArray = NDArray[np.float64]
_MINUS_INFINITY = -math.inf


@dataclass(frozen=True)
class _Graph:
    """What remains of a graph once arcs of weight −inf and states on no accepting path are dropped.

    ``out[s]`` and ``into[s]`` list (arc number, other state, weight); ``components`` are strongly connected components,
    sources first.
    """

    n_states: int
    out: list[list[tuple[int, int, float]]]
    into: list[list[tuple[int, int, float]]]
    start: list[int]
    accept: list[int]
    components: list[list[int]]

    def reversed(self) -> _Graph:
        return _Graph(self.n_states, self.into, self.out, self.accept, self.start, self.components[::-1])


def _logadd(a: float, b: float) -> float:
    if a < b:
        a, b = b, a
    return a if b == _MINUS_INFINITY else a + math.log1p(math.exp(b - a))


def _logsum(terms: list[float]) -> float:
    top = max(terms, default=_MINUS_INFINITY)
    if top == _MINUS_INFINITY:
        return top
    return top + math.log(math.fsum(math.exp(t - top) for t in terms))


def _reach(roots: list[int], arcs: list[list[tuple[int, int, float]]]) -> list[bool]:
    seen = [False] * len(arcs)
    stack = list(roots)
    for state in roots:
        seen[state] = True
    while stack:
        for _, other, _ in arcs[stack.pop()]:
            if not seen[other]:
                seen[other] = True
                stack.append(other)
    return seen


def _prepare(topology: Topology, weights: FloatArray, drop_minus_infinity: bool) -> _Graph:
    n = topology.n_states
    out: list[list[tuple[int, int, float]]] = [[] for _ in range(n)]
    into: list[list[tuple[int, int, float]]] = [[] for _ in range(n)]
    rows = list(zip(topology.src.tolist(), topology.dst.tolist(), weights.tolist(), strict=True))
    for arc, (src, dst, weight) in enumerate(rows):
        if not (drop_minus_infinity and weight == _MINUS_INFINITY):
            out[src].append((arc, dst, weight))
            into[dst].append((arc, src, weight))
    forward = _reach(topology.start.tolist(), out)
    backward = _reach(topology.accept.tolist(), into)
    keep = [f and b for f, b in zip(forward, backward, strict=True)]
    for state in range(n):
        if keep[state]:
            out[state] = [a for a in out[state] if keep[a[1]]]
            into[state] = [a for a in into[state] if keep[a[1]]]
        else:
            out[state], into[state] = [], []
    start = [s for s in topology.start.tolist() if keep[s]]
    accept = [s for s in topology.accept.tolist() if keep[s]]
    return _Graph(n, out, into, start, accept, _components(keep, out))


def _components(keep: list[bool], out: list[list[tuple[int, int, float]]]) -> list[list[int]]:
    """Strongly connected components of the kept states, sources first (Tarjan's algorithm, without recursion)."""
    index = [-1] * len(keep)
    low = [0] * len(keep)
    on_stack = [False] * len(keep)
    stack: list[int] = []
    found: list[list[int]] = []
    counter = 0
    for root in range(len(keep)):
        if not keep[root] or index[root] >= 0:
            continue
        work = [(root, 0)]
        while work:
            state, position = work.pop()
            if position == 0:
                index[state] = low[state] = counter
                counter += 1
                stack.append(state)
                on_stack[state] = True
            descended = False
            for i in range(position, len(out[state])):
                other = out[state][i][1]
                if index[other] < 0:
                    work.append((state, i + 1))
                    work.append((other, 0))
                    descended = True
                    break
                if on_stack[other]:
                    low[state] = min(low[state], index[other])
            if descended:
                continue
            if low[state] == index[state]:
                component = []
                while True:
                    member = stack.pop()
                    on_stack[member] = False
                    component.append(member)
                    if member == state:
                        break
                found.append(sorted(component))
            if work:
                parent = work[-1][0]
                low[parent] = min(low[parent], low[state])
    return found[::-1]


def _is_cyclic(graph: _Graph, component: list[int]) -> bool:
    return len(component) > 1 or any(other == component[0] for _, other, _ in graph.out[component[0]])


def _forward(graph: _Graph) -> list[float]:
    """For each state, the log of the sum over paths from a start to it."""
    alpha = [_MINUS_INFINITY] * graph.n_states
    start = set(graph.start)
    for component in graph.components:
        members = set(component)
        entering = {}
        for state in component:
            terms = [alpha[p] + w for _, p, w in graph.into[state] if p not in members]
            entering[state] = _logsum([0.0, *terms] if state in start else terms)
        if _is_cyclic(graph, component):
            _close_component(graph, component, entering, alpha)
        else:
            alpha[component[0]] = entering[component[0]]
    return alpha


def _close_component(graph: _Graph, component: list[int], entering: dict[int, float], alpha: list[float]) -> None:
    """Solve alpha = entering + alpha · W on one component by eliminating states, without any subtraction.

    The next state eliminated is one with the fewest neighbour pairs, which keeps chains and closures of long graphs
    linear. A pivot of weight ≥ 0 means a spectral radius ≥ 1.
    """
    members = set(component)
    out: dict[int, dict[int, float]] = {s: {} for s in component}
    into: dict[int, dict[int, float]] = {s: {} for s in component}
    for state in component:
        for _, other, weight in graph.out[state]:
            if other in members:
                total = _logadd(out[state].get(other, _MINUS_INFINITY), weight)
                out[state][other] = into[other][state] = total
    eliminated: list[tuple[int, float, dict[int, float]]] = []
    queue = [(len(out[s]) * len(into[s]), s) for s in component]
    heapq.heapify(queue)
    done: set[int] = set()
    while queue:
        degree, pivot = heapq.heappop(queue)
        if pivot in done:
            continue
        current = len(out[pivot]) * len(into[pivot])
        if current > degree:
            heapq.heappush(queue, (current, pivot))
            continue
        done.add(pivot)
        loop = out[pivot].pop(pivot, _MINUS_INFINITY)
        into[pivot].pop(pivot, None)
        if loop >= 0:
            raise _divergence(graph, members, pivot, "LSE", "their weights do not sum to a finite value")
        star = -math.log(-math.expm1(loop)) if loop > _MINUS_INFINITY else 0.0
        for successor, weight in out[pivot].items():
            del into[successor][pivot]
            step = star + weight
            entering[successor] = _logadd(entering[successor], entering[pivot] + step)
            for predecessor, before in into[pivot].items():
                total = _logadd(out[predecessor].get(successor, _MINUS_INFINITY), before + step)
                out[predecessor][successor] = into[successor][predecessor] = total
        for predecessor in into[pivot]:
            del out[predecessor][pivot]
        eliminated.append((pivot, star, into[pivot]))
    for pivot, star, predecessors in reversed(eliminated):
        alpha[pivot] = star + _logsum([entering[pivot], *(alpha[p] + w for p, w in predecessors.items())])


def _shortest_path(graph: _Graph, members: set[int], begin: int, end: int) -> tuple[list[int], list[float]]:
    """Arcs and weights of a path of fewest arcs within a component; empty where both ends are one state."""
    parent: dict[int, tuple[int, int, float]] = {}
    frontier = [begin]
    while end != begin and end not in parent:
        following = []
        for current in frontier:
            for arc, other, weight in graph.out[current]:
                if other in members and other not in parent and other != begin:
                    parent[other] = (arc, current, weight)
                    following.append(other)
        frontier = following
    arcs: list[int] = []
    weights: list[float] = []
    while end != begin:
        arc, end, weight = parent[end]
        arcs.append(arc)
        weights.append(weight)
    return arcs[::-1], weights[::-1]


def _divergence(graph: _Graph, members: set[int], state: int, reduction: str, why: str) -> DivergenceError:
    """Names a shortest cycle through ``state`` within its component."""
    cycles = []
    for arc, other, weight in graph.out[state]:
        if other in members:
            arcs, weights = _shortest_path(graph, members, other, state)
            cycles.append(([arc, *arcs], [weight, *weights]))
    arcs, weights = min(cycles, key=lambda cycle: len(cycle[0]))
    return divergence_error(reduction, why, arcs, weights, state)


def divergence_error(reduction: str, why: str, arcs: list[int], weights: list[float], state: int) -> DivergenceError:
    """The error for a cycle given by its arcs."""
    shown = ", ".join(map(str, arcs[:12])) + (", …" if len(arcs) > 12 else "")
    plural = "s" if len(arcs) > 1 else ""
    return DivergenceError(
        f"{reduction} diverges: the cycle through state {state} along arc{plural} {shown} "
        f"(weight {math.fsum(weights)!r}) can be repeated without end and {why}",
        cycle=tuple(arcs),
        hint="make the cycle's weight smaller (below 0, so that its probability is below 1)"
        if reduction == "LSE"
        else None,
    )


def log_score(topology: Topology, weights: FloatArray) -> float:
    """log Σ over accepting paths of exp(path weight).

    Raises:
        DivergenceError: the sum is not finite.
    """
    graph = _prepare(topology, weights, drop_minus_infinity=True)
    alpha = _forward(graph)
    return _logsum([alpha[s] for s in graph.accept])


def log_score_and_gradient(topology: Topology, weights: FloatArray) -> tuple[float, FloatArray]:
    """The forward score and (n_arcs,) its derivatives, the arcs' posterior expected counts."""
    graph = _prepare(topology, weights, drop_minus_infinity=True)
    alpha = _forward(graph)
    score = _logsum([alpha[s] for s in graph.accept])
    gradient = np.zeros(topology.n_arcs)
    if math.isfinite(score):
        beta = _forward(graph.reversed())
        for state in range(graph.n_states):
            for arc, other, weight in graph.out[state]:
                gradient[arc] = math.exp(alpha[state] + weight + beta[other] - score)
    return score, gradient


def best_path(topology: Topology, weights: FloatArray, sign: float = 1.0) -> tuple[float, list[int] | None]:
    """The greatest path weight (sign −1: the smallest) and the arcs of a path that has it, None where there is no path.

    Among best paths: one with fewest arcs, then the lexicographically smallest sequence of arc numbers.

    Raises:
        DivergenceError: a cycle improves without end.
    """
    graph = _prepare(topology, weights * sign, drop_minus_infinity=sign > 0)
    if not graph.start:
        return -sign * math.inf, None
    try:
        value, path = _best_path(graph, sign)
    except _Rounding:
        exact = [[(arc, other, _exact(weight)) for arc, other, weight in arcs] for arcs in graph.out]
        value, path = _best_path(replace(graph, out=exact), sign)
    return float(value) * sign + 0.0, path


class _Rounding(Exception):  # noqa: N818 - a signal within this module
    """Sums in floating point cannot tell a cycle's weight from zero: they have to be exact."""


def _exact(weight: float) -> Any:
    return Fraction(weight) if math.isfinite(weight) else weight


def _best_path(graph: _Graph, sign: float) -> tuple[float, list[int]]:
    best: list[tuple[float, int] | None] = [None] * graph.n_states  # (weight to an accept, −number of arcs)
    for state in graph.accept:
        best[state] = (0, 0)  # a whole number, which leaves fractions exact
    for component in reversed(graph.components):
        if _is_cyclic(graph, component):
            _relax_component(graph, component, best, "MAX" if sign > 0 else "MIN", sign)
        else:
            _relax(graph, component[0], best)
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
            raise _Rounding
        arc, state, here = min(choices)
        path.append(arc)
        states = [state]
    return value[0], path


def _relax(graph: _Graph, state: int, best: list[tuple[float, int] | None]) -> bool:
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
    graph: _Graph, component: list[int], best: list[tuple[float, int] | None], reduction: str, sign: float
) -> None:
    members = set(component)
    word = "greater" if sign > 0 else "smaller"
    why = f"makes the path's weight ever {word}"
    for state in component:
        # Under MIN an arc of weight −inf is an ordinary one: any cycle through it has weight −inf.
        for arc, other, weight in graph.out[state]:
            if other in members and weight == math.inf:
                arcs, weights = _shortest_path(graph, members, other, state)
                raise divergence_error(reduction, why, [arc, *arcs], [w * sign for w in (weight, *weights)], state)
    exact = any(isinstance(weight, Fraction) for state in component for _, _, weight in graph.out[state])
    while True:
        for _ in range(len(component) + 1):
            changed = [state for state in component if _relax(graph, state, best)]
            if not changed:
                return
        cycle = _improving_cycle(graph, members, best, changed[0])
        if cycle is not None:
            arcs, weights, state = cycle
            raise divergence_error(reduction, why, arcs, [float(w) * sign for w in weights], state)
        if not exact:
            break
    # Rounding alone kept the loop going, as where 0.25 < -0.3 + (0.3 + 0.25).
    raise _Rounding


def _improving_cycle(
    graph: _Graph, members: set[int], best: list[tuple[float, int] | None], state: int
) -> tuple[list[int], list[float], int] | None:
    """Follow each state's best arc within the component until a state repeats; the cycle, where its weight is > 0."""
    order: dict[int, int] = {}
    arcs: list[int] = []
    weights: list[float] = []
    while state not in order:
        order[state] = len(arcs)
        choices = [
            ((weight + after[0], after[1] - 1), -arc, other, weight)
            for arc, other, weight in graph.out[state]
            if other in members and (after := best[other]) is not None
        ]
        if not choices:
            return None
        _, negative_arc, other, weight = max(choices)
        arcs.append(-negative_arc)
        weights.append(weight)
        state = other
    first = order[state]
    if math.fsum(weights[first:]) > 0:
        return arcs[first:], weights[first:], state
    return None


def count_paths(topology: Topology) -> int | float:
    """The number of accepting paths, exact; inf where a cycle lies on one. Arcs count whatever their weight."""
    graph = _prepare(topology, np.zeros(topology.n_arcs), drop_minus_infinity=False)
    if any(_is_cyclic(graph, component) for component in graph.components):
        return math.inf
    counts = [0] * graph.n_states
    for state in graph.start:
        counts[state] = 1
    for (state,) in graph.components:
        counts[state] += sum(counts[p] for _, p, _ in graph.into[state])
    return sum(counts[s] for s in graph.accept)
