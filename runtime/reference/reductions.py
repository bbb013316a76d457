"""Reductions over explicit graphs in plain Python: the slow, exact reference that the kernels are compared with.

Also the court of appeal: where a compiled routine signals that something diverged or overflowed, the interpreter
evaluates again with these functions, whose verdict (a value or a DivergenceError that names the cycle) stands.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.best_path import best_path
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.graphs.useful_graph import (
    UsefulGraph,
    cycle_through,
    divergence_error,
    is_cyclic,
    useful_graph,
)
from arcgrad.runtime.reference.exact_weights import DIVERGES, Units, balanced, from_units, has_large, in_units

__all__ = [
    "REDUCTIONS",
    "best_path",
    "count_paths",
    "forward_scores",
    "log_score",
    "log_score_and_gradient",
    "log_sum",
    "sum_paths",
]

FloatArray = NDArray[np.float64]
Reduction = Callable[[Topology, FloatArray, "Units | None", bool], "tuple[float, FloatArray | None]"]
_MINUS_INFINITY = -math.inf
# States from which on a component that clearly diverges is told before it is eliminated, and with how many products.
_MANY, _PRODUCTS = 100, 300
# Beyond it exponentials overflow: only arcs of a cycle that nearly diverges are expected that often.
_LARGEST_EXPONENT = 709.78


def _logadd(a: float, b: float) -> float:
    if a < b:
        a, b = b, a
    return a if b == _MINUS_INFINITY else a + math.log1p(math.exp(b - a))


def log_sum(terms: list[float]) -> float:
    top = max(terms, default=_MINUS_INFINITY)
    if top == _MINUS_INFINITY:
        return top
    return top + math.log(math.fsum(math.exp(t - top) for t in terms))


def forward_scores(graph: UsefulGraph) -> list[float]:
    """Compute for each state the log of the sum over paths from a start to it."""
    alpha = [_MINUS_INFINITY] * graph.n_states
    start = graph.start
    for component in graph.components:
        members = set(component)
        entering = {}
        for state in component:
            terms = [alpha[p] + w for _, p, w in graph.into[state] if p not in members]
            entering[state] = log_sum([start[state], *terms] if state in start else terms)
        if is_cyclic(graph, component):
            _close_component(graph, component, entering, alpha)
        else:
            alpha[component[0]] = entering[component[0]]
    return alpha


def _close_component(graph: UsefulGraph, component: list[int], entering: dict[int, float], alpha: list[float]) -> None:
    """Solve alpha = entering + alpha · W on one component by eliminating states, without any subtraction.

    The next state eliminated is one with the fewest neighbour pairs, which keeps chains and closures of long graphs
    linear. A pivot of weight ≥ 0 means a spectral radius ≥ 1.
    """
    members = set(component)
    growing = _growing_state(graph, component) if len(component) >= _MANY else None
    if growing is not None:
        raise divergence_error(graph, "LSE", DIVERGES, cycle_through(graph, members, growing), growing)
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
            raise divergence_error(graph, "LSE", DIVERGES, cycle_through(graph, members, pivot), pivot)
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
        alpha[pivot] = star + log_sum([entering[pivot], *(alpha[p] + w for p, w in predecessors.items())])


def _growing_state(graph: UsefulGraph, component: list[int]) -> int | None:
    """Find the state that counts most in a component whose sums grow without end; None where that is not sure.

    Where W x ≥ x for some x > 0, the spectral radius of W is 1 or more (Collatz, Math. Z. 48, 1942).
    """
    number = {state: k for k, state in enumerate(component)}
    arcs = [(number[s], number[other], w) for s in component for _, other, w in graph.out[s] if other in number]
    src, dst = (np.array([arc[end] for arc in arcs]) for end in (0, 1))
    x = np.ones(len(component))
    with np.errstate(all="ignore"):
        factors = np.exp([weight for _, _, weight in arcs])
        for _ in range(_PRODUCTS):
            more = x + np.bincount(src, factors * x[dst], len(x))
            if np.all(more > (2 + 1e-12) * x) and np.all(x > 0.0):
                return component[int(x.argmax())]
            x = more / more.max()
    return None


def log_score(topology: Topology, weights: FloatArray, exact: Units | None = None) -> float:
    """Compute log Σ over accepting paths of exp(path weight).

    Args:
        topology: the graph.
        weights: (n_arcs,) its weights.
        exact: (n_arcs,) the weights in units (`exact_weights`), where they are sums that floats round; arcs whose
            weight is −inf are absent all the same.

    Raises:
        DivergenceError: the sum is not finite.
    """
    return sum_paths(topology, weights, exact)[-1]


def log_score_and_gradient(
    topology: Topology, weights: FloatArray, exact: Units | None = None
) -> tuple[float, FloatArray]:
    """Compute the forward score and (n_arcs,) its derivatives, the arcs' posterior expected counts.

    Arguments and errors are those of `log_score`. Where the score is infinite the derivatives are zeros.
    """
    graph, alpha, total, score = sum_paths(topology, weights, exact)
    gradient = [0.0] * topology.n_arcs
    if math.isfinite(score):
        beta = forward_scores(graph.reversed())
        for before, arcs in zip(alpha, graph.out, strict=True):
            for arc, other, weight in arcs:
                exponent = before + weight + beta[other] - total
                gradient[arc] = math.exp(exponent) if exponent < _LARGEST_EXPONENT else math.inf
    return score, np.array(gradient, dtype=np.float64)


def sum_paths(
    topology: Topology, weights: FloatArray, exact: Units | None
) -> tuple[UsefulGraph, list[float], float, float]:
    """Sum the paths of what is useful, balanced where weights are large.

    The graph as it was summed, the forward scores of its states, their sum over its paths, and the score itself.
    """
    graph = useful_graph(topology, weights, drop_minus_infinity=True)
    top = 0
    if graph.start and (exact is not None or has_large(graph.weights)):
        graph, top = balanced(graph, in_units(graph.weights) if exact is None else exact)
    alpha = forward_scores(graph)
    total = log_sum([alpha[state] + weight for state, weight in graph.accept.items()])
    score = from_units(top + in_units([total])[0]) if top else total
    return graph, alpha, total, score


def count_paths(topology: Topology) -> int | float:
    """The number of accepting paths, exact; inf where a cycle lies on one. Arcs count whatever their weight."""
    graph = useful_graph(topology, np.zeros(topology.n_arcs), drop_minus_infinity=False)
    if any(is_cyclic(graph, component) for component in graph.components):
        return math.inf
    counts = [0] * graph.n_states
    for state in graph.start:
        counts[state] = 1
    total = 0
    for (state,) in graph.components:
        # A count of many digits goes with the last arc that needs it: those of all states may fill the memory.
        count, counts[state] = counts[state], 0
        for _, following, _ in graph.out[state]:
            counts[following] += count
        if state in graph.accept:
            total += count
    return total


def _log(topology: Topology, weights: FloatArray, exact: Units | None, want: bool) -> tuple[float, FloatArray | None]:
    return log_score_and_gradient(topology, weights, exact) if want else (log_score(topology, weights, exact), None)


def _best(sign: float) -> Reduction:
    def best(topology: Topology, weights: FloatArray, exact: Units | None, want: bool) -> tuple[float, FloatArray]:
        score, arcs = best_path(topology, weights, sign)
        if sign > 0 and score == _MINUS_INFINITY:
            arcs = None  # no path, or none whose weight is within floats
        gradient = np.bincount(np.array(arcs or (), dtype=np.intp), minlength=topology.n_arcs).astype(np.float64)
        return score, gradient

    return best


REDUCTIONS: dict[str, Reduction] = {
    "log": _log,
    "max": _best(1.0),
    "min": _best(-1.0),
    "count": lambda topology, weights, exact, want: (count_paths(topology), None),
}
"""By semiring: the value and its derivatives (n_arcs,), None where these are not wanted or there are none.

Arguments: the graph, its (n_arcs,) weights, these in units where floats round them, and whether derivatives are wanted.
"""
