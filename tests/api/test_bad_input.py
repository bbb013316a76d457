"""Wrong inputs of an equation: each is an InputError that names the input, what was found and what was expected."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import arcgrad as ag

MODES = ("auto", "interpret", "kernels")
A = ag.linear([1, 2], [0.1, 0.2])
B = ag.linear([1, 2])
TRANSDUCER = ag.Graph([0], [1], [1], [2], accept=[1])


class Tensor:
    """What numpy sees of a tensor of another library."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)
        self.shape, self.ndim = self.values.shape, self.values.ndim

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self.values


class Unreadable:
    """A tensor on another device, or one that requires a gradient."""

    def __init__(self, error: type[Exception]) -> None:
        self.error = error

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise self.error("cannot be converted")


def refused(call: Any, *fragments: str, error: type[ag.ArcgradError] = ag.InputError) -> ag.ArcgradError:
    """The error of a call; of exactly that class, and its message has the fragments."""
    with pytest.raises(ag.ArcgradError) as caught:
        call()
    assert type(caught.value) is error, repr(caught.value)
    for fragment in fragments:
        assert fragment in str(caught.value)
    return caught.value


def test_names_that_are_missing_unknown_or_given_twice() -> None:
    equation = ag.compile("LSE[A_1 ∘ Beta]")
    refused(lambda: equation(A1=A), "missing input: Beta (a graph)")
    refused(lambda: equation(), "missing inputs: A1 (a graph), Beta (a graph)")
    refused(lambda: equation(A1=A, Beta=B, C=1), "C is not an input", "A1, Beta")
    refused(lambda: equation(A1=A, beta=B), "beta is not an input", "did you mean Beta?")
    refused(lambda: equation({"A1": A, "A_1": A, "Beta": B}), "two spellings of one input, A1")
    refused(lambda: equation({"A_{1}": A, "Beta": B}, A1=A), "two spellings of one input, A1")
    refused(lambda: equation({"Beta": B}, A1=A, Beta=B), "Beta is given twice")
    refused(lambda: equation({1: A, "Beta": B}), "inputs are given by name, but 1 is an int")
    refused(lambda: equation({"\x00": A, "Beta": B}), r"'\x00' is not an input")
    refused(lambda: equation({"": A, "Beta": B}), "'' is not an input")
    refused(lambda: equation(A), "mapping from names to inputs, not a Graph", "equation(A1=…, Beta=…)")
    refused(lambda: equation([A, B]), "not a list")
    refused(lambda: ag.compile("LSE[ε]")(A=A), "its inputs are: none")


@pytest.mark.parametrize(
    ("value", "fragment"),
    [
        (None, "a NoneType was given"),
        ("abc", "a str was given"),
        (2.0, "a float was given"),
        (np.nan, "a float was given"),
        ({}, "a dict was given"),
        (object(), "an object was given"),
        ((g for g in [A]), "a generator was given"),
        (ag.Graph, "a type was given"),
        (np.zeros(3), "ndarray of shape (3,) was given"),
        (np.zeros((1, 2, 3, 4)), "shape (1, 2, 3, 4)"),
        (np.zeros((2, 3), bool), "dtype bool"),
        (np.zeros((2, 3), complex), "dtype complex128"),
        (np.array([[1, None]], object), "dtype object"),
        (np.array([["a"]]), "dtype <U1"),
        (np.zeros((2, 2), "M8[s]"), "dtype datetime64[s]"),
        (np.ma.masked_array([[1.0, 2.0]], mask=[[True, False]]), "masked array"),
        (np.array([[1.0, np.nan]]), "A[0, 1] is nan"),
        (np.array([[1.0, np.inf]]), "A[0, 1] is inf"),
        (np.array([[1.0, np.inf]], np.float32), "A[0, 1] is inf"),
        (np.array([[[1.0]], [[np.nan]]]), "A[1, 0, 0] is nan"),
        (np.full((2, 2), 1e308), "A[0, 0] is 1e+308"),
        ([1, 2], "item 0 of input A is an int"),
        ([[1, 2], [3, 4]], "item 0 of input A is a list"),
        ([A, None], "item 1 of input A is a NoneType"),
        ([[A]], "item 0 of input A is a list"),
        ([ag.dense([[1.0, 2.0]]), A], "mixes graphs and dense inputs (item 1 is a graph)"),
        ([ag.dense([[1.0, 2.0]]), ag.dense([[1.0]])], "item 1 of input A has 1 columns, but item 0 has 2"),
        ([ag.dense(np.zeros((2, 2, 2)))], "item 0 of input A is itself a batch"),
        ([np.zeros((2, 2)), np.zeros((2, 2, 2))], "item 1 of input A is a ndarray of shape (2, 2, 2)"),
        ([np.zeros((2, 2)), np.array([[0.0, np.nan]])], "item 1 of input A[0, 1] is nan"),
        (Unreadable(RuntimeError), "cannot be converted"),
        (Unreadable(TypeError), "cannot be converted"),
        ([Unreadable(RuntimeError)], "item 0 of input A"),
    ],
)
def test_what_is_no_graph(value: Any, fragment: str) -> None:
    for call in (ag.compile("LSE[A]"), ag.compile("A A", mode="interpret").value_and_grad):
        refused(lambda call=call: call(A=value), fragment, "input A")


