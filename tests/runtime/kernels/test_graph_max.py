"""Best paths of larger acyclic graphs, with and without ties, against the reference in plain Python."""

from __future__ import annotations

import math

import numpy as np
import pytest
from kernel_harness import run

from arcgrad.compiler.graphs.selection import Selection
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.runtime.kernels.lattice import graph_max
from arcgrad.runtime.reference import reductions as reference
from arcgrad.runtime.regions import pack_graph

OFFSETS = np.zeros(1, dtype=np.int64)

WEIGHTS = {
    "no ties": lambda rng, n: rng.normal(-1.0, 1.0, n),
    "rare ties": lambda rng, n: rng.integers(-1000, 1000, n).astype(float),
    "many ties": lambda rng, n: rng.integers(-2, 2, n).astype(float),
    "all the same": lambda rng, n: np.zeros(n),
    "infinite ones": lambda rng, n: np.where(rng.random(n) < 0.2, -np.inf, rng.integers(-2, 2, n)),
}


def lattice(rng: np.random.Generator, n_states: int, shuffled: bool) -> Topology:
    """Three arcs a state, a few states on; starts and accepts at random among the first and last."""
    src = np.repeat(np.arange(n_states - 1), 3)
    dst = np.minimum(src + rng.integers(1, 6, len(src)), n_states - 1)
    start, accept = rng.integers(0, 20, 3), rng.integers(n_states - 20, n_states, 3)
    if shuffled:
        number, arcs = rng.permutation(n_states), rng.permutation(len(src))
        src, dst, start, accept = number[src][arcs], number[dst][arcs], number[start], number[accept]
    return Topology.make(n_states, src, dst, np.zeros(len(src)), None, np.unique(start), np.unique(accept))


@pytest.mark.parametrize("semiring", ["max", "min"])
@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("family", WEIGHTS)
def test_the_path_is_the_reference_s(family: str, shuffled: bool, semiring: str) -> None:
    rng = np.random.default_rng(len(family))
    sign = 1.0 if semiring == "max" else -1.0
    for n_states in (50, 180):
        graph = lattice(rng, n_states, shuffled)
        weight = WEIGHTS[family](rng, graph.n_arcs)
        for before in (0, 2, 5):  # where the entries begin: the harness makes the first three shared
            region = pack_graph(graph, Selection.identity(0, graph.n_arcs), OFFSETS + before, semiring)
            result = run(region, np.concatenate([np.full(before, 1e9), weight]))
            value, path = reference.best_path(graph, weight, sign)
            assert result.value == pytest.approx(value, rel=1e-12)
            if sign * value == math.inf:
                continue  # behind an infinite arc any way on is as good, of which the reference looks at one only
            assert result.path == (path or [])
            np.testing.assert_array_equal(np.flatnonzero(result.gradient) - before, np.sort(path or []))


def test_an_accept_on_the_way_ends_the_path_where_the_rest_is_worth_nothing() -> None:
    graph = Topology.from_arcs(3, [(0, 1, 0), (1, 2, 0)], [0], [1, 2])
    region = pack_graph(graph, Selection.identity(0, 2), OFFSETS, "max")
    assert run(region, np.array([1.0, 0.0])).path == [0]
    assert run(region, np.array([1.0, 0.5])).path == [0, 1]
    assert run(region, np.array([1.0, -0.5])).path == [0]
    assert run(region, np.array([-math.inf, 0.0])).path == []


def test_without_ties_no_lengths_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = lattice(np.random.default_rng(0), 100, shuffled=False)
    region = pack_graph(graph, Selection.identity(0, graph.n_arcs), OFFSETS, "max")
    counted = []
    relax = graph_max.relax
    monkeypatch.setattr(graph_max, "relax", lambda *arguments: counted.append(1) or relax(*arguments))
    monkeypatch.setattr(graph_max, "graph_max_forward", graph_max.graph_max_forward.python)
    run(region, np.random.default_rng(1).normal(size=graph.n_arcs))
    assert not counted
    run(region, np.zeros(graph.n_arcs))
    assert len(counted) == region.n_states


def test_starts_that_tie_are_told_apart_by_length() -> None:
    graph = Topology.from_arcs(4, [(0, 1, 0), (1, 3, 0), (2, 3, 0)], [0, 2], [3])
    region = pack_graph(graph, Selection.identity(0, 3), OFFSETS, "max")
    assert run(region, np.array([1.0, 1.0, 2.0])).path == [2]
    assert run(region, np.array([1.0, 1.5, 2.0])).path == [0, 1]
    graph = Topology.from_arcs(4, [(0, 3, 0), (1, 2, 0), (2, 3, 0)], [0, 1], [3])
    region = pack_graph(graph, Selection.identity(0, 3), OFFSETS, "max")
    assert run(region, np.array([2.0, 1.0, 1.0])).path == [0]


def test_behind_an_arc_of_minus_infinity_min_takes_the_shortest_way() -> None:
    arcs = [(0, 1, 0), (1, 3, 0), (1, 2, 0), (2, 3, 0)]
    region = pack_graph(Topology.from_arcs(4, arcs, [0], [3]), Selection.identity(0, 4), OFFSETS, "min")
    result = run(region, np.array([-math.inf, 5.0, 0.0, 1.0]))
    assert result.value == -math.inf
    assert result.path == [0, 1]
    assert run(region, np.array([0.0, 5.0, 0.0, -math.inf])).path == [0, 2, 3]
