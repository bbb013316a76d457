"""Expectations, entropies and covariances over cyclic graphs, against the reference functions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from kernel_harness import run
from support.seeds import for_seeds
from test_expectation_lattices import REFERENCE, Case

from arcgrad.compiler.graphs.selection import Selection
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.semirings import SEMIRINGS
from arcgrad.runtime.kernels.cyclic import cyclic_format as C
from arcgrad.runtime.reference import expectations as reference
from arcgrad.runtime.regions import pack_graph
from arcgrad.runtime.regions.values import with_values

NAMES = ["expectation", "entropy", "covariance", "entropy_along"]


@pytest.mark.parametrize("semiring", NAMES)
@for_seeds(120)
def test_random_graphs(seed: int, semiring: str) -> None:
    case = Case(3 * seed, n_values=SEMIRINGS[semiring].n_values, acyclic=False)
    n = case.graph.n_arcs
    if seed % 8:  # rows of weights sum to 0.9 at most, so that nothing diverges
        out = np.maximum(np.bincount(case.graph.src, minlength=case.graph.n_states), 1)[case.graph.src]
        case.local[:n] = np.log(0.9 * case.rng.random(n) / out)
        case.local[:n][case.rng.random(n) < 0.15] = -math.inf
    if seed % 3:
        case.finite_values()
    case.check(semiring, as_cyclic=True)


@pytest.mark.parametrize("semiring", NAMES)
@for_seeds(40)
def test_acyclic_graphs_packed_as_cyclic_with_weights_of_any_size(seed: int, semiring: str) -> None:
    case = Case(seed, n_values=SEMIRINGS[semiring].n_values)
    case.finite_values()
    case.check(semiring, as_cyclic=True)


def check_large(semiring: str, graph: Topology, weights: np.ndarray) -> np.ndarray:
    """Compare a graph with entries of its own; the packed region."""
    rng = np.random.default_rng(1)
    n, n_values = graph.n_arcs, SEMIRINGS[semiring].n_values
    values = rng.normal(size=(n_values, n))
    offsets = np.arange(1 + n_values) * n
    packed = pack_graph(graph, Selection.identity(0, n), offsets, "log")
    assert packed.kind == "cyclic"
    region = with_values(packed, semiring, [Selection.identity(1 + k, n) for k in range(n_values)], offsets)
    result = run(region, np.concatenate([weights, *values]))
    value, *gradients = getattr(reference, REFERENCE[semiring])(graph, weights, *values)
    expected = np.concatenate(gradients)
    assert result.value == pytest.approx(value, rel=1e-9, abs=1e-9)
    size = float(np.abs(expected).max())
    np.testing.assert_allclose(result.gradient, expected, rtol=1e-7, atol=1e-9 * max(size, 1.0))
    return region.ints


@pytest.mark.parametrize("semiring", NAMES)
def test_a_component_with_a_dense_block(semiring: str) -> None:
    rng = np.random.default_rng(0)
    n = 90
    src, dst = rng.integers(0, n, (2, 8 * n))
    graph = Topology.make(n, src, dst, np.zeros(8 * n), None, [0, 5], [n - 1, 5])
    weights = np.log(0.98 * rng.random(8 * n) / np.bincount(src, minlength=n)[src])
    ints = check_large(semiring, graph, weights)
    assert ints[ints[C.DENSE_STATES]] <= n - 48  # its block holds many


@pytest.mark.parametrize("semiring", NAMES)
def test_components_in_a_row_and_a_long_cycle(semiring: str) -> None:
    rng = np.random.default_rng(2)
    n = 60
    src = np.concatenate([np.arange(n - 1), np.arange(4, n, 5), [n - 1]])
    dst = np.concatenate([np.arange(1, n), np.arange(4, n, 5) - 4, [n - 1]])
    graph = Topology.make(n, src, dst, np.zeros(len(src)), None, [0, 7], [n - 1, 30])
    weights = rng.normal(-1.0, 0.3, len(src))
    check_large(semiring, graph, weights)
    # An offset that all paths share, whatever they repeat: one bridge is crossed once.
    bridge = 9
    weights[bridge] = -1e16
    graph = Topology.make(n, src, dst, np.zeros(len(src)), None, [0, 7], [n - 1])
    check_large(semiring, graph, weights)


@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-9])
def test_loops_that_nearly_diverge(gap: float) -> None:
    graph = Topology.from_arcs(3, [(0, 1, 0), (1, 1, 0), (1, 2, 0), (2, 0, 0)], [0], [2])
    for semiring in NAMES[:2]:
        check_large(semiring, graph, np.array([-0.1, -gap, math.log(gap / 3), -2.0]))
