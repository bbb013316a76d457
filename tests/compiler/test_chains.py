"""Chains of compositions: where a dense input is met, and in which order the rest is composed."""

from __future__ import annotations

import random

import numpy as np
import pytest
from support.adapter import convert
from support.random_graphs import Style, draw_graph

import arcgrad as ag
from arcgrad.compiler.frontend.elaborate import elaborate
from arcgrad.compiler.frontend.ir import Program, describe
from arcgrad.compiler.operators import Size
from arcgrad.compiler.plan.chains import MAX_OPERANDS, chain_operands, estimate, find_meeting, order_chains
from arcgrad.grammar import parse


def program(text: str) -> Program:
    return elaborate(parse(text))


def met(text: str, dense: str = "X") -> tuple[str | None, str, bool] | None:
    found = program(text)
    meeting = find_meeting(found.result, frozenset(dense), found.interner)
    if meeting is None:
        return None
    return (describe(meeting.graph) if meeting.graph is not None else None, meeting.side, meeting.acceptors)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("X", (None, "input", False)),
        ("X ∘ A", ("A", "input", False)),
        ("A ∘ X", ("A", "output", False)),
        ("A ∘ B ∘ X", ("A ∘ B", "output", False)),
        ("A ∘ (B ∘ X)", ("A ∘ B", "output", False)),
        ("X ∘ (A ∘ B)", ("A ∘ B", "input", False)),
        ("A ∘ X ∘ B", ("out[A] ∘ in[B]", "output", False)),
        ("A ∘ B ∘ X ∘ C", ("out[A ∘ B] ∘ in[C]", "output", False)),
        ("A ∩ X", ("A", "output", True)),
        ("A ∩ (B ∩ X) ∩ C", ("A ∩ B ∩ C", "output", True)),
        ("(A ∩ B) ∘ X", ("A ∩ B", "output", False)),
        ("A ∩ (B ∘ X)", None),  # the inner chain is another operator's: it is built
        ("X ∘ A ∘ X", None),  # met twice
        ("X*", None),
        ("X A", None),
        ("A ∘ B", None),
        ("A ∘ X*", None),
    ],
)
def test_where_a_dense_input_is_met(text: str, expected: tuple[str | None, str, bool] | None) -> None:
    assert met(text) == expected


def sizes(**states: float) -> dict[str, Size]:
    return {name: Size(n, 4 * n, 4.0) for name, n in states.items()}


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ({"A": 1000.0, "B": 1000.0, "C": 2.0}, "A ∘ (B ∘ C)"),
        ({"A": 2.0, "B": 1000.0, "C": 1000.0}, "A ∘ B ∘ C"),
        ({"A": 10.0, "B": 10.0, "C": 10.0}, "A ∘ B ∘ C"),  # ties: as written
    ],
)
def test_chains_are_composed_cheapest_first(states: dict[str, float], expected: str) -> None:
    found = program("A ∘ B ∘ C")
    assert describe(order_chains(found.result, sizes(**states), found.interner)) == expected


def test_estimates_grow_with_what_is_built() -> None:
    given = sizes(A=10.0, B=20.0)
    assert estimate(program("A + B").result, given).states == 30
    assert estimate(program("A{3}").result, given).states >= 30
    assert estimate(program("A ∘ B").result, given).states <= 2 * 10 * 20


def test_a_chain_too_long_to_open_stays_closed() -> None:
    assert len(chain_operands(program(" ∘ ".join(["A"] * 1000)).result)) == 1000
    doubled = program("\n".join(["B0 = A", *(f"B{i} = B{i - 1} ∘ B{i - 1}" for i in range(1, 41)), "B40"]))
    assert chain_operands(doubled.result) == [doubled.result]
    assert MAX_OPERANDS < 2**40
    assert find_meeting(doubled.result, frozenset("A"), doubled.interner) is None


def test_values_do_not_depend_on_the_order() -> None:
    rng, finite = random.Random(5), 0
    for _ in range(15):
        styles = [Style(n_labels=2, cycles=0.9, n_states=rng.choice([2, 12])) for _ in "ABC"]
        leaves = [draw_graph(rng, style, acceptor=False).shift(-2.0) for style in styles]
        given = dict(zip("ABC", map(convert, leaves), strict=True))
        x = np.random.default_rng(1).normal(size=(3, 2))
        for text in ("LSE[A ∘ B ∘ C]", "LSE[A ∘ X ∘ C]", "LSE[A ∘ B ∘ X]", "MAX[X ∘ A ∘ B ∘ C]"):
            own = {k: v for k, v in {**given, "X": x}.items() if k in text}
            expected, gradients = ag.compile(text, mode="interpret").value_and_grad(own)
            value, found = ag.compile(text, mode="kernels").value_and_grad(own)
            assert value == pytest.approx(expected, rel=1e-11, abs=1e-11)
            finite += np.isfinite(value)
            for name in own:
                np.testing.assert_allclose(found[name], gradients[name], atol=1e-9)
    assert finite > 10
