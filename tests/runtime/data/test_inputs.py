"""Binding: names, kinds, shapes and batches of inputs; each mistake names the input and what was expected."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import arcgrad as ag
from arcgrad.compiler.types import Type
from arcgrad.runtime.call.outputs import Gradients
from arcgrad.runtime.data.inputs import BoundDense, bind, resolve_names

LINE = ag.linear([1, 2])
X = np.zeros((3, 4))


def bound(type_: Type, value: Any) -> Any:
    return bind({"A": type_}, {"A": value}).inputs["A"]


def test_names_are_found_in_any_spelling() -> None:
    known = {"A1": Type.GRAPH, "α": Type.SCORE}
    for spelling in ("A1", "A₁", "A_1", "𝒜₁", r"\mathcal{A}_{1}"):
        assert list(resolve_names(known, {"α": 1, spelling: 2}, "")) == ["A1", "α"]
    equation = ag.compile("LSE[A₁ ∘ wrt]")
    assert equation({r"\mathcal{A}_1": LINE, "wrt": LINE}) == 0.0
    _, gradient = equation.value_and_grad({"A_1": LINE, "wrt": LINE}, wrt="A₁")
    assert gradient["A_{1}"].tolist() == gradient["A1"].tolist() == [1.0, 1.0]
    with pytest.raises(KeyError):
        Gradients(A=1)["B"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "missing inputs: A1 (a graph), w (a score)"),
        ({"A1": LINE}, "missing input: w (a score)"),
        ({"A1": LINE, "w": 1, "B": 2}, "B is not an input of the equation; its inputs are: A1, w"),
        ({"A1": LINE, "A₁": LINE, "w": 1}, "A1 and A₁ are two spellings of one input, A1"),
        ({"A1": LINE, "w": 1, 3: 1}, "inputs are given by name, but 3 is an int"),
        ({"A1": 2.0, "w": 1}, "input A1 is a graph in this equation, but a float was given"),
        ({"A1": np.zeros(3), "w": 1}, "ndarray of shape (3,)"),
        ({"A1": "A", "w": 1}, "input A1 is a graph"),
        ({"A1": None, "w": 1}, "input A1"),
        ({"A1": LINE, "w": LINE}, "input w is a score in this equation, but a Graph was given"),
        ({"A1": LINE, "w": np.nan}, "input w is NaN"),
        ({"A1": LINE, "w": np.array([0.0, np.nan])}, "input w is NaN at item 1"),
        ({"A1": LINE, "w": np.zeros((2, 2))}, "shape (2, 2)"),
        ({"A1": LINE, "w": 1j}, "complex"),
        ({"A1": LINE, "w": "1"}, "input w"),
        ({"A1": [LINE, 3.0], "w": 1}, "item 1 of input A1 is a float"),
        ({"A1": [LINE, X], "w": 1}, "mixes graphs and dense inputs"),
        ({"A1": [X, np.zeros((3, 5))], "w": 1}, "item 1 of input A1 has 5 columns, but item 0 has 4"),
        ({"A1": [ag.dense(np.zeros((2, 3, 4)))], "w": 1}, "item 0 of input A1 is itself a batch"),
        ({"A1": [LINE, LINE], "w": np.zeros(3)}, "batch sizes differ: A1 has 2 items, w has 3 items"),
        ({"A1": np.full((2, 2), np.nan), "w": 1}, "NaN"),
        ({"A1": [X, np.full((1, 4), np.inf)], "w": 1}, "inf"),
    ],
)
@pytest.mark.parametrize("mode", ["interpret", "kernels"])
def test_mistakes_are_named(given: dict[Any, Any], message: str, mode: str) -> None:
    with pytest.raises(ag.InputError, match=re.escape(message)):
        ag.compile("LSE[A1⟨w⟩]", mode=mode)(given)


def test_mappings_are_checked() -> None:
    with pytest.raises(ag.InputError):
        ag.compile("LSE[relabel[A, m]]")(A=LINE, m=3.5)
    with pytest.raises(ag.InputError, match="is a label mapping"):
        ag.compile("LSE[relabel[A, m]]").value_and_grad(A=LINE, m={1: 2}, wrt="m")
    assert "m" not in ag.compile("LSE[relabel[A, m]]").value_and_grad(A=LINE, m={1: 2})[1]


def test_what_makes_a_batch() -> None:
    types = {"A": Type.GRAPH, "w": Type.SCORE}
    assert bind(types, {"A": LINE, "w": 1.0}).batch is None
    assert bind(types, {"A": LINE, "w": np.float64(1)}).batch is None
    assert bind(types, {"A": LINE, "w": np.zeros(1)}).batch == 1
    assert bind(types, {"A": [LINE], "w": 0}).batch == 1
    assert bind(types, {"A": np.zeros((2, 3, 4)), "w": 0}).batch == 2
    assert bind(types, {"A": [], "w": np.zeros(0)}).batch == 0
    assert bind(types, {"A": X, "w": 0}).batch is None


def test_ragged_dense_inputs_lie_one_after_another() -> None:
    found = bound(Type.GRAPH, [np.ones((2, 3)), np.zeros((0, 3)), np.full((1, 3), 2.0)])
    assert isinstance(found, BoundDense)
    assert (found.starts.tolist(), found.counts.tolist()) == ([0, 2, 2], [2, 0, 1])
    assert found.scores(2).tolist() == [[2.0, 2.0, 2.0]]
    parts = found.collect(np.arange(9.0).reshape(3, 3))
    assert [p.shape for p in parts] == [(2, 3), (0, 3), (1, 3)]
    padded = bound(Type.GRAPH, ag.dense(np.zeros((2, 3, 4)), [1, 3]))
    assert (padded.starts.tolist(), padded.counts.tolist()) == ([0, 3], [1, 3])
    assert padded.collect(np.zeros((6, 4))).shape == (2, 3, 4)
    single = bound(Type.GRAPH, [np.ones((1, 2), np.float32), np.ones((1, 2), np.float32)])
    assert single.frames.dtype == np.float32