@pytest.mark.parametrize(
    ("value", "fragment"),
    [
        (None, "is None (NoneType)"),
        ("1", "is '1' (str)"),
        (True, "dtype bool"),
        (np.bool_(1), "dtype bool"),
        (1j, "dtype complex128"),
        (np.array([[1.0]]), "shape (1, 1)"),
        ([[1.0], [2.0]], "shape (2, 1)"),
        (np.array([1, None]), "dtype object"),
        ([[1], [1, 2]], "numpy cannot make an array of it"),
        ({}, "is {} (dict)"),
        (np.nan, "input a is NaN"),
        (np.array([1.0, np.nan]), "input a is NaN at item 1"),
        (10**400, "beyond the range of float64"),
        (A, "a Graph was given"),
        (ag.dense([[1.0]]), "a Dense was given"),
        (Unreadable(RuntimeError), "cannot be converted"),
        (Unreadable(TypeError), "cannot be converted"),
    ],
)
def test_what_is_no_score(value: Any, fragment: str) -> None:
    for text in ("2 a + LSE[A]", "LSE[A⟨a⟩]"):
        refused(lambda text=text: ag.compile(text)(A=A, a=value), fragment, "input a")


def test_whole_numbers_of_any_size_are_scores() -> None:
    assert ag.compile("a / 2")(a=2**80) == 2.0**79
    assert ag.compile("a / 2")(a=np.array([2, 4])).tolist() == [1.0, 2.0]
    assert ag.compile("a / 2")(a=np.uint64(2**63)) == 2.0**62


def test_tensors_that_numpy_can_read_are_dense_inputs_and_scores() -> None:
    value, gradient = ag.compile("LSE[X] + s").value_and_grad(X=Tensor([[0.0, 0.0]]), s=Tensor(2.0))
    assert value == pytest.approx(2 + np.log(2))
    assert gradient["X"].tolist() == [[0.5, 0.5]]


@pytest.mark.parametrize(
    ("lengths", "fragment"),
    [
        ([3, 4], "lengths[1] is 4, but lengths go from 0 to 3"),
        ([3, -1], "lengths[1] is -1"),
        ([3.0, 1.0], "dtype float64"),
        ([True, False], "dtype bool"),
        ([3], "shape (1,)"),
        (3, "shape ()"),
        ([[3, 1]], "shape (1, 2)"),
        ([3, 2**70], "dtype object"),
        ("ab", "'ab' (str)"),
        (Unreadable(RuntimeError), "cannot be converted"),
    ],
)
def test_lengths_that_the_data_do_not_have(lengths: Any, fragment: str) -> None:
    refused(lambda: ag.dense(np.zeros((2, 3, 4)), lengths=lengths), fragment, "lengths")


@pytest.mark.parametrize("mode", MODES)
def test_what_stands_past_the_lengths_means_nothing(mode: str) -> None:
    scores = np.zeros((2, 3, 2))
    scores[0, 1:], scores[1, 2:] = np.nan, np.inf
    value, gradient = ag.compile("LSE[X]", mode=mode).value_and_grad(X=ag.dense(scores, lengths=[1, 2]))
    np.testing.assert_allclose(value, [np.log(2), 2 * np.log(2)])
    assert gradient["X"][0, 1:].tolist() == [[0, 0], [0, 0]]
    assert gradient["X"][1, 2].tolist() == [0, 0]
    scores[1, 1, 0] = np.nan
    refused(lambda: ag.dense(scores, lengths=[1, 2]), "scores[1, 1, 0] is nan")


