"""``unparse`` and ``to_latex`` write what ``parse`` reads back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from syntax_trees import TREES, grow, program_shape, shape

from arcgrad.grammar import parse, to_latex, unparse
from arcgrad.grammar.errors import EquationError, Span
from arcgrad.grammar.syntax import Expression, Name


@settings(max_examples=400, deadline=None)
@given(TREES)
def test_unparse_round_trips(tree: Expression) -> None:
    text = unparse(tree)
    result = parse(text).result
    assert result is not None
    assert shape(result) == shape(tree), text


@settings(max_examples=400, deadline=None)
@given(TREES)
def test_latex_round_trips(tree: Expression) -> None:
    text = to_latex(tree)
    result = parse(text).result
    assert result is not None
    assert shape(result) == shape(tree), text


# What is written with the parentheses it needs and no others.
MINIMAL = [
    "A B + C ∘ D*",
    "(A + B) C",
    "A + (B + C)",
    "A - (B - C)",
    "(A ∘ B) ∩ C",
    "A ∘ (B ∩ C)",
    "A ∘ (B ∘ C)",
    "(a / b) c",
    "a / b * c",
    "a / (b c)",
    "x × -y / -z",
    "x × -(y z)",
    "-A + B",
    "A + (-B)",
    "-(-A)",
    "(A³)²",
    "(A⁻¹)²",
    "A³⁻¹",
    "A³{2,5}",
    "A{2,5}³",
    "A_ {2,5}",
    "A_³",
    "(A : B)⁻¹",
    "A : B : C",
    "A : (B : C)",
    "(A B)⟨x + y⟩*",
    "A⁺?",
    "2 * LSE[A + B, -C]",
    'f["a<eps>\\n\\"\\\\\\<>", ε, ∅, re"[^a-z\\]]", re"."]',
    "a = b c\nf[P, Q] = P a Q\nf[A, B]⁻¹",
]


@pytest.mark.parametrize("text", MINIMAL)
def test_unparse_writes_no_more_parentheses_than_needed(text: str) -> None:
    assert unparse(parse(text)) == text


_PLAIN_TREES = st.recursive(
    st.sampled_from(["A", "B2", "α"]).map(lambda name: Name(name, Span(0, 0))), grow, max_leaves=6
)


@settings(max_examples=200, deadline=None)
@given(_PLAIN_TREES)
def test_every_pair_of_parentheses_is_needed(tree: Expression) -> None:
    text = unparse(tree)
    openers: list[int] = []
    for position, character in enumerate(text):
        if character == "(":
            openers.append(position)
        elif character == ")":
            start = openers.pop()
            without = text[:start] + text[start + 1 : position] + text[position + 1 :]
            try:
                result = parse(without).result
            except EquationError:
                continue
            assert result is not None
            assert shape(result) != shape(tree), without


LATEX = {
    "LSE[(A1 + A2) ∘ X*]": r"\operatorname{LSE}[(\mathcal{A}_{1} + \mathcal{A}_{2}) \circ \mathcal{X}^{*}]",
    "token_graph² α1 : x": r"\mathrm{token\_graph}^{2} \, \alpha_{1} : x",
    "(A³)⁻¹ ∩ A⁺? - ε⟨2.5⟩": r"(\mathcal{A}^{3})^{-1} \cap (\mathcal{A}^{+})^{?} - \varepsilon \langle 2.5 \rangle",
    "A{2,5}": r"\mathcal{A}^{\{2,5\}}",
    '"a{_" re"[%-a]"': r'\text{"a\{\_"} \, \text{re"[\%-a]"}',
    "a = b\nf[X] = X a\nf[A] / -f[B] × 3 : ∅": (
        "a = b \\\\\n\\operatorname{f}[\\mathcal{X}] = \\mathcal{X} \\, a \\\\\n"
        "\\operatorname{f}[\\mathcal{A}] / -\\operatorname{f}[\\mathcal{B}] \\times 3 : \\emptyset"
    ),
}


@pytest.mark.parametrize(("text", "latex"), LATEX.items())
def test_latex(text: str, latex: str) -> None:
    program = parse(text)
    assert to_latex(program) == latex
    assert program_shape(parse(latex)) == program_shape(program)
    assert program_shape(parse(f"$${latex}.$$")) == program_shape(program)
