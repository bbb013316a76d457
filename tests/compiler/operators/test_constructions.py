"""Every structural operator builds what the textbook construction builds, state by state and arc by arc."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import graphs as naive
from oracle.graphs import Arc, Graph
from oracle.leaves import GraphLeaf
from support.adapter import assert_built, convert
from support.random_graphs import graphs

from arcgrad.compiler.graphs import matching, numbering
from arcgrad.compiler.graphs.mapping import LabelMapping
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.limits import DEFAULT_LIMITS
from arcgrad.compiler.operators import Built, Category, operator, operators

EMPTY = Topology.make(0, (), (), ())


def build(name: str, operands: Sequence[GraphLeaf | Topology], parameters: tuple = ()) -> Built:
    """Build, and check what every operator keeps: selections fit the operands, acceptors are known as such."""
    topologies = [convert(g).topology if isinstance(g, GraphLeaf) else g for g in operands]
    entry = operator(name)
    assert entry.build is not None
    built = entry.build(topologies, parameters, DEFAULT_LIMITS)
    for selection, topology in zip(built.selections, topologies, strict=False):
        assert len(selection) == built.topology.n_arcs
        assert selection.max(initial=-1) < max(topology.n_arcs, 1)
    return built


def check(name: str, construct: Callable[..., Graph], *leaves: GraphLeaf, parameters: tuple = ()) -> None:
    """The operator builds of these graphs what the textbook does."""
    names = "ABC"[: len(leaves)]
    expected = construct(*(leaf.to_graph(letter) for letter, leaf in zip(names, leaves, strict=True)))
    assert_built(build(name, leaves, parameters), expected, names)


@pytest.mark.parametrize(
    ("name", "construct"),
    [
        ("closure", naive.closure),
        ("plus", naive.plus),
        ("optional", naive.optional),
        ("inverse", naive.inverse),
        ("reverse", naive.reverse),
        ("project_input", naive.project_input),
        ("project_output", naive.project_output),
        ("connect", naive.connect),
    ],
)
@given(a=graphs())
def test_unary(name: str, construct: Callable[[Graph], Graph], a: GraphLeaf) -> None:
    check(name, construct, a)


@pytest.mark.parametrize(
    ("name", "construct"),
    [
        ("union", naive.union),
        ("concatenate", naive.concatenate),
        ("compose", naive.compose),
    ],
)
@given(a=graphs(), b=graphs())
def test_binary(name: str, construct: Callable[[Graph, Graph], Graph], a: GraphLeaf, b: GraphLeaf) -> None:
    check(name, construct, a, b)


@pytest.mark.parametrize(
    ("name", "construct"),
    [
        ("cross", naive.cross),
        ("compose", naive.compose),
        ("intersect", naive.intersect),
        ("difference", naive.difference),
    ],
)
@given(a=graphs(acceptor=True), b=graphs(acceptor=True))
def test_binary_of_acceptors(name: str, construct: Callable[..., Graph], a: GraphLeaf, b: GraphLeaf) -> None:
    check(name, construct, a, b)


@given(a=graphs(acceptor=True))
def test_support(a: GraphLeaf) -> None:
    check("support", naive.support, a)


@pytest.mark.parametrize("name", ["union", "concatenate"])
@given(a=graphs(), b=graphs(), c=graphs())
def test_chains_of_three_are_what_nesting_makes(name: str, a: GraphLeaf, b: GraphLeaf, c: GraphLeaf) -> None:
    construct = getattr(naive, name)
    check(name, lambda x, y, z: construct(construct(x, y), z), a, b, c)


BOUNDS = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 1), (2, 2), (3, 3), (1, 2), (2, 5), (0, None), (1, None), (3, None)]


@given(a=graphs())
def test_repeat(a: GraphLeaf) -> None:
    for bounds in BOUNDS:
        check("repeat", lambda x, bounds=bounds: naive.repeat(x, *bounds), a, parameters=bounds)


@given(a=graphs())
def test_weight(a: GraphLeaf) -> None:
    assert_built(build("weight", [a, EMPTY]), naive.weight(a.to_graph("A"), 0.0, (("w", 0),)), "Aw")


@pytest.mark.parametrize(
    ("name", "sides"), [("relabel", "both"), ("relabel_input", "input"), ("relabel_output", "output")]
)
@given(a=graphs(), mapped=st.dictionaries(st.integers(-1, 3), st.integers(-1, 8), max_size=3))
def test_relabel(name: str, sides: str, a: GraphLeaf, mapped: dict[int, int]) -> None:
    expected = naive.relabel(a.to_graph("A"), mapped, sides)
    assert_built(build(name, [a], (LabelMapping.make(mapped),)), expected, "Am")


@pytest.mark.parametrize("variant", ["small pieces", "hash table", "lopsided", "all"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(a=graphs(n_states=3, n_arcs=25), b=graphs())
def test_compose_paths_that_only_large_graphs_take(
    variant: str, a: GraphLeaf, b: GraphLeaf, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variant in ("small pieces", "all"):
        monkeypatch.setattr(matching, "_PIECE", 3)
    if variant in ("hash table", "all"):
        monkeypatch.setattr(
            "arcgrad.compiler.operators.compose.numbering", lambda n_keys: numbering._HashTable(capacity=4)
        )
    if variant in ("lopsided", "all"):
        monkeypatch.setattr(matching, "_FEW_ARCS", 2)
        monkeypatch.setattr(matching, "_LOPSIDED", 1)
    check("compose", naive.compose, a, b)
    check("compose", naive.compose, b, a)


def test_compose_numbers_labels_up_to_the_largest() -> None:
    largest = 2**31 - 1
    a = Topology.from_arcs(2, [(0, 1, 0), (0, 1, largest)], [0], [1])
    built = build("compose", [a, a])
    assert built.topology.ilabel.tolist() == [0, largest]


@given(a=graphs(acceptor=True), b=graphs(acceptor=True))
def test_acceptors_stay_known_as_such(a: GraphLeaf, b: GraphLeaf) -> None:
    made = {
        "union": 2, "concatenate": 2, "closure": 1, "plus": 1, "optional": 1, "inverse": 1, "reverse": 1,
        "project_input": 1, "project_output": 1, "compose": 2, "intersect": 2, "connect": 1,
    }  # fmt: skip
    operands = [replace(g, olabel=g.ilabel) for g in (convert(a).topology, convert(b).topology)]
    for name, n_operands in made.items():
        topology = build(name, operands[:n_operands]).topology
        assert topology.ilabel is topology.olabel


def test_literals() -> None:
    assert_built(build("epsilon", []), naive.epsilon(), "")
    assert_built(build("empty", []), naive.empty(), "")
    assert_built(build("linear", [], (1, 7, 1)), naive.linear([1, 7, 1]), "")
    assert_built(build("linear", []), naive.epsilon(), "")
    choice = [Arc(0, 1, label, label) for label in (5, 2)]
    assert_built(build("symbols", [], (5, 2)), Graph(2, choice, [0], [1]), "")
    assert_built(build("symbols", []), Graph(2, [], [0], [1]), "")


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
        literal = {"linear": (1, 2), "symbols": (1, 2), "typed": (2, ((0, 1, 5, 5, -1),), (0,), (1,))}
        parameters = {"repeat": (2, None), **literal}.get(entry.name, ())
        size = entry.size([Size(10, 20, 5)] * len(entry.operands), parameters)
        assert np.isfinite([size.states, size.arcs, size.labels]).all()
