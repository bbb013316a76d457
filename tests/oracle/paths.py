"""Reductions of naive graphs by their paths: enumerated where there are few, summed by length until convergence where
there are many or infinitely many. No closed form of a cycle is used for a value; one only bounds what is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oracle.graphs import Graph, TooLargeError, reachable

Floats = NDArray[np.float64]

# How near to spectral radius 1 the oracle dares to judge, as a factor.
MARGIN = 1.02
NEAR_TIE = 1e-9


class DivergesError(Exception):
    """The reduction has no value: a cycle on an accepting path adds up without end."""


@dataclass
class Reduced:
    """A reduction's value and its exact gradient by the graph's arcs.

    Attributes:
        value: a float; an int (or inf) for COUNT.
        gradients: arrays (n_arcs,), one for each choice among best paths (one only, but for MAX and MIN with ties).
        n_finite_paths: accepting paths of finite weight, inf where they are without end.
        scale: how large the summed terms are, for tolerances; at least 1.
    """

    value: float
    gradients: list[Floats]
    n_finite_paths: float
    scale: float
    cyclic: bool


class Useful:
    """The part of a graph that lies on accepting paths, as arrays; arcs for which ``keep`` is False count as absent."""

    def __init__(self, graph: Graph, keep_minus_infinity: bool) -> None:
        arcs = [(k, a) for k, a in enumerate(graph.arcs) if keep_minus_infinity or a.weight != -math.inf]
        forward = reachable(graph.n_states, graph.start, [(a.src, a.dst) for _, a in arcs])
        backward = reachable(graph.n_states, graph.accept, [(a.dst, a.src) for _, a in arcs])
        on_path = [f and b for f, b in zip(forward, backward, strict=True)]
        number: dict[int, int] = {}
        for s in range(graph.n_states):
            if on_path[s]:
                number[s] = len(number)
        kept = [(k, a) for k, a in arcs if on_path[a.src] and on_path[a.dst]]
        self.n_states = len(number)
        self.n_all_arcs = len(graph.arcs)
        self.index = np.array([k for k, _ in kept], dtype=np.int64)
        self.src = np.array([number[a.src] for _, a in kept], dtype=np.int64)
        self.dst = np.array([number[a.dst] for _, a in kept], dtype=np.int64)
        self.weight = np.array([a.weight for _, a in kept], dtype=np.float64)
        self.start = [number[s] for s in graph.start if s in number]
        self.accept = [number[s] for s in graph.accept if s in number]

    def following(self) -> list[list[int]]:
        """For each state its arcs (numbers within this part), in order."""
        result: list[list[int]] = [[] for _ in range(self.n_states)]
        for k, s in enumerate(self.src.tolist()):
            result[s].append(k)
        return result

    def spread(self, values: Floats) -> Floats:
        """Per-arc values of this part as values for all arcs of the graph."""
        result = np.zeros(self.n_all_arcs)
        result[self.index] = values
        return result


def topological_order(n_states: int, src: Sequence[int], dst: Sequence[int]) -> list[int] | None:
    """States so that every arc goes forward; None where there is a cycle."""
    following: list[list[int]] = [[] for _ in range(n_states)]
    missing = [0] * n_states
    for p, q in zip(src, dst, strict=True):
        following[p].append(q)
        missing[q] += 1
    order = [s for s in range(n_states) if missing[s] == 0]
    for s in order:
        for q in following[s]:
            missing[q] -= 1
            if missing[q] == 0:
                order.append(q)
    return order if len(order) == n_states else None


def components(n_states: int, src: Sequence[int], dst: Sequence[int]) -> list[int]:
    """A component number for each state (Kosaraju: finishing order, then the reversed graph)."""
    following: list[list[int]] = [[] for _ in range(n_states)]
    preceding: list[list[int]] = [[] for _ in range(n_states)]
    for p, q in zip(src, dst, strict=True):
        following[p].append(q)
        preceding[q].append(p)
    finished: list[int] = []
    seen = [False] * n_states
    for root in range(n_states):
        if seen[root]:
            continue
        seen[root] = True
        stack: list[tuple[int, Iterator[int]]] = [(root, iter(following[root]))]
        while stack:
            state, successors = stack[-1]
            for q in successors:
                if not seen[q]:
                    seen[q] = True
                    stack.append((q, iter(following[q])))
                    break
            else:
                finished.append(state)
                stack.pop()
    component = [-1] * n_states
    count = 0
    for root in reversed(finished):
        if component[root] >= 0:
            continue
        component[root] = count
        pending = [root]
        while pending:
            for p in preceding[pending.pop()]:
                if component[p] < 0:
                    component[p] = count
                    pending.append(p)
        count += 1
    return component


def cyclic_arcs(part: Useful) -> NDArray[np.bool_]:
    """Which arcs lie on a cycle."""
    component = np.array(components(part.n_states, part.src.tolist(), part.dst.tolist()), dtype=np.int64)
    return component[part.src] == component[part.dst] if len(part.src) else np.zeros(0, dtype=bool)


def spectral_radius(graph: Graph) -> float:
    """The largest spectral radius of a component on an accepting path, arcs of −inf removed; 0 for acyclic graphs."""
    part = Useful(graph, keep_minus_infinity=False)
    on_cycle = cyclic_arcs(part)
    if not on_cycle.any():
        return 0.0
    matrix = np.zeros((part.n_states, part.n_states))
    np.add.at(matrix, (part.src[on_cycle], part.dst[on_cycle]), np.exp(part.weight[on_cycle]))
    used = matrix.any(axis=0)
    return float(np.abs(np.linalg.eigvals(matrix[np.ix_(used, used)])).max())


def count_paths(part: Useful) -> float:
    """The number of accepting paths of this part, an exact int, or inf."""
    order = topological_order(part.n_states, part.src.tolist(), part.dst.tolist())
    if order is None:
        return math.inf
    ways = [0] * part.n_states
    for s in part.start:
        ways[s] = 1
    following, dst = part.following(), part.dst.tolist()
    for s in order:
        for k in following[s]:
            ways[dst[k]] += ways[s]
    return sum(ways[s] for s in part.accept)


def enumerate_paths(part: Useful, cap: int) -> list[list[int]]:
    """All accepting paths of an acyclic part, each a list of its arcs, depth first."""
    following, dst, accepting = part.following(), part.dst.tolist(), set(part.accept)
    found: list[list[int]] = []
    for s in part.start:
        stack: list[tuple[int, tuple[int, ...]]] = [(s, ())]
        while stack:
            state, path = stack.pop()
            if state in accepting:
                found.append(list(path))
                if len(found) > cap:
                    raise TooLargeError(f"more than {cap} paths")
            stack.extend((dst[k], (*path, k)) for k in reversed(following[state]))
    return found


def log_sum(values: Floats) -> float:
    """log Σ exp(values)."""
    if len(values) == 0:
        return -math.inf
    top = float(values.max())
    return top if math.isinf(top) else top + math.log(float(np.exp(values - top).sum()))


class _ByLength:
    """Sums (or maxima) over the paths of 0, 1, 2, … arcs, one step at a time, in the log domain."""

    def __init__(self, n_states: int, src: NDArray[np.int64], dst: NDArray[np.int64], weight: Floats) -> None:
        order = np.argsort(dst, kind="stable")
        self.n_states, self.src, self.weight = n_states, src[order], weight[order]
        self.targets, self.offsets = np.unique(dst[order], return_index=True)

    def step(self, values: Floats, combine: np.ufunc) -> Floats:
        result = np.full(self.n_states, -np.inf)
        if len(self.src):
            before = values[self.src]
            # Where no path leads, +inf weights (MIN of −inf) must not make a NaN.
            terms = np.where(before == -np.inf, -np.inf, before + np.where(before == -np.inf, 0.0, self.weight))
            result[self.targets] = combine.reduceat(terms, self.offsets)
        return result


def _indicator(n_states: int, states: Sequence[int]) -> Floats:
    result = np.full(n_states, -np.inf)
    result[list(states)] = 0.0
    return result


def sums_by_length(
    part: Useful, *, backward: bool, log_bound: Floats | None, max_steps: int = 20000, tolerance: float = 1e-14
) -> tuple[Floats, float]:
    """Σ over k of the log weights of all paths of k arcs from the starts to each state (backward: to the accepts).

    Stops when no path is left, or when the mass of all longer paths, weighted by ``log_bound``, is below ``tolerance``
    of the total. Returns the sums and the total over accepting paths.
    """
    src, dst = (part.dst, part.src) if backward else (part.src, part.dst)
    begin, end = (part.accept, part.start) if backward else (part.start, part.accept)
    stepper = _ByLength(part.n_states, src, dst, part.weight)
    current = _indicator(part.n_states, begin)
    total = current
    for _ in range(max_steps):
        current = stepper.step(current, np.logaddexp)
        if not np.isfinite(current).any():
            return total, log_sum(total[end])
        total = np.logaddexp(total, current)
        if log_bound is not None and log_sum(current + log_bound) < math.log(tolerance) + log_sum(total[end]):
            return total, log_sum(total[end])
    raise TooLargeError(f"no convergence within {max_steps} arcs")


def _visit_bounds(part: Useful) -> tuple[Floats, Floats]:
    """Log upper bounds, for each state, on the mass of all paths from it (to it), each counted once per arc.

    With W the matrix of exponentiated weights, v = (I − W)⁻¹ 1 is positive exactly if W's spectral radius is below 1
    (I − W is an M-matrix), and then Σ_k k W^k 1 ≤ (I − W)⁻¹ v.
    """
    with np.errstate(over="ignore"):
        factors = np.exp(part.weight)
    if not np.isfinite(factors).all() or factors.max() > 1e30:
        raise TooLargeError("weights too large for the bound")
    on_cycle = cyclic_arcs(part)
    n = part.n_states
    radius_below = {}
    for factor in (MARGIN, 1.0, 1 / MARGIN):
        matrix = np.zeros((n, n))
        np.add.at(matrix, (part.src[on_cycle], part.dst[on_cycle]), factors[on_cycle] * factor)
        try:
            solution = np.linalg.solve(np.eye(n) - matrix, np.ones(n))
        except np.linalg.LinAlgError:
            radius_below[factor] = False
            continue
        radius_below[factor] = bool((solution > 0.5).all())
    if not radius_below[1 / MARGIN]:
        raise DivergesError("spectral radius of at least 1")
    if not radius_below[MARGIN]:
        raise TooLargeError("spectral radius too near 1 to be judged")
    matrix = np.zeros((n, n))
    np.add.at(matrix, (part.src, part.dst), factors)
    bounds = []
    for m in (matrix, matrix.T):
        once = np.linalg.solve(np.eye(n) - m, np.ones(n))
        twice = np.linalg.solve(np.eye(n) - m, once)
        if not (np.isfinite(twice).all() and (twice > 0.5).all()):
            raise TooLargeError("ill-conditioned")
        bounds.append(np.log(twice))
    return bounds[0], bounds[1]


def lse(graph: Graph, *, enumerate_up_to: int = 300) -> Reduced:
    """log Σ over accepting paths of exp(weight), with its gradient (how often each arc is expected on a path)."""
    part = Useful(graph, keep_minus_infinity=False)
    count = count_paths(part)
    cyclic = math.isinf(count)
    if count == 0:
        return Reduced(-math.inf, [np.zeros(len(graph.arcs))], 0, 1.0, False)
    if count <= enumerate_up_to:
        paths = enumerate_paths(part, enumerate_up_to)
        path_weights = np.array([math.fsum(part.weight[p]) for p in paths])
        value = log_sum(path_weights)
        arc_gradient = np.zeros(len(part.index))
        for path, posterior in zip(paths, np.exp(path_weights - value), strict=True):
            np.add.at(arc_gradient, path, posterior)
    else:
        value, arc_gradient = _lse_by_length(part, cyclic)
    scale = max(1.0, abs(value), float((arc_gradient * np.abs(part.weight)).sum()))
    return Reduced(value, [part.spread(arc_gradient)], count, scale, cyclic)


def _lse_by_length(part: Useful, cyclic: bool) -> tuple[float, Floats]:
    after, before = _visit_bounds(part) if cyclic else (None, None)
    forward, value = sums_by_length(part, backward=False, log_bound=after)
    backward, again = sums_by_length(part, backward=True, log_bound=before)
    if abs(value - again) > 1e-11 * max(1.0, abs(value)):
        raise TooLargeError(f"forward and backward sums disagree: {value} and {again}")
    return value, np.exp(forward[part.src] + part.weight + backward[part.dst] - value)


def _is_exact(weights: Floats) -> bool:
    """Whether sums of these weights are exact in float64: small multiples of 1/1024."""
    finite = weights[np.isfinite(weights)]
    return bool((np.abs(finite) < 1e6).all() and (finite * 1024 == np.round(finite * 1024)).all())


def _has_positive_cycle(part: Useful, weight: Floats, on_cycle: NDArray[np.bool_]) -> bool:
    stepper = _ByLength(part.n_states, part.src[on_cycle], part.dst[on_cycle], weight[on_cycle])
    best = np.zeros(part.n_states)
    for _ in range(part.n_states + 1):
        improved = np.maximum(best, stepper.step(best, np.maximum))
        if (improved == best).all():
            return False
        best = improved
    return True


def _check_cycles(part: Useful, weight: Floats) -> None:
    on_cycle = cyclic_arcs(part)
    if not on_cycle.any():
        return
    # −inf and +inf weights would hide each other's cycles; only MIN has such arcs (as +inf here).
    if np.isposinf(weight[on_cycle]).any():
        raise DivergesError("a cycle of unbounded gain")
    if _is_exact(weight[on_cycle]):
        if _has_positive_cycle(part, weight, on_cycle):
            raise DivergesError("a cycle of positive gain")
        return
    if _has_positive_cycle(part, weight - 1e-7, on_cycle):
        raise DivergesError("a cycle of positive gain")
    if _has_positive_cycle(part, weight + 1e-7, on_cycle):
        raise TooLargeError("a cycle of gain too near 0 to be judged")


def _best_by_length(part: Useful, weight: Floats, backward: bool) -> Floats:
    src, dst = (part.dst, part.src) if backward else (part.src, part.dst)
    stepper = _ByLength(part.n_states, src, dst, weight)
    best = _indicator(part.n_states, part.accept if backward else part.start)
    for _ in range(part.n_states + 1):
        improved = np.maximum(best, stepper.step(best, np.maximum))
        if (improved == best).all():
            return best
        best = improved
    raise TooLargeError("rounding keeps improving the best path")


def best(graph: Graph, sign: int, *, canonical: bool = False, cap: int = 24) -> Reduced:
    """MAX (sign 1) or MIN (sign −1): the best weight and an indicator gradient for each simple best path.

    With ``canonical``, only the path of fewest arcs and then smallest arc numbers, which the language fixes for leaves;
    where rounding could make another path the best, all of them nevertheless.
    """
    part = Useful(graph, keep_minus_infinity=sign < 0)
    finite = Useful(graph, keep_minus_infinity=False)
    n_finite = count_paths(finite)
    if part.n_states == 0:
        return Reduced(-sign * math.inf, [np.zeros(len(graph.arcs))], 0, 1.0, False)
    weight = part.weight * sign
    _check_cycles(part, weight)
    forward = _best_by_length(part, weight, backward=False)
    backward = _best_by_length(part, weight, backward=True)
    value = float(forward[part.accept].max())
    exact = _is_exact(part.weight)
    slack = 0.0 if exact or math.isinf(value) else NEAR_TIE * max(1.0, abs(value))
    paths = _best_simple_paths(part, weight, backward, value, slack, cap)
    if canonical and (exact or len(paths) == 1):
        paths = [canonical_best_path(part, weight, value)]
    gradients = []
    for path in paths:
        indicator = np.zeros(len(part.index))
        np.add.at(indicator, path, 1.0)
        gradients.append(part.spread(indicator))
    on_path = np.abs(part.weight[paths[0]])
    scale = max(1.0, float(on_path[np.isfinite(on_path)].sum()))
    # + 0.0: no negative zeros.
    return Reduced(sign * value + 0.0, gradients, n_finite, scale, bool(cyclic_arcs(part).any()))


def _best_simple_paths(
    part: Useful, weight: Floats, backward: Floats, value: float, slack: float, cap: int
) -> list[list[int]]:
    following, dst, accepting = part.following(), part.dst.tolist(), set(part.accept)
    gain, ahead = weight.tolist(), backward.tolist()
    found: list[list[int]] = []
    visited = 0
    for s in part.start:
        stack: list[tuple[int, float, tuple[int, ...], frozenset[int]]] = [(s, 0.0, (), frozenset((s,)))]
        while stack:
            state, so_far, path, seen = stack.pop()
            visited += 1
            if visited > 3000 or len(found) > cap:
                raise TooLargeError("too many best paths")
            if so_far + ahead[state] < value - slack:
                continue
            if state in accepting and so_far >= value - slack:
                found.append(list(path))
            stack.extend(
                (dst[k], so_far + gain[k], (*path, k), seen | {dst[k]})
                for k in reversed(following[state])
                if dst[k] not in seen
            )
    return found


def canonical_best_path(part: Useful, weight: Floats, value: float) -> list[int]:
    """Among the best paths, of those with fewest arcs, the smallest sequence of arc numbers."""
    stepper = _ByLength(part.n_states, part.dst, part.src, weight)
    ahead = [_indicator(part.n_states, part.accept)]
    slack = 1e-12 * max(1.0, abs(value)) if math.isfinite(value) else 0.0
    while float(ahead[-1][part.start].max()) < value - slack:
        ahead.append(stepper.step(ahead[-1], np.maximum))
        if len(ahead) > part.n_states + 1:
            raise TooLargeError("no best path found by length")
    states, left, path = set(part.start), value, []
    src, dst = part.src.tolist(), part.dst.tolist()
    so_far = 0.0
    for remaining in reversed(range(len(ahead) - 1)):
        k = next(
            k
            for k in range(len(src))
            if src[k] in states
            and ahead[remaining][dst[k]] > -math.inf
            and so_far + weight[k] + ahead[remaining][dst[k]] >= left - slack
        )
        path.append(k)
        so_far += weight[k]
        states = {dst[k]}
    return path


def count(graph: Graph) -> Reduced:
    """COUNT: the exact number of accepting paths, arcs of −inf included."""
    part = Useful(graph, keep_minus_infinity=True)
    finite = count_paths(Useful(graph, keep_minus_infinity=False))
    value = count_paths(part)
    return Reduced(value, [np.zeros(len(graph.arcs))], finite, 1.0, math.isinf(value))
