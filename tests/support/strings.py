"""What a graph's strings weigh, by enumerating strings: an oracle for operators that keep strings and their weights.

No code of arcgrad is used: arcs become matrices, and a string is a product of them, with sums over ε:ε arcs between.
"""

from __future__ import annotations

import math
import random

import numpy as np
from numpy.typing import NDArray

import arcgrad as ag

__all__ = ["assert_same_strings", "draw_strings_graph", "string_weights"]

Floats = NDArray[np.float64]
String = tuple[tuple[int, int], ...]


def _log(values: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return np.log(values)


def _closure(silent: Floats, best: bool) -> Floats:
    n = len(silent)
    if not best:
        reached = np.linalg.matrix_power(np.eye(n) + (silent > -math.inf), n) > 0
        return np.where(reached, np.linalg.inv(np.eye(n) - np.exp(silent)), 0.0)
    total = np.where(np.eye(n) > 0, 0.0, -math.inf)
    for _ in range(n):
        total = np.maximum(total, (total[:, :, None] + silent[None]).max(axis=1))
    return np.exp(total)


def string_weights(graph: ag.Graph, length: int, best: bool = False) -> dict[String, float]:
    """The weight of each sequence of at most so many pairs of labels: the sum over paths, or ``best``, the greatest.

    Arcs of −inf are absent. Cycles of ε:ε arcs have to converge. For moderate weights: sums are of exponentials.
    """
    n = graph.n_states
    if not n:
        return {}
    matrices: dict[tuple[int, int], Floats] = {}
    rows = zip(graph.src, graph.dst, graph.ilabel, graph.olabel, graph.arc_weight, strict=True)
    for src, dst, i, o, weight in rows:
        matrix = matrices.setdefault((int(i), int(o)), np.full((n, n), -math.inf))
        matrix[src, dst] = max(matrix[src, dst], weight) if best else np.logaddexp(matrix[src, dst], weight)
    silent = _closure(matrices.pop((-1, -1), np.full((n, n), -math.inf)), best)
    steps = {labels: np.exp(matrix) for labels, matrix in sorted(matrices.items())}
    begin, end = np.zeros(n), np.zeros(n)
    begin[graph.start], end[graph.accept] = 1.0, 1.0

    def times(vector: Floats, matrix: Floats) -> Floats:
        return (vector[:, None] * matrix).max(axis=0) if best else vector @ matrix

    found: dict[String, float] = {}
    level: dict[String, Floats] = {(): times(begin, silent)}
    for _ in range(length + 1):
        for string, vector in level.items():
            weight = float(times(vector, end[:, None])[0])
            if weight > 0.0:
                found[string] = math.log(weight)
        level = {
            (*string, labels): reached
            for string, vector in level.items()
            for labels, matrix in steps.items()
            if (reached := times(times(vector, matrix), silent)).any()
        }
    return found


def assert_same_strings(one: dict[String, float], other: dict[String, float], tolerance: float = 1e-9) -> None:
    """Both have the same strings with the same weights."""
    assert one.keys() == other.keys(), (one, other)
    for string, weight in one.items():
        assert abs(weight - other[string]) <= tolerance * max(1.0, abs(weight)), (string, weight, other[string])


def draw_strings_graph(
    rng: random.Random, *, cyclic: bool, acceptor: bool = True, minus_infinity: float = 0.05, epsilon: float = 0.25,
    grid: bool = False, n_states: int = 6, n_arcs: int = 10,
) -> ag.Graph:  # fmt: skip
    """A small graph with several starts and accepts, parallel arcs, ε arcs and loops; weights are those of a chain."""
    n = rng.randint(1, n_states)
    arcs = []
    for _ in range(rng.randint(0, n_arcs)):
        src, dst = rng.randrange(n), rng.randrange(n)
        if not cyclic:
            if src == dst:
                continue
            src, dst = min(src, dst), max(src, dst)
        i = -1 if rng.random() < epsilon else rng.randrange(2)
        o = i if acceptor or rng.random() < 0.4 else rng.choice([-1, 0, 1])
        arcs.append([src, dst, i, o, 0.0])
        if rng.random() < 0.15:
            arcs.append(list(arcs[-1]))
    degree = [sum(arc[0] == state for arc in arcs) for state in range(n)]
    for arc in arcs:
        weight = rng.uniform(-2.0, -0.1) - math.log(degree[arc[0]])
        arc[4] = -math.inf if rng.random() < minus_infinity else round(2 * weight) / 2 - 0.5 * grid if grid else weight
    start = sorted(rng.sample(range(n), min(n, rng.choice([1, 1, 1, 2]))))
    accept = sorted(rng.sample(range(n), min(n, rng.choice([0, 1, 1, 2, 3]))))
    columns = list(zip(*arcs, strict=True)) if arcs else [()] * 5
    return ag.Graph(*columns[:4], columns[4], start=start, accept=accept, n_states=n)
