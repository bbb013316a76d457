"""Emission: the list of instructions, and the steps whose cotangents are known before any value."""

from __future__ import annotations

import re

import numpy as np
import pytest

import arcgrad as ag
from arcgrad.compiler.emit import instructions as todo
from arcgrad.compiler.emit.early import early_steps
from arcgrad.compiler.emit.instructions import Instruction, Routine, When
from arcgrad.compiler.emit.lower import lower
from arcgrad.compiler.emit.render_python import render_python
from arcgrad.compiler.frontend.elaborate import elaborate
from arcgrad.compiler.frontend.ir import describe
from arcgrad.compiler.plan import plan as planning
from arcgrad.compiler.plan.plan import InputShape, make_plan
from arcgrad.compiler.types import Type
from arcgrad.grammar import parse
from arcgrad.runtime.kernels import FUNCTIONS, kernel_names

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
    assert re.findall(r"frames_log_seeded(?:_float32)?\(rows_(\d)", body) == seeded
    assert re.findall(r"if fresh_\d != 0:\n +clear_rows(?:_float32)?\(rows_gradient_(\d)", body) == cleared
    # What was written before the value was known goes where that is infinite.
    assert re.findall(r"if fresh_\d != 0 and .*\n +clear_rows(?:_float32)?\(rows_gradient_(\d)", body) == seeded
    # Nothing is added to rows that are still to be written, nor twice differentiated.
    for k in seeded:
        assert f"if fresh_{k} == 0 and " in body


# -- the list of instructions ------------------------------------------------------------------------------------------


def lowered(text: str, dense: str = "XY", dtype: str = "float64") -> Routine:
    plan = planned(text, dense)
    shapes = ["lattice" if r.meeting is None else "frames" if r.graph is None else "trellis" for r in plan.regions]
    kernels = [kernel_names(shape, r.semiring) for shape, r in zip(shapes, plan.regions, strict=True)]
    return lower(plan, kernels, dict.fromkeys(plan.dense, dtype))


def shown(routine: Routine) -> list[str]:
    """The instructions in words: the class, the node, and whatever differs from the default."""
    return [" ".join([type(i).__name__, describe(i.node), *_details(i)]) for i in routine.instructions]


def _details(instruction: Instruction) -> list[str]:
    found = []
    match instruction:
        case todo.RunRegion(role=role, when=when):
            found = [role] if when is When.ALWAYS else [role, when.value]
        case todo.ApplyDerivative(operands=operands, early=early):
            found = [str(operands)] + ["early"] * early
        case todo.Check(bounded=bounded, exact=exact):
            found = ["bounded"] * bounded + ["exact"] * exact
        case todo.ClearRows(if_infinite=if_infinite):
            found = ["if infinite"] * if_infinite
    return found


def test_scores_around_a_region() -> None:
    assert shown(lowered("w × LSE[A]")) == [
        "Begin w × LSE[A]",
        "LoadScore w",
        "RunRegion LSE[A] forward",
        "Check LSE[A]",
        "Apply w × LSE[A]",
        "Check w × LSE[A]",
        "StoreValue w × LSE[A]",
        "StopUnlessWanted w × LSE[A]",
        "BeginBackward w × LSE[A]",
        "ClearCotangent LSE[A]",
        "ClearCotangent w × LSE[A]",
        "ClearCotangent w",
        "AddOutputCotangent w × LSE[A]",
        "ApplyDerivative w × LSE[A] (0, 1)",
        "RunRegion LSE[A] backward",
        "AddInputGradient w",
    ]


def test_a_region_whose_cotangent_is_known_writes_its_gradient_at_once() -> None:
    assert shown(lowered("2 × LSE[X]")) == [
        "Begin 2 × LSE[X]",
        "LoadScore 2",
        "ClearCotangent 2 × LSE[X]",
        "AddOutputCotangent 2 × LSE[X]",
        "ClearCotangent LSE[X]",
        "ApplyDerivative 2 × LSE[X] (1,) early",
        "RunRegion LSE[X] seeded fresh",
        "RunRegion LSE[X] forward stale",
        "Check LSE[X]",
        "Apply 2 × LSE[X]",
        "Check 2 × LSE[X]",
        "StoreValue 2 × LSE[X]",
        "StopUnlessWanted 2 × LSE[X]",
        "ClearRows X if infinite",
        "BeginBackward 2 × LSE[X]",
        "ClearCotangent LSE[X]",
        "ClearCotangent 2 × LSE[X]",
        "AddOutputCotangent 2 × LSE[X]",
        "ApplyDerivative 2 × LSE[X] (1,)",
        "RunRegion LSE[X] backward stale",
    ]


