"""Looking inside a graph: its paths and strings, best first, its arcs, and other ends."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import numpy as np
import pytest
from support.adapter import convert
from support.random_graphs import Style, draw_graph
from support.seeds import for_seeds

import arcgrad as ag
from arcgrad.runtime.transforms import TWINS, nbest

LINE = ag.linear([1, 2], [0.5, -1.0])
LOOP = ag.Graph([0, 0], [0, 0], [1, 2], weight=[-0.5, -0.25], start=[0], accept=[0])
EMPTY = ag.Graph([], [], [], n_states=0, start=[])


def drawn(seed: int, most: float = 1.0) -> ag.Graph:
    rng = random.Random(seed)
    style = Style(grid=True, cycles=rng.choice([0.0, most]), infinite=0.1, epsilon=0.3)
    return convert(draw_graph(rng, style, acceptor=False))


def without(labels: Any) -> tuple[int, ...]:
    return tuple(label for label in labels if label >= 0)


@pytest.mark.parametrize("by_kernels", [False, True])
def test_paths_are_those_of_nbest(by_kernels: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nbest, "_SMALL", 0 if by_kernels else 10**9)
    for kernel in TWINS["nbest"].kernels["", ""]:
        kernel.load()
    for seed in range(60):
        graph = drawn(seed)
        found = graph.paths(150)
        best = ag.compile("NBEST[A, 150]", mode="interpret")(A=graph)
        assert [label for path in found for label in path.ilabels] == best.ilabel.tolist()
        assert [label for path in found for label in path.olabels] == best.olabel.tolist()
        assert [graph.arc_weight[arc] for path in found for arc in path.arcs] == best.arc_weight.tolist()
        assert [path.weight for path in found] == [math.fsum(graph.arc_weight[list(path.arcs)]) for path in found]
        assert list(itertools.islice(graph.paths(), 150)) == found


@for_seeds(30)
def test_strings_are_those_of_the_best_paths(seed: int) -> None:
    graph = drawn(seed)
    paths = graph.paths(2000)
    expected: dict[str, dict[Any, float]] = {"input": {}, "output": {}, "both": {}}
    for path in paths:
        read, written = without(path.ilabels), without(path.olabels)
        expected["input"].setdefault(read, path.weight)
        expected["output"].setdefault(written, path.weight)
        expected["both"].setdefault((read, written), path.weight)
    for side, known in expected.items():
        found = graph.strings(len(known) if len(paths) < 2000 else min(len(known), 12), side)
        weights = [each[-1] for each in found]
        assert weights == sorted(weights, reverse=True)
        strings = [each[:-1] if side == "both" else each[0] for each in found]
        assert len(set(strings)) == len(strings)
        assert weights == [known[string] for string in strings]
        assert weights == sorted(known.values(), reverse=True)[: len(weights)]
        if len(paths) < 2000:
            assert len(graph.strings(10_000, side)) == len(known)


def test_strings_with_paths_without_end_are_found_once() -> None:
    graph = ag.Graph([0, 0, 1], [0, 1, 1], [-1, 5, -1], weight=[0.0, -1.0, -0.5], accept=[1])
    assert graph.strings(10) == [((5,), -1.0)]
    assert list(graph.strings()) == [((5,), -1.0)]
    assert graph.strings(10, "both") == [((5,), (5,), -1.0)]
    fork = ag.Graph([0, 0, 2], [1, 2, 3], [5, 5, -1], weight=[-1.0, 0.0, -0.5], accept=[1, 2, 3])
    assert fork.strings(10) == [((5,), 0.0)]
    tied = ag.Graph([0, 0], [0, 0], [1, 2], accept=[0])  # all strings of a weight: shorter ones first
    assert [len(string) for string, _ in tied.strings(7)] == [0, 1, 1, 2, 2, 2, 2]
    assert [string for string, _ in tied.strings(4)] == [(), (1,), (2,), (1, 1)]


def test_symbols() -> None:
    pairs = ag.compile('("cat" : "dog")⟨-1⟩ + "c" : "d"')()
    assert pairs.strings(5, symbols=chr) == [("c", 0.0), ("cat", -1.0)]
    assert pairs.strings(5, "both", chr) == [("c", "d", 0.0), ("cat", "dog", -1.0)]
    assert pairs.strings(5, "output", chr) == [("d", 0.0), ("dog", -1.0)]
    assert pairs.strings(1, "both", chr, {"<d>": ord("d")}) == [("c", "<d>", 0.0)]
    assert pairs.strings(1, "output", ["x"], {"<d>": ord("d")}) == [("<d>", 0.0)]
    assert LINE.strings(1, symbols=["a", "hello", "world"]) == [("hello world", -0.5)]
    assert LINE.strings(1, symbols=ag.SymbolTable("abc")) == [("bc", -0.5)]
    with pytest.raises(ag.InputError):
        LINE.strings(1, symbols=["a"])
    with pytest.raises(ag.InputError):
        LINE.strings(1, symbols=3)


def test_edges() -> None:
    for none in (EMPTY, ag.Graph([0], [1], [1], accept=[]), LINE.with_weight([-np.inf, 0.0])):
        assert none.paths(3) == none.strings(3) == none.strings(3, "both") == list(none.paths()) == []
    nothing = ag.Graph([], [], [], accept=[0])
    assert nothing.strings(2, "both") == [((), (), 0.0)]
    assert [(path.arcs, path.weight) for path in nothing.paths(2)] == [((), 0.0)]
    assert LOOP.paths(0) == []
    beyond = ag.Graph([0, 0, 1], [1, 1, 2], [1, 2, 3], weight=[-9e307, -1.0, -1.7e308], accept=[2])
    assert beyond.strings(5) == [((2, 3), -1.7e308)]
    assert len(beyond.paths(5)) == 1
    for look in (LOOP.with_weight([0.5, -1.0]).paths, LOOP.with_weight([0.5, -1.0]).strings):
        with pytest.raises(ag.DivergenceError, match="MAX diverges"):
            look(1)


@pytest.mark.parametrize("n", [-1, 1.5, "x", True, math.nan, [1]])
def test_how_many_is_a_whole_number(n: Any) -> None:
    for look in (LINE.paths, LINE.strings):
        with pytest.raises(ag.InputError, match=r"n is .* but must be a whole number, 0 or more, or None for all"):
            look(n)


@pytest.mark.parametrize("side", [None, 0, "in", "ilabel", ""])
def test_sides(side: Any) -> None:
    with pytest.raises(ag.InputError, match="must be one of 'input', 'output', 'both'"):
        LINE.strings(1, side)


def test_arcs_and_ends() -> None:
    tied = ag.Graph([0, 1], [1, 2], [3, 4], [5, 6], [0.5], accept=[2], tie=[0, 0])
    assert list(tied.arcs()) == [(0, 1, 3, 5, 0.5), (1, 2, 4, 6, 0.5)]
    other = tied.with_ends(start=[1, 1], accept=[2, 0])
    assert (other.start.tolist(), other.accept.tolist(), other.tie.tolist()) == ([1], [0, 2], [0, 0])
    assert other.src is tied.src
    assert tied.with_ends(start=[1]).accept.tolist() == [2]
    assert tied.with_ends(accept=[]).strings(3) == []
    assert ag.compile("LSE[A]")(A=tied.with_ends(start=[1])) == 0.5
    assert tied.fingerprint != other.fingerprint
    assert list(EMPTY.arcs()) == []
    for wrong in ([3], [-1], "a", [0.5], 1.5):
        with pytest.raises(ag.InputError):
            tied.with_ends(start=wrong)
        with pytest.raises(ag.InputError):
            tied.with_ends(accept=wrong)


@pytest.mark.slow
def test_a_long_graph_is_looked_at_as_far_as_asked() -> None:
    rng = np.random.default_rng(0)
    src = np.repeat(np.arange(20_000), 3)
    graph = ag.Graph(src, src + 1, rng.integers(0, 9, len(src)), weight=rng.normal(size=len(src)), accept=[20_000])
    paths = list(itertools.islice(graph.paths(), 5))
    assert all(len(path.arcs) == 20_000 for path in paths)
    strings = graph.strings(3)
    assert strings[0][1] == pytest.approx(paths[0].weight)
    assert len({string for string, _ in strings}) == 3
