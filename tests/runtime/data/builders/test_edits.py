"""Edits and neighbourhoods, against tables of distances."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import numpy as np
import pytest
from support.reading import all_paths, scores
from support.seeds import for_seeds

import arcgrad as ag

BEST = ag.compile("MAX[A ∘ E ∘ B]")
SUM = ag.compile("LSE[A ∘ E ∘ B]")


def table(a: list[int], b: list[int], s: Any, add: Any) -> float:
    """The score of editing a into b, all ways put together by ``add``; s has what each edit scores."""
    rows: dict[tuple[int, int], float] = {}
    for i, j in itertools.product(range(len(a) + 1), range(len(b) + 1)):
        ways = [0.0] if i == j == 0 else []
        ways += [rows[i, j - 1] + s["insertion"][b[j - 1]]] if j else []
        ways += [rows[i - 1, j] + s["deletion"][a[i - 1]]] if i else []
        ways += [rows[i - 1, j - 1] + s["substitution"][a[i - 1], b[j - 1]]] if i and j else []
        rows[i, j] = add(ways)
    return rows[len(a), len(b)]


@for_seeds(20)
def test_edits_are_the_table_of_distances(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 4))
    labels = sorted(rng.choice(9, n, replace=False).tolist())
    a, b = (rng.integers(0, n, int(rng.integers(0, 5))).tolist() for _ in range(2))
    kind = seed % 3
    insertion, deletion = (rng.normal(size=n) - 2 if kind else float(rng.normal() - 2) for _ in range(2))
    if kind == 2:
        substitution, match = rng.normal(size=(n, n)), None
        pairs = substitution
    else:
        substitution, match = float(rng.normal()), float(rng.normal())
        pairs = np.where(np.eye(n, dtype=bool), match, substitution)
    s = {"insertion": np.broadcast_to(insertion, n), "deletion": np.broadcast_to(deletion, n), "substitution": pairs}
    E = ag.graphs.edits(labels, insertion, deletion, substitution, match)
    graphs = {"A": ag.linear([labels[k] for k in a]), "B": ag.linear([labels[k] for k in b]), "E": E}
    assert BEST(graphs) == pytest.approx(table(a, b, s, max), abs=1e-12)
    assert SUM(graphs) == pytest.approx(table(a, b, s, lambda ways: float(np.logaddexp.reduce(ways))), abs=1e-12)
    sizes = [np.size(insertion), np.size(deletion), np.size(substitution), 0 if match is None else 1]
    assert len(E.weight) == sum(sizes)
    assert E.n_arcs == n * n + 2 * n


def test_the_gradient_counts_edits() -> None:
    distance = ag.compile("MAX[A ∘ E ∘ B]")
    words = {"A": ag.linear("intention"), "B": ag.linear("execution")}
    value, gradient = distance.value_and_grad(**words, E=ag.graphs.edits("inteoxcu"), wrt="E")
    assert value == -5.0
    inserted, deleted, replaced, kept = gradient["E"]
    assert (inserted + deleted + replaced, deleted + replaced + kept) == (5.0, 9.0)


def test_alphabets() -> None:
    by_number = ag.graphs.edits(3)
    assert ag.equal(by_number, ag.graphs.edits([0, 1, 2]))
    assert ag.equal(by_number, ag.graphs.edits(range(3)))
    assert ag.equal(by_number, ag.graphs.edits(np.arange(3)))
    assert ag.equal(by_number, ag.graphs.edits(ag.SymbolTable("xyz")))
    assert ag.graphs.edits("ba").ilabel.tolist() == [-1, -1, 98, 97, 98, 98, 97, 97]
    assert ag.graphs.edits(0).n_arcs == 0
    assert ag.compile("COUNT[E]")(E=ag.graphs.edits("")) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("aba",), "alphabet has the label 97 twice"),
        (([1, -1],), "ε"),
        (([1, 1.5],), "alphabet has"),
        ((-1,), "alphabet is -1"),
        ((1.5,), "alphabet is 1.5"),
        ((None,), "alphabet is None"),
        ((2, [1.0]), r"insertion has shape \(1,\).* of shape \(2,\)"),
        ((2, 0.0, "x"), "deletion is 'x'"),
        ((2, 0.0, math.nan), "deletion"),
        ((2, 0.0, 0.0, math.inf), "substitution"),
        ((2, 0.0, 0.0, [1.0, 2.0]), r"substitution has shape \(2,\).* \(2, 2\)"),
        ((2, 0.0, 0.0, np.zeros((2, 2)), 1.0), "match is given"),
        ((2, 0.0, 0.0, 0.0, [1.0]), r"match has shape \(1,\)"),
    ],
)
def test_wrong_edits(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ag.InputError, match=message):
        ag.graphs.edits(*arguments)
    with pytest.raises(ag.LimitError, match="edits of 10000 labels"):
        ag.graphs.edits(10_000)


UNIT = {"insertion": [-1] * 3, "deletion": [-1] * 3, "substitution": np.eye(3) - 1}


@for_seeds(25)
def test_a_neighbourhood_has_each_string_that_is_near_once(seed: int) -> None:
    rng = random.Random(seed)
    n = rng.randint(1, 3)
    target = [rng.randrange(n) for _ in range(rng.randint(0, 4))]
    k = rng.randint(0, 2)
    score = rng.choice([-1.0, 0.0, -0.5, 2.0])
    graph = ag.graphs.levenshtein([label + 5 for label in target], k, range(5, 5 + n), score=score)
    expected = {}
    for length in range(len(target) + k + 2):
        for string in itertools.product(range(n), repeat=length):
            away = -table(target, list(string), UNIT, max)
            if away <= k:
                expected[tuple(label + 5 for label in string)] = score * away
    found = all_paths(graph, len(target) + k + 2)
    assert len(found) == len(expected)
    assert {read: weight for (read, _), weight in found} == pytest.approx(expected)
    pairs = list(zip(graph.src.tolist(), graph.ilabel.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    if score == 0.0:
        assert -1 not in graph.ilabel


def test_neighbourhoods_of_words() -> None:
    near = ag.graphs.levenshtein("bad", 1, "abd", score=0.0)
    words = {"".join(map(chr, read)) for read, _ in scores(near, 5)}
    assert {"bad", "ad", "bd", "ba", "aad", "dad", "babd"} <= words
    assert "bada" in words
    assert "abd" not in words
    assert ag.graphs.levenshtein("", 0, "").n_states == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("abc", 1, "ab"), r"string\[2\] is 99, which is not in the alphabet"),
        (("a", -1, "a"), "distance is -1"),
        (("a", 1.5, "a"), "distance is 1.5"),
        ((["a"], 1, "a"), "symbols are looked up in a table"),
        (([-1], 1, "a"), r"string\[0\] is −1"),
        ((3, 1, "a"), "string has shape"),
    ],
)
def test_wrong_neighbourhoods(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ag.InputError, match=message):
        ag.graphs.levenshtein(*arguments)
    with pytest.raises(ag.InputError, match="score is nan"):
        ag.graphs.levenshtein("a", 1, "a", score=math.nan)
    with pytest.raises(ag.LimitError, match=r"the neighbourhood would have at least .* states(?s:.*)lower distance"):
        ag.graphs.levenshtein("abcabcabc", 3, "abc", limits=ag.Limits(states=100))
