"""What errors say to people who are new: how to write what they probably meant."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import arcgrad as ag

A = ag.Graph([0, 0], [1, 1], [5, 6], weight=[0.5, 0.25], accept=[1])
J = ag.compile("A A").jacobian(wrt="A", A=ag.linear([1]))
TRACE = ag.compile("LSE[A + A]").trace(A=A)


def _set_weight() -> None:
    A.weight = np.zeros(2)


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        (lambda: ag.compile("min[det[A]]"), SyntaxError, "`minimize[A]` makes the smallest graph, `MIN[A]` is"),
        (lambda: ag.compile("max[A]"), SyntaxError, "`MAX[A]` is the largest weight"),
        (_set_weight, AttributeError, "g = g.with_weight(g.weight + …)"),
        (_set_weight, ag.InputError, "weight cannot be set: a graph does not change"),
        (lambda: A.draw(color={"A": [1.0, 2.0]}), ag.InputError, "color=grad['A']"),
        (lambda: A.draw(symbols={97: "a"}), ag.InputError, "a mapping goes from name to label: {'a': 97}"),
        (lambda: TRACE["G9"], KeyError, "the trace has no node 'G9'\nhint: its nodes are A, G1, G2"),
        (lambda: ag.compile("LSE[X]")(X=[[0.0, 1.0]]), ag.InputError, "X=np.array(X)"),
        (lambda: J.column(1), ag.InputError, "(3, 1)\nhint: columns are 0 to 0"),
        (lambda: J.row(-4), ag.InputError, "hint: rows are 0 to 2"),
        (
            lambda: ag.compile("A").jacobian(wrt="A", A=ag.Graph([], [], [], start=[], n_states=0)).row(0),
            ag.InputError,
            "it has no rows",
        ),
    ],
)
def test_hints(call: Callable[[], Any], kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=re.escape(said)):
        call()


def test_a_vector_for_the_only_input_needs_no_mapping() -> None:
    equation = ag.compile("LSE[A]")
    vector = np.array([1.0, -2.0])
    wanted = equation.hvp(vector, A=A, wrt="A")
    for found in (
        equation.hvp(vector, A=A),
        equation.hvp(vector, A=A, wrt=["A"]),
        equation.hvp({"A": vector}, A=A)["A"],
    ):
        np.testing.assert_array_equal(found, wanted)
    with pytest.raises(ag.InputError, match="with several inputs in wrt it is a mapping"):
        ag.compile("LSE[A + B]").hvp(vector, A=A, B=A)


def test_the_weight_of_a_cycle_is_rounded() -> None:
    loop = ag.Graph([0, 1, 1], [1, 1, 0], [1, 2, 3], weight=[0.1, -1.0, 0.2], accept=[1])
    with pytest.raises(ag.DivergenceError, match=r"\(weight 0\.3\)"):
        ag.compile("MAX[A]")(A=loop)
