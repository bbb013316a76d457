"""Elimination of large cyclic graphs: order and fill-in, blocks in linear arithmetic, and sizes that people have."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from kernel_harness import run
from support.cyclic_graphs import band, sparse_chain
from support.magnitudes import with_penalties
from support.seeds import for_seeds

from arcgrad.compiler.graphs.selection import Selection
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.limits import DEFAULT_LIMITS, Limits
from arcgrad.grammar.errors import DivergenceError, LimitError
from arcgrad.runtime.kernels.cyclic import elimination_order
from arcgrad.runtime.reference import reductions as reference
from arcgrad.runtime.regions import elimination, pack_graph
from arcgrad.runtime.regions.region import Region

OFFSETS = np.zeros(1, dtype=np.int64)


def pack(graph: Topology, limits: Limits = DEFAULT_LIMITS) -> Region:
    return pack_graph(graph, Selection.identity(0, graph.n_arcs), OFFSETS, "log", as_cyclic=True, limits=limits)


@pytest.fixture
def in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks for all components of two states and more."""
    monkeypatch.setattr(elimination_order, "_LEAST_DENSE", 2)
    monkeypatch.setattr(elimination_order, "_DENSE_SPEED", 1 << 40)
    monkeypatch.setattr(elimination.patience, "ends_for", lambda *_, **__: False)  # compiled code has its own numbers


def solved(graph: Topology, weight: np.ndarray) -> tuple[float, np.ndarray]:
    """Score and posteriors by dense linear algebra."""
    matrix = np.zeros((graph.n_states, graph.n_states))
    np.add.at(matrix, (graph.src, graph.dst), np.exp(weight))
    inverse = np.linalg.inv(np.eye(graph.n_states) - matrix)
    alpha, beta = inverse[graph.start].sum(axis=0), inverse[:, graph.accept].sum(axis=1)
    total = alpha[graph.accept].sum()
    return math.log(total), alpha[graph.src] * np.exp(weight) * beta[graph.dst] / total


def scaled_to(radius: float, graph: Topology, weight: np.ndarray) -> np.ndarray:
    matrix = np.zeros((graph.n_states, graph.n_states))
    np.add.at(matrix, (graph.src, graph.dst), np.exp(weight))
    return weight + math.log(radius / max(abs(np.linalg.eigvals(matrix))))


