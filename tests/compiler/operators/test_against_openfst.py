"""Union to composition against OpenFst: for each pair of input and output strings, the same total weight.

OpenFst's log semiring sums exp(−cost) over paths, so one ε path too many or too few in a composition shows.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from dataclasses import replace

import pytest
from textbook_constructions import NaiveGraph, random_graph

from arcgrad.compiler.limits import DEFAULT_LIMITS
from arcgrad.compiler.operators import operator

pynini = pytest.importorskip("pynini", reason="pynini (OpenFst) is not installed")


def to_openfst(n_states: int, arcs: list[tuple[int, int, int, int, float]], start: list[int], accept: list[int]):
    """The same graph with label 0 for ε, negated weights, and a state of its own as the single start."""
    fst = pynini.Fst("log64")
    one = pynini.Weight.one("log64")
    for _ in range(n_states + 1):
        fst.add_state()
    fst.set_start(n_states)
    for state in start:
        fst.add_arc(n_states, pynini.Arc(0, 0, one, state))
    for state in accept:
        fst.set_final(state, one)
    for src, dst, ilabel, olabel, weight in arcs:
        fst.add_arc(src, pynini.Arc(ilabel + 1, olabel + 1, pynini.Weight("log64", -weight), dst))
    return fst


def from_openfst(fst) -> tuple[int, list[tuple[int, int, int, int, float]], dict[int, float], dict[int, float]]:
    arcs = [
        (state, arc.nextstate, arc.ilabel - 1, arc.olabel - 1, -float(arc.weight))
        for state in fst.states()
        for arc in fst.arcs(state)
    ]
    zero = pynini.Weight.zero("log64")
    finals = {s: -float(fst.final(s)) for s in fst.states() if fst.final(s) != zero}
    starts = {fst.start(): 0.0} if fst.num_states() else {}
    return fst.num_states(), arcs, starts, finals


def totals(arcs, starts: dict[int, float], finals: dict[int, float]) -> dict[tuple, float]:
    """Σ exp(weight) for each pair of strings; acyclic graphs only."""
    leaving = defaultdict(list)
    for arc in arcs:
        leaving[arc[0]].append(arc)
    sums: dict[tuple, float] = defaultdict(float)
    stack = [(state, (), (), weight) for state, weight in starts.items()]
    while stack:
        state, read, written, weight = stack.pop()
        if state in finals:
            sums[read, written] += math.exp(weight + finals[state])
        for _, dst, ilabel, olabel, arc_weight in leaving[state]:
            stack.append(
                (
                    dst,
                    read if ilabel < 0 else (*read, ilabel),
                    written if olabel < 0 else (*written, olabel),
                    weight + arc_weight,
                )
            )
    return sums


def acyclic(source: random.Random) -> tuple[NaiveGraph, list[float]]:
    graph = random_graph(source, states=5, arcs=9, epsilon=0.4)
    forward = (replace(a, src=min(a.src, a.dst), dst=max(a.src, a.dst)) for a in graph.arcs)
    arcs = tuple(a for a in forward if a.src < a.dst)
    if graph.n:  # mostly graphs that have paths: those without are tested elsewhere
        graph = NaiveGraph(graph.n, arcs, graph.start or (0,), graph.accept or (graph.n - 1,))
    return graph, [source.randrange(-16, 17) / 8 for _ in arcs]  # pynini passes weights as short decimals


def weighted(graph: NaiveGraph, weights: list[float]) -> list[tuple[int, int, int, int, float]]:
    return [(a.src, a.dst, a.ilabel, a.olabel, w) for a, w in zip(graph.arcs, weights, strict=True)]


def by_openfst(name: str, a, b):
    if name == "compose":
        return pynini.compose(a.copy().arcsort("olabel"), b, connect=True)
    if name == "union":
        return a.copy().union(b)
    if name == "concatenate":
        return a.copy().concat(b)
    if name == "inverse":
        return a.copy().invert()
    if name == "project_output":
        return a.copy().project("output")
    return pynini.reverse(a)


@pytest.mark.parametrize("name", ["compose", "union", "concatenate", "inverse", "project_output", "reverse"])
def test_same_weight_of_every_pair_of_strings(name: str) -> None:
    source = random.Random(name)
    found_pairs = 0
    for _ in range(400):
        (a, a_weights), (b, b_weights) = acyclic(source), acyclic(source)
        fsts = [to_openfst(g.n, weighted(g, w), g.start, g.accept) for g, w in ((a, a_weights), (b, b_weights))]
        _, arcs, starts, finals = from_openfst(by_openfst(name, *fsts))
        expected = totals(arcs, starts, finals)

        operands = [a.topology(), b.topology()][: len(operator(name).operands)]
        built = operator(name).build(operands, (), DEFAULT_LIMITS)
        topology = built.topology
        padded = [[*a_weights, 0.0], [*b_weights, 0.0]]
        weights = [sum(w[k] for w, k in zip(padded, row, strict=False)) for row in zip(*built.selections, strict=True)]
        columns = (topology.src, topology.dst, topology.ilabel, topology.olabel)
        found = totals(
            list(zip(*(c.tolist() for c in columns), weights, strict=True)),
            dict.fromkeys(topology.start.tolist(), 0.0),
            dict.fromkeys(topology.accept.tolist(), 0.0),
        )
        assert found.keys() == expected.keys()
        for strings, total in expected.items():
            assert found[strings] == pytest.approx(total, rel=1e-12), strings
        found_pairs += len(expected)
    assert found_pairs > 200
