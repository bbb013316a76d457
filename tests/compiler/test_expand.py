"""Expansion: definitions and assignments, hygiene, sharing, and the errors that only names can make."""

from __future__ import annotations

import re

import pytest

import arcgrad as ag
from arcgrad.compiler.frontend.elaborate import elaborate, operator_names
from arcgrad.compiler.frontend.ir import Program, describe
from arcgrad.compiler.limits import Limits
from arcgrad.grammar import parse, parse_definitions


def program(text: str, definitions: str | None = None, **options: object) -> Program:
    library = parse_definitions(definitions, operator_names()) if definitions is not None else None
    return elaborate(parse(text, operator_names()), library=library, **options)


def expanded(text: str, definitions: str | None = None) -> str:
    return describe(program(text, definitions).result)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ctc[X, Y] = LSE[Y ∘ X]\nLSE[X] - ctc[X, Y]", "LSE[X] - LSE[Y ∘ X]"),
        ("Y = A\nf[X] = X Y\ng[Y] = f[Y]\ng[B]", "B A"),  # f's Y is the one it saw, not g's parameter
        ("f[X] = X Y\nf[B]", "B Y"),  # a free name is an input
        ("f[X] = X X\ng[f] = f A\ng[B]", "B A"),  # a parameter hides a definition
        ("f[X] = g[X] A\ng2 = B\nf[g2]", None),  # g is unknown
        ("f[X, Y] = X Y\nf[f[A, B], f[B, A]]", "A B (B A)"),
        ("swap[X, Y] = Y X\nswap[Y, X]", "X Y"),  # arguments are put in at once, not one after the other
        ("B = A A; B ∘ B", "A A ∘ A A"),
        ("f[x] = x + 1\nf[LSE[A]] × f[2]", "(LSE[A] + 1) × (2 + 1)"),
    ],
)
def test_definitions_stand_for_what_they_say(text: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(ag.EquationError, match="unknown operator g"):
            expanded(text)
        return
    assert expanded(text) == describe(program(expected).result)
    assert program(text).result.digest == program(expected).result.digest


def test_a_library_comes_before_the_equation() -> None:
    assert expanded("ctc[P, Q]", "ctc[X, Y] = LSE[Y ∘ X]") == "LSE[Q ∘ P]"
    assert tuple(program("ctc[P, Q] + w", "ctc[X, Y] = LSE[Y ∘ X ∘ Z]").inputs) == ("Z", "P", "Q", "w")


def test_two_uses_are_one_node() -> None:
    shared = program("f[X] = LSE[X*]\nf[A] + f[A]")
    assert len(shared.nodes) == 4
    assert shared.result.operands[0] is shared.result.operands[1]


def test_doubling_forty_times_takes_forty_nodes() -> None:
    lines = ["f0[X] = X + X", *(f"f{i}[X] = f{i - 1}[X] + f{i - 1}[X]" for i in range(1, 40))]
    assert len(program("\n".join([*lines, "LSE[f39[A]]"])).nodes) == 42
    nested = ["g0[X] = X X", *(f"g{i}[X] = g{i - 1}[g{i - 1}[X]]" for i in range(1, 6))]  # 32 doublings
    assert len(program("\n".join([*nested, "LSE[g5[A]]"])).nodes) == 34


def test_an_expansion_beyond_the_limit_says_so() -> None:
    lines = ["f0[X] = X* ", *(f"f{i}[X] = f{i - 1}[f{i - 1}[X]]" for i in range(1, 30))]
    with pytest.raises(ag.LimitError, match="expands to more than 1000 distinct nodes") as caught:
        program("\n".join([*lines, "LSE[f29[A]]"]), limits=Limits(nodes=1000))
    assert "ag.Limits(nodes=65536), which usually suffices; or" in caught.value.hint
    assert caught.value.place is not None


@pytest.mark.parametrize(
    ("text", "message", "column", "hint"),
    [
        ("f[X] = X X\nf", "f is a definition and takes arguments in brackets", 1, r"write f\[X\]"),
        ("f[X] = X X\nA f", "f is a definition", 3, r"write f\[X\]"),
        ("f[X] = X X\nf[A, B]", r"f\[X\] takes 1 argument; 2 given", 1, None),
        ("f[X] = f[X] X\nf[A]", "the definition of f uses f itself", 8, "may not recurse"),
        ("LSE[X] = X\nLSE[A]", "`LSE` is an operator of the language", 1, "choose another name"),
        ("max = LSE[A]\nmax", "`max` is an operator of the language", 1, "choose another name"),
        ("LS[A]", "unknown operator LS", 1, r"did you mean LSE\[…\]\?"),
        ("1 + lse[A]", "unknown operator lse", 5, r"did you mean LSE\[…\]\?"),
        ("compos[X] = X\ncomposs[A]", "unknown operator composs", 1, r"did you mean compos\[…\]\?"),
        ("f[X] = X\nf[]", r"f\[X\] takes 1 argument; 0 given", 1, None),
        ("LSE[]", "LSE takes a graph; 0 arguments given", 1, "for example"),
        ("LSЕ[A]", "unknown operator LSЕ", 1, r"did you mean LSE\[…\] \(with U\+0045, where yours has U\+0415\)\?"),
        ("compose[A, B]", "unknown operator compose", 1, "here it is `A ∘ B`"),
        ("fstdeterminize[A]", "unknown operator fstdeterminize", 1, "`det\\[A\\]`"),
        ("shortest_path[A]", "unknown operator shortest_path", 1, "`PATH\\[A\\]`"),
        ("Total_Weight[A]", "unknown operator Total_Weight", 1, "`LSE\\[A\\]`"),
        ("optimize[A]", "unknown operator optimize", 1, "optimised as it is compiled"),
        ("cdrewrite[A, B]", "unknown operator cdrewrite", 1, r"here it is `rewrite\[τ, λ, ρ, Σ\]`"),
        ("zzz[A]", "unknown operator zzz", 1, "a definition must come before its use"),
        ("rev[A, B]", "rev takes a?.*2 arguments given", 1, r"for example LSE\[rev\[A\] ∘ B\]"),
        ("NBEST[A]", "NBEST takes .* 1 argument given", 1, "for example"),
        ("NBEST[A, B]", "expected the number n", 10, None),
        ("linear[1, 2.5]", "expected a label here: a whole number from 0 to 2147483647", 11, None),
        ("linear[2147483648]", "expected a label", 8, None),
    ],
)
def test_mistakes_with_names(text: str, message: str, column: int, hint: str | None) -> None:
    with pytest.raises(ag.EquationError, match=message) as caught:
        program(text)
    error = caught.value
    assert error.offset == column
    assert error.text == text.split("\n")[error.lineno - 1]
    if hint is not None:
        assert re.search(hint, error.hint or ""), error.hint


def test_an_error_within_a_definition_points_into_the_definition() -> None:
    with pytest.raises(ag.EquationError, match="is a score") as caught:
        program("f[X] = X ∘ LSE[X]\nf[A]")
    assert (caught.value.lineno, caught.value.text) == (1, "f[X] = X ∘ LSE[X]")


def test_variadic_operators_nest_to_the_left() -> None:
    nested = program("logadd[a, b, c]")
    same = program("logadd[logadd[a, b], c]")
    assert nested.result.digest == same.result.digest
    with pytest.raises(ag.EquationError, match="logadd takes"):
        program("logadd[a]")


def test_what_hints_offer_for_the_neighbours_words_exists() -> None:
    from arcgrad.compiler.frontend import neighbours

    assert not neighbours._KNOWN.keys() & set(operator_names())
    for written in re.findall("`([^`]+)`", " ".join(neighbours._KNOWN.values())):
        program(written.replace("m]", "mapping]").replace(", n", ", 2").replace("seed", "s"))


def test_a_thousand_definitions_each_of_the_one_before() -> None:
    lines = ["f0[X] = X?", *(f"f{i}[X] = f{i - 1}[X]" for i in range(1, 1000))]
    assert expanded("\n".join([*lines, "f999[A]"])) == "A?"
