"""Whether two acceptors without ε give every string the same weight, decided without determinising them.

The vectors of weights with which a string leads to each state of both graphs, side by side, span a space of no more
dimensions than there are states. Strings are looked at by length; one whose vector is a combination of earlier ones'
need not be continued, since what follows it weighs in both graphs what the same combination does. So at most as many
strings are continued as there are states, and the first one that weighs differently is a shortest one (Schützenberger
1961; Tzeng, A Polynomial-time Algorithm for the Equivalence of Probabilistic Automata, 1992). Weights are kept as
logarithms and added as such; only the question whether vectors are independent is asked in floats.

Deterministic graphs of any size are walked side by side instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.topology import EPSILON, Topology

__all__ = ["Difference", "TooMuchWorkError", "Weighted", "difference_of", "differs", "is_deterministic"]

Floats = NDArray[np.float64]

# States of both graphs with which deterministic ones are treated like others, and any others at all.
_FEW_STATES, _MOST_STATES = 300, 20_000
_TINY = 1e-300
# Multiplications of the test for independence, in all: about ten seconds.
_MOST_WORK = 1e10
_WORK_OF_A_STEP = 1e4
_MOST_ROUNDS = 300
# Entries of the vectors that are looked at together.
_PIECE = 1 << 22
# An entry that is smaller than this share of the terms that it was summed from is taken to be nothing but rounding.
_INDEPENDENT = 1e-9
# Pairs of states of two deterministic graphs.
_MOST_PAIRS = 2_000_000


class TooMuchWorkError(Exception):
    """The question is too large to be decided."""


@dataclass(frozen=True)
class Weighted:
    """An acceptor, trim, without arcs of weight −inf; its ε arcs lead from starts without other arcs to accepts."""

    topology: Topology
    weights: Floats


@dataclass(frozen=True)
class Difference:
    """A string that weighs differently in two graphs, and its weight in each, in nats."""

    string: tuple[int, ...]
    weights: tuple[float, float]


def differs(one: float, other: float, tolerance: float) -> bool:
    """Whether two log weights differ by more than the tolerance, relative to the larger where that is beyond 1."""
    if one == other:
        return False
    if np.isinf(one) or np.isinf(other):
        return True
    return abs(one - other) > tolerance * max(1.0, abs(one), abs(other))


def is_deterministic(graph: Weighted) -> bool:
    """Whether there is one start, no ε, and no two arcs with one label leave a state."""
    t = graph.topology
    keys = (t.src.astype(np.int64) << 32) + t.ilabel
    return len(t.start) <= 1 and not bool(np.any(t.ilabel == EPSILON)) and len(np.unique(keys)) == len(keys)


def difference_of(a: Weighted, b: Weighted, tolerance: float) -> Difference | None:
    """A string that weighs differently in both, None where there is none.

    It is a shortest one unless both are deterministic and have more than a few hundred states.

    Raises:
        TooMuchWorkError: it would take too long to tell.
    """
    n_states = a.topology.n_states + b.topology.n_states
    if n_states > _FEW_STATES and is_deterministic(a) and is_deterministic(b):
        return _difference_of_deterministic(a, b, tolerance)
    if n_states > _MOST_STATES:
        raise TooMuchWorkError
    return _Span(a, b, tolerance).run()


class _Span:
    """Both graphs' states in one vector, those of b behind those of a."""

    def __init__(self, a: Weighted, b: Weighted, tolerance: float) -> None:
        self.tolerance = tolerance
        s, t, n = a.topology, b.topology, a.topology.n_states
        self.n_states = n + t.n_states
        src, dst = np.concatenate([s.src, t.src + n]), np.concatenate([s.dst, t.dst + n])
        label, weight = np.concatenate([s.ilabel, t.ilabel]), np.concatenate([a.weights, b.weights])
        self.accepts = [s.accept, t.accept + n]
        self.begin = np.full(self.n_states, -np.inf)
        self.begin[np.concatenate([s.start, t.start + n])] = 0.0
        silent = label == EPSILON
        np.logaddexp.at(self.begin, dst[silent], weight[silent])
        arcs = np.flatnonzero(~silent)
        arcs = arcs[np.lexsort((dst[arcs], label[arcs]))]
        src, dst, label, weight = src[arcs], dst[arcs], label[arcs], weight[arcs]
        self.scale = _scales(src, dst, weight, self.begin)
        # For each label: sources and weights of its arcs by destination, the destinations, and where each one's begin.
        names, firsts = np.unique(label, return_index=True)
        self.steps = []
        bounds = np.append(firsts, len(label))
        for name, low, high in zip(names.tolist(), bounds[:-1], bounds[1:], strict=True):
            ends, begins = np.unique(dst[low:high], return_index=True)
            self.steps.append((name, src[low:high], weight[low:high], ends, begins))
        self.rows = np.empty((16, self.n_states))  # each is 1 at its own pivot, and 0 at those of the others
        self.pivots: list[int] = []
        self.rank, self.work = 0, 0.0
        # States whose weight in a kept vector is not too small for a float: others say nothing of what follows.
        self.met = np.zeros(self.n_states, dtype=np.bool_)

    def run(self) -> Difference | None:
        strings: list[tuple[int, ...]] = [()]
        vectors = self.begin[None]
        difference, kept = self._look(strings, vectors)
        while difference is None and kept:
            strings, vectors = [strings[k] for k in kept], vectors[kept]
            further: list[tuple[list[tuple[int, ...]], Floats]] = []
            step = max(1, _PIECE // (self.n_states * max(len(self.steps), 1)))
            for low in range(0, len(strings), step):
                longer, there = self._extended(strings[low : low + step], vectors[low : low + step])
                difference, chosen = self._look(longer, there)
                if difference is not None:
                    return difference
                further.append(([longer[k] for k in chosen], there[chosen]))
            strings = [string for some, _ in further for string in some]
            vectors = np.concatenate([some for _, some in further])
            kept = list(range(len(strings)))
        return difference

    def _extended(self, strings: Sequence[tuple[int, ...]], vectors: Floats) -> tuple[list[tuple[int, ...]], Floats]:
        """The strings with one label more, those of the first string first, by label."""
        self.work += _WORK_OF_A_STEP * len(self.steps)
        owners, names, parts = [], [], []
        for name, src, weight, ends, begins in self.steps:
            rows = np.flatnonzero((vectors[:, src] > -np.inf).any(axis=1))
            if len(rows):
                there = np.full((len(rows), self.n_states), -np.inf)
                there[:, ends] = np.logaddexp.reduceat(vectors[np.ix_(rows, src)] + weight, begins, axis=1)
                owners.append(rows)
                names.append(np.full(len(rows), name))
                parts.append(there)
        if not parts:
            return [], np.empty((0, self.n_states))
        owner, label = np.concatenate(owners), np.concatenate(names)
        order = np.lexsort((label, owner))
        longer = [(*strings[k], name) for k, name in zip(owner[order].tolist(), label[order].tolist(), strict=True)]
        return longer, np.concatenate(parts)[order]

    def _look(self, strings: Sequence[tuple[int, ...]], vectors: Floats) -> tuple[Difference | None, list[int]]:
        """The first of the strings that weighs differently, if one does, and those that have to be continued."""
        if not strings:
            return None, []
        one, other = (np.logaddexp.reduce(vectors[:, accept], axis=1, initial=-np.inf) for accept in self.accepts)
        for k in np.flatnonzero(one != other).tolist():
            if differs(one[k], other[k], self.tolerance):
                return Difference(strings[k], (float(one[k]), float(other[k]))), []
        scaled = vectors + self.scale
        top = scaled.max(axis=1, initial=-np.inf)
        alive = np.flatnonzero(top > -np.inf)
        points = np.exp(scaled[alive] - top[alive, None])
        known = self.rank
        self.work += len(alive) * self.n_states * (known + 1)
        rests, terms = self._reduced(points, points, 0, known)
        kept = []
        for k, point, rest, summed in zip(alive.tolist(), points, rests, terms, strict=True):
            part = _significant(rest, summed)
            if part.any() and self.rank > known:  # what was added meanwhile
                inner, summed = (x[0] for x in self._reduced(part[None], summed[None], known, self.rank))
                part = _significant(inner, summed)
                self.work += self.n_states * (self.rank - known)
            new = (vectors[k] > -np.inf) & ~self.met
            if part.any():
                self._add(part, summed)
                self.met |= point > 0.0
            elif new.any():
                self.met |= new
            else:
                continue
            kept.append(k)
            if self.work > _MOST_WORK:
                raise TooMuchWorkError
        return None, kept

    def _reduced(self, points: Floats, terms: Floats, low: int, high: int) -> tuple[Floats, Floats]:
        """What some of the rows leave of each point, and the sums of its terms' absolute values."""
        rows, pivots = self.rows[low:high], self.pivots[low:high]
        shares = points[:, pivots]
        rests, terms = points - shares @ rows, terms + np.abs(shares) @ np.abs(rows)
        rests[:, pivots] = 0.0
        return rests, terms

    def _add(self, part: Floats, terms: Floats) -> None:
        """One row more, of which the others lose the share at its pivot (Gauss and Jordan)."""
        if self.rank == self.n_states - 1:
            raise TooMuchWorkError  # by rounding: strings that span all weigh alike only where none is accepted
        exact = (part != 0.0) & (np.abs(part) >= 0.1 * terms)
        pivot = int(np.argmax(np.abs(part) * exact if exact.any() else np.abs(part) / np.maximum(terms, _TINY)))
        row = part / part[pivot]
        if self.rank == len(self.rows):
            self.rows = np.concatenate([self.rows, np.empty_like(self.rows)])
        others = self.rows[: self.rank]
        shares = others[:, pivot].copy()
        lost = np.flatnonzero(shares)
        taken = shares[lost, None] * row
        others[lost] = _significant(others[lost] - taken, np.abs(others[lost]) + np.abs(taken))
        others[:, pivot] = 0.0
        self.work += len(lost) * self.n_states
        self.rows[self.rank] = row
        self.pivots.append(pivot)
        self.rank += 1


def _significant(rest: Floats, terms: Floats) -> Floats:
    """What is left of vectors, without the entries that rounding may have left of their terms.

    Entry by entry: that one state's weight is small beside another's does not make it less exact.
    """
    return np.where(np.abs(rest) > _INDEPENDENT * terms, rest, 0.0)


def _scales(src: NDArray[np.integer], dst: NDArray[np.integer], weight: Floats, begin: Floats) -> Floats:
    """(n_states,) about minus the best weight from a start: it makes states alike in size. Any numbers would do."""
    best = begin
    for _ in range(_MOST_ROUNDS):
        further = best.copy()
        np.maximum.at(further, dst, best[src] + weight)
        if np.array_equal(further, best):
            break
        best = further
    return np.where(best > -np.inf, -best, 0.0)


def _difference_of_deterministic(a: Weighted, b: Weighted, tolerance: float) -> Difference | None:
    """Both walked side by side, breadth first: a pair of states met twice must have weighed alike both times."""
    moves = [_moves(graph) for graph in (a, b)]
    accepts = [set(graph.topology.accept.tolist()) for graph in (a, b)]
    start = tuple(int(g.topology.start[0]) if len(g.topology.start) else -1 for g in (a, b))
    came: dict[tuple[int, ...], tuple[tuple[int, ...] | None, int, float, float]] = {start: (None, -1, 0.0, 0.0)}
    queue = [start]

    def weights(string: Sequence[int]) -> tuple[float, float]:
        totals = []
        for side in range(2):
            state, total = start[side], 0.0
            for label in string:
                state, more = moves[side].get((state, label), (-1, -np.inf))
                total += more
            totals.append(total if state in accepts[side] else -np.inf)
        return totals[0], totals[1]

    def string_of(pair: tuple[int, ...]) -> list[int]:
        labels: list[int] = []
        here: tuple[int, ...] | None = pair
        while here is not None:
            here, label, _, _ = came[here]
            labels += [label] if here is not None else []
        return labels[::-1]

    leaving = [_leaving(graph) for graph in (a, b)]
    for pair in queue:  # it grows as it is walked along
        _, _, one, other = came[pair]
        reached = [state in accepts[side] for side, state in enumerate(pair)]
        ends = [total if accepted else -np.inf for total, accepted in zip((one, other), reached, strict=True)]
        if differs(ends[0], ends[1], tolerance):
            string = tuple(string_of(pair))
            return Difference(string, weights(string))
        labels = sorted({label for side in range(2) for label in leaving[side].get(pair[side], ())})
        for label in labels:
            steps = [moves[side].get((pair[side], label), (-1, -np.inf)) for side in range(2)]
            there, now = (steps[0][0], steps[1][0]), (one + steps[0][1], other + steps[1][1])
            if there not in came:
                came[there] = pair, label, *now
                queue.append(there)
                if len(came) > _MOST_PAIRS:
                    raise TooMuchWorkError
            elif -1 not in there:
                _, _, *before = came[there]
                if differs(now[0] - before[0], now[1] - before[1], tolerance):
                    rest = _completion(there[0], leaving[0], moves[0], accepts[0])
                    for begin in (string_of(there), [*string_of(pair), label]):
                        string = (*begin, *rest)
                        found = weights(string)
                        if differs(*found, tolerance):
                            return Difference(string, found)
    return None


def _moves(graph: Weighted) -> dict[tuple[int, int], tuple[int, float]]:
    t = graph.topology
    columns = (t.src.tolist(), t.dst.tolist(), t.ilabel.tolist(), graph.weights.tolist())
    return {(src, label): (dst, weight) for src, dst, label, weight in zip(*columns, strict=True)}


def _leaving(graph: Weighted) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for src, label in zip(graph.topology.src.tolist(), graph.topology.ilabel.tolist(), strict=True):
        found.setdefault(src, []).append(label)
    return found


def _completion(
    state: int, leaving: dict[int, list[int]], moves: dict[tuple[int, int], tuple[int, float]], accepts: set[int]
) -> tuple[int, ...]:
    """The labels of a shortest way from a state to an accept."""
    strings: dict[int, tuple[int, ...]] = {state: ()}
    for here in (queue := [state]):
        if here in accepts:
            return strings[here]
        for label in leaving.get(here, ()):
            there, _ = moves[here, label]
            if there not in strings:
                strings[there] = (*strings[here], label)
                queue.append(there)
    raise AssertionError("every state leads to an accept")
