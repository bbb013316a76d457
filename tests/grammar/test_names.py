"""Names: one plain spelling for all spellings of a name, and errors for what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syntax_trees import shape

from arcgrad.grammar import normalise_name, parse
from arcgrad.grammar.errors import EquationError, InputError
from arcgrad.grammar.syntax import Name

SPELLINGS = {
    "A1": ["A1", "A₁", "A_1", "𝒜₁", r"\mathcal{A}_1", r"\mathcal{A}_{1}", r"\mathcal A_1", "A_{1}", r"\mathbf{A}₁"],
    "A12": ["A12", "A_12", "A₁₂", "A_{12}", r"\mathcal{A}_{12}", "A_{ 12 }", "A_1_2", "A₁_2"],
    "Aij": ["A_{ij}", "Aᵢⱼ", r"\mathcal{A}_{ij}", r"A_{\text{ij}}"],
    "A_i": ["A_i", r"\mathcal{A}_i"],
    "α": ["α", r"\alpha", "𝛼", r"\mathbf{\alpha}", r"\boldsymbol\alpha"],
    "α1": ["α1", "α₁", r"\alpha_1", r"\alpha_{1}"],
    "xα": [r"x_\alpha", r"x_{\alpha}", "xα"],
    "ε1": ["ε1", r"\epsilon_1", "ε₁", r"\varepsilon_{1}"],
    "LSE": ["LSE", r"\text{LSE}", r"\operatorname{LSE}", r"\mathrm{LSE}", r"\operatorname*{LSE}"],
    "token_graph": ["token_graph", r"\text{token_graph}", r"\text{token\_graph}"],
    "log": ["log", r"\log"],
    "x̂": [r"\hat{x}", r"\hat x", "x̂"],
    "AB": ["AB", "ＡＢ", r"\mathcal{AB}"],
    "_1": ["_1"],
    "_": ["_"],
    "A_": ["A_"],
    "名前": ["名前"],
    "Ж9": ["Ж9"],
    "IV": ["Ⅳ"],
}


@pytest.mark.parametrize(("plain", "spelling"), [(plain, s) for plain, all_ in SPELLINGS.items() for s in all_])
def test_every_spelling_has_one_plain_spelling(plain: str, spelling: str) -> None:
    assert normalise_name(spelling) == plain
    assert normalise_name(plain) == plain
    assert normalise_name(f"  {spelling} ") == plain
    result = parse(spelling).result
    assert isinstance(result, Name)
    assert result.name == plain
    assert (result.span.start, result.span.end) == (0, len(spelling))


# fmt: off
NO_NAMES = [
    "", " ", "1", "1A", "A B", "A+B", "A*", "A²", "A^2", "A'", "{A}", "(A)", r"\circ", r"\mathcal", r"\mathcal{A}B",
    "A₁B", "eps", "ε", "empty", r"\epsilon", "ﷺ", "A\u200bB", "A\ud800", "\u0301A", "A.", "A[", "$A$", "A_{i,j}", "\\",
    "A_{",
]
# fmt: on


@pytest.mark.parametrize("text", NO_NAMES)
def test_what_is_no_name_is_an_error_that_points(text: str) -> None:
    with pytest.raises(EquationError) as caught:
        normalise_name(text)
    assert caught.value.place is not None
    assert caught.value.place.text == text


def test_a_name_is_a_string() -> None:
    with pytest.raises(InputError):
        normalise_name(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("together", "apart"),
    [
        (r"\mathcal{A}\mathcal{B}", "A B"),
        (r"\mathcal{A}B", "A B"),
        (r"A\mathcal{B}", "A B"),
        (r"\mathcal{A}_1B", "A1 B"),
        ("A_{1}B", "A1 B"),
        ("A₁B₂", "A1 B2"),
        (r"\alpha\beta", "α β"),
        ("2α", "2 α"),
        ("2x", "2 x"),
        ("A²B", "A^2 B"),
        ("A\u2062B", "A B"),
    ],
)
def test_where_a_name_ends(together: str, apart: str) -> None:
    left, right = parse(together).result, parse(apart).result
    assert left is not None
    assert right is not None
    assert shape(left) == shape(right)


@given(st.text(max_size=8))
def test_plain_spellings_are_fixed_points(text: str) -> None:
    try:
        name = normalise_name(text)
    except EquationError:
        return
    assert normalise_name(name) == name
