"""equal and isomorphic: against all permutations on small graphs, and on large and symmetric ones for time."""

from __future__ import annotations

import itertools
import random
import re

import numpy as np
import pytest
from support.adapter import convert
from support.random_graphs import Style, draw_graph

from arcgrad.grammar.errors import InputError
from arcgrad.runtime.data.dense import dense
from arcgrad.runtime.data.graph import Graph, linear
from arcgrad.runtime.data.isomorphism import equal, isomorphic


def permuted(g: Graph, rng: np.random.Generator) -> Graph:
    """The same graph with its states and arcs renumbered at random."""
    states, arcs = rng.permutation(g.n_states), rng.permutation(g.n_arcs)
    return Graph(
        states[g.src][arcs], states[g.dst][arcs], g.ilabel[arcs], g.olabel[arcs], g.arc_weight[arcs],
        start=states[g.start], accept=states[g.accept], n_states=g.n_states,
    )  # fmt: skip


# Small alphabets of labels and weights, so that there are symmetries.
STYLE = Style(n_labels=1, grid=True, cycles=1.0, infinite=0.3, spread=0.3, epsilon=0.4)


def isomorphic_by_trying(a: Graph, b: Graph, tolerance: float) -> bool:
    """Every renumbering of states and, for arcs with the same ends and labels, every pairing."""
    if (a.n_states, a.n_arcs) != (b.n_states, b.n_arcs):
        return False

    def bundles(g: Graph, number: tuple[int, ...]) -> dict[tuple[int, ...], list[float]]:
        found: dict[tuple[int, ...], list[float]] = {}
        for s, d, i, o, w in zip(g.src, g.dst, g.ilabel, g.olabel, g.arc_weight, strict=True):
            found.setdefault((number[s], number[d], int(i), int(o)), []).append(float(w))
        return found

    def close(x: float, y: float) -> bool:
        return x == y or (np.isfinite(x) and np.isfinite(y) and abs(x - y) <= tolerance)

    theirs = bundles(b, tuple(range(b.n_states)))
    for number in itertools.permutations(range(a.n_states)):
        ours = bundles(a, number)
        if (
            sorted(number[s] for s in a.start) == b.start.tolist()
            and sorted(number[s] for s in a.accept) == b.accept.tolist()
            and ours.keys() == theirs.keys()
            and all(
                any(all(map(close, order, theirs[key])) for order in itertools.permutations(ours[key]))
                if len(ours[key]) == len(theirs[key])
                else False
                for key in ours
            )
        ):
            return True
    return False


def test_equal_looks_at_everything() -> None:
    base = {"src": [0, 0], "dst": [1, 1], "ilabel": [5, 6], "weight": [0.5, -np.inf], "accept": [1]}
    g = Graph(**base)
    assert equal(g, g)
    assert equal(g, Graph(**base))
    assert equal(g, Graph(**base | {"weight": [-np.inf, 0.5], "tie": [1, 0]}))
    for change in (
        {"src": [0, 1]}, {"dst": [1, 0]}, {"ilabel": [5, 7]}, {"ilabel": [6, 5]}, {"olabel": [5, 7]}, {"start": [1]},
        {"accept": [0]}, {"n_states": 3}, {"weight": [0.5, 0.5]}, {"weight": [0.5, -1e308]}, {"weight": [0.6, -np.inf]},
    ):  # fmt: skip
        assert not equal(g, Graph(**base | change))


def test_tolerance_of_equal() -> None:
    a, b = linear([1], weight=[0.5]), linear([1], weight=[0.75])
    assert not equal(a, b)
    assert equal(a, b, tolerance=0.25)
    assert not equal(a, b, tolerance=0.2)
    assert equal(linear([1], [0.0]), linear([1], [-0.0]))
    minus_infinity = linear([1], [-np.inf])
    assert equal(minus_infinity, minus_infinity.with_weight([-np.inf]), 1e9)
    assert not equal(minus_infinity, a, float("inf"))
    assert not isomorphic(minus_infinity, a, float("inf"))


@pytest.mark.parametrize("compare", [equal, isomorphic])
def test_what_is_no_graph_is_refused(compare) -> None:
    g = linear([1])
    with pytest.raises(InputError, match=r"b is a Dense(?s:.*)to_graph"):
        compare(g, dense([[1.0]]))
    with pytest.raises(InputError, match="a is a list"):
        compare([g], g)
    for tolerance in (-1.0, float("nan"), "0", None, True, -(10**400), 10**400, [1]):
        with pytest.raises(InputError, match=f"tolerance is {re.escape(repr(tolerance)[:50])}"):
            compare(g, g, tolerance)


def test_isomorphic_agrees_with_all_permutations() -> None:
    rng = np.random.default_rng(1)
    answers = []
    for number in range(500):
        a = convert(draw_graph(random.Random(number), STYLE, acceptor=number % 2 == 0))
        b = permuted(a, rng)
        if number % 3 == 1 and b.n_arcs:  # another weight on one arc
            weight = b.weight.copy()
            weight[0] = rng.choice([0.0, 0.5, -np.inf])
            b = b.with_weight(weight)
        elif number % 3 == 2 and b.n_arcs > 1:  # two arcs exchange their ends
            dst = b.dst.copy()
            dst[[0, 1]] = dst[[1, 0]]
            b = Graph(b.src, dst, b.ilabel, b.olabel, b.weight, start=b.start, accept=b.accept, n_states=b.n_states)
        expected = isomorphic_by_trying(a, b, 0.0)
        assert isomorphic(a, b) == expected, number
        assert isomorphic(b, a, 0) == expected, number
        answers.append(expected)
    assert answers.count(True) > 200
    assert answers.count(False) > 100