@pytest.mark.parametrize(
    ("value", "fragment"),
    [
        (None, "NoneType"),
        (3, "int"),
        ("ab", "str"),
        ([1.0, 2.0], "dtype float64"),
        ({1: 2.0}, "maps a label to 2.0 of type float"),
        ({1.0: 2}, "maps 1.0 of type float"),
        ({"a": 1}, "maps 'a' of type str"),
        ({1: True}, "True of type bool"),
        ({1: -2}, "maps a label to -2"),
        ({-2: 1}, "maps -2"),
        ({1: 2**31}, "maps a label to 2147483648"),
        ({2**31: 1}, "maps 2147483648"),
        ([2**31], "maps a label to 2147483648"),
        (np.zeros((2, 2), int), "shape (2, 2)"),
        (np.array([2**63], np.uint64), "9223372036854775808"),
        ([[1], [1, 2]], "list"),
        ([{1: 2}, {1: 3}], "list"),
        (A, "Graph"),
        (lambda label: label, "function"),
        (Unreadable(RuntimeError), "Unreadable"),
        (Unreadable(TypeError), "Unreadable"),
    ],
)
def test_what_is_no_label_mapping(value: Any, fragment: str) -> None:
    refused(lambda: ag.compile("relabel[A, m]")(A=A, m=value), "m ", fragment)


def test_a_mapping_is_no_graph_and_no_expression() -> None:
    refused(lambda: ag.compile("relabel[A, A]"), "label mapping", error=ag.EquationError)
    refused(lambda: ag.compile("relabel[A, m] m"), "label mapping", error=ag.EquationError)
    refused(lambda: ag.compile("relabel[A, rev[B]]"), "label mapping", error=ag.EquationError)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("text", ["LSE[A ∩ B]", "LSE[B ∩ A]", "B ∩ A", "LSE[B : A]", "A : B", "PATH[A ∩ B]"])
def test_a_transducer_where_an_acceptor_is_required(mode: str, text: str) -> None:
    equation = ag.compile(text, mode=mode)
    for other in (B, np.zeros((2, 3))):
        error = refused(lambda other=other: equation(A=TRANSDUCER, B=other), "transducer", "input label 1 and output")
        assert error.place is not None
        assert "^^^^^" in str(error)
        batch = [B, B] if other is B else np.zeros((2, 2, 3))
        refused(lambda batch=batch: equation.value_and_grad(A=[B, TRANSDUCER], B=batch), "item 1 of the batch")


@pytest.mark.parametrize("mode", MODES)
def test_batches_of_different_sizes(mode: str) -> None:
    equation = ag.compile("w LSE[A ∘ X]", mode=mode)
    three = np.zeros((3, 2, 4))
    refused(lambda: equation(A=[B, B], X=three, w=1.0), "A has 2 items, X has 3 items")
    refused(lambda: equation(A=[B], X=three, w=1.0), "A has 1 items, X has 3 items")
    refused(lambda: equation(A=B, X=three, w=[1.0, 2.0]), "w has 2 items, X has 3 items")
    refused(lambda: equation(A=B, X=[], w=[1.0]), "w has 1 items, X has 0 items")


@pytest.mark.parametrize("mode", MODES)
def test_empty_batches_are_legal(mode: str) -> None:
    equation = ag.compile("w LSE[A ∘ X]", mode=mode)
    for given in ({"X": np.zeros((0, 3, 4))}, {"X": np.zeros((0, 0, 0))}, {"X": []}):
        value, gradient = equation.value_and_grad(A=A, w=2.0, **given)
        assert value.shape == (0,)
        assert gradient["A"].tolist() == [0, 0]
        assert gradient["w"] == 0
        assert np.shape(gradient["X"]) == np.shape(given["X"])
    value, gradient = equation.value_and_grad(A=A, X=np.zeros((2, 3)), w=[])
    assert value.shape == gradient["w"].shape == (0,)
    assert gradient["X"].tolist() == [[0, 0, 0], [0, 0, 0]]
    assert ag.compile("A B", mode=mode).value_and_grad(A=[], B=B)[0] == []
    assert ag.compile("COUNT[A]", mode=mode)(A=[]).dtype == np.int64


@pytest.mark.parametrize("mode", MODES)
def test_dense_inputs_without_steps_or_columns_are_legal(mode: str) -> None:
    equation = ag.compile("LSE[A ∘ X]", mode=mode)
    value, gradient = equation.value_and_grad(A=ag.linear([]), X=np.zeros((2, 0, 4)))
    assert value.tolist() == [0, 0]
    assert gradient["X"].shape == (2, 0, 4)
    value, gradient = equation.value_and_grad(A=ag.Graph([0], [1], [-1], accept=[1]), X=np.zeros((2, 3, 0)))
    assert value.tolist() == [-np.inf] * 2
    assert gradient["X"].shape == (2, 3, 0)
    value, gradient = ag.compile("LSE[X]", mode=mode).value_and_grad(X=np.zeros((3, 0)))
    assert value == -np.inf
    assert gradient["X"].shape == (3, 0)
    refused(lambda: equation(A=A, X=np.zeros((2, 3, 0))), "X has 0 columns: no labels at all")
    refused(lambda: equation(A=ag.linear([2, 2**31 - 1]), X=np.zeros((2, 3))), "arc 1 of A has the label 2147483647")
