"""Values of any kind in the place of any argument: accepted, or an error of arcgrad's own; and the hints for some."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import arcgrad as ag

A = ag.linear([1, 2], [0.1, 0.2])
TABLE = ag.SymbolTable(["a", "b"])
RELEASED = memoryview(b"12")
RELEASED.release()
HUGE = 10**5000  # Python spells it out for nobody

ODD: list[Any] = [
    None, True, 3, -1, 10**400, HUGE, -HUGE, 2**63, 2**64, 1.5, np.nan, 1j, "x", "", "\ud800", "a\0", b"x",
    bytearray(b"1"), memoryview(b"abc"), memoryview(np.zeros((2, 3))), RELEASED, [], [1], [[1], [1, 2]], [HUGE],
    {}, {1: 2}, {"a": HUGE}, {1}, range(3), iter([1]), object(), int, ag, slice(3), ..., A, [A], ag.dense([[1.0]]),
    TABLE, np.float32(1), np.array(3), np.array(["a"]), np.array([None]), np.zeros(0), np.zeros((2, 3, 4, 5)),
    np.datetime64("2020"), np.void(b"x"), np.ma.masked,
]  # fmt: skip

EQ, MAPPED = ag.compile("LSE[A]"), ag.compile("LSE[relabel[A, m]] + s")
J = ag.compile("A A").jacobian(wrt="A", A=A)
X = np.zeros((2, 3, 2))

CALLS: dict[str, Callable[[Any], Any]] = {
    "graph": lambda v: EQ.value_and_grad(A=v),
    "item": lambda v: EQ(A=[A, v]),
    "mapping": lambda v: MAPPED(A=A, m=v, s=1),
    "score": lambda v: MAPPED(A=A, m={}, s=v),
    "wrt": lambda v: EQ.value_and_grad(A=A, wrt=v),
    "cotangent": lambda v: EQ.value_and_grad(A=A, cotangent=v),
    "out": lambda v: EQ.value_and_grad(A=A, out=v),
    "out's array": lambda v: EQ.value_and_grad(A=A, out={"A": v}),
    "inputs": lambda v: EQ(v),
    "step": lambda v: EQ.check_grad(A=A, step=v),
    "tolerance": lambda v: EQ.check_grad(A=A, tolerance=v),
    "compile": lambda v: ag.compile(v),
    "symbols": lambda v: ag.compile('"ab"', symbols=v),
    "definitions": lambda v: ag.compile("A", definitions=v),
    "mode": lambda v: ag.compile("A", mode=v),
    "limits": lambda v: ag.compile("A", limits=v),
    "Limits": lambda v: ag.Limits(states=v, bytes=v),
    "warmup": lambda v: ag.warmup(v),
    "linear": lambda v: ag.linear(v),
    "linear's weight": lambda v: ag.linear([1], v),
    "linear's symbols": lambda v: ag.linear("a", symbols=v),
    "linear in a table": lambda v: ag.linear(v, symbols=TABLE),
    "dense": lambda v: ag.dense(v),
    "lengths": lambda v: ag.dense(X, v),
    "dense item": lambda v: ag.dense(X).item(v),
    "src": lambda v: ag.Graph(v, [1], [1]),
    "ilabel": lambda v: ag.Graph([0], [1], v),
    "weight": lambda v: ag.Graph([0], [1], [1], weight=v),
    "start": lambda v: ag.Graph([0], [1], [1], start=v),
    "n_states": lambda v: ag.Graph([0], [1], [1], n_states=v),
    "tie": lambda v: ag.Graph([0], [1], [1], tie=v),
    "arcs": lambda v: ag.Graph.from_arcs(v),
    "arc": lambda v: ag.Graph.from_arcs([v]),
    "arc's label": lambda v: ag.Graph.from_arcs([(0, 1, v)]),
    "arc's weight": lambda v: ag.Graph.from_arcs([(0, 1, 1, v)]),
    "text": lambda v: ag.Graph.from_text(v),
    "format": lambda v: ag.Graph.from_text("", format=v),
    "shift": lambda v: A.to_text(shift=v),
    "isymbols": lambda v: ag.Graph.from_text("0 1 1", "openfst", isymbols=v),
    "load": lambda v: ag.load(v),
    "save": lambda v: ag.save("no folder/x", v),
    "table": lambda v: ag.SymbolTable(v),
    "first": lambda v: ag.SymbolTable("ab", first=v),
    "label": lambda v: ag.SymbolTable({"a": v}),
    "table[…]": lambda v: TABLE[v],
    "symbol": lambda v: TABLE.symbol(v),
    "encode": lambda v: TABLE.encode(v),
    "decode": lambda v: TABLE.decode(v),
    "table's text": lambda v: ag.SymbolTable.from_text(v),
    "equal": lambda v: ag.equal(A, v),
    "equal's tolerance": lambda v: ag.equal(A, A, v),
    "isomorphic's tolerance": lambda v: ag.isomorphic(A, A, v),
    "row": lambda v: J.row(v),
}


@pytest.mark.parametrize("name", CALLS)
def test_any_value_is_accepted_or_refused_by_name(name: str) -> None:
    told = []
    for value in ODD:
        try:
            CALLS[name](value)
        except (ag.ArcgradError, OSError) as error:
            told.append(str(error))
    assert max(map(len, told), default=0) < 2000  # what is huge is not spelled out
    assert not re.search(r"\ba (int|object|array|index)\b|\b1 \w+s given", "\n".join(told))


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("cat", "ag.linear('cat') is the chain of its characters"),
        ("a.gtn", "ag.load('a.gtn') reads a file"),
        (["<s>", "b"], "ag.linear(['<s>', 'b'], symbols=table)"),
        ([3, 1], "ag.linear([3, 1]) is the chain of these labels"),
        (3, "`0 + A` in the equation would make it a score, and a repetition count is a literal, as in A{3}"),
        (0.5, "`0 + A` in the equation would make it a score"),
    ],
)
def test_what_looks_like_a_graph_is_shown_how_to_be_one(value: Any, hint: str) -> None:
    with pytest.raises(ag.InputError) as caught:
        EQ(A=value)
    assert hint in str(caught.value)


def test_linear_takes_symbols() -> None:
    assert ag.linear(["b", "a"], symbols=TABLE).ilabel.tolist() == [1, 0]
    assert ag.linear("ba", [0.5, 1.0], symbols="ab").weight.tolist() == [0.5, 1.0]
    with pytest.raises(ag.InputError, match=r"labels is \['b', 'a'\](?s:.*)symbols=ag.SymbolTable"):
        ag.linear(["b", "a"])
    with pytest.raises(ag.InputError, match="symbol 'c' at position 1 is not in the table"):
        ag.linear("ac", symbols=TABLE)


def test_differences_of_names_alone() -> None:
    for text in ("a - b", "a - b - c", "a - b c"):
        with pytest.raises(ag.InputError, match=r"`0 \+ a` in the equation would make it a score"):
            ag.compile(text)(dict.fromkeys(ag.compile(text).inputs, 1.0))
    assert ag.compile("0 + a - b")(a=3.0, b=1.0) == 2.0
    with pytest.raises(ag.InputError, match=r"missing input: H (?s:.*)with brackets, H\[…\]"):
        ag.compile("LSE[H ∘ A]")(A=A)


def test_names_that_look_alike_are_told_apart() -> None:
    for call in (lambda: EQ({"А": A}), lambda: EQ.value_and_grad(A=A, wrt="А")):
        with pytest.raises(ag.InputError, match=r"did you mean A \(with U\+0041, where yours has U\+0410\)\?"):
            call()
    with pytest.raises(ag.InputError, match=r"the equation's А is not A \(with U\+0041, where yours has U\+0410\)"):
        ag.compile("LSE[A ∘ А]")(A=A)


def test_tensors(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    scores = torch.tensor([[0.5, 1.0], [0.25, 2.0]], dtype=torch.bfloat16)
    equation = ag.compile("LSE[X]")
    value, gradient = equation.value_and_grad(X=scores)
    assert value == equation(X=scores.float().numpy())
    assert gradient["X"].dtype == torch.float32
    assert ag.dense(scores).dtype == np.float32
    assert equation(X=[scores, scores]).tolist() == [value, value]
    for wrong in (scores.requires_grad_(), torch.zeros(2, 3, requires_grad=True)):
        for call in (lambda w: equation(X=w), ag.dense, lambda w: ag.linear([1, 2], w[0])):
            with pytest.raises(ag.InputError, match=r"ag\.torch\.compile"):
                call(wrong)


@pytest.mark.parametrize("mode", ["interpret", "kernels", "fused"])
def test_least_of_scores(mode: str) -> None:
    equation = ag.compile("min[MAX[A], MAX[B], s]", mode=mode)
    value, gradient = equation.value_and_grad(A=A, B=[A, A.with_weight([-1.0, 0.0])], s=np.array([0.1, 5.0]))
    assert value.tolist() == [0.1, -1.0]
    assert (gradient["s"].tolist(), gradient["A"].tolist()) == ([1.0, 0.0], [0.0, 0.0])
    assert [g.tolist() for g in gradient["B"]] == [[0.0, 0.0], [1.0, 1.0]]
