"""The best paths of a graph in plain Python, best first, as many as are asked for: what NBEST means.

The paths that lead on from a state are found one by one, each from those of the states behind its arcs, and no sooner
than a path from a start needs it (Jiménez and Marzal, Computing the K Shortest Paths, 1999).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.best_path import Pair, Rounding, best_pairs, exact_weights
from arcgrad.compiler.graphs.score_values import as_float
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.graphs.useful_graph import UsefulGraph, useful_graph
from arcgrad.compiler.limits import Limits

__all__ = ["best_paths", "check_paths"]

# A way on from a state: first what orders them, (−weight, arcs, first arc), then (arc, destination, rank there).
_Way = tuple[Any, int, int, int, int, int]
_END = -1


def best_paths(topology: Topology, weights: NDArray[np.float64]) -> Iterator[tuple[float, list[int]]]:
    """Give the weight and the arcs of each accepting path, best first; paths through arcs of −inf are none.

    Weights are added from a path's end to its begin, as for the best path. Among paths of one weight, those of fewer
    arcs come first, and of these the lexicographically smaller sequence of arc numbers. A graph with cycles may have
    paths without end: then so does this.

    Raises:
        DivergenceError: a cycle makes the path's weight ever greater.
    """
    graph = useful_graph(topology, weights, drop_minus_infinity=True)
    if not graph.start:
        return
    try:
        best = best_pairs(graph, 1.0)
        _check(graph, best)
    except Rounding:
        graph = exact_weights(graph)
        best = best_pairs(graph, 1.0)
    yield from _Paths(graph, best)


def check_paths(limits: Limits, found: int, n_arcs: int, wanted: int) -> None:
    """Raise LimitError where the linear graphs of the paths found so far exceed a budget.

    Args:
        limits: the budget.
        found: how many paths there are.
        n_arcs: how many arcs these have.
        wanted: how many are asked for.
    """
    more = wanted / max(found, 1)
    limits.check(
        "the paths",
        states=n_arcs + found,
        arcs=n_arcs,
        at_least=found < wanted,
        usual={"states": more * (n_arcs + found), "arcs": more * n_arcs},
        smaller="ask for fewer paths",
    )


def _check(graph: UsefulGraph, best: list[Pair | None]) -> None:
    """Each state's best pair must be that of one of its arcs, whose destination's rounding did not move it later."""
    for state, pair in enumerate(best):
        if pair is None or (pair[1] == 0 and state in graph.accept):
            continue
        if not any((weight + best[other][0], best[other][1] - 1) == pair for _, other, weight in graph.out[state]):  # type: ignore[index]
            raise Rounding


class _Ways:
    """Ways on from one state: those found, best first, and the next candidates."""

    def __init__(self, candidates: list[_Way]) -> None:
        self.found: list[_Way] = []
        self.candidates = candidates
        heapq.heapify(candidates)
        self.weights: dict[int, Any] = {}
        self.is_exhausted = False


class _Paths:
    """Enumerates paths; the root is one state more, with an arc of no weight and no length to each start."""

    def __init__(self, graph: UsefulGraph, best: list[Pair | None]) -> None:
        self._graph = graph
        self._best = best
        self._ways: dict[int, _Ways] = {}
        starts: list[_Way] = []
        for number, start in enumerate(graph.start):
            self._find(start)
            way = self._ways[start].found[0]
            starts.append((way[0], way[1], way[3], number, start, 0))
        self._root = graph.n_states
        self._ways[self._root] = _Ways(starts)

    def __iter__(self) -> Iterator[tuple[float, list[int]]]:
        rank = 0
        while self._find(self._root):
            weight, _, _, _, state, rank_there = self._ways[self._root].found[rank]
            value = as_float(-weight)
            if value == -np.inf:  # beyond floats, as are all that follow
                return
            yield value + 0.0, self._arcs(state, rank_there)
            rank += 1

    def _arcs(self, state: int, rank: int) -> list[int]:
        arcs: list[int] = []
        while True:
            if state not in self._ways:
                self._find(state)
            _, _, _, arc, state, rank = self._ways[state].found[rank]
            if arc == _END:
                return arcs
            arcs.append(arc)

    def _open(self, state: int) -> _Ways:
        candidates: list[_Way] = [(0, 0, _END, _END, state, 0)] if state in self._graph.accept else []
        for arc, other, weight in self._graph.out[state]:
            pair = self._best[other]
            if pair is not None:
                candidates.append((-(weight + pair[0]), 1 - pair[1], arc, arc, other, 0))
        ways = self._ways[state] = _Ways(candidates)
        ways.weights = {arc: weight for arc, _, weight in self._graph.out[state]}
        return ways

    def _find(self, state: int) -> bool:
        """Find one more way on from a state; whether there is one."""
        waiting = [state]
        while waiting:
            here = waiting[-1]
            ways = self._ways.get(here) or self._open(here)
            if ways.found and not ways.is_exhausted:  # what takes the place of the way found last
                _, _, _, arc, other, rank = ways.found[-1]
                if arc != _END or here == self._root:
                    there = self._ways.get(other)
                    if there is None or (rank + 1 >= len(there.found) and not there.is_exhausted):
                        waiting.append(other)
                        continue
                    if rank + 1 < len(there.found):
                        heapq.heappush(ways.candidates, self._through(here, arc, other, rank + 1))
            waiting.pop()
            if ways.candidates:
                ways.found.append(heapq.heappop(ways.candidates))
            else:
                ways.is_exhausted = True
        return not self._ways[state].is_exhausted

    def _through(self, here: int, arc: int, other: int, rank: int) -> _Way:
        minus, length, _, first, _, _ = self._ways[other].found[rank]
        if here == self._root:
            return minus, length, first, arc, other, rank
        return -(self._ways[here].weights[arc] - minus), length + 1, arc, arc, other, rank
