"""The oracle's reductions: closed forms, full enumeration, finite differences, and the tie rule by brute force."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
from oracle import graphs, paths
from oracle.evaluate import UndefinedScoreError, evaluate
from oracle.graphs import Arc, Graph, TooLargeError
from oracle.leaves import DenseBatch, DenseLeaf, GraphLeaf
from oracle.trees import apply, leaf, number, score
from support.random_graphs import Style, draw_graph


def self_loop(p: float) -> Graph:
    return Graph(2, [Arc(0, 0, 1, 1, math.log(p)), Arc(0, 1, 2, 2, 0.0)], [0], [1])


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9, 0.97])
def test_self_loop_is_a_geometric_series(p: float):
    reduced = paths.lse(self_loop(p))
    assert reduced.value == pytest.approx(-math.log1p(-p), abs=1e-12)
    np.testing.assert_allclose(reduced.gradients[0], [p / (1 - p), 1.0], rtol=1e-11)
    assert reduced.n_finite_paths == math.inf


@pytest.mark.parametrize("p", [1.05, 1.5, 40.0])
def test_spectral_radius_above_one_diverges(p: float):
    with pytest.raises(paths.DivergesError):
        paths.lse(self_loop(p))


def test_radius_next_to_one_is_declined():
    with pytest.raises(TooLargeError):
        paths.lse(self_loop(1.0))


def test_divergent_cycle_off_every_accepting_path_is_harmless():
    arcs = [
        Arc(0, 1, 1, 1, -0.5),
        Arc(0, 2, 1, 1, 1.0),
        Arc(2, 2, 1, 1, 3.0),
        Arc(3, 3, 1, 1, 3.0),
        Arc(3, 1, 1, 1, 0.0),
    ]
    arcs += [Arc(0, 4, 1, 1, 0.0), Arc(4, 4, 1, 1, 5.0), Arc(4, 1, 1, 1, -math.inf)]
    graph = Graph(5, arcs, [0], [1])
    assert paths.lse(graph).value == pytest.approx(-0.5)
    assert paths.best(graph, 1).value == -0.5
    assert paths.count(graph).value == math.inf


def test_no_path():
    graph = Graph(2, [Arc(0, 0, 1, 1, 3.0)], [0], [1])
    assert paths.lse(graph).value == -math.inf
    assert paths.best(graph, 1).value == -math.inf
    assert paths.best(graph, -1).value == math.inf
    assert paths.count(graph).value == 0
    for sign in (1, -1):
        np.testing.assert_array_equal(paths.best(graph, sign).gradients[0], [0.0])
    assert paths.lse(Graph()).value == -math.inf


def test_minus_infinity_under_each_reduction():
    graph = Graph(2, [Arc(0, 1, 1, 1, -math.inf), Arc(0, 1, 2, 2, 2.0)], [0], [1])
    assert paths.lse(graph).value == 2.0
    assert paths.best(graph, 1).value == 2.0
    assert paths.best(graph, -1).value == -math.inf
    np.testing.assert_array_equal(paths.best(graph, -1).gradients[0], [1.0, 0.0])
    assert paths.count(graph).value == 2


def test_cycles_of_best_paths():
    with pytest.raises(paths.DivergesError):
        paths.best(self_loop(1.5), 1)
    with pytest.raises(paths.DivergesError):
        paths.best(self_loop(0.5), -1)
    assert paths.best(self_loop(0.5), 1).value == 0.0
    assert paths.best(self_loop(1.5), -1).value == 0.0
    zero = Graph(2, [Arc(0, 0, 1, 1, 0.0), Arc(0, 1, 2, 2, 0.0)], [0], [1])
    np.testing.assert_array_equal(paths.best(zero, 1).gradients, [[0.0, 1.0]])


def random_graph(seed: int, cycles: float = 0.0) -> Graph:
    style = Style(n_labels=1, grid=True, cycles=cycles, infinite=0.05, epsilon=0.0)
    return draw_graph(random.Random(seed), style, acceptor=True).to_graph("A")


def test_sums_by_length_equal_enumeration():
    checked = 0
    for seed in range(400):
        graph = random_graph(seed)
        few = paths.lse(graph)
        by_length = paths.lse(graph, enumerate_up_to=0)
        assert by_length.value == pytest.approx(few.value, abs=1e-12)
        np.testing.assert_allclose(by_length.gradients[0], few.gradients[0], atol=1e-12)
        checked += few.n_finite_paths >= 2
    assert checked > 60


def bounded_paths(graph: Graph, longest: int) -> list[tuple[int, ...]]:
    found, layer = [], [(s, ()) for s in graph.start]
    for _ in range(longest + 1):
        found += [path for state, path in layer if state in graph.accept]
        layer = [(a.dst, (*p, k)) for s, p in layer for k, a in enumerate(graph.arcs) if a.src == s]
    return found


def test_tie_rule_by_full_enumeration():
    ties = 0
    for seed in range(600):
        graph = random_graph(seed, cycles=float(seed % 2 == 0))
        graph.arcs = graph.arcs[:6]
        weights = [a.weight for a in graph.arcs]
        candidates = [p for p in bounded_paths(graph, 4) if all(weights[k] > -math.inf for k in p)]
        reduced = paths.best(graph, 1, canonical=True)
        if not candidates:
            continue
        top = max(sum(weights[k] for k in p) for p in candidates)
        winner = min((p for p in candidates if sum(weights[k] for k in p) == top), key=lambda p: (len(p), p))
        assert reduced.value == top
        expected = np.zeros(len(weights))
        np.add.at(expected, list(winner), 1.0)
        np.testing.assert_array_equal(reduced.gradients, [expected])
        everything = paths.best(graph, 1).gradients
        assert any((g == expected).all() for g in everything)
        ties += len(everything) > 1
    assert ties > 30


def test_count_by_full_enumeration():
    for seed in range(200):
        graph = random_graph(seed)
        assert paths.count(graph).value == len(bounded_paths(graph, 6))


def test_long_lattice_counts_exactly():
    graph = graphs.power(Graph(2, [Arc(0, 1, c, c) for c in range(3)], [0], [1]), 100)
    assert paths.count(graph).value == 3**100
    assert paths.lse(graph).value == pytest.approx(100 * math.log(3), rel=1e-13)


def test_spectral_radius():
    assert paths.spectral_radius(self_loop(0.75)) == pytest.approx(0.75)
    assert paths.spectral_radius(graphs.linear([1, 2])) == 0.0


def test_gradient_by_finite_differences():
    rng = np.random.default_rng(5)
    a = GraphLeaf(2, ((0, 0, 0, 0), (0, 1, 1, 0), (1, 1, -1, 1), (1, 0, 0, -1)), rng.normal(size=4) - 2.0, (0,), (1,))
    tied = GraphLeaf(2, ((0, 1, 0, 0), (0, 1, 1, 1), (1, 0, 0, 1)), rng.normal(size=2) - 1.0, (0,), (0, 1), (0, 1, 0))
    inputs = {"A": [a, a.shift(-0.5)], "B": tied, "X": DenseBatch(rng.normal(size=(2, 3, 2)), (3, 2)), "w": 0.3}
    weighted = apply("weight", leaf("B"), apply("subtract", score("w"), apply("LSE", leaf("A"))))
    big = apply("compose", apply("union", leaf("A"), weighted), leaf("X"))
    trees = [
        apply("LSE", big),
        apply("subtract", apply("multiply", number(2), apply("LSE", big)), score("w")),
        apply("logadd", apply("LSE", big), score("w")),
        apply("max", apply("MAX", big), score("w")),
        apply("exp", apply("divide", apply("LSE", big), number(4))),
    ]
    step = 1e-5
    for tree in trees:
        result = evaluate(tree, inputs)
        assert not result.tie
        for name in inputs:
            got = result.gradients[0][name]
            flat = np.concatenate([np.ravel(g) for g in got]) if isinstance(got, list) else np.ravel(got)
            for entry in range(len(flat)):
                sides = [
                    np.sum(evaluate(tree, {**inputs, name: moved(inputs[name], entry, s)}).value) for s in (step, -step)
                ]
                assert flat[entry] == pytest.approx((sides[0] - sides[1]) / (2 * step), abs=1e-6), (tree.text(), name)


def moved(value, entry: int, amount: float):
    if isinstance(value, float):
        return value + amount
    if isinstance(value, list):
        sizes = list(itertools.accumulate(len(x.weights) for x in value))
        item = next(i for i, end in enumerate(sizes) if entry < end)
        within = entry - (sizes[item - 1] if item else 0)
        return [moved(x, within, amount) if i == item else x for i, x in enumerate(value)]
    if isinstance(value, DenseBatch):
        scores = value.scores.copy()
        scores.reshape(-1)[entry] += amount
        return DenseBatch(scores, value.lengths)
    weights = value.weights.copy()
    weights[entry] += amount
    return GraphLeaf(value.n_states, value.arcs, weights, value.start, value.accept, value.tie)


def test_undefined_and_infinite_scores():
    nothing, something = apply("LSE", apply("empty")), apply("LSE", leaf("X"))
    inputs = {"X": DenseLeaf(np.array([[0.5, -0.5]]))}
    with pytest.raises(UndefinedScoreError):
        evaluate(apply("subtract", nothing, nothing), inputs)
    with pytest.raises(UndefinedScoreError):
        evaluate(apply("multiply", number(0), nothing), inputs)
    assert evaluate(apply("subtract", something, nothing), inputs).value == math.inf
    both = evaluate(apply("logadd", nothing, nothing), inputs)
    assert both.value == -math.inf
    one = evaluate(apply("logadd", nothing, something), inputs)
    np.testing.assert_allclose(one.gradients[0]["X"], evaluate(something, inputs).gradients[0]["X"])


def test_ties_report_every_choice():
    tree = apply("MAX", apply("union", leaf("A"), leaf("B")))
    one = GraphLeaf(2, ((0, 1, 0, 0),), np.array([0.5]), (0,), (1,))
    result = evaluate(tree, {"A": one, "B": one})
    assert result.tie
    assert sorted((float(g["A"][0]), float(g["B"][0])) for g in result.gradients) == [(0.0, 1.0), (1.0, 0.0)]


def test_no_time_steps_is_the_empty_string():
    assert evaluate(apply("LSE", leaf("X")), {"X": DenseLeaf(np.zeros((0, 3)))}).value == 0.0
