"""The semiring of the reduction above an operator: found over the whole program, shown nowhere."""

from __future__ import annotations

import pytest

import arcgrad as ag
from arcgrad.compiler.frontend.ir import describe
from arcgrad.compiler.plan.stages import split_stages
from arcgrad.grammar.errors import EquationError


def settled(text: str) -> list[tuple[str, tuple[object, ...]]]:
    """The operators that follow a reduction, as they are shown, with their parameters."""
    nodes = ag.compile(text)._program.nodes
    followers = [n for n in nodes if not n.is_input and not n.is_number and n.definition.follows_reduction]
    return [(describe(node), node.parameters) for node in followers]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("push[A]", [()]),
        ("LSE[push[A] ∘ B]", [()]),
        ("COUNT[push[A]]", [()]),
        ("MAX[B ∘ push[A + C]*]", [("max",)]),
        ("MIN[push[A]]", [("min",)]),
        ("PATH[push[A]]", [("max",)]),
        ("LSE[PATH[push[A]]]", [("max",)]),
        ("MAX[POST[push[A]]]", [()]),
        ("MAX[push[push[A] ∘ B]]", [("max",), ("max",)]),
        ("MAX[A⟨LSE[push[B]]⟩]", [()]),
        ("LSE[A⟨MIN[push[B]]⟩]", [("min",)]),
        ("LSE[push[A]] + MAX[push[A]]", [(), ("max",)]),
        ("LSE[push[A]] + MIN[push[push[A]]]", [(), ("min",), ("min",)]),
        ("MAX[push[A, end]]", [("end", "max")]),
    ],
)
def test_the_reduction_above_decides(text: str, expected: list[tuple[object, ...]]) -> None:
    assert [parameters for _, parameters in settled(text)] == expected


def test_expressions_are_shown_as_the_user_wrote_them() -> None:
    for text in ("MAX[push[A] ∘ B]", "MIN[push[A, end]]", "LSE[push[A]] + MAX[push[A]]"):
        program = ag.compile(text)._program
        assert describe(program.result) == text
        assert program.result in program.places
        assert all(node in program.places for node in program.nodes)


def test_one_operator_under_two_reductions_is_evaluated_in_both() -> None:
    stages, _ = split_stages(ag.compile("LSE[push[A]] + MAX[push[A]] + LSE[push[A] B]")._program)
    assert len(stages) == 2
    assert len({stage.name for stage in stages}) == 2


def test_an_equation_without_such_operators_is_left_alone() -> None:
    assert settled("MAX[A ∘ B] + LSE[PATH[A]]") == []


@pytest.mark.parametrize("text", ["push[A, 3]", "push[A, start]", "push[A, end, end]", "PATH[A, end]"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(EquationError) as caught:
        ag.compile(text)
    assert caught.value.place is not None


def test_a_word_is_a_name_elsewhere() -> None:
    assert ag.compile("LSE[push[end]] + LSE[end]").inputs == ("end",)
    assert ag.compile("push[A, end]").inputs == ("A",)
