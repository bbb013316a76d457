"""Expectations, entropy and covariances over a graph's paths, with derivatives, in plain Python: the kernels' oracle.

A path's probability is its share of Σ exp(path weight). It is the product of *local* probabilities: of its start, of
each arc among what may follow at the state that the arc leaves, and of ending where it ends. Quantities that add up
along a path (another weight of its arcs; minus the logarithms of the local probabilities) have an expectation over
what follows from each state, ``ahead``; an arc's *surprise* is what it brings plus the expectation ahead of its end
less that of its source. Surprises have mean 0 at every state, whatever came before, so that covariances of paths are
sums over arcs of products of surprises, and no large numbers cancel. In cyclic graphs sums over states become linear
equations, solved by elimination without subtraction (Grassmann, Taksar and Heyman, Operations Research 33, 1985).

Where no path accepts, values and derivatives are 0, as empty sums are.
"""

from __future__ import annotations

import heapq
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.graphs.useful_graph import UsefulGraph
from arcgrad.runtime.reference.exact_weights import Units
from arcgrad.runtime.reference.reductions import forward_scores, log_sum, sum_paths

__all__ = ["covariance", "entropy", "expectation", "relative_entropy", "surprisal_covariance"]

FloatArray = NDArray[np.float64]
_Others = list[list[tuple[int, float]]]
# The least probability of leaving a state for good whose inverse is finite.
_LEAST = 1e-300


def expectation(
    topology: Topology, weights: FloatArray, values: FloatArray, exact: Units | None = None
) -> tuple[float, FloatArray, FloatArray]:
    """Compute the expectation of Σ values along a path, under the paths' distribution by weights.

    Args:
        topology: the graph.
        weights: (n_arcs,) arcs of −inf are absent, and their values not looked at.
        values: (n_arcs,) what the arcs bring; −inf on any path makes the expectation −inf.
        exact: the weights in units, as for `reductions.log_score`.

    Returns:
        the expectation; (n_arcs,) derivatives with respect to weights, Cov(uses of the arc, Σ values); and with respect
        to values, the expected uses. Zeros where the value is infinite.

    Raises:
        DivergenceError: the weights' sum is not finite.
    """
    chain = _Chain(topology, weights, exact)
    if chain.has_minus_infinity(values):
        return -math.inf, np.zeros(topology.n_arcs), np.zeros(topology.n_arcs)
    found = chain.quantity(values)
    return found.expected, chain.by_arc(found.pulled), chain.by_arc(chain.uses)


def entropy(topology: Topology, weights: FloatArray, exact: Units | None = None) -> tuple[float, FloatArray]:
    """Compute the entropy, in nats, of the paths' distribution, and its (n_arcs,) derivatives with respect to weights.

    Arguments and errors are those of `expectation`.
    """
    chain = _Chain(topology, weights, exact)
    found = chain.surprisal()
    return found.expected, chain.by_arc(found.pulled)


def covariance(
    topology: Topology, weights: FloatArray, values: FloatArray, others: FloatArray, exact: Units | None = None
) -> tuple[float, FloatArray, FloatArray, FloatArray]:
    """Compute the covariance of Σ values and Σ others along a path, under the paths' distribution by weights.

    Returns:
        the covariance, and (n_arcs,) derivatives with respect to weights (third cumulants), values and others. Where an
        expectation is infinite, zeros: no derivative passes below it, and covariances serve as derivatives.

    Raises:
        DivergenceError: the weights' sum is not finite.
    """
    chain = _Chain(topology, weights, exact)
    if chain.has_minus_infinity(values) or chain.has_minus_infinity(others):
        return 0.0, *np.zeros((3, topology.n_arcs))
    first, second = chain.quantity(values), chain.quantity(others)
    value, by_weights = chain.covariance(first, second)
    return value, chain.by_arc(by_weights), chain.by_arc(second.pulled), chain.by_arc(first.pulled)


