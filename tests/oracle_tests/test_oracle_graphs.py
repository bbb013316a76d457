"""The oracle's constructions: the language page's worked examples arc by arc, and relations on random expressions."""

from __future__ import annotations

import random

import pytest
from oracle import graphs, relations
from oracle.graphs import EPSILON, Arc, Graph
from oracle.trees import Tree, apply, leaf, linear, mapping, number, repeat, score
from support.random_graphs import Style, draw_graph


def with_terms(name: str, graph: Graph) -> Graph:
    return Graph(
        graph.n_states,
        [a._replace(terms=((name, k),)) for k, a in enumerate(graph.arcs)],
        graph.start,
        graph.accept,
    )


def test_concatenation_of_two_chains_has_five_arcs():
    a, b = with_terms("A", graphs.linear([1, 2])), with_terms("B", graphs.linear([3, 4]))
    c = graphs.concatenate(a, b)
    assert [r.terms for r in c.arcs] == [(("A", 0),), (("A", 1),), (), (("B", 0),), (("B", 1),)]
    assert c.arcs[2][:4] == (2, 3, EPSILON, EPSILON)
    assert (c.start, c.accept, c.n_states) == ([0], [5], 6)


def test_closure_of_a_chain():
    c = graphs.closure(with_terms("A", graphs.linear([1, 2])))
    assert [r.terms for r in c.arcs] == [(), (("A", 0),), (("A", 1),), ()]
    assert [r[:2] for r in c.arcs] == [(0, 1), (1, 2), (2, 3), (3, 0)]
    assert (c.start, c.accept) == ([0], [0])


def test_intersection_of_the_language_page():
    a = with_terms("A", Graph(2, [Arc(0, 0, 0, 0), Arc(0, 1, 1, 1), Arc(1, 1, 2, 2)], [0], [1]))
    steps = [Arc(t, t + 1, label, label) for t in range(3) for label in range(3)]
    b = with_terms("B", Graph(4, steps, [0], [3]))
    c = graphs.intersect(a, b)
    pairs = [(1, 1), (2, 2), (1, 4), (2, 5), (3, 6), (2, 8), (3, 9)]
    assert [r.terms for r in c.arcs] == [(("A", i - 1), ("B", j - 1)) for i, j in pairs]


def test_composition_counts_each_pair_of_epsilon_paths_once():
    a = Graph(3, [Arc(0, 1, 5, EPSILON), Arc(1, 2, 6, EPSILON)], [0], [2])
    b = Graph(3, [Arc(0, 1, EPSILON, 7), Arc(1, 2, EPSILON, 8)], [0], [2])
    assert relations.relation_of(graphs.compose(a, b)) == [((5, 6), (7, 8), 0.0)]


def test_repeated_leaf_counts_twice():
    twice = graphs.compose(*[with_terms("A", graphs.linear([1]))] * 2)
    assert twice.arcs[0].counts() == {("A", 0): 2}


STYLE = Style(n_labels=2, n_states=4, epsilon=0.3)


def random_tree(rng: random.Random, depth: int, acceptor: bool) -> Tree:
    if depth == 0 or rng.random() < 0.1:
        kind = rng.random()
        if kind < 0.08:
            return apply("epsilon")
        if kind < 0.12:
            return apply("empty")
        if kind < 0.25:
            return linear(*(rng.randint(0, 1) for _ in range(rng.randint(0, 2))))
        return leaf(rng.choice("AB" if acceptor else "ABCD"))
    ops = [
        "union",
        "concatenate",
        "optional",
        "repeat",
        "inverse",
        "reverse",
        "connect",
        "weight",
        "compose",
        "relabel",
    ]
    op = rng.choice(
        [*ops, "intersect", "input", "output"] + ([] if acceptor else ["cross", "relabel_input", "relabel_output"])
    )
    if op == "repeat":
        least = rng.randint(0, 2)
        return repeat(random_tree(rng, depth - 1, acceptor), least, least + rng.randint(0, 2))
    inner = acceptor or op in ("intersect", "cross")
    if op in ("input", "output"):
        inner = False
    first = random_tree(rng, depth - 1, inner)
    if op in ("union", "concatenate", "compose", "intersect", "cross"):
        return apply(op, first, random_tree(rng, depth - 1, inner))
    if op == "weight":
        return apply(op, first, rng.choice([score("w"), number(0.5)]))
    if op.startswith("relabel"):
        return apply(op, first, mapping("m"))
    return apply(op, first)


