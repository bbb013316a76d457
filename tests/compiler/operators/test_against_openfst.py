"""Union to composition against OpenFst: for each pair of input and output strings, the same total weight.

OpenFst's log semiring sums exp(−cost) over paths, so one ε path too many or too few in a composition shows.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable

import pytest
from oracle.graphs import Arc, Graph
from oracle.leaves import GraphLeaf
from oracle.relations import relation_of
from support.adapter import convert, naive
from support.random_graphs import Style, draw_graph

import arcgrad as ag

pynini = pytest.importorskip("pynini", reason="pynini (OpenFst) is not installed")

STYLE = Style(grid=True, epsilon=0.4)  # pynini passes weights as short decimals


def to_openfst(graph: GraphLeaf):
    """The same graph with label 0 for ε, negated weights, and a state of its own as the single start."""
    fst = pynini.Fst("log64")
    one = pynini.Weight.one("log64")
    for _ in range(graph.n_states + 1):
        fst.add_state()
    fst.set_start(graph.n_states)
    for state in graph.start:
        fst.add_arc(graph.n_states, pynini.Arc(0, 0, one, state))
    for state in graph.accept:
        fst.set_final(state, one)
    for src, dst, ilabel, olabel, weight, _ in graph.to_graph("A").arcs:
        fst.add_arc(src, pynini.Arc(ilabel + 1, olabel + 1, pynini.Weight("log64", -weight), dst))
    return fst


def from_openfst(fst) -> Graph:
    arcs = [
        Arc(state, arc.nextstate, arc.ilabel - 1, arc.olabel - 1, -float(arc.weight))
        for state in fst.states()
        for arc in fst.arcs(state)
    ]
    finals = {
        state: float(fst.final(state)) for state in fst.states() if fst.final(state) != pynini.Weight.zero("log64")
    }
    assert not any(finals.values())
    return Graph(fst.num_states(), arcs, [fst.start()] if fst.num_states() else [], list(finals))


def totals(graph: Graph) -> dict[tuple, float]:
    """Σ exp(weight) for each pair of strings; acyclic graphs only."""
    sums: dict[tuple, float] = defaultdict(float)
    for read, written, weight in relation_of(graph, cap=10**6):
        sums[read, written] += math.exp(weight)
    return sums


@pytest.mark.parametrize(
    ("text", "by_openfst"),
    [
        ("A ∘ B", lambda a, b: pynini.compose(a.arcsort("olabel"), b, connect=True)),
        ("A + B", lambda a, b: a.union(b)),
        ("A B", lambda a, b: a.concat(b)),
        ("A⁻¹", lambda a, b: a.invert()),
        ("out[A]", lambda a, b: a.project("output")),
        ("rev[A]", lambda a, b: pynini.reverse(a)),
    ],
)
def test_same_weight_of_every_pair_of_strings(text: str, by_openfst: Callable) -> None:
    source = random.Random(text)
    equation = ag.compile(text, mode="interpret")
    found_pairs = 0
    for _ in range(500):
        leaves = [draw_graph(source, STYLE, acceptor=False) for _ in range(2)]
        expected = totals(from_openfst(by_openfst(*map(to_openfst, leaves))))
        found = totals(
            naive(equation({name: convert(leaf) for name, leaf in zip(equation.inputs, leaves, strict=False)}))
        )
        assert found.keys() == expected.keys()
        for strings, total in expected.items():
            assert found[strings] == pytest.approx(total, rel=1e-12), strings
        found_pairs += len(expected)
    assert found_pairs > 200


def test_differences_have_the_same_weight_of_every_string() -> None:
    """OpenFst takes away what is deterministic, without ε and weights: made of B in the tropical semiring."""
    source = random.Random("A - B")
    equation = ag.compile("A - B", mode="interpret")
    found_strings = left_out = 0
    for _ in range(500):
        a, b = (draw_graph(source, STYLE, acceptor=True) for _ in range(2))
        unweighted = pynini.arcmap(pynini.arcmap(to_openfst(b), map_type="rmweight"), map_type="to_std")
        strings = pynini.arcmap(pynini.determinize(unweighted.rmepsilon()), map_type="to_log64")
        expected = totals(from_openfst(pynini.difference(to_openfst(a), strings.arcsort("ilabel"), connect=True)))
        found = totals(naive(equation(A=convert(a), B=convert(b))))
        assert found.keys() == expected.keys()
        for string, total in expected.items():
            assert found[string] == pytest.approx(total, rel=1e-12), string
        found_strings += len(expected)
        left_out += len(totals(naive(convert(a)))) - len(expected)
    assert found_strings > 200
    assert left_out > 50
