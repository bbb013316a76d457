"""The case generator: a pure function of its seed, a good mix, and gradients that finite differences confirm."""

from __future__ import annotations

import math

import numpy as np
import pytest
from oracle import paths
from oracle.cases import SHAPES, generate, statistics
from oracle.evaluate import Evaluator, evaluate
from oracle.graphs import Graph, TooLargeError
from oracle.leaves import DenseBatch, DenseLeaf, GraphLeaf, Input, Mapping, item_of
from oracle.trees import GRAPH_OPERATORS

pytestmark = pytest.mark.slow

N_CASES = 250


@pytest.fixture(scope="module")
def cases():
    return [generate(seed) for seed in range(N_CASES)]


def test_a_case_is_a_function_of_its_seed(cases):
    for seed in range(20):
        again = generate(seed)
        assert again.text == cases[seed].text
        assert again.error == cases[seed].error
        if again.expected is not None:
            np.testing.assert_array_equal(again.value, cases[seed].value)


def test_mix(cases):
    found = statistics(cases)
    assert found["two or more finite paths"] > 0.6 * N_CASES
    for what in ("infinitely many paths", "cyclic", "batches", "dense"):
        assert found[what] > 0.15 * N_CASES, what
    assert found["weights of -inf"] > 0.05 * N_CASES
    assert found["ties"] > 0
    assert sum(found["errors"].values()) > 0
    assert set(found["shapes"]) == set(SHAPES)
    assert set(found["operators"]) == set(GRAPH_OPERATORS)


def moved(value: Input, direction: Input, step: float) -> Input:
    """The input moved along a direction in its gradient's shape."""
    if isinstance(value, list):
        return [moved(x, d, step) for x, d in zip(value, direction, strict=True)]
    if isinstance(value, DenseBatch):
        return DenseBatch(value.scores + step * direction, value.lengths)
    if isinstance(value, DenseLeaf):
        return DenseLeaf(value.scores + step * direction)
    if isinstance(value, GraphLeaf):
        return GraphLeaf(
            value.n_states, value.arcs, value.weights + step * direction, value.start, value.accept, value.tie
        )
    return value + step * direction if isinstance(value, np.ndarray) else float(value + step * direction)


def test_gradients_by_finite_differences(cases):
    rng = np.random.default_rng(1)
    step, checked = 1e-5, 0
    for case in cases:
        if not case.has_gradient or case.expected.tie or not np.isfinite(case.value).all():
            continue
        [gradient] = case.gradients
        directions = {
            name: [rng.normal(size=np.shape(x)) for x in g] if isinstance(g, list) else rng.normal(size=np.shape(g))
            for name, g in gradient.items()
        }
        try:
            values = [
                np.sum(
                    evaluate(
                        case.tree,
                        {
                            name: x if isinstance(x, Mapping) else moved(x, directions[name], s)
                            for name, x in case.inputs.items()
                        },
                    ).value
                )
                for s in (step, 0.0, -step)
            ]
        except (TooLargeError, paths.DivergesError):
            continue
        above, at, below = values
        if abs((above - at) - (at - below)) > 1e-3 * step:
            continue  # a tie, of which one best path is canonical
        along = sum(
            float(np.sum(x * d))
            for name, g in gradient.items()
            for x, d in (zip(g, directions[name], strict=True) if isinstance(g, list) else [(g, directions[name])])
        )
        assert (above - below) / (2 * step) == pytest.approx(along, rel=1e-4, abs=1e-4), case.text
        checked += 1
    assert checked > N_CASES // 2


def closed_form(graph: Graph) -> float:
    """LSE by solving (I − W) x = accept: no enumeration at all."""
    part = paths.Useful(graph, keep_minus_infinity=False)
    matrix = np.eye(part.n_states)
    np.subtract.at(matrix, (part.src, part.dst), np.exp(part.weight))
    accept = np.zeros(part.n_states)
    accept[part.accept] = 1.0
    total = np.linalg.solve(matrix, accept)[part.start].sum()
    return math.log(total) if part.n_states else -math.inf


def test_sums_by_length_equal_the_closed_form(cases):
    checked = 0
    for case in cases:
        if case.shape != "LSE[{}]" or case.error:
            continue
        size = case.batch or 1
        for item in range(size):
            evaluator = Evaluator({name: item_of(x, item) for name, x in case.inputs.items()})
            graph = evaluator.graph(case.tree.operands[0])
            expected = case.value[item] if case.batch else case.value
            if max((abs(arc.weight) for arc in graph.arcs if np.isfinite(arc.weight)), default=0.0) > 100:
                continue  # beyond linear numbers
            assert closed_form(graph) == pytest.approx(expected, rel=1e-11, abs=1e-11), case.text
            checked += 1
    assert checked > 50