def build(tree: Tree, leaves: dict[str, Graph]) -> Graph:
    from oracle.evaluate import Evaluator
    from oracle.leaves import Mapping

    class Holder:
        def __init__(self, graph: Graph) -> None:
            self.graph = graph

        def to_graph(self, name: str) -> Graph:
            return self.graph

    inputs = {name: Holder(g) for name, g in leaves.items()}
    return Evaluator({**inputs, "w": -0.25, "m": Mapping({0: 1, 1: 0})}).graph(tree)


def rounded(relation: relations.Relation) -> list:
    return sorted((i, o, round(w, 6) + 0.0) for i, o, w in relation)


def test_constructions_mean_what_their_relations_say():
    checked = 0
    for seed in range(1500):
        rng = random.Random(seed)
        leaves = {name: draw_graph(rng, STYLE, name in "AB").to_graph(name) for name in "ABCD"}
        tree = random_tree(rng, rng.randint(0, 4), False)
        try:
            expected = relations.relation(tree, leaves, {"w": -0.25}, {"m": {0: 1, 1: 0}})
            got = relations.relation_of(build(tree, leaves))
        except graphs.TooLargeError:
            continue
        assert rounded(got) == rounded(expected), tree.text()
        checked += len(expected) >= 2
    assert checked > 500


def test_closure_counts_each_number_of_repetitions_once():
    checked = 0
    for seed in range(200):
        rng = random.Random(seed)
        a = draw_graph(rng, STYLE, acceptor=True).to_graph("A")
        strings = relations.relation_of(a)
        if any(not i for i, _, _ in strings):
            continue  # ε would be repeated without end
        limit = 3
        bounded, power = [], [((), (), 0.0)]
        while power:
            bounded += power
            power = [(i + k, o + m, v + w) for i, o, v in power for k, m, w in strings if len(i + k) <= limit]
        anything = graphs.repeat(Graph(2, [Arc(0, 1, c, c) for c in range(2)], [0], [1]), 0, limit)
        got = relations.relation_of(graphs.compose(graphs.closure(a), anything))
        assert rounded(got) == rounded(bounded)
        checked += len(strings) > 0
    assert checked > 40


def test_states_that_reach_no_accept_are_dropped():
    a = Graph(3, [Arc(0, 1, 1, 1), Arc(0, 2, 1, 1)], [0], [1])
    c = graphs.compose(a, graphs.linear([1]))
    assert (c.n_states, len(c.arcs)) == (2, 1)


def test_intersection_of_a_transducer_is_refused():
    with pytest.raises(ValueError, match="transducer"):
        graphs.intersect(Graph(2, [Arc(0, 1, 1, 2)], [0], [1]), graphs.linear([1]))


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        (apply("union", apply("concatenate", leaf("A"), leaf("B")), apply("compose", leaf("C"), leaf("D"))),
         "A B + C ∘ D"),
        (apply("compose", leaf("C"), apply("closure", leaf("D"))), "C ∘ D*"),
        (apply("compose", apply("intersect", leaf("A"), leaf("B")), leaf("C")), "(A ∩ B) ∘ C"),
        (apply("compose", leaf("A"), apply("compose", leaf("B"), leaf("C"))), "A ∘ (B ∘ C)"),
        (repeat(apply("weight", leaf("A"), score("w")), 2, 3), "(A⟨w⟩){2,3}"),
        (apply("cross", apply("concatenate", leaf("A"), leaf("B")), leaf("C")), "(A B) : C"),
        (apply("subtract", apply("multiply", number(2), apply("LSE", leaf("A"))), score("w")), "2 LSE[A] - w"),
        (apply("negate", apply("LSE", leaf("A"))), "-LSE[A]"),
    ],
)  # fmt: skip
def test_text(tree: Tree, text: str):
    assert tree.text() == text
