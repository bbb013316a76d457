"""Expectations, entropy and covariances over lattices, against the reference functions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from kernel_harness import random_graph, random_selection, run
from support.magnitudes import with_penalties
from support.seeds import for_seeds
from test_lattice_log import FAMILIES, SEVERAL_BLOCKS, lattice

from arcgrad.compiler.graphs.selection import Selection
from arcgrad.compiler.semirings import SEMIRINGS
from arcgrad.grammar.errors import DivergenceError
from arcgrad.runtime.reference import expectations as reference
from arcgrad.runtime.reference.exact_weights import in_units
from arcgrad.runtime.regions import pack_graph
from arcgrad.runtime.regions.values import with_values

OFFSETS = np.zeros(1, dtype=np.int64)


class Case:
    """A graph whose weights and values are sums of the same few entries, or of entries of their own."""

    def __init__(self, seed: int, n_values: int = 1, acyclic: bool = True) -> None:
        self.rng = rng = np.random.default_rng(seed)
        self.graph = graph = random_graph(rng, acyclic=acyclic)
        own = seed % 3 == 0
        n = graph.n_arcs
        n_entries = (1 + n_values) * n if own else 9
        self.local = with_penalties(rng, rng.normal(size=n_entries) * rng.choice([1.0, 30.0, 3000.0]))
        self.local[rng.random(n_entries) < 0.08] = -math.inf
        self.selections = []
        for kind in range(1 + n_values):
            selection = random_selection(rng, n, n_entries, identity=own)
            if own:
                selection = Selection(selection.offsets, selection.leaf, selection.arc + np.int32(kind * n))
            self.selections.append(selection)

    def finite_values(self) -> None:
        """Give values ordinary sizes, which entries that weights share with them then have, too."""
        for selection in self.selections[1:]:
            self.local[selection.arc] = self.rng.normal(size=len(selection.arc))

    def weights(self, kind: int) -> np.ndarray:
        return self.selections[kind].weights(self.local, OFFSETS)

    def exact(self) -> np.ndarray:
        units = in_units(self.local.tolist())
        return np.array([sum(units[e] for e in self.entries(0, arc)) for arc in range(self.graph.n_arcs)], dtype=object)

    def entries(self, kind: int, arc: int) -> np.ndarray:
        selection = self.selections[kind]
        return selection.arc[selection.offsets[arc] : selection.offsets[arc + 1]]

    def by_entry(self, *gradients: np.ndarray) -> np.ndarray:
        result = np.zeros(len(self.local))
        for kind, gradient in enumerate(gradients):
            for arc in range(self.graph.n_arcs):
                np.add.at(result, self.entries(kind, arc), gradient[arc])
        return result

    def check(self, semiring: str, as_cyclic: bool = False) -> None:
        packed = pack_graph(self.graph, self.selections[0], OFFSETS, "log", as_cyclic=as_cyclic)
        region = with_values(packed, semiring, self.selections[1:], OFFSETS)
        values = [self.weights(kind) for kind in range(1, len(self.selections))]
        function = getattr(reference, REFERENCE[semiring])
        result = run(region, self.local, cotangent=0.5)
        try:
            value, *gradients = function(self.graph, self.weights(0), *values, self.exact())
        except DivergenceError:
            assert math.isnan(result.value)
            return
        size = max(1.0, *(float(np.abs(v[np.isfinite(v)]).max(initial=0.0)) for v in (np.zeros(1), *values)))
        if semiring == "covariance":
            size = size**2
        assert result.value == pytest.approx(value, rel=1e-11, abs=1e-11 * size)
        if math.isfinite(value):
            expected = 0.5 * self.by_entry(*gradients)
            np.testing.assert_allclose(result.gradient, expected, rtol=1e-9, atol=1e-10 * size)


REFERENCE = {
    "expectation": "expectation",
    "entropy": "entropy",
    "covariance": "covariance",
    "entropy_along": "surprisal_covariance",
}


@for_seeds(150)
def test_expectations_of_random_lattices(seed: int) -> None:
    case = Case(seed)
    if seed % 2:
        case.finite_values()
    case.check("expectation")


@for_seeds(100)
def test_entropies_of_random_lattices(seed: int) -> None:
    Case(seed, n_values=0).check("entropy")


@for_seeds(150)
def test_covariances_of_random_lattices(seed: int) -> None:
    case = Case(seed, n_values=2)
    if seed % 4:
        case.finite_values()
    case.check("covariance")


@for_seeds(150)
def test_entropies_along_values_of_random_lattices(seed: int) -> None:
    case = Case(seed)
    if seed % 4:
        case.finite_values()
    case.check("entropy_along")


@pytest.mark.parametrize("family", sorted(FAMILIES))
@pytest.mark.parametrize("semiring", ["expectation", "entropy", "covariance", "entropy_along"])
def test_lattices_of_several_blocks_at_every_range(semiring: str, family: str) -> None:
    rng = np.random.default_rng(len(family))
    graph = lattice(rng, SEVERAL_BLOCKS, 30, far=0.05)
    n, n_values = graph.n_arcs, SEMIRINGS[semiring].n_values
    weights, values = FAMILIES[family](rng, n), rng.normal(size=(n_values, n))
    offsets = np.arange(1 + n_values) * n
    packed = pack_graph(graph, Selection.identity(0, n), offsets, "log")
    region = with_values(packed, semiring, [Selection.identity(1 + k, n) for k in range(n_values)], offsets)
    result = run(region, np.concatenate([weights, *values]))
    value, *gradients = getattr(reference, REFERENCE[semiring])(graph, weights, *values)
    assert result.value == pytest.approx(value, rel=1e-10, abs=1e-9)
    np.testing.assert_allclose(result.gradient, np.concatenate(gradients), rtol=1e-8, atol=1e-8)
