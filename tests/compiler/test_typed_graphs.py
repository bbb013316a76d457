"""Graphs as typed, ``graph"0 1 a 0.5; 1"``: what they are, what they are worth, and what is refused where."""

from __future__ import annotations

import math
import textwrap
from typing import Any

import numpy as np
import pytest

import arcgrad as ag
from arcgrad.compiler.frontend.elaborate import operator_names
from arcgrad.grammar import parse, to_latex, unparse

TYPED = 'graph"0 1 a 0.5; 0 1 b -1; 1 2 b:x; 1 1 ε -2e0; 2"'
BUILT = ag.Graph.from_arcs(
    [(0, 1, 97, 0.5), (0, 1, 98, -1.0), (1, 2, 98, 120, 0.0), (1, 1, -1, -2.0)], start=[0], accept=[2]
)


def graph(entries: str, symbols: ag.SymbolTable | None = None) -> ag.Graph:
    value = ag.compile(f'graph"{entries}"', symbols=symbols)()
    assert isinstance(value, ag.Graph)
    return value


def test_states_arcs_and_scores_are_those_typed() -> None:
    assert ag.equal(ag.compile(TYPED)(), BUILT)
    assert ag.equal(graph("0 1 a\t0.5\n0 1 b −1;;\n  1 2 b:x;1 1 ε:ε -2\n2\n"), BUILT)


@pytest.mark.parametrize(
    ("entries", "start", "accept", "n_states"),
    [
        ("", [], [], 0),
        (" ; \n", [], [], 0),
        ("3", [3], [3], 4),
        ("2; 0 1 a", [2], [2], 3),
        ("4 0 a; 0; 0", [4], [0], 5),
        ("start 1; start 0; start 1; 0 1 a; 1; 0", [0, 1], [0, 1], 2),
        ("0 1 a", [0], [], 2),
    ],
)
def test_starts_and_accepts(entries: str, start: list[int], accept: list[int], n_states: int) -> None:
    made = graph(entries)
    assert (made.start.tolist(), made.accept.tolist(), made.n_states) == (start, accept, n_states)


def test_symbols_are_those_of_strings() -> None:
    made = graph(r"0 1 <;>:<:> 1; 0 1 < >:\<; 0 1 \":\\; 0 1 #:ε; 0 1 <ε>; 1")
    assert made.ilabel.tolist() == list(map(ord, '; "#ε'))
    assert made.olabel.tolist() == [ord(":"), ord("<"), ord("\\"), -1, ord("ε")]
    table = ag.SymbolTable(["a", "two words", "<s>"])
    assert graph("0 1 <two words>:<s>; 1 1 a:<a>; 1", table).ilabel.tolist() == [1, 0]
    assert graph("0 1 <two words>:<s>; 1 1 a:<a>; 1", table).olabel.tolist() == [2, 0]


@pytest.mark.parametrize("mode", ["interpret", "kernels"])
@pytest.mark.parametrize(
    "equation",
    ["LSE[{} ∘ A]", "MAX[A ∘ out[{}]]", "COUNT[{}]", "H[{} ∘ A]", "LSE[X ∘ {}]", "LSE[det[rmeps[in[{}]] A]]"],
)
def test_it_is_worth_what_an_input_is(mode: str, equation: str) -> None:
    inputs: dict[str, Any] = {"A": ag.linear("xb", [0.25, -1.0]), "X": np.zeros((3, 122)), "T": BUILT}
    if equation == "LSE[{} ∘ A]":
        inputs["A"] = ag.linear("x", [0.25])
    if equation == "H[{} ∘ A]":
        inputs["A"] = ag.compile('("x"⟨1⟩ + "x"⟨2⟩)')()
    typed, given = (ag.compile(equation.format(word), mode=mode) for word in (TYPED, "T"))  # type: ignore[arg-type]
    own = {name: value for name, value in inputs.items() if name in given.inputs}
    if equation.startswith("COUNT"):
        assert typed({}) == given(own) == math.inf  # it has a loop
        return
    value, gradient = given.value_and_grad(own)
    named = {name: own[name] for name in typed.inputs}
    found, own_gradient = typed.value_and_grad(named)
    assert found == pytest.approx(value, rel=1e-14)
    for name in typed.inputs:
        assert own_gradient[name] == pytest.approx(gradient[name], abs=1e-14)


