"""Elaboration: overloaded signs, products written with a star, symbols, order of inputs, depth, interning, pickling."""

from __future__ import annotations

import pickle
import re

import numpy as np
import pytest

import arcgrad as ag
from arcgrad.compiler.frontend.elaborate import elaborate
from arcgrad.compiler.frontend.ir import Interner, Program, describe
from arcgrad.compiler.types import Type
from arcgrad.grammar import parse


def program(text: str, symbols: object = None) -> Program:
    return elaborate(parse(text), symbols=symbols)


def operators(text: str) -> list[str]:
    return [n.operator for n in program(text).nodes if not n.is_input and not n.is_number]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A + B", ["union"]),
        ("0 + a", ["add"]),
        ("A - B", ["difference"]),
        ("LSE[A] - w", ["lse", "subtract"]),
        ("A B", ["concatenate"]),
        ("2 w", ["multiply"]),
        ("2 × w", ["multiply"]),
        ("2 * w", ["multiply"]),
        ("w* 2", ["multiply"]),
        ("w*2", ["multiply"]),
        ("A*", ["closure"]),
        ("A* B", ["closure", "concatenate"]),
        ("-LSE[A] / 3", None),
    ],
)
def test_signs_mean_what_their_sides_say(text: str, expected: list[str] | None) -> None:
    if expected is not None:
        assert operators(text) == expected
    else:
        assert sorted(operators(text)) == ["divide", "lse", "negate"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 * LSE[A]", 1.0),
        ("LSE[A] * 2 * 3", 3.0),
        ("LSE[A]* 2*3", 3.0),
        ("2 * 3 * LSE[A] * 4 LSE[A]", 6.0),
        ("12 / LSE[A] * 2", 48.0),  # one left-associative level
        ("12 / (LSE[A] * 2)", 12.0),
        ("2 × -LSE[A]", -1.0),
        ("-LSE[A] × 2 + 5", 4.0),
        ("1 - LSE[A] - 2", -1.5),
        ("1 - (LSE[A] - 2)", 2.5),
        ("max[1, 2, 3] - max[LSE[A], 1]", 2.0),
    ],
)
def test_scores_multiply_with_a_star(text: str, value: float) -> None:
    assert ag.compile(text, mode="interpret")(A=ag.linear([1], [0.5])) == value


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("LSE[A] *", (1, 9)),
        ("LSE[A]* + 2", (1, 8)),
        ("2 + (LSE[A] *) + 1", None),
        ("LSE[A] * 2 *", None),
        ("w* - 1", (1, 3)),
    ],
)
def test_a_trailing_star_after_a_score_asks_for_its_right_side(text: str, columns: tuple[int, int] | None) -> None:
    with pytest.raises(ag.EquationError, match="`\\*` after a score is a product and needs a right side") as caught:
        program(text)
    if columns is not None:
        assert (caught.value.offset, caught.value.end_offset) == columns


@pytest.mark.parametrize("text", ["A * B", "LSE[A * B]", "A * B * C", "(A + C) * B"])
def test_a_star_between_graphs_is_answered_with_a_hint(text: str) -> None:
    with pytest.raises(ag.EquationError, match="`\\*` between graphs is not an operator") as caught:
        program(text)
    assert "A* B" in caught.value.hint
    assert "A ∘ B" in caught.value.hint


def test_a_closure_written_close_is_one() -> None:
    assert operators("A* B") == operators("A^* B") == ["closure", "concatenate"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("B A B", "B A"),
        ("x = A C\ny = B x\ny", "A C B"),  # where they stand in the text, not when they are evaluated
        ("f[P] = P Z\nf[A]", "Z A"),
        ("f[P] = P Z\nA", "A"),  # what is not used is not an input
        ("x = C\nLSE[A ∘ B]", "A B"),
        ("relabel[A, m] ∘ B⟨w⟩", "A m B w"),
        (r"\mathcal{A}_1 \circ 𝒜₂ + A_3", "A1 A2 A3"),
        ("A1 ∘ \\mathcal{A}_{1}", "A1"),
    ],
)
def test_inputs_stand_in_order_of_first_appearance(text: str, names: str) -> None:
    assert ag.compile(text).inputs == tuple(names.split())


