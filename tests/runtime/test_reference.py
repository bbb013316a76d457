"""The reference reductions against sums over enumerated paths and closed forms."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest

import arcgrad as ag
from arcgrad.runtime.reference import best_path, count_paths, log_score, log_score_and_gradient


def acyclic(rng: random.Random) -> ag.Graph:
    n = rng.randint(1, 5)
    arcs = [(s, d) for s, d in itertools.product(range(n), repeat=2) if s < d for _ in range(rng.randint(0, 2))]
    weight = [rng.choice([-math.inf, rng.gauss(0, 2), rng.gauss(0, 2), 0.5]) for _ in arcs]
    states = range(n)
    return ag.Graph(
        [a[0] for a in arcs], [a[1] for a in arcs], [0] * len(arcs), weight=weight, n_states=n,
        start=[s for s in states if rng.random() < 0.6], accept=[s for s in states if rng.random() < 0.6],
    )  # fmt: skip


def paths(graph: ag.Graph) -> list[tuple[int, ...]]:
    found, stack = [], [(s, ()) for s in graph.start.tolist()]
    while stack:
        state, arcs = stack.pop()
        if state in graph.accept:
            found.append(arcs)
        stack += [(int(graph.dst[k]), (*arcs, k)) for k in np.flatnonzero(graph.src == state).tolist()]
    return found


def test_acyclic_graphs_against_their_paths() -> None:
    rng = random.Random(1)
    for _ in range(300):
        graph = acyclic(rng)
        weight = graph.arc_weight
        every = paths(graph)
        sums = [float(weight[list(p)].sum()) for p in every]
        assert count_paths(graph.topology) == len(every)
        score, gradient = log_score_and_gradient(graph.topology, weight)
        assert score == log_score(graph.topology, weight)
        expected = np.logaddexp.reduce(sums) if sums else -math.inf
        assert score == pytest.approx(float(expected), abs=1e-12)
        exact = np.zeros(graph.n_arcs)
        for path, total in zip(every, sums, strict=True):
            if total > -math.inf:
                np.add.at(exact, list(path), math.exp(total - score))
        np.testing.assert_allclose(gradient, exact, atol=1e-12)
        for sign in (1.0, -1.0):
            value, path = best_path(graph.topology, weight, sign)
            finite = [(p, t) for p, t in zip(every, sums, strict=True) if sign < 0 or t > -math.inf]
            if not finite:
                assert (value, path) == (-sign * math.inf, None)
                continue
            assert value == pytest.approx(max(t * sign for _, t in finite) * sign, abs=1e-12)
            assert tuple(path or ()) in every


def test_among_best_paths_fewest_arcs_then_the_smallest_numbers() -> None:
    graph = ag.Graph([0, 1, 0, 0], [1, 2, 2, 2], [0] * 4, weight=[0.5, 0.5, 1.0, 1.0], start=[0], accept=[2])
    assert best_path(graph.topology, graph.arc_weight) == (1.0, [2])
    assert best_path(graph.topology, graph.arc_weight, -1.0) == (1.0, [2])
    both = ag.Graph([0, 1], [2, 2], [0, 0], start=[0, 1], accept=[2])
    assert best_path(both.topology, both.arc_weight) == (0.0, [0])
    here = ag.Graph([0], [0], [0], weight=[0.0], start=[0], accept=[0])
    assert best_path(here.topology, here.arc_weight) == (0.0, [])


def test_a_cyclic_graph_against_its_matrix() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        n = int(rng.integers(1, 6))
        src, dst = (a.ravel() for a in np.meshgrid(range(n), range(n), indexing="ij"))
        p = rng.random(n * n) * rng.integers(0, 2, size=n * n)
        p *= 0.9 / max(1e-9, np.abs(np.linalg.eigvals(p.reshape(n, n))).max(), 0.9)
        with np.errstate(divide="ignore"):
            graph = ag.Graph(src, dst, [0] * (n * n), weight=np.log(p), start=[0], accept=[n - 1], n_states=n)
        total = np.linalg.inv(np.eye(n) - p.reshape(n, n))
        score, gradient = log_score_and_gradient(graph.topology, graph.arc_weight)
        exact = total[0, n - 1]
        assert math.exp(score) == pytest.approx(exact, rel=1e-9, abs=1e-12)
        if exact > 1e-9:
            expected = total[0][:, None] * p.reshape(n, n) * total[:, n - 1][None, :] / exact
            np.testing.assert_allclose(gradient.reshape(n, n), expected, rtol=1e-8, atol=1e-12)


def test_long_chains_do_not_recurse_and_counts_are_exact() -> None:
    n = 20_000
    chain = ag.Graph(np.repeat(np.arange(n), 2), np.repeat(np.arange(n), 2) + 1, [0, 1] * n, start=[0], accept=[n])
    assert count_paths(chain.topology) == 2**n
    assert log_score(chain.topology, chain.arc_weight) == pytest.approx(n * math.log(2))
    ring = ag.Graph(np.arange(n), (np.arange(n) + 1) % n, [0] * n, weight=np.full(n, -1.0 / n), start=[0], accept=[0])
    assert log_score(ring.topology, ring.arc_weight) == pytest.approx(-math.log(-math.expm1(-1.0)))