def test_jacobians_second_derivatives_and_traces_pass_through_it() -> None:
    equation = ag.compile(f"{TYPED}⟨w⟩ A")
    jacobian = equation.jacobian(wrt="A", w=1.0, A=ag.linear([1]))
    assert jacobian.toarray().tolist() == [[0.0]] * 6 + [[1.0]]
    score = ag.compile(f"LSE[{TYPED} + A]")
    p = math.exp(0.25 - score(A=ag.linear([1], [0.25])))
    assert score.hvp([1.0], A=ag.linear([1], [0.25]), wrt="A") == pytest.approx([p * (1 - p)])
    assert "G1 = graph(4 arcs)" in str(score.trace(A=ag.linear([1])))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (TYPED, 'graph"0 1 a 0.5; 0 1 b -1.0; 1 2 b:x; 1 1 ε -2.0; 2"'),
        ('A + graph"\n0 1 < >:<;>\n1"', 'A + graph"0 1 < >:<;>; 1"'),
        ('graph"start 1; 0 1 a"', 'graph"start 1; 0 1 a"'),
    ],
)
def test_written_and_read_back(text: str, written: str) -> None:
    assert unparse(parse(text, operator_names())) == written
    assert unparse(parse(written)) == unparse(parse(to_latex(parse(written)))) == written


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ("0 1 a;\n 1 2 bb; 2", "`bb` is more than one symbol, and an arc has one on each side\n"
         "at line 2, column 6:\n   1 2 bb; 2\"\n       ^^\nhint: a symbol of several characters is `<bb>`"),
        ("0 1", "`0 1` is not an entry of a typed graph"),
        ("0 1", "accept states stand one by one: `0; 1`"),
        ("2 0.5", "accept states stand alone and carry no score"),
        ("0 1 a b", "`b` is not a score"),
        ("0 1 a 1e999", "`1e999` is not a score"),
        ("0 1 a inf", "`inf` is not a score"),
        ("0 1 a x 0.5", "with an output label, as in `0 1 a:x 0.5`"),
        ("0 a 1", "`a` is not a state of a typed graph"),
        ("-1 0 a", "`-1` is not a state of a typed graph"),
        ("0 2147483647 a", "`2147483647` is not a state"),
        ("start", "`start` is not a state"),
        ("start 0 1", "`start 0 1` is not an entry"),
        ("0 1 :x", "`:x` lacks a label on one side of `:`"),
        ("0 1 a:", "`a:` lacks a label"),
        ("0 1 a::b", "`a::b` lacks a label"),
        ("0 1 a:b:c", "`b:c` is more than one symbol"),
        ("0 1 eps", "ε is written `ε`"),
        ("0 1 <aa>; 1", "the symbol <aa> needs a symbol table"),
        ("0 1 <aa", "`<` starts a symbol of several characters, which is never closed"),
        (r"0 1 \q", r"`\q` is not an escape of a string"),
    ],
)  # fmt: skip
def test_mistakes_are_pointed_at(entries: str, message: str) -> None:
    with pytest.raises(ag.EquationError) as caught:
        graph(entries)
    assert message in str(caught.value)
    assert caught.value.place is not None


def test_a_missing_symbol_is_pointed_at() -> None:
    with pytest.raises(ag.EquationError) as caught:
        graph("0 1 a; 1 2 hh; 2".replace("hh", "h"), ag.SymbolTable(["a"]))
    assert str(caught.value).startswith(
        textwrap.dedent("""\
        the symbol table has no symbol 'h'
        at line 1, column 14:
          graph"0 1 a; 1 2 h; 2"
                       ^^^^^""")
    )


def test_a_graph_that_is_never_closed() -> None:
    with pytest.raises(ag.EquationError, match='this graph is never closed: its second `"` is missing\n'):
        ag.compile('LSE[graph"0 1 a\n1]')


def test_too_many_states_are_a_matter_of_limits() -> None:
    with pytest.raises(ag.LimitError):
        graph("0 2000000000 a")
