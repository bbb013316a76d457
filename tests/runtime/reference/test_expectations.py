"""Expectations, entropy and covariances of the reference, against derivatives by infinitesimals and enumeration."""

from __future__ import annotations

import math

import numpy as np
import pytest
from oracle.tangents import log_sum_derivative
from support.random_graphs import draw_topology
from support.seeds import for_seeds

from arcgrad.compiler.graphs.topology import Topology
from arcgrad.grammar.errors import DivergenceError
from arcgrad.runtime.reference.expectations import covariance, entropy, expectation, surprisal_covariance


def draw(rng: np.random.Generator) -> tuple[Topology, np.ndarray]:
    """A random graph with weights, of spectral radius at most 0.9; some weights are −inf."""
    n, m = int(rng.integers(0, 6)), int(rng.integers(0, 12))
    graph = draw_topology(rng, n, m, np.arange(3), acyclic=bool(rng.random() < 0.4), acceptor=True)
    weights = rng.normal(-0.5, 1.0, graph.n_arcs)
    matrix = np.zeros((n, n))
    np.add.at(matrix, (graph.src, graph.dst), np.exp(weights))
    radius = float(np.abs(np.linalg.eigvals(matrix)).max()) if n else 0.0
    weights -= max(math.log(radius / 0.9), 0.0) if radius > 0.0 else 0.0
    weights[rng.random(graph.n_arcs) < 0.05] = -math.inf
    return graph, weights


def derivative(graph: Topology, weights: np.ndarray, *directions: np.ndarray) -> float:
    arcs = list(zip(graph.src.tolist(), graph.dst.tolist(), strict=True))
    given = [direction.tolist() for direction in directions]
    return log_sum_derivative(
        graph.n_states, arcs, weights.tolist(), graph.start.tolist(), graph.accept.tolist(), given
    )


def close(a: object, b: object) -> None:
    np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9)


@for_seeds(60)
def test_values_and_derivatives_are_cumulants(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph, weights = draw(rng)
    values, others = rng.normal(size=(2, graph.n_arcs))
    finite = np.where(weights > -math.inf, weights, 0.0)
    units = np.eye(graph.n_arcs)

    found, by_weights, by_values = expectation(graph, weights, values)
    close(found, derivative(graph, weights, values))
    close(by_values, [derivative(graph, weights, unit) for unit in units])
    close(by_weights, [derivative(graph, weights, unit, values) for unit in units])

    found, by_weights, by_values, by_others = covariance(graph, weights, values, others)
    close(found, derivative(graph, weights, values, others))
    close(by_values, [derivative(graph, weights, unit, others) for unit in units])
    close(by_others, [derivative(graph, weights, unit, values) for unit in units])
    close(by_weights, [derivative(graph, weights, unit, values, others) for unit in units])

    found, by_weights = entropy(graph, weights)
    score = derivative(graph, weights)
    close(found, score - derivative(graph, weights, finite) if score > -math.inf else 0.0)
    close(by_weights, [-derivative(graph, weights, unit, finite) for unit in units])

    found, by_weights, by_values = surprisal_covariance(graph, weights, values)
    close(found, -derivative(graph, weights, finite, values))
    close(by_values, [-derivative(graph, weights, unit, finite) for unit in units])
    thirds = [
        -derivative(graph, weights, unit, finite, values) - derivative(graph, weights, unit, values) for unit in units
    ]
    close(by_weights, thirds)


def two_paths() -> Topology:
    return Topology.from_arcs(3, [(0, 1, 0), (0, 1, 1), (1, 2, 0)], [0], [2])


@pytest.mark.parametrize("offset", [0.0, -1e30, 1e16, -1e300])
def test_offsets_that_all_paths_share_change_nothing(offset: float) -> None:
    weights = np.array([0.0, math.log(3.0), offset])
    values = np.array([1.0, 2.0, 5.0])
    found, by_weights, by_values = expectation(two_paths(), weights, values)
    close(found, 0.25 * 6 + 0.75 * 7)
    close(by_weights, [0.25 * -0.75, 0.75 * 0.25, 0.0])
    close(by_values, [0.25, 0.75, 1.0])
    close(entropy(two_paths(), weights)[0], -0.25 * math.log(0.25) - 0.75 * math.log(0.75))


def test_values_of_absent_arcs_are_not_looked_at() -> None:
    found = expectation(two_paths(), np.array([-math.inf, 0.0, 0.0]), np.array([-math.inf, 2.0, 1.0]))
    assert found[0] == 3.0
    assert not found[1].any()


def test_an_infinite_value_on_a_path_has_no_derivative() -> None:
    found, by_weights, by_values = expectation(two_paths(), np.array([-5000.0, 0, 0]), np.array([-math.inf, 2, 1]))
    assert found == -math.inf
    assert not by_weights.any()
    assert not by_values.any()
    for found in (
        covariance(two_paths(), np.zeros(3), np.array([-math.inf, 2, 1]), np.ones(3)),
        surprisal_covariance(two_paths(), np.zeros(3), np.array([-math.inf, 2, 1])),
    ):
        assert found[0] == 0.0
        assert not np.any(found[1:])


def test_no_path_gives_zeros() -> None:
    weights = np.array([0.0, 0.0, -math.inf])
    values = np.array([-math.inf, 1.0, 1.0])
    assert expectation(two_paths(), weights, values)[0] == 0.0
    assert entropy(two_paths(), weights)[0] == 0.0
    assert covariance(two_paths(), weights, values, values)[0] == 0.0
    nothing = Topology.make(0, (), (), ())
    assert expectation(nothing, np.zeros(0), np.zeros(0))[0] == 0.0


def test_a_loop_that_nearly_diverges_keeps_its_digits() -> None:
    graph = Topology.from_arcs(1, [(0, 0, 0)], [0], [0])
    gap = 1e-9
    found, by_weights, by_values = expectation(graph, np.array([-gap]), np.array([2.0]))
    uses = 1 / math.expm1(gap)
    close(found, 2 * uses)
    close(by_values[0], uses)
    assert by_weights[0] == pytest.approx(2 * uses * (uses + 1), rel=1e-7)


def test_divergence_is_named() -> None:
    graph = Topology.from_arcs(1, [(0, 0, 0)], [0], [0])
    with pytest.raises(DivergenceError, match="cycle"):
        entropy(graph, np.array([0.1]))
