"""Cyclic graphs: the score of all their paths, infinitely many, with the gradient with respect to arcs."""

from __future__ import annotations

from typing import Any

import numpy as np

import arcgrad as ag
from benchmarks.case import Array, Case, Contender, Outcome, Setting, Target
from benchmarks.graphs import EPSILON

__all__ = ["band", "sparse_chain"]


def sparse_chain(setting: Setting) -> Case:
    """``LSE[A]`` of a random Markov chain, whose elimination fills two fifths of the states' pairs."""
    n, random = setting.pick(3000, 60), np.random.default_rng(0)
    src, dst = random.integers(0, n, size=(2, 6 * n))
    src[:n] = np.arange(n)
    dst[:n] = (src[:n] + 1) % n
    return _case(n, src, dst, random, n, (0.41 * n) ** 3 / 3, 0.5)


def band(setting: Setting) -> Case:
    """``LSE[A]`` of a long chain with arcs to states up to ten before and behind: little fills."""
    n, random = setting.pick(20_000, 200), np.random.default_rng(0)
    src = np.repeat(np.arange(n), 6)
    dst = np.clip(src + random.integers(-10, 11, size=len(src)), 0, n - 1)
    dst[::6] = np.minimum(src[::6] + 1, n - 1)
    return _case(n, src, dst, random, 20, 90.0 * n, 5.0)


def _case(
    n: int, src: Array, dst: Array, random: np.random.Generator, width: int, multiply_adds: float, seconds: float
) -> Case:
    weight = np.log(0.9 * random.random(len(src)) / np.bincount(src)[src])
    graph = ag.Graph(src, dst, np.full(len(src), EPSILON), weight=weight, start=[0], accept=[n - 1])
    weights = [weight, *np.log(random.random((3, 1))) + weight]
    equation = ag.compile("LSE[A]", mode="fused")

    def call(step: int) -> Any:
        return equation.value_and_grad(A=graph.with_weight(weights[step % len(weights)]))

    return Case(
        arcgrad=Contender(call, lambda raw: Outcome.of(raw[0], raw[1]), (1e-9, 1e-9)),
        peers={},
        truth=lambda: _truth(graph, width),
        work=float(graph.n_arcs),
        multiply_adds=multiply_adds,
        bytes=5 * 8.0 * graph.n_arcs,
        target=Target("seconds", seconds),
    )


def _truth(graph: ag.Graph, width: int) -> Outcome:
    """By dense linear algebra, in blocks of states as wide as arcs are long."""
    last, weight = graph.n_states - 1, graph.weight
    from_start = _log_sums(last - graph.dst, last - graph.src, weight, graph.n_states, width)[::-1]
    to_end = _log_sums(graph.src, graph.dst, weight, graph.n_states, width)
    return Outcome.of(to_end[0], {"A": np.exp(from_start[graph.src] + weight + to_end[graph.dst] - to_end[0])})


def _log_sums(src: Array, dst: Array, weight: Array, n: int, width: int) -> Array:
    """For each state, the log of the sum over the ways to the last state: a block tridiagonal system (Thomas)."""
    matrix = np.zeros((n // width, 3, width, width))
    np.add.at(matrix, (src // width, dst // width - src // width + 1, src % width, dst % width), np.exp(weight))
    onward: list[Array] = []
    for before, own, after in matrix:
        left = np.eye(width) - own - (before @ onward[-1] if onward else 0.0)
        right = after if len(onward) + 1 < len(matrix) else np.eye(width)[:, -1:]
        onward.append(np.linalg.solve(left, right))
    sums, scale = onward.pop()[:, 0], 0.0
    scores = [np.log(sums)]
    for block in onward[::-1]:
        sums = block @ sums
        scale += np.log(sums.max())
        sums /= sums.max()
        scores.append(np.log(sums) + scale)
    return np.concatenate(scores[::-1])