def labels(text: str, symbols: object = None) -> list[int]:
    node = program(text, symbols).result
    return [p for p in node.parameters if isinstance(p, int)]


TABLE = ag.SymbolTable(["a", "b", "c", "zebra", "é"])


def test_symbols_are_code_points_or_looked_up() -> None:
    assert labels('"añ"') == [97, 0xF1]
    assert labels(r'"\"\\\<\n"') == [34, 92, 60, 10]
    assert labels('"ab<zebra>é"', TABLE) == [TABLE["a"], TABLE["b"], TABLE["zebra"], TABLE["é"]]
    assert labels('""') == []


@pytest.mark.parametrize(
    ("text", "symbols", "message"),
    [
        ('"<zebra>"', None, "the symbol <zebra> needs a symbol table"),
        ('LSE["abd" ∘ X]', TABLE, "the symbol table has no symbol 'd'"),
        ('LSE["a<zebr>" ∘ X]', TABLE, "the symbol table has no symbol 'zebr'"),
        ('re"[ad]"', TABLE, "the symbol table has no symbol 'd'"),
        ('re"[^a]"', None, "need a symbol table"),
        ('re"."', None, "need a symbol table"),
    ],
)
def test_unknown_symbols(text: str, symbols: object, message: str) -> None:
    with pytest.raises(ag.EquationError, match=re.escape(message)) as caught:
        program(text, symbols)
    assert caught.value.place is not None
    assert caught.value.hint


def test_classes_of_regular_expressions() -> None:
    assert labels('re"[a-c]"') == [97, 98, 99]
    assert labels('re"[cac]"') == [97, 99]
    a, b, c, zebra, accented = (TABLE[s] for s in ("a", "b", "c", "zebra", "é"))
    assert labels('re"[a-c]"', TABLE) == sorted([a, b, c])
    assert labels('re"[a-z]"', TABLE) == sorted([a, b, c])  # of a range only what the table has, and single characters
    assert labels('re"[^a-b]"', TABLE) == sorted([c, zebra, accented])
    assert labels('re"."', TABLE) == sorted([a, b, c, zebra, accented])


def test_a_regular_expression_counts_its_strings() -> None:
    assert ag.compile('COUNT[re"(cat|dog)s?[a-c]{2}" ∘ X]')(X=np.zeros((6, 128))) == 2 * 9
    assert ag.compile('COUNT[re"(cat|dog)s?[a-c]{2}"]')() == 2 * 2 * 9


# -- depth ----------------------------------------------------------------------------------------------------------

DEEP = 10_000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 + " + " + ".join(["w"] * DEEP), 0.5 * DEEP),
        ("0" + " - w" * DEEP, -0.5 * DEEP),
        ("1" + " × (-1)" * DEEP, 1.0),
        ("-(" * DEEP + "w + 0" + ")" * DEEP, 0.5),
        ("log[exp[" * 100 + "w" + "]]" * 100, 0.5),
        ("max[" + ", ".join(["w"] * DEEP) + "]", 0.5),
    ],
    ids=["sum", "difference", "product", "minus", "log exp", "max"],
)
def test_deep_scores_have_their_value(text: str, expected: float) -> None:
    given = {"w": 0.5} if "w" in text else {}
    assert ag.compile(text, mode="interpret")(**given) == pytest.approx(expected, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "LSE[" + " + ".join(f"A{i}" for i in range(DEEP)) + "]",
        "LSE[" + " ∘ ".join(["A"] * DEEP) + "]",
        "LSE[" + "(" * DEEP + "A" + ")?" * DEEP + "]",
        "LSE[" + "(" * DEEP + "A" + ")*" * DEEP + "]",
        "LSE[" + "rev[" * DEEP + "A" + "]" * DEEP + "]",
    ],
    ids=["sum", "chain", "optional", "closure", "reverse"],
)
def test_deep_graphs_compile_plan_and_pickle(text: str) -> None:
    equation = ag.compile(text)
    assert str(equation.explain())
    assert pickle.loads(pickle.dumps(equation)) is equation


