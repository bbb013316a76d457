"""Every structural operator builds what the textbook construction builds, state by state and arc by arc."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import textbook_constructions as naive
from textbook_constructions import NaiveGraph, assert_built, random_graph

from arcgrad.compiler import matching, numbering
from arcgrad.compiler.limits import DEFAULT_LIMITS
from arcgrad.compiler.mapping import LabelMapping
from arcgrad.compiler.operators import Built, Category, operator, operators
from arcgrad.compiler.topology import Topology

CASES = 300
EMPTY = Topology.make(0, (), (), ())


def build(name: str, graphs: list[NaiveGraph | Topology], parameters: tuple = ()) -> Built:
    """Build, and check what every operator keeps: selections fit the operands, acceptors are known as such."""
    topologies = [g.topology() if isinstance(g, NaiveGraph) else g for g in graphs]
    entry = operator(name)
    assert entry.build is not None
    built = entry.build(topologies, parameters, DEFAULT_LIMITS)
    for selection, topology in zip(built.selections, topologies, strict=False):
        assert len(selection) == built.topology.n_arcs
        assert selection.max(initial=-1) < max(topology.n_arcs, 1)
    return built


@pytest.mark.parametrize(
    ("name", "construct"),
    [
        ("closure", naive.closure),
        ("plus", lambda a: naive.concatenate(a, naive.closure(a))),
        ("optional", lambda a: naive.union(naive.EPSILON_GRAPH, a)),
        ("inverse", naive.inverse),
        ("reverse", naive.reverse),
        ("project_input", naive.project_input),
        ("project_output", naive.project_output),
        ("connect", naive.connect),
    ],
)
def test_unary(name: str, construct: Callable[[NaiveGraph], NaiveGraph]) -> None:
    source = random.Random(name)
    for _ in range(CASES):
        a = random_graph(source, acceptor=source.random() < 0.3)
        assert_built(build(name, [a]), construct(a.operand(0)), 1)


@pytest.mark.parametrize(
    ("name", "construct", "acceptors"),
    [
        ("union", naive.union, False),
        ("concatenate", naive.concatenate, False),
        ("cross", naive.cross, True),
        ("compose", naive.compose, False),
        ("compose", naive.compose, True),
        ("intersect", naive.compose, True),
    ],
)
def test_binary(name: str, construct: Callable[[NaiveGraph, NaiveGraph], NaiveGraph], acceptors: bool) -> None:
    source = random.Random(name)
    for _ in range(2 * CASES):
        a, b = random_graph(source, acceptor=acceptors), random_graph(source, acceptor=acceptors)
        assert_built(build(name, [a, b]), construct(a.operand(0), b.operand(1)), 2)


@pytest.mark.parametrize("name", ["union", "concatenate"])
def test_chains_of_three_are_what_nesting_makes(name: str) -> None:
    source, construct = random.Random(7), getattr(naive, name)
    for _ in range(CASES):
        a, b, c = (random_graph(source) for _ in range(3))
        expected = construct(construct(a.operand(0), b.operand(1)), c.operand(2))
        assert_built(build(name, [a, b, c]), expected, 3)


@pytest.mark.parametrize(
    "bounds", [(0, 0), (0, 1), (0, 2), (0, 3), (1, 1), (2, 2), (3, 3), (1, 2), (2, 5), (0, None), (1, None), (3, None)]
)
def test_repeat(bounds: tuple[int, int | None]) -> None:
    source = random.Random(str(bounds))
    for _ in range(60):
        a = random_graph(source)
        assert_built(build("repeat", [a], bounds), naive.repeat(a.operand(0), *bounds), 1)


def test_weight() -> None:
    source = random.Random(3)
    for _ in range(CASES):
        a = random_graph(source)
        assert_built(build("weight", [a, EMPTY]), naive.weight(a.operand(0), 1), 2)


@pytest.mark.parametrize(
    ("name", "sides"), [("relabel", (1, 1)), ("relabel_input", (1, 0)), ("relabel_output", (0, 1))]
)
def test_relabel(name: str, sides: tuple[int, int]) -> None:
    source = random.Random(name)
    for _ in range(CASES):
        a = random_graph(source, acceptor=source.random() < 0.3)
        mapped = {source.randrange(-1, 4): source.randrange(-1, 9) for _ in range(source.randrange(4))}
        inputs, outputs = (mapped if used else {} for used in sides)
        expected = naive.relabelled(a.operand(0), inputs, outputs)
        assert_built(build(name, [a], (LabelMapping.make(mapped),)), expected, 2)


def dense_graph(source: random.Random, acceptor: bool = False) -> NaiveGraph:
    return random_graph(source, acceptor=acceptor, states=3, arcs=25, epsilon=0.2)


@pytest.mark.parametrize("variant", ["small pieces", "hash table", "lopsided", "all"])
def test_compose_paths_that_only_large_graphs_take(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if variant in ("small pieces", "all"):
        monkeypatch.setattr(matching, "_PIECE", 3)
    if variant in ("hash table", "all"):
        monkeypatch.setattr(
            "arcgrad.compiler.operators.compose.numbering", lambda n_keys: numbering._HashTable(capacity=4)
        )
    if variant in ("lopsided", "all"):
        monkeypatch.setattr(matching, "_FEW_ARCS", 2)
        monkeypatch.setattr(matching, "_LOPSIDED", 1)
    source = random.Random(variant)
    for _ in range(CASES):
        a, b = dense_graph(source), random_graph(source)
        assert_built(build("compose", [a, b]), naive.compose(a.operand(0), b.operand(1)), 2)
        assert_built(build("compose", [b, a]), naive.compose(b.operand(0), a.operand(1)), 2)


def test_compose_numbers_labels_up_to_the_largest() -> None:
    largest = 2**31 - 1
    a = Topology.from_arcs(2, [(0, 1, 0), (0, 1, largest)], [0], [1])
    built = build("compose", [a, a])
    assert built.topology.ilabel.tolist() == [0, largest]


def test_acceptors_stay_known_as_such() -> None:
    source = random.Random(5)
    made = {
        "union": 2, "concatenate": 2, "closure": 1, "plus": 1, "optional": 1, "inverse": 1, "reverse": 1,
        "project_input": 1, "project_output": 1, "compose": 2, "intersect": 2, "connect": 1,
    }  # fmt: skip
    for name, operands in made.items():
        for _ in range(20):
            graphs = [random_graph(source, acceptor=True).topology() for _ in range(operands)]
            graphs = [replace(g, olabel=g.ilabel) for g in graphs]
            topology = build(name, graphs).topology
            assert topology.ilabel is topology.olabel


def test_literals() -> None:
    epsilon = build("epsilon", []).topology
    assert (epsilon.n_states, epsilon.n_arcs, epsilon.start.tolist(), epsilon.accept.tolist()) == (1, 0, [0], [0])
    empty = build("empty", []).topology
    assert (empty.n_states, empty.n_arcs, len(empty.start), len(empty.accept)) == (0, 0, 0, 0)
    chain = [naive.NaiveArc(0, 1, 1, 1), naive.NaiveArc(1, 2, 7, 7), naive.NaiveArc(2, 3, 1, 1)]
    assert_built(build("linear", [], (1, 7, 1)), NaiveGraph(4, tuple(chain), (0,), (3,)), 0)
    assert_built(build("linear", []), naive.EPSILON_GRAPH, 0)
    choice = [naive.NaiveArc(0, 1, label, label) for label in (5, 2)]
    assert_built(build("symbols", [], (5, 2)), NaiveGraph(2, tuple(choice), (0,), (1,)), 0)
    assert_built(build("symbols", []), NaiveGraph(2, (), (0,), (1,)), 0)


def test_worked_example_1_concatenation() -> None:
    a, b = build("linear", [], (1, 2)).topology, build("linear", [], (3, 4)).topology
    built = build("concatenate", [a, b])
    assert [s.tolist() for s in built.selections] == [[0, 1, -1, -1, -1], [-1, -1, -1, 0, 1]]
    assert built.topology.ilabel.tolist() == [1, 2, -1, 3, 4]


def test_worked_example_2_closure() -> None:
    built = build("closure", [build("linear", [], (1, 2)).topology])
    assert [s.tolist() for s in built.selections] == [[-1, 0, 1, -1]]
    assert built.topology.ilabel.tolist() == [-1, 1, 2, -1]


def test_worked_example_3_intersection() -> None:
    a = Topology.from_arcs(2, [(0, 0, 0), (0, 1, 1), (1, 1, 2)], [0], [1])
    b = Topology.from_arcs(4, [(t, t + 1, label) for t in range(3) for label in range(3)], [0], [3])
    built = build("intersect", [a, b])
    pairs = [(i + 1, j + 1) for i, j in zip(*(s.tolist() for s in built.selections), strict=True)]
    assert pairs == [(1, 1), (2, 2), (1, 4), (2, 5), (3, 6), (2, 8), (3, 9)]


def test_every_structural_operator_estimates_its_size() -> None:
    from arcgrad.compiler.operators import Size

    for entry in operators().values():
        if entry.category not in (Category.STRUCTURAL, Category.LITERAL):
            continue
        assert entry.size is not None, entry.name
        parameters = {"repeat": (2, None), "linear": (1, 2), "symbols": (1, 2)}.get(entry.name, ())
        size = entry.size([Size(10, 20, 5)] * len(entry.operands), parameters)
        assert np.isfinite([size.states, size.arcs, size.labels]).all()
