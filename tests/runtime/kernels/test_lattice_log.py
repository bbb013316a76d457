"""The lattice kernel on graphs of many blocks, at scores of every range, against sums of logarithms in long doubles."""

from __future__ import annotations

import math

import numpy as np
import pytest
from kernel_harness import run

from arcgrad.compiler.graphs.selection import Selection
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.runtime.kernels.lattice.lattice_format import IN_LINE
from arcgrad.runtime.regions import pack_graph
from arcgrad.runtime.regions.graph import LATTICE_BLOCK

OFFSETS = np.zeros(1, dtype=np.int64)
SEVERAL_BLOCKS = 5 * LATTICE_BLOCK + 7


def lattice(rng: np.random.Generator, n_states: int, reach: int, far: float = 0.0) -> Topology:
    """About four arcs a state, at most ``reach`` states on, some (``far``) to anywhere; one to the next state."""
    src = np.repeat(np.arange(n_states - 1), rng.integers(1, 8, n_states - 1))
    step = rng.integers(1, reach + 1, len(src))
    step[rng.random(len(src)) < far] = rng.integers(1, n_states)
    step[np.searchsorted(src, np.arange(n_states - 1))] = 1
    starts = [0, *rng.integers(1, n_states, 2)]
    accepts = [n_states - 1, *rng.integers(0, n_states, 3)]
    dst = np.minimum(src + step, n_states - 1)
    return Topology.make(n_states, src, dst, np.zeros(len(src)), None, np.unique(starts), np.unique(accepts))


def reference(graph: Topology, weight: np.ndarray) -> tuple[float, np.ndarray]:
    """Forward score and posteriors of a graph whose arcs lead to larger numbers."""
    with np.errstate(all="ignore"):
        exact = weight.astype(np.longdouble)
        before = np.full(graph.n_states, -np.inf, dtype=np.longdouble)
        after = before.copy()
        before[graph.start] = 0.0
        after[graph.accept] = 0.0
        for arc in np.argsort(graph.src, kind="stable").tolist():
            src, dst = graph.src[arc], graph.dst[arc]
            before[dst] = np.logaddexp(before[dst], before[src] + exact[arc])
        for arc in np.argsort(-graph.dst, kind="stable").tolist():
            src, dst = graph.src[arc], graph.dst[arc]
            after[src] = np.logaddexp(after[src], after[dst] + exact[arc])
        score = np.logaddexp.reduce(before[graph.accept])
        if score == -np.inf:
            return -math.inf, np.zeros(graph.n_arcs)
        posterior = np.exp(before[graph.src] + exact + after[graph.dst] - score)
    return float(score), posterior.astype(np.float64)


def check(graph: Topology, weight: np.ndarray, tolerance: float = 1e-11) -> float:
    """Compare with the reference; the score."""
    score, posterior = reference(graph, weight)
    region = pack_graph(graph, Selection.identity(0, graph.n_arcs), OFFSETS, "log")
    result = run(region, weight, cotangent=0.5)
    assert result.value == pytest.approx(score, rel=1e-13, abs=1e-11)
    np.testing.assert_allclose(result.gradient, 0.5 * posterior, rtol=0, atol=tolerance)
    assert not result.gradient[weight == -math.inf].any()
    return score


def in_the_middle(weight: np.ndarray, wild: np.ndarray) -> np.ndarray:
    """The first weights, except in the middle third."""
    third = len(weight) // 3
    return np.concatenate([weight[:third], wild[third : 2 * third], weight[2 * third :]])


FAMILIES = {
    "ordinary": lambda rng, n: rng.normal(size=n),
    "drifting up": lambda rng, n: rng.normal(4.0, 1.0, n),
    "drifting down": lambda rng, n: rng.normal(-9.0, 1.0, n),
    "up by more than the bounds": lambda rng, n: rng.normal(300.0, 1.0, n),
    "down by more than the bounds": lambda rng, n: rng.normal(-300.0, 1.0, n),
    "steep": lambda rng, n: rng.choice([-600.0, 500.0, 0.0, -500.0, 600.0], n),
    "down by denormal numbers": lambda rng, n: rng.uniform(-746.0, -707.0, n),
    "one in twenty denormal": lambda rng, n: np.where(rng.random(n) < 0.05, rng.uniform(-746.0, -707.0, n), 0.0),
    "wild": lambda rng, n: rng.normal(0.0, 1e4, n),
    "very wild": lambda rng, n: rng.normal(0.0, 1e7, n),
    "wild in the middle": lambda rng, n: in_the_middle(rng.normal(size=n), rng.normal(0.0, 1e4, n)),
    "ordinary in the middle": lambda rng, n: in_the_middle(rng.normal(0.0, 1e4, n), rng.normal(size=n)),
    "one in a hundred is 1e4": lambda rng, n: rng.normal(size=n) + 1e4 * (rng.random(n) < 0.01),
    "one in a hundred is -1e4": lambda rng, n: rng.normal(size=n) - 1e4 * (rng.random(n) < 0.01),
    "absent arcs": lambda rng, n: np.where(rng.random(n) < 0.3, -np.inf, rng.normal(size=n)),
    "wild and absent": lambda rng, n: np.where(rng.random(n) < 0.3, -np.inf, rng.normal(0.0, 1e4, n)),
    "absent in the middle": lambda rng, n: in_the_middle(rng.normal(size=n), np.full(n, -np.inf)),
}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("reach", "far"), [(3, 0.0), (40, 0.0), (5, 0.1)])
def test_scores_of_every_range(family: str, reach: int, far: float) -> None:
    rng = np.random.default_rng(len(family) + reach)
    for n_states in (LATTICE_BLOCK, SEVERAL_BLOCKS, 40 * LATTICE_BLOCK + 1):
        graph = lattice(rng, n_states, reach, far)
        weight = FAMILIES[family](rng, graph.n_arcs)
        # Sums of magnitudes beyond 1e6 have no more digits than this in float64.
        check(graph, weight, tolerance=1e-6 if "very" in family else 1e-8 if "wild" in family else 1e-11)


