"""Jacobians: entries that count, rows and columns as graphs, scores in between, and what has none."""

from __future__ import annotations

import numpy as np
import pytest

import arcgrad as ag

A = ag.linear([1, 2], [0.5, -1.0])
B = ag.Graph([0, 0], [1, 1], [3, 4], weight=[0.25, -0.5], start=[0], accept=[1])


def test_entries_count_how_often_a_weight_enters() -> None:
    jacobian = ag.compile("A ∘ A").jacobian(wrt="A", A=A)
    np.testing.assert_array_equal(jacobian.toarray(), 2 * np.eye(2))
    assert jacobian.nnz == 2
    assert jacobian.shape == (2, 2)


def test_rows_and_columns_are_graphs() -> None:
    jacobian = ag.compile("A B").jacobian(wrt="B", A=A, B=B)
    column = jacobian.column(1)
    assert ag.equal(column.with_weight(np.zeros(5)), ag.compile("A B")(A=A, B=B).with_weight(np.zeros(5)))
    assert column.weight.tolist() == [0.0, 0.0, 0.0, 0.0, 1.0]
    row = jacobian.row(-2)
    assert row.weight.tolist() == [1.0, 0.0]
    assert row.n_states == B.n_states
    for axis in (jacobian.row, jacobian.column):
        with pytest.raises(ag.InputError, match="of a Jacobian of shape"):
            axis(7)


@pytest.mark.parametrize("text", ["A⟨LSE[B]⟩ B", "(A + B)⟨w × LSE[A]⟩", "PATH[A + B⟨w⟩]", "A{2}⟨MAX[B]⟩"])
def test_products_with_a_cotangent_are_the_gradient(text: str) -> None:
    equation = ag.compile(text)
    given = {n: {"A": A, "B": B, "w": 0.75}[n] for n in equation.inputs}
    jacobians = equation.jacobian(given)
    cotangent = np.random.default_rng(0).normal(size=equation(given).n_arcs)
    _, gradient = equation.value_and_grad(given, cotangent=cotangent)
    for name in given:
        np.testing.assert_allclose(np.ravel(gradient[name]), cotangent @ jacobians[name].toarray(), atol=1e-12)


def test_what_has_no_jacobian() -> None:
    with pytest.raises(ag.InputError, match="graph-valued"):
        ag.compile("LSE[A]").jacobian(A=A)
    with pytest.raises(ag.InputError, match="batch of 2"):
        ag.compile("A B").jacobian(A=[A, A], B=B)
    with pytest.raises(ag.InputError, match="is a score: a row"):
        ag.compile("A⟨w⟩").jacobian(wrt="w", A=A, w=1.0).row(0)
    with pytest.raises(ag.InputError, match="is not an input"):
        ag.compile("A B").jacobian(wrt="C", A=A, B=B)
