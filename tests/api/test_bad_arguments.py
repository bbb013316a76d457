"""Wrong arguments beside the inputs: wrt, cotangents, modes, symbols, definitions, limits, files; operators to come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import arcgrad as ag

MODES = ("auto", "interpret", "kernels", "fused")
A = ag.linear([1, 2], [0.1, 0.2])


class OnAnotherDevice:
    """A tensor that numpy cannot convert."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise RuntimeError("cannot be converted")


def refused(call: Any, *fragments: str, error: type[ag.ArcgradError] = ag.InputError) -> ag.ArcgradError:
    """The error of a call; of exactly that class, and its message has the fragments."""
    with pytest.raises(ag.ArcgradError) as caught:
        call()
    assert type(caught.value) is error, repr(caught.value)
    for fragment in fragments:
        assert fragment in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("wrt", "fragment"),
    [
        ("B", "wrt='B' is not an input of the equation; its inputs are A, m, s"),
        ("", "wrt='' is not an input"),
        ("\x00", "is not an input"),
        ("A m", "is not an input"),
        (["A", "Q"], "wrt='Q' is not an input"),
        ("m", "wrt='m' is a label mapping"),
        (["A", "m"], "label mapping"),
        (3, "wrt is 3"),
        ([1], "1 is an int"),
        ([None], "None is a NoneType"),
        (["A", ["s"]], "['s'] is a list"),
        (b"A", "wrt is b'A' (bytes)"),
        (object(), "wrt is <object"),
    ],
)
def test_wrt_that_is_no_input(wrt: Any, fragment: str) -> None:
    equation = ag.compile("relabel[A, m]⟨s⟩")
    for method in (equation.value_and_grad, equation.jacobian, equation.check_grad):
        refused(lambda method=method: method(A=A, m={}, s=1.0, wrt=wrt), fragment)


def test_wrt_in_every_legal_form() -> None:
    equation = ag.compile("LSE[A1 + relabel[B, m]⟨s⟩]")
    inputs = {"A1": A, "B": A, "m": {1: 5}, "s": 0.5}
    expected = {
        None: ["A1", "B", "s"], "A1": ["A1"], "A_{1}": ["A1"], (): [], ("s", "A1", "A_1", "s"): ["s", "A1"]
    }  # fmt: skip
    for wrt, names in expected.items():
        assert list(equation.value_and_grad(inputs, wrt=wrt)[1]) == names
    assert list(equation.value_and_grad(inputs, wrt={"A1", "s"})[1].keys() ^ {"A1", "s"}) == []
    gradient = equation.value_and_grad(inputs)[1]
    assert gradient["A_1"] is gradient["A1"]
    with pytest.raises(KeyError):
        gradient["Q"]


@pytest.mark.parametrize("mode", MODES[:3])
@pytest.mark.parametrize(
    ("cotangent", "fragment"),
    [
        (np.nan, "not finite"),
        ([1.0, np.inf], "not finite"),
        (1j, "complex128"),
        (True, "bool"),
        ("x", "'x' (str)"),
        ({}, "{} (dict)"),
        (A, "dtype object"),
        (10**400, "dtype object"),
        ([[1], [1, 2]], "numpy cannot make an array of it"),
        (OnAnotherDevice(), "cannot be converted"),
        ([1.0, 2.0, 3.0], "shape (3,)"),
        ([[1.0], [2.0]], "shape (2, 1)"),
    ],
)
def test_cotangents_of_scores(mode: str, cotangent: Any, fragment: str) -> None:
    equation = ag.compile("LSE[A]", mode=mode)
    for inputs in (A, [A, A]):
        refused(lambda inputs=inputs: equation.value_and_grad(A=inputs, cotangent=cotangent), "cotangent", fragment)
    refused(lambda: equation.trace(A=A, cotangent=cotangent), "cotangent")


@pytest.mark.parametrize("mode", MODES[:3])
def test_cotangents_of_graphs(mode: str) -> None:
    equation = ag.compile("A A", mode=mode)
    for wrong in (2.0, [1.0], [1.0] * 4, [1.0] * 6, np.ones((5, 1)), np.ones((1, 5))):
        refused(lambda wrong=wrong: equation.value_and_grad(A=A, cotangent=wrong), "a graph of 5 arcs", "shape (5,)")
        refused(lambda wrong=wrong: equation.trace(A=A, cotangent=wrong), "a graph of 5 arcs")
        refused(
            lambda wrong=wrong: equation.value_and_grad(A=[A, A], cotangent=[[1.0] * 5, wrong]),
            "item 1 of the batch: cotangent has shape",
        )
    for wrong in (2.0, np.ones((2, 5)), [[1.0] * 5], [[1.0] * 5] * 3, "ab"):
        refused(lambda wrong=wrong: equation.value_and_grad(A=[A, A], cotangent=wrong), "list of 2 arrays")
    refused(lambda: equation.value_and_grad(A=[A, A], cotangent=[[1.0] * 5, None]), "cotangent")
    for right in ([1, 2, 3, 4, 5], np.arange(1.0, 6.0), range(1, 6)):
        assert equation.value_and_grad(A=A, cotangent=right)[1]["A"].tolist() == [5.0, 7.0]
    two = equation.value_and_grad(A=[A, A], cotangent=[[1, 0, 0, 0, 0], np.ones(5)])[1]["A"]
    assert [g.tolist() for g in two] == [[1, 0], [2, 2]]