@pytest.mark.slow
def test_deep_graphs_have_their_value() -> None:
    a, n = ag.linear([1], [-1.0]), 100
    for mode in ("interpret", "kernels"):
        assert ag.compile("LSE[" + "rev[" * DEEP + "A" + "]" * DEEP + "]", mode=mode)(A=a) == -1.0
        nested = ag.compile("LSE[" + "(" * n + "A" + ")?" * n + "]", mode=mode)
        assert nested(A=a) == pytest.approx(np.log(n + np.exp(-1.0)))
        assert ag.compile("MAX[" + "(" * n + "A" + ")*" * n + "]", mode=mode)(A=a) == 0.0
        assert ag.compile("MAX[" + " ∘ ".join(["A"] * n) + "]", mode=mode)(A=a) == -n


@pytest.mark.parametrize("sign", ["+", "∘", ""])
def test_forty_doublings_of_a_graph_end_in_a_clear_error(sign: str) -> None:
    text = "\n".join(["B0 = A", *(f"B{i} = B{i - 1} {sign} B{i - 1}" for i in range(1, 41)), "LSE[B40]"])
    equation = ag.compile(text, limits=ag.Limits(states=1 << 14, bytes=1 << 22), mode="kernels")
    with pytest.raises(ag.LimitError, match="but the limit is") as caught:
        equation(A=ag.linear([1, 2]))
    assert caught.value.place is not None


# -- nodes and objects ------------------------------------------------------------------------------------------------


def test_equal_expressions_are_one_node_and_have_one_digest() -> None:
    shared = program("LSE[A ∘ B] + LSE[A ∘ B]")
    assert shared.result.operands[0] is shared.result.operands[1]
    assert program("LSE[A ∘ B]").result.digest == program("LSE [ (A) @ B ]").result.digest
    assert program("LSE[A ∘ B]").result.digest != program("LSE[B ∘ A]").result.digest
    assert program("1 + 1.0").result.operands[0] is not program("1 + 1.0").result.operands[1]


def test_the_interner_tells_like_numbers_apart() -> None:
    interner = Interner()
    assert interner.literal(1) is interner.literal(1)
    assert interner.literal(1) is not interner.literal(1.0)
    assert interner.literal(0.0) is not interner.literal(-0.0)
    assert interner.input("A", Type.GRAPH) is not interner.input("A", Type.SCORE)


def test_places_point_at_what_is_written() -> None:
    found = program("x = A ∘ B\nLSE[x*]")
    shown = {describe(node): place.text[place.span.start : place.span.end] for node, place in found.places.items()}
    assert shown["A ∘ B"] == "A ∘ B"
    assert shown["LSE[(A ∘ B)*]"] == "LSE[x*]"


def test_equations_and_errors_pickle() -> None:
    equation = ag.compile("f[X] = LSE[X ∘ Z]\nf[A]", mode="interpret", limits=ag.Limits(states=7))
    again = pickle.loads(pickle.dumps(equation))
    assert again is equation  # the same text and options: the same object
    with_table = ag.compile('LSE["ab" ∘ X]', symbols=["a", "b"])
    restored = pickle.loads(pickle.dumps(with_table))
    assert restored(X=np.eye(3)) == with_table(X=np.eye(3))
    with pytest.raises(ag.EquationError) as caught:
        ag.compile("LSE[A] + A")
    error = pickle.loads(pickle.dumps(caught.value))
    assert (type(error), str(error), error.offset, error.hint) == (
        ag.EquationError, str(caught.value), caught.value.offset, caught.value.hint,
    )  # fmt: skip
    with pytest.raises(ag.LimitError) as limited:
        equation(A=ag.linear(list(range(20))), Z=ag.linear(list(range(20))))
    assert str(pickle.loads(pickle.dumps(limited.value))) == str(limited.value)