@for_seeds(40)
def test_the_order_fills_what_elimination_fills(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Compiled and as plain Python; entries against sets that grow."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 70))
    graph, _ = sparse_chain(n, int(n * rng.uniform(1, 5)), seed) if seed % 2 else band(n, 3, seed)
    begins = np.array([0, n], dtype=np.int32)
    found = elimination.eliminate(begins, graph.src, graph.dst, DEFAULT_LIMITS)
    monkeypatch.setattr(elimination.patience, "ends_for", lambda *_, **__: seed % 3 == 0)
    for one, other in zip(found, elimination.eliminate(begins, graph.src, graph.dst, DEFAULT_LIMITS), strict=True):
        np.testing.assert_array_equal(one, other)
    assert sorted(found.order) == list(range(n))
    position = np.argsort(found.order)
    filled = {(int(position[s]), int(position[d])) for s, d in zip(graph.src, graph.dst, strict=True) if s != d}
    for pivot in range(int(found.dense[0])):
        before = [i for i, j in filled if j == pivot and i > pivot]
        after = [j for i, j in filled if i == pivot and j > pivot]
        filled |= {(i, j) for i in before for j in after if i != j}
    entries = list(zip(found.rows.tolist(), found.columns.tolist(), strict=True))
    assert len(entries) == len(set(entries))
    assert set(entries) == {(i, j) for i, j in filled if min(i, j) < found.dense[0]}


@for_seeds(150)
def test_blocks_of_weights_of_any_size(in_blocks: None, seed: int) -> None:
    """Against the reference: linear arithmetic, and the log domain where numbers differ too much for it."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 14))
    graph, weight = sparse_chain(n, int(n * rng.uniform(1, 4)), seed)
    if seed % 3 == 0:
        weight = np.minimum(with_penalties(rng, weight), weight)
    elif seed % 3 == 1:  # what paths have in common, and wide differences
        height = rng.normal(size=n) * rng.choice([10, 1000, 1e6])
        weight = weight + height[graph.dst] - height[graph.src]
    else:
        weight = weight - rng.choice([0.0, 0.0, 200.0, 700.0, 1e5, np.inf], size=len(weight))
    result = run(pack(graph), weight)
    try:
        score, gradient = reference.log_score_and_gradient(graph, weight)
    except DivergenceError:
        assert math.isnan(result.value)
        return
    assert result.value == pytest.approx(score, rel=1e-11, abs=1e-11)
    np.testing.assert_allclose(result.gradient, gradient, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("radius", [0.5, 1 - 1e-6, 1 + 1e-6])
@pytest.mark.parametrize(("n_states", "whole"), [(33, True), (70, True), (200, True), (200, False), (400, False)])
def test_larger_blocks(request: pytest.FixtureRequest, n_states: int, whole: bool, radius: float) -> None:
    """More than a panel, whole tiles and the rest; against dense linear algebra."""
    if whole:
        request.getfixturevalue("in_blocks")
    graph, weight = sparse_chain(n_states, 6 * n_states, n_states)
    weight = scaled_to(radius, graph, weight)
    result = run(pack(graph), weight)
    if radius > 1.0:
        assert math.isnan(result.value)
        return
    score, gradient = solved(graph, weight)
    slack = 1e-13 / (1 - radius)
    assert result.value == pytest.approx(score, rel=slack, abs=slack)
    np.testing.assert_allclose(result.gradient, gradient, rtol=1e3 * slack, atol=slack)
    if radius > 0.9:
        return  # so near its pole a score is too far from a line for differences
    direction = np.random.default_rng(0).normal(size=len(weight))
    step = 1e-5
    values = [run(pack(graph), weight + sign * step * direction).value for sign in (-1, 1)]
    assert (values[1] - values[0]) / (2 * step) == pytest.approx(gradient @ direction, rel=1e-4)


@pytest.mark.parametrize("height", [100.0, 400.0, 3000.0, 1e6])
def test_a_block_too_wide_for_linear_numbers(in_blocks: None, height: float) -> None:
    """Two halves that meet by weak arcs both ways, whose product no scale makes ordinary."""
    graph, weight = sparse_chain(40, 200, 1)
    weak = (graph.src < 20) != (graph.dst < 20)
    weight = np.where(weak, weight - height, weight)
    result = run(pack(graph), weight)
    score, gradient = reference.log_score_and_gradient(graph, weight)
    assert result.value == pytest.approx(score, rel=1e-12)
    np.testing.assert_allclose(result.gradient, gradient, rtol=1e-9, atol=1e-12)


def test_what_fills_counts_as_work() -> None:
    """So that mode "auto" does not have Python eliminate it."""
    graph, _ = sparse_chain(600, 3600, 0)
    assert pack(graph).operations > 50 * graph.n_arcs
    assert pack(band(600, 2, 0)[0]).operations < 10 * graph.n_arcs


def test_what_fills_counts_against_the_limits() -> None:
    graph, _ = sparse_chain(600, 3600, 0)
    needed = 8 * pack(graph).fixed_work[0]
    with pytest.raises(LimitError, match=r"elimination of a graph's cycles would have \d+ bytes, but the limit is"):
        pack(graph, Limits(bytes=needed // 2))
    with pytest.raises(LimitError, match="elimination of a graph's cycles would have at least"):
        pack(graph, Limits(bytes=1000))


@pytest.mark.slow
def test_a_sparse_chain_of_3000_states() -> None:
    graph, weight = sparse_chain(3000, 18_000, 0)
    run(pack(sparse_chain(300, 1800, 0)[0]), sparse_chain(300, 1800, 0)[1])  # compiles
    began = time.process_time()
    region = pack(graph)
    packed = time.process_time()
    result = run(region, weight)
    assert packed - began < 1.0
    assert time.process_time() - packed < 0.5
    score, gradient = solved(graph, weight)
    assert result.value == pytest.approx(score, rel=1e-12)
    np.testing.assert_allclose(result.gradient, gradient, rtol=1e-9, atol=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, -1e5])
def test_a_band_of_20000_states(shift: float) -> None:
    """Whatever the states' numbers; what flows into a state flows out of it."""
    graph, weight = band(20_000, 10, 0)
    weight = weight + shift
    began = time.process_time()
    result = run(pack(graph), weight)
    assert time.process_time() - began < 5.0
    number = np.random.default_rng(0).permutation(graph.n_states)
    other = Topology.make(
        graph.n_states, number[graph.src], number[graph.dst], graph.ilabel, start=number[:1], accept=number[-1:]
    )
    again = run(pack(other), weight)
    assert again.value == pytest.approx(result.value, rel=1e-12)
    np.testing.assert_allclose(again.gradient, result.gradient, rtol=1e-7, atol=1e-10)
    flow = np.bincount(graph.dst, result.gradient, graph.n_states) - np.bincount(
        graph.src, result.gradient, graph.n_states
    )
    flow[0] += 1.0
    flow[-1] -= 1.0
    np.testing.assert_allclose(flow, 0.0, atol=1e-8)
