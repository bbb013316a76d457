"""Label models and RNN-T's lattice, against their definitions."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from typing import Any

import numpy as np
import pytest
from support.reading import all_paths
from support.seeds import for_seeds

import arcgrad as ag

TOTAL = ag.compile("LSE[G]")


def weights_of(graph: ag.Graph, longest: int) -> dict[tuple[int, ...], float]:
    """The weight of each string that is read along one path."""
    found = {}
    for (read, written), weight in all_paths(graph, longest):
        assert read == written
        assert read not in found
        found[read] = weight
    return found


@for_seeds(20)
def test_a_bigram_adds_up_scores_of_neighbours(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(0, 4))
    scores, start, end = rng.normal(size=(n, n)), rng.normal(size=n), rng.normal(size=n)
    for first, last in itertools.product((None, start), (None, end)):
        graph = ag.graphs.bigram(scores, first, last)
        expected = {}
        for length in (1, 2, 3):
            for string in itertools.product(range(n), repeat=length):
                weight = sum(scores[pair] for pair in itertools.pairwise(string))
                weight += 0.0 if first is None else start[string[0]]
                expected[string] = weight + (0.0 if last is None else end[string[-1]])
        found = weights_of(graph, 3)
        assert found == pytest.approx(expected, abs=1e-12)
        assert graph.weight[: n * n].reshape(n, n).tolist() == scores.tolist()
        assert graph.n_arcs == n * n + n + (0 if last is None else n)


def test_the_gradient_of_a_bigram_is_that_of_its_scores() -> None:
    scores = np.array([[0.5, -1.0], [0.25, 2.0]])
    equation = ag.compile("LSE[X ∘ B]")
    X = ag.dense(np.random.default_rng(0).normal(size=(4, 2)))
    value, gradient = equation.value_and_grad(X=X, B=ag.graphs.bigram(scores), wrt="B")
    for i, j in itertools.product(range(2), repeat=2):
        moved = scores.copy()
        moved[i, j] += 1e-6
        slope = (equation(X=X, B=ag.graphs.bigram(moved)) - value) / 1e-6
        assert gradient["B"][:4].reshape(2, 2)[i, j] == pytest.approx(slope, abs=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0],), r"scores has shape \(1,\)"),
        (([[1.0, 2.0]],), r"scores has shape \(1, 2\)(?s:.*)start="),
        (([["a"]],), "scores has .*dtype"),
        (([[math.nan]],), r"scores\[0, 0\] is nan"),
        (([[math.inf]],), "weights must be real"),
        (([[1.0]], [1.0, 2.0]), "start has 2 entries"),
        (([[1.0]], None, [math.nan]), r"end\[0\] is nan"),
        ((None,), "scores is None"),
    ],
)
def test_wrong_bigrams(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ag.InputError, match=message):
        ag.graphs.bigram(*arguments)


def counted(strings: list[list[int]], n: int, ends: bool = True) -> Counter[Any]:
    counts: Counter[Any] = Counter()
    for string in strings:
        padded = [None] * (n - 1) + string + ([None] if ends else [])
        counts.update(zip(*(padded[k:] for k in range(n)), strict=False))
    return counts


class Model:
    """Absolute discounting by its definition, counting in the strings again and again."""

    def __init__(self, strings: list[list[int]], n: int, discount: float, events: list[int], ends: bool) -> None:
        # −1 stands before strings, −2 behind.
        self.texts = [[-1] * (n - 1) + string + ([-2] if ends else []) for string in strings]
        self.n, self.discount = n, discount
        self.events = events + ([-2] if ends else [])

    def count(self, gram: tuple[int, ...]) -> int:
        places = [(text, at) for text in self.texts for at in range(self.n - 1, len(text))]
        return sum(tuple(text[at - len(gram) + 1 : at + 1]) == gram for text, at in places)

    def probability(self, context: tuple[int, ...], event: int) -> float:
        if context[:2] == (-1, -1):
            return self.probability(context[1:], event)
        counts = {e: self.count((*context, e)) for e in self.events}
        total = sum(counts.values())
        if total == 0:
            return self.probability(context[1:], event)
        kept = {e: max(c - self.discount, 0) / total for e, c in counts.items()}
        if not context:
            return kept[event] + (1 - sum(kept.values())) / len(self.events)
        seen = [e for e, p in kept.items() if p > 0]
        if len(seen) == len(self.events):
            return kept[event] / sum(kept.values())
        if event in seen:
            return kept[event]
        shorter = {e: self.probability(context[1:], e) for e in self.events}
        rest = 1 - sum(shorter[e] for e in seen)
        return (1 - sum(kept.values())) * shorter[event] / rest

    def string(self, string: tuple[int, ...], ends: bool) -> float:
        text = (-1,) * (self.n - 1) + string + ((-2,) if ends else ())
        places = range(self.n - 1, len(text))
        return math.prod(self.probability(text[at - self.n + 1 : at], text[at]) for at in places)


@for_seeds(12)
def test_an_ngram_model_is_its_definition(seed: int) -> None:
    rng = random.Random(seed)
    n, discount, ends = rng.randint(1, 3), rng.choice([0.25, 0.5, 0.9]), rng.random() < 0.8
    strings = [[rng.choice([2, 3, 5]) for _ in range(rng.randint(0, 4))] for _ in range(rng.randint(1, 5))]
    strings.append([2])
    counts = counted(strings, n, ends)
    size = rng.choice([None, 6])
    events = sorted({label for string in strings for label in string}) if size is None else list(range(6))
    model = Model(strings, n, discount, events, ends)
    graph = ag.graphs.ngram(counts, discount=discount, n_labels=size)
    backing = ag.graphs.ngram(counts, discount=discount, n_labels=size, backoff="epsilon")
    found = {read: math.exp(weight) for read, weight in weights_of(graph, 2).items()}
    several: dict[Any, list[float]] = {}
    for (read, _), weight in all_paths(backing, 2):
        several.setdefault(read, []).append(math.exp(weight))
    expected = [string for length in range(3) for string in itertools.product(events, repeat=length)]
    assert sorted(found) == sorted(expected)
    for string in expected:
        probability = model.string(string, ends)
        assert found[string] == pytest.approx(probability, rel=1e-9), string
        assert any(way == pytest.approx(probability, rel=1e-9) for way in several[string])
    if ends:
        assert TOTAL(G=graph) == pytest.approx(0.0, abs=1e-9)


def test_without_discounts_nothing_unseen_has_a_probability() -> None:
    graph = ag.graphs.ngram(counted([[1, 2], [1, 2]], 2), discount=0.0, n_labels=4)
    assert weights_of(graph, 5) == {(1, 2): 0.0}


@pytest.mark.parametrize(
    ("counts", "options", "message"),
    [
        ([(1, 2)], {}, "counts is a list(?s:.*)Counter"),
        ({}, {}, "counts are all 0, or none"),
        ({(1,): 0.0}, {}, "counts are all 0"),
        ({"ab": 1}, {}, "counts has the key 'ab'"),
        ({(): 1}, {}, r"counts has the key \(\)"),
        ({(1, -1): 1}, {}, r"a label of counts\[\(1, -1\)\] is -1"),
        ({(1, "a"): 1}, {}, r"a label of counts\[\(1, 'a'\)\] is 'a'"),
        ({(1, None, 2): 1}, {}, "None in the middle"),
        ({(1, 2): -1}, {}, r"counts\[\(1, 2\)\] is -1"),
        ({(1, 2): math.inf}, {}, "is inf"),
        ({(1, 2): 1, (1,): 1}, {}, "several lengths"),
        ({(1, 2): 1}, {"discount": 0.0}, r"\(1, 2\) is counted, but no n-gram ends in \(1,\)"),
        ({(1,): 1}, {"n_labels": 1}, "label 1, but n_labels=1"),
        ({(1,): 1}, {"discount": 1.0}, "discount is 1.0"),
        ({(1,): 1}, {"discount": "x"}, "discount is 'x'"),
        ({(1,): 1}, {"backoff": "no"}, "backoff is 'no'"),
        ({(1,): 1}, {"limits": 2}, "limits is 2"),
    ],
)
def test_wrong_counts(counts: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ag.InputError, match=message):
        ag.graphs.ngram(counts, **options)


def test_models_that_are_too_large() -> None:
    with pytest.raises(ag.LimitError, match=r"Limits\(arcs=2000000000\)"):
        ag.graphs.ngram({(1,): 1}, n_labels=2_000_000_000)
    counts = counted([[label] for label in range(50)], 2)
    with pytest.raises(ag.LimitError, match="contexts and 51 words"):
        ag.graphs.ngram(counts, limits=ag.Limits(arcs=1000))
    assert ag.graphs.ngram(counts, limits=ag.Limits(arcs=1000), backoff="epsilon").n_arcs < 1000


@for_seeds(20)
def test_the_lattice_has_each_way_of_laying_labels_between_frames(seed: int) -> None:
    rng = np.random.default_rng(seed)
    T, U, V = int(rng.integers(1, 5)), int(rng.integers(0, 4)), 4
    blank = int(rng.integers(V))
    target = rng.choice([label for label in range(V) if label != blank], U)
    scores = rng.normal(size=(T, U + 1, V))
    graph = ag.graphs.rnnt_lattice(T, target, blank, scores=scores)
    expected: Counter[Any] = Counter()
    terms: dict[Any, list[tuple[int, int, int]]] = {}
    for frames in itertools.combinations_with_replacement(range(T), U):  # the frame at which each label is written
        read, used, u = [], [], 0
        for t in range(T):
            while u < U and frames[u] == t:
                read.append(target[u])
                used.append((t, u, target[u]))
                u += 1
            read.append(blank)
            used.append((t, u, blank))
        expected[tuple(map(int, read))] += 1
        terms[tuple(map(int, read))] = used
    found = all_paths(graph, T + U)
    assert Counter(read for (read, _), _ in found) == expected
    assert max(expected.values()) == 1
    for (read, _), weight in found:
        assert weight == pytest.approx(sum(scores[at] for at in terms[read]), abs=1e-12)
    assert graph.n_states == T * (U + 1) + 1
    assert graph.n_arcs == T * (U + 1) - U + T * U
    value, gradient = ag.compile("LSE[R]").value_and_grad(R=graph)
    posterior = np.zeros_like(scores)
    for (read, _), weight in found:
        for at in terms[read]:
            posterior[at] += math.exp(weight - value)
    assert np.allclose(gradient["R"].reshape(scores.shape), posterior, atol=1e-12)
    assert ag.equal(ag.graphs.rnnt_lattice(T, target, blank), ag.Graph.from_topology(graph.topology))


def test_a_batch_of_lattices() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(3, 5, 4, 6))
    targets, frames = [[1, 2], [], [5, 5, 5]], [5, 3, 4]
    singles = [
        ag.graphs.rnnt_lattice(T, target, scores=scores[b, :T, : len(target) + 1])
        for b, (T, target) in enumerate(zip(frames, targets, strict=True))
    ]
    listed = [scores[b, :T, : len(target) + 1] for b, (T, target) in enumerate(zip(frames, targets, strict=True))]
    padded = np.array([[1, 2, 0], [0, 0, 0], [5, 5, 5]])
    for batch in (
        ag.graphs.rnnt_lattice(frames, targets, scores=scores),
        ag.graphs.rnnt_lattice(np.array(frames), targets, scores=listed),
        ag.graphs.rnnt_lattice(frames, padded, lengths=[2, 0, 3], scores=scores),
    ):
        assert [ag.equal(one, other) for one, other in zip(batch, singles, strict=True)] == [True] * 3
        assert [g.weight.tolist() for g in batch] == [g.weight.tolist() for g in singles]
    assert len(ag.graphs.rnnt_lattice(4, targets)) == 3
    assert ag.graphs.rnnt_lattice(4, np.zeros((0, 2), dtype=int)) == []


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((0, [1]), {}, "n_frames is 0"),
        ((2, [1, 0]), {}, r"targets\[1\] is 0, but that is the blank"),
        (([2, 3], [[1]]), {}, "one for each of 1 targets"),
        (([2, 0], [[1], [1]]), {}, r"n_frames\[1\] is 0"),
        ((2.5, [[1]]), {}, "n_frames is 2.5"),
        ((2, [[1], [2]]), {"scores": np.zeros((2, 2, 1, 3))}, r"B = 2, T ≥ 2, U \+ 1 ≥ 2"),
        ((2, [[1], [2]]), {"scores": [np.zeros((2, 2, 3)), np.zeros((2, 1, 3))]}, r"scores\[1\] has shape \(2, 1, 3\)"),
        ((2, [1], -1), {}, "blank is -1"),
        ((2, [1]), {"scores": np.zeros((2, 1, 3))}, r"must be .*\(2, 2, V\)"),
        ((2, [1]), {"scores": np.zeros((2, 2))}, r"of shape \(2, 2, V\)"),
        ((2, [3]), {"scores": np.zeros((2, 2, 3))}, r"3 columns .* label 3 of the target"),
        ((2, [1], 3), {"scores": np.zeros((2, 2, 3))}, "the blank 3 is beyond"),
        ((2, [1]), {"scores": np.full((2, 2, 3), np.nan)}, "scores"),
        ((2, [1]), {"limits": 1}, "limits is 1"),
    ],
)
def test_wrong_lattices(arguments: tuple[Any, ...], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ag.InputError, match=message):
        ag.graphs.rnnt_lattice(*arguments, **options)
    with pytest.raises(ag.LimitError, match="the lattice of 1000000000 frames"):
        ag.graphs.rnnt_lattice(10**9, [1])
