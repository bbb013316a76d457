"""``ag.ambiguity``: a shortest string with two paths, against counts of paths by matrices."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from support.adapter import convert
from support.random_graphs import Style, draw_graph
from support.seeds import for_seeds

import arcgrad as ag
from arcgrad.compiler.graphs.adjacency import accessible, coaccessible, induced
from arcgrad.runtime.data.ambiguity import Ambiguity

LONGEST = 6


def shortest_by_counting(graph: ag.Graph, labels: np.ndarray) -> int | None:
    """Length of a shortest string of at most LONGEST labels with two paths; None: there is no such string."""
    trim, arcs = induced(graph.topology, accessible(graph.topology) & coaccessible(graph.topology))
    n, labels = trim.n_states, labels[arcs]
    starts, accepts = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    starts[trim.start], accepts[trim.accept] = 1, 1

    def matrix(label: int) -> np.ndarray:
        found = np.zeros((n, n), dtype=np.int64)
        np.add.at(found, (trim.src[labels == label], trim.dst[labels == label]), 1)
        return found

    epsilon, closure = matrix(-1), np.eye(n, dtype=np.int64)
    power = closure
    for _ in range(3 * n + 1):  # once round a cycle, and on
        power = np.minimum(power @ epsilon, 2)
        closure = closure + power
    rows = [closure.T @ starts]
    moves = [np.minimum(matrix(label) @ closure, 3) for label in range(Style().n_labels)]
    for length in range(LONGEST + 1):
        if any(row @ accepts > 1 for row in rows):
            return length
        rows = list(
            {tuple(np.minimum(row @ move, 3)): np.minimum(row @ move, 3) for row in rows for move in moves}.values()
        )
    return None


def walk(graph: ag.Graph, labels: np.ndarray, start: int, path: tuple[int, ...]) -> tuple[int, ...]:
    """The string of a path, once it is one."""
    assert start in graph.start
    here = start
    for arc in path:
        assert graph.src[arc] == here
        here = int(graph.dst[arc])
    assert here in graph.accept
    return tuple(int(labels[arc]) for arc in path if labels[arc] >= 0)


def check(found: Ambiguity | None, graph: ag.Graph, labels: np.ndarray) -> bool:
    expected = shortest_by_counting(graph, labels)
    if found is None:
        assert expected is None
        return False
    assert expected is None or len(found.string) == expected
    ways = list(zip(found.starts, found.paths, strict=True))
    assert ways[0] != ways[1]
    assert [walk(graph, labels, *way) for way in ways] == [found.string] * 2
    return True


def check_seed(seed: int) -> bool:
    rng = random.Random(seed)
    style = Style(cycles=0.5, infinite=0.2, n_states=4, epsilon=rng.choice([0.0, 0.1, 0.4]))
    graph = convert(draw_graph(rng, style, acceptor=rng.random() < 0.6))
    assert check(ag.ambiguity(graph, side="output"), graph, graph.olabel) in (True, False)
    found = check(ag.ambiguity(graph), graph, graph.ilabel)
    assert graph.is_unambiguous is not found
    return found


def test_random_graphs() -> None:
    found = [check_seed(seed) for seed in range(400)]
    assert 50 < sum(found) < 350


@pytest.mark.slow
@for_seeds(5000)
def test_many_random_graphs(seed: int) -> None:
    check_seed(10_000 + seed)


def test_what_ways_to_be_ambiguous_there_are() -> None:
    line = ag.linear([1, 2])
    cases = [
        (ag.Graph([0, 0], [1, 1], [5, 5], accept=[1]), (5,), ((0,), (1,))),  # parallel arcs
        (ag.Graph([], [], [], start=[0, 1], accept=[0, 1]), (), ((), ())),  # two starts
        (ag.Graph([0], [0], [-1], accept=[0]), (), ((0,), ())),  # a loop of ε
        (ag.Graph([0, 1], [1, 2], [-1, -1], accept=[1, 2]), (), ((0, 1), (0,))),  # ε to go on or not
        (ag.compile("A + A")(A=line), (1, 2), ((0, 1), (2, 3))),
    ]
    for graph, string, paths in cases:
        found = ag.ambiguity(graph)
        assert found is not None
        assert (found.string, found.paths) == (string, paths)
        assert not graph.is_unambiguous
    for graph in (
        line,
        ag.Graph([], [], []),
        ag.Graph([0, 0], [1, 2], [5, 5], accept=[2]),
    ):  # the other arc is a dead end
        assert graph.is_unambiguous


def test_deterministic_graphs_are_told_at_once() -> None:
    n = 300_000
    line = ag.linear(np.arange(n) % 7)
    assert line.is_unambiguous
    assert ag.compile("rev[A]")(A=ag.compile('re"[ab]*a[ab]{8}"')()).is_unambiguous


def test_a_large_ambiguous_graph() -> None:
    """Strings of a's and b's with two a's nine apart, several ways: pairs are few though strings are many."""
    graph = ag.compile('S = re"[ab]"\nS* "a" S{9} "a" S*')()
    found = ag.ambiguity(graph)
    assert found is not None
    assert len(found.string) == 12
    words = ["".join(word) for word in itertools.product("ab", repeat=3)]
    assert ag.compile(" + ".join(f'"{word}"' for word in words))().is_unambiguous


def test_bad_arguments() -> None:
    with pytest.raises(ag.InputError, match="graph is of type list, but a Graph was expected"):
        ag.ambiguity([])
    with pytest.raises(ag.InputError, match="side is 'both', but must be 'input' or 'output'"):
        ag.ambiguity(ag.linear([1]), side="both")
    with pytest.raises(ag.LimitError, match="the graph composed with itself would have at least"):
        ag.ambiguity(ag.compile('S = re"[ab]"\nS* "a" S{7} "a" S*')(), limits=ag.Limits(states=40))