def test_a_score_that_weights_a_graph_is_written_back_and_its_gradient_read() -> None:
    found = shown(lowered("MAX[A⟨exp[w]⟩]"))
    assert found[:5] == [
        "Begin MAX[A⟨exp[w]⟩]", "LoadScore w", "Apply exp[w]", "Check exp[w] bounded", "WriteWeight exp[w]",
    ]  # fmt: skip
    assert found[-4:] == [
        "RunRegion MAX[A⟨exp[w]⟩] backward",
        "AddWeightCotangent exp[w]",
        "ApplyDerivative exp[w] (0,)",
        "AddInputGradient w",
    ]


def test_counts_have_no_gradient_and_are_exact() -> None:
    routine = lowered("COUNT[A ∘ X] + 1")
    assert "Check COUNT[A ∘ X] + 1 exact" in shown(routine)
    assert "Check COUNT[A ∘ X]" in shown(routine)  # its kernel says itself when it is not
    assert [i.role for i in routine.instructions if isinstance(i, todo.RunRegion)] == ["forward"]


def test_runs_name_region_input_and_sign() -> None:
    routine = lowered("MIN[A] - MAX[B ∘ Y] - LSE[X]")
    plan = routine.plan
    runs = [i for i in routine.instructions if isinstance(i, todo.RunRegion)]
    for run in runs:
        region = plan.regions[run.region]
        assert region.node is run.node
        assert run.sign == (-1.0 if describe(run.node).startswith("MIN") else 1.0)
        met = None if region.meeting is None else region.meeting.dense.parameters[0]
        assert met == (None if run.dense is None else plan.dense[run.dense])
    assert {run.region for run in runs} == {0, 1, 2}


TEXTS = [
    "LSE[X] - LSE[A ∘ X]",
    "w × exp[MAX[A]] / 2 - logadd[v, LSE[A]]",
    "LSE[A⟨LSE[B] - w⟩ + B]",
    "A⟨LSE[X]⟩⟨w⟩",
    "LSE[X] - exp[LSE[Y]] + MIN[A]",
    "COUNT[A] × 3 - w",
    "w",
]


@pytest.mark.parametrize("text", TEXTS)
def test_instructions_come_in_an_order_that_any_renderer_may_take(text: str) -> None:
    """Values and cotangents exist before they are used, and each node of an instruction is one of the plan's."""
    routine = lowered(text)
    known: set[object] = set()
    begun: set[object] = set()
    for instruction in routine.instructions:
        node = instruction.node
        match instruction:
            case todo.LoadScore() | todo.Apply() | todo.RunRegion(role="forward"):
                assert instruction.node.is_input or all(o in known for o in node.operands if o.type is Type.SCORE)
                known.add(node)
            case todo.RunRegion(role="seeded"):
                assert node in begun
                assert instruction.when is When.FRESH
            case todo.RunRegion(role="backward") | todo.AddInputGradient():
                assert node in begun
                assert node in known
            case todo.Check() | todo.WriteWeight() | todo.StoreValue():
                assert node in known
            case todo.ClearCotangent():
                begun.add(node)
            case todo.AddOutputCotangent() | todo.AddWeightCotangent():
                assert node in begun
            case todo.ApplyDerivative(operands=operands):
                assert {node, *(node.operands[position] for position in operands)} <= begun
            case todo.ClearRows(dense=dense):
                assert routine.plan.dense[dense] == node.parameters[0]
            case _:
                assert node is routine.plan.root
    assert set(routine.plan.outputs) <= known


def test_each_step_is_run_checked_and_differentiated_once() -> None:
    for text in TEXTS:
        routine = lowered(text)
        for kind, per_step in ((todo.Check, routine.plan.steps), (todo.StoreValue, routine.plan.outputs)):
            assert [i.node for i in routine.instructions if isinstance(i, kind)] == list(per_step)
        backward = [i.node for i in routine.instructions if isinstance(i, todo.RunRegion) and i.role == "backward"]
        expected = [r.node for r in routine.plan.regions if r.semiring != "count"]
        assert backward == expected[::-1]


def test_the_renderer_asks_the_caller_for_each_kernel_by_role() -> None:
    class Chosen:
        def kernel(self, role: str) -> tuple[str, str] | None:
            return None if role == "seeded" else (f"elsewhere.{role}", f"my_{role}")

    plan = planned("LSE[A ∘ X]", "X")
    routine = lower(plan, [Chosen()], {"X": "float32"})
    source = render_python(routine, FUNCTIONS)
    assert "from elsewhere.forward import my_forward_float32\n" in source
    assert "from elsewhere.backward import my_backward_float32\n" in source
    assert "seeded" not in source
    other = render_python(lower(plan, [Chosen()], {"X": "float64"}), FUNCTIONS)
    assert other == source.replace("_float32", "")


def test_every_instruction_can_be_rendered() -> None:
    from arcgrad.compiler.emit.render_python import _RENDER

    kinds = {kind for kind in map(vars(todo).get, todo.__all__) if isinstance(kind, type)}
    assert set(_RENDER) == {kind for kind in kinds if issubclass(kind, Instruction)} - {Instruction}