def test_jacobians_are_of_single_graphs() -> None:
    refused(lambda: ag.compile("LSE[A]").jacobian(A=A), "value is a score", "value_and_grad")
    for a, w in (([A], 1.0), ([], 1.0), (A, [1.0]), (np.zeros((1, 2, 3)), 1.0)):
        refused(lambda a=a, w=w: ag.compile("A⟨w⟩").jacobian(A=a, w=w), "the inputs are a batch of")
    J = ag.compile("A⟨w⟩ A").jacobian(A=A, w=2.0)
    for index in (6, -7, 10**30):
        refused(lambda index=index: J["A"].row(index), f"row {index} of a Jacobian of shape (6, 2)")
    refused(lambda: J["A"].column(2), "column 2")
    for index in ("a", None, 1.5, True, np.nan):
        refused(lambda index=index: J["A"].column(index), "chosen by a whole number")
    refused(lambda: J["w"].row(0), "the input is a score")
    assert J["A"].row(np.int64(-1)).weight.tolist() == [0.0, 1.0]
    refused(lambda: ag.compile("LSE[A]").trace(A=[A]), "the inputs are a batch")


def test_gradient_checks_and_warm_ups() -> None:
    equation = ag.compile("LSE[A]")
    for step in (0, -1.0, np.nan, np.inf, "x", None, True, 10**400, 10**5000, [1.0], memoryview(b"1")):
        refused(lambda step=step: equation.check_grad(A=A, step=step), "step is")
        refused(lambda step=step: equation.check_grad(A=A, tolerance=step), "tolerance is")
    refused(lambda: ag.warmup(3), "equations is 3 (int)")
    refused(lambda: ag.warmup([3], A=A), "an equation is a str, not an int")
    refused(lambda: ag.warmup("LSE[A]", [1]), "not a list")
    refused(lambda: ag.warmup("LSE[A]"), "missing input")
    refused(lambda: ag.warmup("LSE[", A=A), "never closed", error=ag.EquationError)


def test_operators_of_graphs_are_type_checked() -> None:
    for text in ("det[LSE[A]]", "H[LSE[A]]", "LSE[H[A]]", "E[A, 2]", "prune[A, B ∘ C]", "NBEST[A, n]", "NBEST[A, 1.5]",
                 "NBEST[A]", "SAMPLE[A, 2]", "KL[A]", "rmeps[A, B]"):  # fmt: skip
        refused(lambda text=text: ag.compile(text), error=ag.EquationError)


@pytest.mark.parametrize("mode", ["Auto", None, 3, "", ["auto"], {}])
def test_unknown_modes(mode: Any) -> None:
    refused(lambda: ag.compile("LSE[A]", mode=mode), "is none of auto, interpret, kernels, fused")


@pytest.mark.parametrize("text", [None, b"LSE[A]", 3, ["LSE[A]"], ag])
def test_texts_that_are_none(text: Any) -> None:
    refused(lambda: ag.compile(text), "an equation is a str")
    if text is not None:
        refused(lambda: ag.compile("LSE[A]", definitions=text), "definitions")


@pytest.mark.parametrize(
    "text",
    ["", "  \n ", "#", "LSE[A\x00]", "LSE[\ud800]", "LSE[😀]", "LSE[A]\x1b", "LSE[A]\nLSE[B]", "A = B", "LSE = A\nLSE"],
)
def test_texts_that_say_nothing(text: str) -> None:
    refused(lambda: ag.compile(text), error=ag.EquationError)


@pytest.mark.parametrize("limits", [3, "x", {"states": 3}, ag.Limits])
def test_limits_of_a_wrong_kind(limits: Any) -> None:
    refused(lambda: ag.compile("LSE[A]", limits=limits), "limits are ag.Limits(…)")


@pytest.mark.parametrize("name", ["states", "arcs", "bytes", "nodes"])
def test_limits_are_whole_numbers(name: str) -> None:
    for value in (-1, 1.5, "x", None, np.nan, True):
        refused(lambda value=value: ag.Limits(**{name: value}), f"limits: {name} is")
    if name in ("states", "arcs"):
        refused(lambda: ag.Limits(**{name: 2**31}), "numbered with 32 bits")


