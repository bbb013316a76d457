"""Lattice and cyclic kernels against enumeration of paths and dense linear algebra."""

from __future__ import annotations

import math

import numpy as np
import pytest
from kernel_harness import all_paths, lse, random_graph, random_selection, run
from support.magnitudes import with_penalties
from support.seeds import for_seeds

from arcgrad.compiler.graphs.selection import Selection
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.grammar.errors import DivergenceError
from arcgrad.runtime.reference import reductions as reference
from arcgrad.runtime.regions import pack_graph

OFFSETS = np.zeros(1, dtype=np.int64)


def case(seed: int, acyclic: bool = True):
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, acyclic=acyclic)
    identity = seed % 3 == 0
    n_entries = graph.n_arcs if identity else 7
    selection = random_selection(rng, graph.n_arcs, n_entries, identity)
    if seed % 2:
        local = rng.integers(-2, 3, n_entries).astype(float)  # many ties
    else:
        local = rng.normal(size=n_entries) * rng.choice([1.0, 30.0, 3000.0])
    local = with_penalties(rng, local)
    local[rng.random(n_entries) < 0.1] = -math.inf
    counts = np.zeros((graph.n_arcs, n_entries))
    np.add.at(counts, (np.repeat(np.arange(graph.n_arcs), np.diff(selection.offsets)), selection.arc), 1.0)
    return graph, selection, local, counts, selection.weights(local, OFFSETS)


def path_gradient(paths, posteriors, counts):
    gradient = np.zeros(counts.shape[1])
    for path, posterior in zip(paths, posteriors, strict=True):
        for arc in path:
            gradient += posterior * counts[arc]
    return gradient


@for_seeds(120)
def test_lattice_log_is_the_sum_over_paths(seed: int) -> None:
    graph, selection, local, counts, weight = case(seed)
    region = pack_graph(graph, selection, OFFSETS, "log")
    assert region.kind == "lattice"
    paths = all_paths(graph, graph.n_states)
    scores = [sum(weight[list(path)]) for path in paths]
    expected = lse(scores)
    result = run(region, local, cotangent=0.5)
    assert result.value == pytest.approx(expected, rel=1e-12, abs=1e-12)
    posteriors = [0.5 * math.exp(s - expected) if expected > -math.inf else 0.0 for s in scores]
    np.testing.assert_allclose(result.gradient, path_gradient(paths, posteriors, counts), rtol=1e-11, atol=1e-13)


@for_seeds(80)
def test_count_is_the_number_of_paths(seed: int) -> None:
    graph, selection, local, _, _ = case(seed)
    region = pack_graph(graph, selection, OFFSETS, "count")
    assert run(region, local).value == len(all_paths(graph, graph.n_states))


def best_paths(graph, weight, sign, longest):
    """Value and arcs by the tie rule."""
    ranked = [(-sign * sum(weight[list(p)]), len(p), p) for p in all_paths(graph, longest)]
    ranked = [r for r in ranked if sign < 0 or r[0] < math.inf]
    return min(ranked, default=None)


@pytest.mark.parametrize("semiring", ["max", "min"])
@for_seeds(120)
def test_lattice_max_is_the_best_path(seed: int, semiring: str) -> None:
    graph, selection, local, counts, weight = case(seed)
    sign = 1.0 if semiring == "max" else -1.0
    region = pack_graph(graph, selection, OFFSETS, semiring)
    result = run(region, local)
    best = best_paths(graph, weight, sign, graph.n_states)
    if best is None:
        assert result.value == -sign * math.inf
        assert result.path == []
        assert not result.gradient.any()
        return
    assert result.value == pytest.approx(-sign * best[0], rel=1e-12)
    if seed % 2:
        assert result.path == list(best[2])
    np.testing.assert_array_equal(result.gradient, path_gradient([result.path], [1.0], counts))