def surprisal_covariance(
    topology: Topology, weights: FloatArray, values: FloatArray, exact: Units | None = None
) -> tuple[float, FloatArray, FloatArray]:
    """Compute the covariance of −log p(path) and Σ values: the derivative of the entropy with weights along ``values``.

    Returns:
        the covariance, and (n_arcs,) derivatives with respect to weights and values; zeros where a value is −inf on
        some path, as for `covariance`.

    Raises:
        DivergenceError: the weights' sum is not finite.
    """
    chain = _Chain(topology, weights, exact)
    if chain.has_minus_infinity(values):
        return 0.0, *np.zeros((2, topology.n_arcs))
    first, second = chain.surprisal(), chain.quantity(values)
    value, by_weights = chain.covariance(first, second)
    return value, chain.by_arc(by_weights - second.pulled), chain.by_arc(first.pulled)


def relative_entropy(
    topology: Topology,
    weights: FloatArray,
    others: FloatArray,
    exact: Units | None = None,
    others_exact: Units | None = None,
) -> tuple[float, FloatArray, FloatArray]:
    """Compute Σ p log(p / q) over the paths' distributions p, by weights, and q, by others.

    By both chains' local probabilities, so that what all weights at a place share cancels however large it is.

    Returns:
        the divergence, inf where there is a path that others do not have and 0 where there is none; and (n_arcs,)
        derivatives with respect to weights and to others, zeros there.

    Raises:
        DivergenceError: the sum of either's weights is not finite.
    """
    chain, other = _Chain(topology, weights, exact), _Chain(topology, others, others_exact)
    nothing = np.zeros(topology.n_arcs), np.zeros(topology.n_arcs)
    if not chain.start.any():
        return 0.0, *nothing
    if not (np.all(np.isin(chain.arcs, other.arcs)) and other.start.any()):
        return math.inf, *nothing
    logs = other.by_arc(other.logs)[chain.arcs]
    differences = [
        np.where(np.isfinite(own), own - np.where(np.isfinite(theirs), theirs, 0.0), 0.0)
        for own, theirs in ((chain.start_logs, other.start_logs), (chain.end_logs, other.end_logs))
    ]
    found = chain.adding_up(differences[0], chain.logs - logs, differences[1])
    by_others = other.by_arc(other.uses) - chain.by_arc(chain.uses)
    return max(found.expected, 0.0), chain.by_arc(found.pulled), by_others


class _Quantity(NamedTuple):
    """What adds up along a path.

    Attributes:
        expected: its expectation.
        starts: (n_states,) the surprise of beginning at a state.
        surprises: (n_useful_arcs,) those of arcs.
        ends: (n_states,) those of ending at a state.
        before: (n_states,) the sums of surprises on the ways to a state, weighted by the ways' probabilities.
        pulled: (n_useful_arcs,) its covariances with the arcs' uses.
    """

    expected: float
    starts: FloatArray
    surprises: FloatArray
    ends: FloatArray
    before: FloatArray
    pulled: FloatArray


class _Step(NamedTuple):
    """A state eliminated, its star, and what is left of its probabilities to and from states eliminated later."""

    state: int
    star: float
    out: dict[int, float]
    into: dict[int, float]


