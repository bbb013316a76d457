"""Type inference over whole programs: what an input is follows from its uses, and mixing types names both sides."""

from __future__ import annotations

import re

import pytest

import arcgrad as ag
from arcgrad.compiler.frontend.elaborate import elaborate
from arcgrad.grammar import parse


def types(text: str) -> str:
    inputs = elaborate(parse(text)).inputs
    return " ".join(f"{name}:{type_.name[0].lower()}" for name, type_ in inputs.items())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A", "A:g"),
        ("A B", "A:g B:g"),
        ("A + B", "A:g B:g"),
        ("α LSE[A]", "α:s A:g"),
        ("0 + α + β", "α:s β:s"),
        ("α + β + 0", "α:s β:s"),
        ("(α + β) (γ + 1)", "α:s β:s γ:s"),  # through juxtaposition and parentheses
        ("-w", "w:s"),
        ("w / v", "w:s v:s"),
        ("log[a]", "a:s"),
        ("logadd[a, b, c]", "a:s b:s c:s"),
        ("max[a, b]", "a:s b:s"),
        ("A⟨w⟩", "A:g w:s"),
        ("A⟨w v⟩ B", "A:g w:s v:s B:g"),
        ("relabel[A, m]", "A:g m:m"),
        ("relabel_in[A, m] ∘ relabel_out[B, n]", "A:g m:m B:g n:m"),
        ("f[x] = x + x\nf[a] × f[LSE[A]]", "a:s A:g"),  # a definition is typed at each use
        ("f[x] = x + x\nLSE[f[A]] + f[w]", "A:g w:s"),
        ("a = b + c\na × 2", "b:s c:s"),  # settled by a later line
        ("w * LSE[A]", "w:s A:g"),
        ("LSE[A] * w", "A:g w:s"),
        ("LSE[A*] w", "A:g w:s"),
        ("E[A, R]", "A:g R:g"),
        ("SAMPLE[A, 3, seed]", "A:g seed:s"),
    ],
)
def test_inputs_get_the_type_of_their_uses(text: str, expected: str) -> None:
    assert types(text) == expected


@pytest.mark.parametrize(
    ("text", "message", "columns"),
    [
        ("LSE[A] + A", "+ takes two graphs or two scores, but `LSE[A]` is a score and `A` is a graph", (1, 11)),
        ("A + LSE[A]", "`A` is a graph and `LSE[A]` is a score (A is used as a graph in `LSE[A]`)", (1, 11)),
        ("B ∘ C + 2", "`B ∘ C` is a graph and `2` is a score", (1, 10)),
        ("LSE[A] B*", None, None),  # B is a score and * waits for its right side
        (
            "LSE[A] (B ∘ C)",
            "side by side stand two graphs (their concatenation) or two scores (their product)",
            (1, 15),
        ),
        ("LSE[w] + A⟨w⟩", "but `w` is a graph", None),
        ("LSE[LSE[A]]", "LSE takes a graph here, but `LSE[A]` is a score", (5, 11)),
        ("log[A ∘ B]", "log takes a score here, but `A ∘ B` is a graph", (5, 10)),
        ("2 ∘ A", "∘ takes a graph here, but `2` is a score", (1, 2)),
        ("A × (B ∘ C)", "× takes a score here, but `B ∘ C` is a graph", (5, 12)),
        ("A⟨B ∘ C⟩", "⟨ ⟩ takes a score here, but `B ∘ C` is a graph", (3, 8)),
        ("LSE[relabel[A, m]] + LSE[m]", "LSE takes a graph here, but `m` is a label mapping (m is used as", None),
        ("relabel[A, B C]", "relabel takes", None),
        ("-(A ∘ B)", "unary - takes a score here", None),
    ],
)
def test_conflicts_name_both_sides(text: str, message: str | None, columns: tuple[int, int] | None) -> None:
    with pytest.raises(ag.EquationError, match=None if message is None else re.escape(message)) as caught:
        elaborate(parse(text))
    if columns is not None:
        assert (caught.value.offset, caught.value.end_offset) == columns
        assert caught.value.expected
        assert caught.value.found


def test_a_product_with_a_graph_says_how_graphs_are_joined() -> None:
    for text in ("LSE[A × B]", "LSE[A] + (B ∘ C) × 2"):
        with pytest.raises(ag.EquationError) as caught:
            elaborate(parse(text))
        assert "∘ (composition)" in (caught.value.hint or "")


def test_an_equation_is_no_mapping() -> None:
    with pytest.raises(ag.EquationError, match="not a label mapping"):
        elaborate(parse("x = relabel[A, m]\nm"))


def test_a_long_operand_is_cut_in_messages() -> None:
    with pytest.raises(ag.EquationError) as caught:
        elaborate(parse("LSE[" + " + ".join(["A"] * 300) + "] + (B ∘ C)"))
    assert len(caught.value.message) < 400