def cyclic_case(seed: int):
    graph, selection, local, counts, _ = case(seed, acyclic=False)
    # Spectral radius of useful parts at most 0.9: rows sum to at most 0.9 after this.
    if seed % 2 == 0:
        selection = Selection.identity(0, graph.n_arcs)
        counts = np.eye(graph.n_arcs)
        rng = np.random.default_rng(seed)
        out = np.maximum(np.bincount(graph.src, minlength=graph.n_states), 1)[graph.src]
        local = np.log(0.9 * rng.random(graph.n_arcs) / out)
        local[rng.random(graph.n_arcs) < 0.15] = -math.inf
    return graph, selection, local, counts, selection.weights(local, OFFSETS)


def useful(graph, weight):
    """Arcs on finite accepting paths."""
    matrix = np.zeros((graph.n_states, graph.n_states), dtype=bool)
    finite = weight > -math.inf
    matrix[graph.src[finite], graph.dst[finite]] = True
    closure = np.eye(graph.n_states, dtype=bool) | matrix
    for _ in range(graph.n_states):
        closure |= closure @ closure
    forward = closure[graph.start].any(axis=0) if graph.n_states else np.zeros(0, bool)
    backward = closure[:, graph.accept].any(axis=1) if graph.n_states else np.zeros(0, bool)
    return finite & forward[graph.src] & backward[graph.dst]