def test_isomorphic_agrees_with_all_permutations_where_tolerances_overlap() -> None:
    """Weights of which neighbours are within the tolerance and others are not."""
    rng = np.random.default_rng(2)
    answers = []
    for number in range(300):
        n, m = int(rng.integers(2, 6)), int(rng.integers(1, 7))
        src, dst, label = rng.integers(0, n, m), rng.integers(0, n, m), rng.integers(0, 2, m)
        a = Graph(src, dst, label, weight=rng.integers(0, 4, m) * 1.0, start=(), n_states=n)
        b = permuted(a, rng)
        b = b.with_weight(b.weight + rng.integers(-1, 2, m) * (1.0 if number % 2 else 0.75))
        if number % 3 == 0:
            b = permuted(b.with_weight(rng.permutation(b.weight)), rng)
        expected = isomorphic_by_trying(a, b, 1.0)
        assert isomorphic(a, b, 1.0) == expected, number
        answers.append(expected)
    assert answers.count(True) > 60
    assert answers.count(False) > 40


def test_every_label_counts() -> None:
    a = Graph([0, 0], [1, 2], [5, 6], [7, 8])
    assert isomorphic(a, Graph([0, 0], [2, 1], [5, 6], [7, 8]))
    assert not isomorphic(a, Graph([0, 0], [2, 1], [5, 6], [7, 9]))
    assert not isomorphic(a, Graph([0, 0], [2, 1], [5, 6], [8, 7]))
    assert not isomorphic(a, Graph([0, 0], [2, 1], [5, 9], [7, 8]))


def test_unreachable_states_and_parallel_arcs_count() -> None:
    assert not isomorphic(Graph([], [], [], n_states=2), Graph([], [], [], n_states=3))
    twice, apart = Graph([0, 0], [1, 1], [5, 5], n_states=3), Graph([0, 0], [1, 2], [5, 5])
    assert not isomorphic(twice, apart)
    assert isomorphic(twice, Graph([0, 0], [2, 2], [5, 5]))
    empty = Graph([], [], [], start=(), n_states=0)
    assert isomorphic(empty, empty.with_weight([]))


def cycles(*lengths: int) -> Graph:
    src: list[int] = []
    dst: list[int] = []
    for length in lengths:
        first = len(src)
        src += range(first, first + length)
        dst += [*range(first + 1, first + length), first]
    return Graph(src, dst, [0] * len(src), start=())


def undirected(n: int, joined) -> Graph:
    pairs = [(s, d) for s in range(n) for d in range(n) if s != d and joined(s, d)]
    return Graph([s for s, _ in pairs], [d for _, d in pairs], [0] * len(pairs), start=(), n_states=n)


def diamonds(count: int) -> Graph:
    src, dst = [], []
    for first in range(0, 3 * count, 3):
        src += [first, first, first + 1, first + 2]
        dst += [first + 1, first + 2, first + 3, first + 3]
    return Graph(src, dst, [0] * len(src), accept=[3 * count])


STATES = 10_000
RNG = np.random.default_rng(4)
LARGE = {
    "random": Graph(*RNG.integers(0, STATES, (2, 30_000)), RNG.integers(0, 5, 30_000), n_states=STATES),
    "chain": linear([1] * STATES),
    "isolated states": Graph([], [], [], n_states=STATES),
    "star": Graph([0] * STATES, range(1, STATES + 1), [0] * STATES, accept=range(1, STATES + 1)),
    "cycle": cycles(STATES),
    "many cycles": cycles(*[6] * 500, *[3] * 500),
    "diamonds": diamonds(2000),
    "complete": undirected(60, lambda s, d: True),
    "hypercube": undirected(256, lambda s, d: (s ^ d).bit_count() == 1),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_large_and_symmetric_graphs(name: str) -> None:
    g = LARGE[name]
    h = permuted(g, np.random.default_rng(5))
    assert isomorphic(g, h)
    if g.n_arcs:
        weight = h.weight.copy()
        weight[g.n_arcs // 2] = 1.0
        assert not isomorphic(g, h.with_weight(weight))


def test_regular_graphs_that_refinement_cannot_tell_apart() -> None:
    rng = np.random.default_rng(6)
    assert not isomorphic(cycles(6), cycles(3, 3))
    assert not isomorphic(cycles(*[6] * 20), permuted(cycles(*[6] * 19, 3, 3), rng))

    def rook(s: int, d: int) -> bool:
        return s // 4 == d // 4 or s % 4 == d % 4

    def shrikhande(s: int, d: int) -> bool:
        return ((d // 4 - s // 4) % 4, (d - s) % 4) in {(0, 1), (0, 3), (1, 0), (3, 0), (1, 1), (3, 3)}

    a, b = undirected(16, rook), undirected(16, shrikhande)
    assert isomorphic(a, permuted(a, rng))
    assert isomorphic(b, permuted(b, rng))
    assert not isomorphic(a, permuted(b, rng))


def test_ties_do_not_matter() -> None:
    tied = Graph([0, 0], [1, 1], [5, 6], weight=[0.5], tie=[0, 0], accept=[1])
    assert isomorphic(tied, Graph([1, 1], [0, 0], [6, 5], weight=[0.5, 0.5], start=[1], accept=[0]))
