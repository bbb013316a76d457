"""topsort, synchronize and replace: what they build, what they keep, and what they refuse."""

from __future__ import annotations

import random

import numpy as np
import pytest
from support.seeds import for_seeds
from support.strings import assert_same_strings, draw_strings_graph, string_weights

import arcgrad as ag

MODES = ("interpret", "kernels")


def pairs(graph: ag.Graph, length: int) -> dict[object, float]:
    """Weights of pairs of strings, ε left out."""
    found: dict[object, list[float]] = {}
    for string, weight in string_weights(graph, length).items():
        key = tuple(i for i, _ in string if i >= 0), tuple(o for _, o in string if o >= 0)
        found.setdefault(key, []).append(weight)
    return {key: float(np.logaddexp.reduce(weights)) for key, weights in found.items()}


@for_seeds(60)
def test_topsort_renumbers(seed: int) -> None:
    graph = draw_strings_graph(random.Random(seed), cyclic=False, acceptor=False)
    order = np.random.default_rng(seed).permutation(graph.n_states)
    mixed = ag.Graph(
        order[graph.src], order[graph.dst], graph.ilabel, graph.olabel, graph.arc_weight,
        start=order[graph.start], accept=order[graph.accept], n_states=graph.n_states,
    )  # fmt: skip
    made = ag.compile("topsort[A]")(A=mixed)
    assert np.all(made.src < made.dst)
    assert made.arc_weight.tolist() == graph.arc_weight.tolist()
    assert ag.isomorphic(made, mixed)


@pytest.mark.parametrize("mode", MODES)
def test_topsort_names_a_cycle(mode: str) -> None:
    loop = ag.Graph.from_arcs([(0, 1, 5), (1, 1, 5)], start=[0], accept=[1])
    ring = ag.Graph.from_arcs([(0, 1, 5), (1, 2, 5), (2, 1, 5)], start=[0], accept=[1])
    for graph, words in ((loop, "state 1 has an arc to itself"), (ring, "from states 1, 2 to one another")):
        with pytest.raises(ag.InputError, match=words) as caught:
            ag.compile("LSE[topsort[A]]", mode=mode)(A=graph)
        assert caught.value.place is not None


@for_seeds(150)
def test_synchronize_keeps_pairs_of_strings_in_step(seed: int) -> None:
    graph = draw_strings_graph(random.Random(seed), cyclic=seed % 3 == 0, acceptor=False, n_arcs=7)
    try:
        made = ag.compile("synchronize[A]", mode="interpret")(A=graph)
    except ag.LimitError:
        assert seed % 3 == 0
        return
    if seed % 3:
        expected = pairs(graph, 7)
        found = pairs(made, 14)
        assert_same_strings(found, expected)
    # Once one side has ended, the other goes on alone.
    alone = (made.ilabel < 0) != (made.olabel < 0)
    for arc in np.flatnonzero(alone):
        after = made.src == made.dst[arc]
        assert np.all(alone[after])
    assert ag.compile("synchronize[A]", mode="interpret").check_grad(A=graph).ok


def test_synchronize_arc_by_arc() -> None:
    graph = ag.Graph.from_arcs([(0, 1, 1, -1, 0.1), (1, 2, 2, 7, 0.2), (2, 3, -1, 8, 0.3)], start=[0], accept=[3])
    made = ag.compile("synchronize[A]")(A=graph)
    rows = list(zip(made.ilabel.tolist(), made.olabel.tolist(), made.arc_weight.tolist(), strict=True))
    assert rows == [(-1, -1, 0.1), (1, 7, 0.2), (2, 8, 0.3)]


@pytest.mark.parametrize("mode", MODES)
def test_synchronize_that_does_not_end(mode: str) -> None:
    graph = ag.Graph.from_arcs([(0, 0, 1, -1, -1.0), (0, 0, 2, -1, -1.0), (0, 1, -1, 1, 0.0)], start=[0], accept=[1])
    with pytest.raises(ag.LimitError, match="state 0 of its operand the input is ever further ahead"):
        ag.compile("synchronize[A]", mode=mode)(A=graph)


def test_replace_arc_by_arc() -> None:
    root = ag.Graph.from_arcs([(0, 1, 1, 0.5), (1, 2, 9, 0.25), (2, 0, 1, 0.125)], start=[0], accept=[2])
    part = ag.Graph.from_arcs([(0, 1, 7, 1.0), (0, 1, 1, 2.0)], start=[0], accept=[1, 0])
    made = ag.compile("replace[R, 1: A]")(R=root, A=part)
    rows = zip(made.src.tolist(), made.dst.tolist(), made.ilabel.tolist(), made.arc_weight.tolist(), strict=True)
    assert list(rows) == [
        (0, 3, -1, 0.5), (3, 4, 7, 1.0), (3, 4, 1, 2.0), (3, 1, -1, 0.0), (4, 1, -1, 0.0), (1, 2, 9, 0.25),
        (2, 5, -1, 0.125), (5, 6, 7, 1.0), (5, 6, 1, 2.0), (5, 0, -1, 0.0), (6, 0, -1, 0.0),
    ]  # fmt: skip
    assert made.n_states == 7
    jacobian = ag.compile("replace[R, 1: A]").jacobian(R=root, A=part, wrt="A")
    assert jacobian.toarray().sum(axis=0).tolist() == [2.0, 2.0]


@for_seeds(40)
def test_replace_is_substitution(seed: int) -> None:
    rng = random.Random(seed)
    root, one, two = (draw_strings_graph(rng, cyclic=False, n_arcs=6, minus_infinity=0.0) for _ in range(3))
    made = ag.compile("replace[R, 0: A, 1: B]", mode="interpret")(R=root, A=one, B=two)
    parts = [string_weights(part, 6) for part in (one, two)]
    expected: dict[object, list[float]] = {}
    for string, weight in string_weights(root, 6).items():
        ways = [((), weight)]
        for i, _ in string:
            ways = [(done + more, w + v) for done, w in ways for more, v in parts[i].items()]
        for whole, w in ways:
            if len(whole) <= 5:
                expected.setdefault(whole, []).append(w)
    found = dict(string_weights(made, 5).items())
    assert_same_strings(found, {s: float(np.logaddexp.reduce(w)) for s, w in expected.items()})


@pytest.mark.parametrize(
    "text",
    ["replace[A]", "replace[1: A]", "replace[A, B]", "replace[A, 1: B, 1: C]", "replace[A, x: B]", "replace[A, 1.5: B]",
     "replace[A, 1: B C]", "replace[A, 1]", "replace[A, -1: B]", "replace[LSE[A], 1: B]", "replace[A, 1: LSE[B]]"],
)  # fmt: skip
def test_replace_says_what_it_takes(text: str) -> None:
    with pytest.raises(ag.EquationError) as caught:
        ag.compile(text)
    assert caught.value.place is not None


def test_replace_obeys_limits() -> None:
    root, part = ag.linear([1] * 50), ag.linear([2] * 50)
    with pytest.raises(ag.LimitError, match="the graph with others in place of arcs would have 2601 states"):
        ag.compile("replace[R, 1: A]", limits=ag.Limits(states=1000))(R=root, A=part)