class _Chain:
    """The paths' distribution as a Markov chain over states.

    Attributes:
        arcs, src, dst: (n_useful_arcs,) numbers of the arcs on accepting paths, and their ends.
        logs, probabilities: (n_useful_arcs,) local probabilities.
        start_logs, start, end_logs, end: (n_states,) those of beginning and of ending at a state.
        visits: (n_states,) expected visits.
        uses: (n_useful_arcs,) expected uses.
    """

    def __init__(self, topology: Topology, weights: FloatArray, exact: Units | None) -> None:
        graph, _, _, _ = sum_paths(topology, weights, exact)
        self._n_arcs, self._n_states = topology.n_arcs, graph.n_states
        rows = [(arc, s, d, w) for s, arcs in enumerate(graph.out) for arc, d, w in arcs]
        self.arcs, self.src, self.dst = (np.array([r[k] for r in rows], dtype=np.int64) for k in range(3))
        after = np.array(forward_scores(graph.reversed()))
        total = log_sum([after[s] + w for s, w in graph.start.items()])
        self.start_logs, self.end_logs = np.full((2, graph.n_states), -math.inf)
        for state, weight in graph.start.items():
            self.start_logs[state] = weight + after[state] - total
        for state, weight in graph.accept.items():
            self.end_logs[state] = weight - after[state]
        self.logs = np.array([r[3] for r in rows]) + after[self.dst] - after[self.src]
        # They sum to 1 but for the rounding of scores.
        rounding = np.log(self._from_sources(np.exp(self.logs)) + np.exp(self.end_logs) + ~np.isfinite(after))
        self.logs -= rounding[self.src]
        self.end_logs -= rounding
        self.start_logs -= np.log(np.exp(self.start_logs).sum() or 1.0)
        self.start, self.end, self.probabilities = np.exp(self.start_logs), np.exp(self.end_logs), np.exp(self.logs)
        self._steps = self._eliminate(graph)
        self._after, self._before = self._between_components()
        self.visits = self._flows(self.start)
        self.uses = self.visits[self.src] * self.probabilities

    def has_minus_infinity(self, values: FloatArray) -> bool:
        """Whether a value on some path is −inf."""
        return bool(np.any(values[self.arcs] == -math.inf))

    def quantity(self, values: FloatArray) -> _Quantity:
        """What adds up the (n_arcs,) values."""
        nothing = np.zeros(self._n_states)
        return self.adding_up(nothing, values[self.arcs], nothing)

    def surprisal(self) -> _Quantity:
        """What adds up to −log p(path)."""
        starts, ends = (-np.where(np.isfinite(logs), logs, 0.0) for logs in (self.start_logs, self.end_logs))
        return self.adding_up(starts, -self.logs, ends)

    def adding_up(self, starts: FloatArray, values: FloatArray, ends: FloatArray) -> _Quantity:
        """The quantity that beginning, arcs and ending bring."""
        ahead = self._expected_ahead(self._from_sources(self.probabilities * values) + self.end * ends)
        expected = float(self.start @ (starts + ahead))
        starts = starts + ahead - expected
        surprises = values + ahead[self.dst] - ahead[self.src]
        drawn = self.uses * surprises
        before = self._flows(self.start * starts + self._to_ends(drawn))
        pulled = self.probabilities * before[self.src] + drawn
        return _Quantity(expected, starts, surprises, ends - ahead, before, pulled)

    def covariance(self, first: _Quantity, second: _Quantity) -> tuple[float, FloatArray]:
        """The covariance of two quantities, and third cumulants of them and the arcs' uses, by useful arc."""
        products = first.surprises * second.surprises
        here = self._from_sources(self.probabilities * products) + self.end * first.ends * second.ends
        ahead = self._expected_ahead(here)
        starts = first.starts * second.starts + ahead
        value = float(self.start @ starts)
        surprises = products + ahead[self.dst] - ahead[self.src]
        crossed = first.before[self.src] * second.surprises + second.before[self.src] * first.surprises
        drawn = self.probabilities * crossed + self.uses * surprises
        before = self._flows(self.start * (starts - value) + self._to_ends(drawn))
        return value, self.probabilities * before[self.src] + drawn

    def by_arc(self, values: FloatArray) -> FloatArray:
        """(n_arcs,) values of useful arcs, and 0 for the others."""
        result = np.zeros(self._n_arcs)
        result[self.arcs] = values
        return result

    def _from_sources(self, values: FloatArray) -> FloatArray:
        """Sums over the arcs that leave each state."""
        return np.bincount(self.src, values, self._n_states).astype(np.float64, copy=False)

    def _to_ends(self, values: FloatArray) -> FloatArray:
        """Sums over the arcs that enter each state."""
        return np.bincount(self.dst, values, self._n_states).astype(np.float64, copy=False)

    def _eliminate(self, graph: UsefulGraph) -> list[list[_Step]]:
        """Eliminate the states of each component, those with the fewest neighbour pairs first."""
        component = np.full(self._n_states, -1)
        for number, members in enumerate(graph.components):
            component[members] = number
        inner = component[self.src] == component[self.dst]
        # What leaves a component, or ends; a star is 1 over what leaves the state, never 1 less its loop.
        leaves = (self._from_sources(np.where(inner, 0.0, self.probabilities)) + self.end).tolist()
        out: list[dict[int, float]] = [{} for _ in range(self._n_states)]
        into: list[dict[int, float]] = [{} for _ in range(self._n_states)]
        rows = zip(self.src[inner].tolist(), self.dst[inner].tolist(), self.probabilities[inner].tolist(), strict=True)
        for s, d, p in rows:
            if s != d:
                out[s][d] = into[d][s] = out[s].get(d, 0.0) + p
        return [_eliminate_component(members, out, into, leaves) for members in graph.components]

    def _expected_ahead(self, here: FloatArray) -> FloatArray:
        """Solve ahead = here + P · ahead."""
        ahead: list[float] = here.tolist()
        for steps in reversed(self._steps):
            for step in steps:
                for d, p in self._after[step.state]:
                    ahead[step.state] += p * ahead[d]
            for step in steps:
                for s, p in step.into.items():
                    ahead[s] += p * step.star * ahead[step.state]
            for step in reversed(steps):
                ahead[step.state] = step.star * (
                    ahead[step.state] + math.fsum(p * ahead[d] for d, p in step.out.items())
                )
        return np.array(ahead)

    def _flows(self, begin: FloatArray) -> FloatArray:
        """Solve flow = begin + Pᵀ · flow."""
        flow: list[float] = begin.tolist()
        for steps in self._steps:
            for step in steps:
                for s, p in self._before[step.state]:
                    flow[step.state] += p * flow[s]
            for step in steps:
                for d, p in step.out.items():
                    flow[d] += p * step.star * flow[step.state]
            for step in reversed(steps):
                flow[step.state] = step.star * (flow[step.state] + math.fsum(p * flow[s] for s, p in step.into.items()))
        return np.array(flow)

    def _between_components(self) -> tuple[_Others, _Others]:
        """Ends of the arcs from each state to other components, and sources of those from others, and probabilities."""
        component = np.empty(self._n_states, dtype=np.int64)
        for number, steps in enumerate(self._steps):
            component[[step.state for step in steps]] = number
        after: _Others = [[] for _ in range(self._n_states)]
        before: _Others = [[] for _ in range(self._n_states)]
        chosen = component[self.src] != component[self.dst]
        arcs = (self.src[chosen].tolist(), self.dst[chosen].tolist(), self.probabilities[chosen].tolist())
        for s, d, p in zip(*arcs, strict=True):
            after[s].append((d, p))
            before[d].append((s, p))
        return after, before


def _eliminate_component(
    members: list[int], out: list[dict[int, float]], into: list[dict[int, float]], leaves: list[float]
) -> list[_Step]:
    """Eliminate the states of one component; ``leaves`` is what leaves each state for other components, or ends."""
    steps: list[_Step] = []
    queue = [(len(out[s]) * len(into[s]), s) for s in members]
    heapq.heapify(queue)
    done: set[int] = set()
    while queue:
        degree, state = heapq.heappop(queue)
        if state in done:
            continue
        current = len(out[state]) * len(into[state])
        if current > degree:
            heapq.heappush(queue, (current, state))
            continue
        done.add(state)
        left = leaves[state] + math.fsum(out[state].values())
        star = 1.0 / max(left, _LEAST)
        for s, before in into[state].items():
            del out[s][state]
            factor = before * star
            leaves[s] += factor * leaves[state]
            for d, p in out[state].items():
                if d != s:
                    out[s][d] = into[d][s] = out[s].get(d, 0.0) + factor * p
        for d in out[state]:
            del into[d][state]
        steps.append(_Step(state, star, out[state], into[state]))
    return steps
