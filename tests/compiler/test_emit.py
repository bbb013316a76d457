"""Emission: of which steps it is known beforehand what they are differentiated with, and what is made of that."""

from __future__ import annotations

import re

import numpy as np
import pytest

import arcgrad as ag
from arcgrad.compiler import plan as planning
from arcgrad.compiler.early import early_steps
from arcgrad.compiler.elaborate import elaborate
from arcgrad.compiler.ir import describe
from arcgrad.compiler.plan import InputShape, make_plan
from arcgrad.compiler.types import Type
from arcgrad.grammar import parse

KINDS = {Type.GRAPH: "graph", Type.SCORE: "score", Type.MAPPING: "mapping"}


def planned(text: str, dense: str) -> planning.Plan:
    found = elaborate(parse(text))
    return make_plan(found, {n: InputShape("dense" if n in dense else KINDS[t]) for n, t in found.inputs.items()})


def early(text: str, dense: str = "XY") -> tuple[set[str], set[str]]:
    """The early steps, and the late ones."""
    plan = planned(text, dense)
    found = early_steps(plan, {region.node: number for number, region in enumerate(plan.regions)})
    assert found <= set(plan.steps)
    return {describe(s) for s in found}, {describe(s) for s in plan.steps if s not in found}


@pytest.mark.parametrize(
    "text",
    [
        "LSE[X]",
        "LSE[X] - LSE[A ∘ X]",
        "2 × LSE[X] / w - v",  # factors are numbers and inputs
        "-(3 - (LSE[X] + LSE[X]))",
        "LSE[X] + MAX[X] + LSE[A ∘ X]",
        "w × (LSE[X] - LSE[Y])",
    ],
)
def test_what_enters_linearly_is_early(text: str) -> None:
    found, late = early(text)
    assert "LSE[X]" in found
    assert not late


@pytest.mark.parametrize(
    ("text", "late"),
    [
        ("exp[LSE[X]]", {"LSE[X]"}),
        ("log[LSE[X]] + LSE[X]", {"LSE[X]"}),  # early in one place, late in another
        ("w / LSE[X]", {"LSE[X]"}),
        ("LSE[X] × LSE[X]", {"LSE[X]"}),
        ("LSE[X] × LSE[A]", {"LSE[X]", "LSE[A]"}),
        ("logadd[LSE[X], w]", {"LSE[X]"}),
        ("exp[w] × LSE[X]", {"exp[w]", "LSE[X]"}),  # exp[w] is computed, not given
        ("exp[LSE[A]] - LSE[X]", {"LSE[A]"}),
        ("max[LSE[X], LSE[A]] + 2 × LSE[B ∘ X]", {"LSE[X]", "LSE[A]"}),
        ("exp[LSE[X] - LSE[A ∘ X]]", {"LSE[X]", "LSE[A ∘ X]", "LSE[X] - LSE[A ∘ X]"}),  # a late step's operands
        ("LSE[A⟨LSE[X]⟩] - LSE[X]", {"LSE[X]"}),  # what weights a graph waits for that graph's gradient
        ("LSE[A⟨2 × LSE[X]⟩] + MAX[B]", {"2 × LSE[X]", "LSE[X]"}),
        ("A⟨LSE[X]⟩", {"LSE[X]"}),
    ],
)
def test_what_depends_on_values_is_late(text: str, late: set[str]) -> None:
    assert early(text)[1] == late


LOOP = ag.Graph([0, 1, 1], [1, 1, 2], [0, 1, 0], weight=[-1.0, -0.7, -0.2], start=[0], accept=[2])
FRAMES = np.zeros((2, 4, 2))


@pytest.mark.parametrize(
    ("text", "seeded", "cleared"),
    [
        ("LSE[X] - LSE[A ∘ X]", ["0"], []),
        ("exp[LSE[X]]", [], ["0"]),
        ("MAX[X]", [], ["0"]),
        ("LSE[X] - 2 LSE[Y]", ["0", "1"], []),
        ("LSE[X] - exp[LSE[Y]]", ["0"], ["1"]),
        ("LSE[X] + LSE[A ∘ Y]", ["0"], ["1"]),
        ("LSE[A ∘ X] + LSE[X]", ["0"], []),
        ("COUNT[X] + LSE[A ∘ X]", [], ["0"]),
    ],
)
def test_each_dense_input_is_either_cleared_or_written_by_one_region(
    text: str, seeded: list[str], cleared: list[str]
) -> None:
    equation = ag.compile(text, mode="kernels")
    given = {"A": LOOP, "X": FRAMES, "Y": FRAMES.astype(np.float32)}
    source = equation.source({name: given[name] for name in equation.inputs})
    body = source.partition("def routine")[2]
    assert re.findall(r"frames_log_seeded(?:_float32)?\(frames_(\d)", body) == seeded
    assert re.findall(r"if fresh_\d != 0:\n +clear_rows(?:_float32)?\(frames_gradient_(\d)", body) == cleared
    # What was written before the value was known goes where that is infinite.
    assert re.findall(r"if fresh_\d != 0 and .*\n +clear_rows(?:_float32)?\(frames_gradient_(\d)", body) == seeded
    # Nothing is added to rows that are still to be written, nor twice differentiated.
    for k in seeded:
        assert f"if fresh_{k} == 0 and " in body