def test_symbols_that_are_not_in_the_table() -> None:
    text = 'LSE["ab" ∘ B]'
    for symbols, symbol in [({"a": 1}, "'b'"), ({}, "'a'"), (ag.SymbolTable(["x"]), "'a'")]:
        error = refused(lambda s=symbols: ag.compile(text, symbols=s), symbol, error=ag.EquationError)
        assert error.place is not None
        assert error.place.span.start == 4
    refused(lambda: ag.compile('"<cat>"'), "needs a symbol table", error=ag.EquationError)
    refused(lambda: ag.compile('re"[^a]"'), "need a symbol table", error=ag.EquationError)
    refused(lambda: ag.compile('re"[ax]"', symbols=["a"]), "'x'", error=ag.EquationError)
    for symbols in (3, [1, 2], [None], ["a", "a"], {"a": -5}, {"a": 2**31}, {"a": "b"}, {"a": 1.5}, {1: "a"},
                    {"a": 1, "b": 1}):  # fmt: skip
        refused(lambda s=symbols: ag.compile(text, symbols=s))
    assert ag.compile(text, symbols=["a", "b"])(B=ag.linear([0, 1])) == 0.0
    assert ag.compile(text)(B=ag.linear("ab")) == 0.0


def test_errors_in_definitions_point_into_the_definitions() -> None:
    used = "f[Q]"
    for definitions, at, error, q in [
        ("f[A] =\n", "", ag.EquationError, None),
        ("g[A] = A\nf[A] = LSE[A] + A", "LSE[A] + A", ag.EquationError, None),
        ("f[A] = A ∘ LSE[A]", "LSE[A]", ag.EquationError, None),
        ("LSE[A]", "LSE[A]", ag.EquationError, None),
        ("LSE[A] = A; f[A] = A", "LSE", ag.EquationError, None),
        ("f[A] = log LSE[A]", "log", ag.EquationError, None),
        ("f[A] = LSE[A] (4)", "(4)", ag.EquationError, None),
        ('f[A] = A "<cat>"', '"<cat>"', ag.EquationError, None),
        ("# the star\nf[A] = 2 LSE[A*]", "LSE[A*]", ag.DivergenceError, ag.linear([1], [1.0])),
        ("f[A] = 1 + log[LSE[A]]", "log[LSE[A]]", ag.UndefinedError, ag.linear([1], [-1.0])),
        ("f[A] = LSE[A ∩ A]", "A ∩ A", ag.InputError, ag.Graph([0], [1], [1], [2], accept=[1])),
        ("f[A] = LSE[A{1000000000}]", "A{1000000000}", ag.LimitError, A),
    ]:
        found = refused(lambda d=definitions, q=q: ag.compile(used, definitions=d)(Q=q), error=error)
        assert found.place is not None
        assert found.place.text == definitions
        if at:
            assert found.place.text[found.place.span.start : found.place.span.end] == at
    unknown = refused(lambda: ag.compile(used, definitions="g[A] = A"), "unknown operator f", error=ag.EquationError)
    assert unknown.place is not None
    assert unknown.place.text == used


def test_files_that_are_malformed(tmp_path: Path) -> None:
    for name, content in [
        ("a.gtn", b"0\n1\n0 1 x\n"),
        ("b.gtn", b"0 1"),
        ("c.att", b"0 1 2 3 4 5 6\n"),
        ("d.k2", b"0 1 2\n3\n"),
        ("e.json", b"{"),
        ("f.json", b"[1, 2]"),
        ("g.npz", b"no zip file"),
        ("h.npz", b""),
        ("i.gtn", b"\xff\xfe\x00"),
        ("j.att", b"0 1 99999999999999999999 1\n"),
        ("k.gtn", b"0\n1\n0 1 5 5 nan\n"),
        ("l.att", b"0 1 5 5 -inf\n1\n"),
        ("m.json", b"9" * 5_000),
        ("n.fst", b""),
        ("o.fst", b"0 1 5 5\n"),
    ]:
        path = tmp_path / name
        path.write_bytes(content)
        error = refused(lambda path=path: ag.load(path), error=ag.FormatError)
        assert name in str(error), name
    for missing in (tmp_path / "none.gtn", tmp_path):
        with pytest.raises(OSError, match=str(missing)):
            ag.load(missing)
    refused(lambda: ag.load(tmp_path / "a.gtn", format="pdf"), "pdf")
    refused(lambda: ag.Graph.from_text("0\n1\n", format="pdf"), "pdf")