@for_seeds(150)
def test_cyclic_log_solves_the_linear_equations(seed: int) -> None:
    graph, selection, local, counts, weight = cyclic_case(seed)
    region = pack_graph(graph, selection, OFFSETS, "log")
    result = run(region, local)
    kept = useful(graph, weight)
    if np.abs(weight[kept]).max(initial=0.0) > 100:  # beyond linear numbers: the reference, in exact ones
        try:
            score, by_arc = reference.log_score_and_gradient(graph, weight)
        except DivergenceError:
            assert math.isnan(result.value)
            return
        assert result.value == pytest.approx(score, rel=1e-11, abs=1e-11)
        np.testing.assert_allclose(result.gradient, by_arc @ counts, rtol=1e-9, atol=1e-10)
        return
    n = graph.n_states
    matrix = np.zeros((n, n))
    np.add.at(matrix, (graph.src[kept], graph.dst[kept]), np.exp(weight[kept]))
    if n and max(abs(np.linalg.eigvals(matrix))) > 1 - 1e-9:
        assert math.isnan(result.value)
        assert not result.gradient.any()
        return
    inverse = np.linalg.inv(np.eye(n) - matrix)
    alpha = inverse[graph.start].sum(axis=0)
    beta = inverse[:, graph.accept].sum(axis=1)
    total = alpha[graph.accept].sum()
    if total == 0:
        assert result.value == -math.inf
        assert not result.gradient.any()
        return
    assert result.value == pytest.approx(math.log(total), rel=1e-11, abs=1e-11)
    expected = np.where(kept, alpha[graph.src] * np.exp(weight) * beta[graph.dst] / total, 0.0) @ counts
    np.testing.assert_allclose(result.gradient, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("loop", [math.log(0.5), math.log(0.9999), math.log(1 - 1e-9), -1e-9, -1.3e-13])
def test_a_loop_keeps_its_digits(loop: float) -> None:
    graph = Topology.from_arcs(2, [(0, 0, 0), (0, 1, 0)], [0], [1])
    local = np.array([loop, 0.0])
    result = run(pack_graph(graph, Selection.identity(0, 2), OFFSETS, "log"), local)
    assert result.value == pytest.approx(-math.log(-math.expm1(local[0])), rel=1e-12)
    assert result.gradient[0] == pytest.approx(-math.exp(local[0]) / math.expm1(local[0]), rel=1e-12)
    assert result.gradient[1] == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("loop", [0.0, math.log(1.5)])
def test_a_loop_of_at_least_one_diverges_only_where_it_matters(loop: float) -> None:
    arcs = [(0, 0, 0), (0, 1, 0), (2, 2, 0), (2, 1, 0), (1, 3, 0), (3, 3, 0)]
    graph = Topology.from_arcs(4, arcs, [0, 2], [1])
    region = pack_graph(graph, Selection.identity(0, 6), OFFSETS, "log")
    assert math.isnan(run(region, np.array([loop, 0.0, -1.0, 0.0, 0.0, 0.0])).value)
    # Its exit absent: nothing accepts behind the loop.
    value = run(region, np.array([loop, -math.inf, -1.0, 0.0, 0.0, 0.0])).value
    assert value == pytest.approx(-math.log(-math.expm1(-1.0)), rel=1e-12)


def test_a_long_closure_stays_sparse() -> None:
    n = 2000
    src = np.arange(n)
    graph = Topology.make(n, src, (src + 1) % n, np.zeros(n), None, [0], [0])
    region = pack_graph(graph, Selection.identity(0, n), OFFSETS, "log")
    assert len(region.ints) < 40 * n
    local = np.full(n, -0.001)
    result = run(region, local)
    loop = math.fsum(local)
    assert result.value == pytest.approx(-math.log(-math.expm1(loop)), rel=1e-11)
    np.testing.assert_allclose(result.gradient, math.exp(loop) / -math.expm1(loop), rtol=1e-9)


@pytest.mark.parametrize("semiring", ["max", "min"])
@for_seeds(120)
def test_cyclic_max_is_the_best_path(seed: int, semiring: str) -> None:
    graph, selection, _, counts, _ = case(seed, acyclic=False)
    rng = np.random.default_rng(seed)
    sign = 1.0 if semiring == "max" else -1.0
    local = -sign * rng.integers(0, 3, counts.shape[1]).astype(float)
    if seed % 4 == 0 and len(local):
        local[0] = sign  # may make a good cycle
    if seed % 5 == 0:
        local[rng.random(len(local)) < 0.1] = -math.inf
    weight = selection.weights(local, OFFSETS)
    kept = useful(graph, weight) if sign > 0 else useful(graph, np.zeros(graph.n_arcs))
    result = run(pack_graph(graph, selection, OFFSETS, semiring), local)
    # Bellman–Ford by matrix powers over the useful part.
    n = graph.n_states
    power = np.full((n, n), -math.inf)
    np.maximum.at(power, (graph.src[kept], graph.dst[kept]), np.minimum(sign * weight[kept], 1e6))
    for k in range(n):
        power = np.maximum(power, power[:, k : k + 1] + power[k : k + 1, :])
    if n and (np.diag(power) > 0).any():
        assert math.isnan(result.value)
        assert not result.gradient.any()
        return
    reduced = Topology.make(n, graph.src[kept], graph.dst[kept], np.zeros(kept.sum()), None, graph.start, graph.accept)
    numbers = np.flatnonzero(kept)
    best = best_simple_path(reduced, sign * weight[kept], numbers)
    if best is None:
        assert result.value == -sign * math.inf
        assert result.path == []
        return
    assert result.value == -sign * best[0]
    assert result.path == best[2]
    np.testing.assert_array_equal(result.gradient, path_gradient([result.path], [1.0], counts))


def best_simple_path(graph, weight, numbers):
    """The best among paths that repeat no state: without good cycles one of the best with fewest arcs is simple."""
    best = None
    accepts = set(graph.accept.tolist())

    def visit(state, path, seen, total):
        nonlocal best
        if state in accepts:
            rank = (-total, len(path), [int(numbers[a]) for a in path])
            if best is None or rank < best:
                best = rank
        for arc in np.flatnonzero(graph.src == state):
            end = int(graph.dst[arc])
            if end not in seen:
                visit(end, [*path, arc], seen | {end}, total + weight[arc])

    for start in graph.start.tolist():
        visit(start, [], {start}, 0.0)
    return best


def test_min_through_a_cycle_of_minus_infinity_diverges() -> None:
    graph = Topology.from_arcs(2, [(0, 0, 0), (0, 1, 0)], [0], [1])
    selection = Selection.identity(0, 2)
    assert math.isnan(run(pack_graph(graph, selection, OFFSETS, "min"), np.array([-math.inf, 0.0])).value)
    result = run(pack_graph(graph, selection, OFFSETS, "min"), np.array([1.0, -math.inf]))
    assert result.value == -math.inf
    np.testing.assert_array_equal(result.gradient, [0.0, 1.0])


def test_cyclic_counts_are_infinite() -> None:
    graph = Topology.from_arcs(2, [(0, 0, 0), (0, 1, 0)], [0], [1])
    assert run(pack_graph(graph, Selection.identity(0, 2), OFFSETS, "count"), np.zeros(2)).value == math.inf
    away = Topology.from_arcs(3, [(0, 1, 0), (2, 2, 0)], [0], [1])
    assert run(pack_graph(away, Selection.identity(0, 2), OFFSETS, "count"), np.zeros(2)).value == 1.0


def test_large_counts_ask_for_exact_arithmetic() -> None:
    n = 54
    arcs = [(s, s + 1, 0) for s in range(n) for _ in range(2)]
    for length, expected in ((53, 2.0**53), (54, math.nan)):
        graph = Topology.from_arcs(n + 1, arcs, [0], [length])
        result = run(pack_graph(graph, Selection.none(len(arcs)), OFFSETS, "count"), np.zeros(0))
        np.testing.assert_equal(result.value, expected)


def test_extreme_scores_are_exact() -> None:
    graph = Topology.from_arcs(3, [(0, 1, 0), (0, 1, 0), (1, 2, 0)], [0], [2])
    result = run(pack_graph(graph, Selection.identity(0, 3), OFFSETS, "log"), np.array([1e4, 1e4, -3e4]))
    assert result.value == pytest.approx(-2e4 + math.log(2), rel=1e-15)
    np.testing.assert_allclose(result.gradient, [0.5, 0.5, 1.0], rtol=1e-12)


@pytest.mark.parametrize("semiring", ["log", "max", "min", "count"])
def test_acyclic_graphs_may_share_a_cyclic_region(semiring: str) -> None:
    for seed in range(60):
        graph, selection, local, _, _ = case(seed)
        if semiring == "log" and np.abs(local[np.isfinite(local)]).max(initial=0) > 10:
            continue
        lattice = run(pack_graph(graph, selection, OFFSETS, semiring), local)
        region = pack_graph(graph, selection, OFFSETS, semiring, as_cyclic=True)
        assert region.kind == "cyclic"
        cyclic = run(region, local)
        assert cyclic.value == pytest.approx(lattice.value, rel=1e-12, abs=1e-12)
        np.testing.assert_allclose(cyclic.gradient, lattice.gradient, rtol=1e-10, atol=1e-13)
        assert cyclic.path == lattice.path


@pytest.mark.parametrize("as_cyclic", [False, True])
@pytest.mark.parametrize("semiring", ["max", "min"])
def test_ties_go_to_fewer_arcs_then_to_smaller_arc_numbers(semiring: str, as_cyclic: bool) -> None:
    longer_first = Topology.from_arcs(4, [(0, 1, 0), (1, 3, 0), (0, 2, 0), (0, 3, 0), (2, 3, 0), (0, 3, 0)], [0], [3])
    region = pack_graph(longer_first, Selection.identity(0, 6), OFFSETS, semiring, as_cyclic=as_cyclic)
    assert run(region, np.zeros(6)).path == [3]
    worse_direct = np.array([0.0, 0.0, 0.0, -1.0, 0.0, -1.0]) * (1.0 if semiring == "max" else -1.0)
    assert run(region, worse_direct).path == [0, 1]
    from_two = Topology.from_arcs(3, [(1, 2, 0), (0, 2, 0)], [0, 1], [2])
    region = pack_graph(from_two, Selection.identity(0, 2), OFFSETS, semiring, as_cyclic=as_cyclic)
    assert run(region, np.zeros(2)).path == [0]


def test_a_good_cycle_behind_an_absent_arc_is_no_divergence() -> None:
    arcs = [(0, 1, 0), (1, 1, 0), (1, 2, 0), (0, 2, 0)]
    region = pack_graph(Topology.from_arcs(3, arcs, [0], [2]), Selection.identity(0, 4), OFFSETS, "max")
    assert math.isnan(run(region, np.array([0.0, 1.0, 0.0, -5.0])).value)
    for absent in (0, 2):
        local = np.array([0.0, 1.0, 0.0, -5.0])
        local[absent] = -math.inf
        result = run(region, local)
        assert result.value == -5.0
        assert result.path == [3]