def test_states_in_any_order_and_entries_in_none() -> None:
    rng = np.random.default_rng(1)
    for shared in (0, 1, 3, 10**6):
        graph = lattice(rng, SEVERAL_BLOCKS, 9)
        weight = rng.normal(size=graph.n_arcs)
        weight[: min(shared, 50)] = -1e4
        score, posterior = reference(graph, weight)
        number = rng.permutation(graph.n_states)
        arcs = rng.permutation(graph.n_arcs)
        mixed = Topology.make(
            graph.n_states, number[graph.src][arcs], number[graph.dst][arcs], np.zeros(len(arcs)), None,
            np.sort(number[graph.start]), np.sort(number[graph.accept]),
        )  # fmt: skip
        region = pack_graph(mixed, Selection.identity(0, graph.n_arcs), OFFSETS, "log")
        assert region.ints[IN_LINE] == 0
        result = run(region, weight[arcs])
        assert result.value == pytest.approx(score, rel=1e-13)
        np.testing.assert_allclose(result.gradient, posterior[arcs], rtol=0, atol=1e-11)


@pytest.mark.parametrize("before", [0, 1, 2, 3, 4, 50])
def test_entries_in_line_that_begin_anywhere(before: int) -> None:
    """The harness makes the first three entries shared: others lie elsewhere in the weights and in the gradient."""
    rng = np.random.default_rng(2)
    graph = lattice(rng, SEVERAL_BLOCKS, 9)
    weight = rng.normal(size=graph.n_arcs)
    score, posterior = reference(graph, weight)
    region = pack_graph(graph, Selection.identity(0, graph.n_arcs), OFFSETS + before, "log")
    assert region.ints[IN_LINE] == 1
    result = run(region, np.concatenate([np.full(before, 1e9), weight]))
    assert result.value == pytest.approx(score, rel=1e-13)
    np.testing.assert_allclose(result.gradient[before:], posterior, rtol=0, atol=1e-11)
    assert not result.gradient[:before].any()


def test_small_graphs_in_line_that_are_wholly_shared() -> None:
    graph = Topology.from_arcs(3, [(0, 1, 0), (0, 1, 0), (1, 2, 0)], [0], [2])
    region = pack_graph(graph, Selection.identity(0, 3), OFFSETS, "log")
    assert region.ints[IN_LINE] == 1
    result = run(region, np.array([1.0, 1.0, -3.0]))
    assert result.value == pytest.approx(math.log(2) - 2.0, rel=1e-15)
    np.testing.assert_allclose(result.gradient, [0.5, 0.5, 1.0], rtol=1e-15)


@pytest.mark.parametrize("weight", [0.1, -0.1, 3.0, -700.0, 1e4, -1e300])
def test_a_path_of_many_arcs(weight: float) -> None:
    n = 100_000
    src = np.arange(n)
    graph = Topology.make(n + 1, src, src + 1, np.zeros(n), None, [0], [n])
    result = run(pack_graph(graph, Selection.identity(0, n), OFFSETS, "log"), np.full(n, weight))
    assert result.value == pytest.approx(n * weight, rel=1e-12)
    np.testing.assert_allclose(result.gradient, 1.0, rtol=1e-12)


@pytest.mark.parametrize("weight", [0.5, -0.5, 30.0, -30.0, 1e4, -1e4])
def test_every_state_accepts(weight: float) -> None:
    n = 5000
    src = np.arange(n)
    graph = Topology.make(n + 1, src, src + 1, np.zeros(n), None, [0], np.arange(n + 1))
    check(graph, np.full(n, weight))


def test_graphs_without_arcs() -> None:
    for graph in (Topology.make(0, [], [], []), Topology.make(2, [], [], [], None, [0, 1], [0, 1])):
        result = run(pack_graph(graph, Selection.identity(0, 0), OFFSETS, "log"), np.zeros(0))
        assert result.value == (math.log(2) if graph.n_states else -math.inf)


def test_states_that_differ_by_more_than_floats_do() -> None:
    """Two rows of states side by side, one far above the other, joined at both ends."""
    n = 300
    rungs = [(0, 1, 0), (0, 2, 0)] + [(s, s + 2, 0) for s in range(1, n)]
    graph = Topology.from_arcs(n + 2, rungs, [0], [n, n + 1])
    weight = np.where(graph.dst % 2 == 0, -40.0, 40.0)
    score = check(graph, weight)
    assert score > 5000.0
    weight[1] = 2.0 * score  # so that the lower row wins by its first arc
    check(graph, weight)
    weight[1] = 12_000.0 - 2 * 40.0 + 40.0
    check(graph, weight, tolerance=1e-9)
