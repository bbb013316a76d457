"""Plans: passes and their verification, regions, fallbacks; golden files of what explain and source show."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Callable

import numpy as np
import pytest

import arcgrad as ag
from arcgrad.compiler.frontend.elaborate import elaborate
from arcgrad.compiler.frontend.ir import Program, describe
from arcgrad.compiler.plan import plan as planning
from arcgrad.compiler.plan.plan import Draft, InputShape, make_plan, verify
from arcgrad.compiler.types import Type
from arcgrad.grammar import parse

KINDS = {Type.GRAPH: "graph", Type.SCORE: "score", Type.MAPPING: "mapping"}


def program(text: str) -> Program:
    return elaborate(parse(text))


def planned(text: str, dense: str = "") -> planning.Plan:
    found = program(text)
    shapes = {n: InputShape("dense" if n in dense else KINDS[t]) for n, t in found.inputs.items()}
    return make_plan(found, shapes)


@pytest.mark.parametrize(
    ("text", "dense", "expected"),
    [
        ("LSE[rev[rev[A]]]", "", "LSE[A]"),
        ("LSE[in[inv[A]] ∘ B]", "", "LSE[out[A] ∘ B]"),
        ("MAX[relabel[inv[rev[A]], m]]", "", "MAX[A]"),
        ("2 × 3 + 0.5", "", "6.5"),
        ("(2 + 3) LSE[A]", "", "5 × LSE[A]"),
        ("1 / 0 + LSE[A]", "", "1 / 0 + LSE[A]"),  # undefined: left to the routine, whose error says where
        ("LSE[A + B]", "", "LSE[A + B]"),  # nothing is gained
        ("LSE[A + X]", "X", "logadd[LSE[A], LSE[X]]"),
        ("LSE[A + B ∘ X]", "X", "logadd[LSE[A], LSE[B ∘ X]]"),
        ("MAX[X + rev[X]]", "X", "max[MAX[X], MAX[X]]"),
        ("LSE[(A + X)⟨w⟩]", "X", None),
        ("LSE[X* + A]", "X", "LSE[X* + A]"),  # X* is built anyway
        ("MIN[A + X]", "X", "MIN[A + X]"),
        ("PATH[rev[rev[A]]]", "", "PATH[A]"),
        ("PATH[connect[A]]", "", "PATH[connect[A]]"),  # only what keeps every arc
    ],
)
def test_what_is_rewritten(text: str, dense: str, expected: str | None) -> None:
    found = describe(planned(text, dense).root)
    if expected is not None:
        assert found == expected
    else:
        assert "LSE[X]" in found


def test_equal_reductions_are_one_region() -> None:
    assert len(planned("LSE[A ∘ B] - LSE[A ∘ B]").regions) == 1
    assert len(planned("LSE[A] - LSE[inv[A]]").regions) == 1
    assert len(planned("LSE[A] - MAX[A]").regions) == 2


def test_leaves_are_what_routines_read() -> None:
    plan = planned("LSE[A⟨LSE[B]⟩ ∘ X] + 2 w", dense="X")
    assert {describe(n) for n in plan.leaves} == {"w", "2", "LSE[B]", "A", "B"}
    assert plan.dense == ("X",)
    assert {describe(n) for n in plan.weighting} == {"LSE[B]"}
    assert [n.type for n in plan.leaves] == sorted((n.type for n in plan.leaves), key=lambda t: t is Type.GRAPH)


def _ill_typed(draft: Draft) -> Draft:
    number = draft.interner.literal(1)
    return planning.replace(draft, root=draft.interner.make("lse", (number,), (), Type.SCORE))


def _too_few(draft: Draft) -> Draft:
    return planning.replace(draft, root=draft.interner.make("add", draft.root.operands[:1], (), Type.SCORE))


def _other_result(draft: Draft) -> Draft:
    return planning.replace(draft, root=draft.interner.input("A", Type.GRAPH))


@pytest.mark.parametrize("broken", [_ill_typed, _too_few, _other_result])
@pytest.mark.parametrize("position", ["fold_constants", "apply_rules", "order_compositions"])
def test_a_broken_pass_is_caught(
    broken: Callable[[Draft], Draft], position: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "PASSES", planning.PASSES._replace(**{position: broken}))
    with pytest.raises(AssertionError, match="pass"):
        planned("LSE[A] + LSE[B]")


def test_verification_accepts_what_elaboration_makes() -> None:
    for text in ("LSE[A ∘ B] - w", "logadd[LSE[A], w, 2]", "relabel[A, m]⟨w⟩"):
        found = program(text)
        assert verify(Draft(found.result, found.interner, dict(found.places), {})) is None


# -- on real inputs ---------------------------------------------------------------------------------------------------

LINE = ag.linear([0, 1], [-0.5, -1.0])
LOOP = ag.Graph([0, 1, 1], [1, 1, 2], [0, 1, 0], weight=[-1.0, -0.7, -0.2], start=[0], accept=[2])
EPSILON_CYCLE = ag.Graph([0, 1, 1], [1, 0, 2], [-1, -1, 0], weight=[-1.0, -1.5, -0.2], start=[0], accept=[2])
FRAMES = np.log(np.full((4, 2), 0.5))
CASES = {
    "lattice": ("LSE[A]", {"A": LINE}),
    "cyclic": ("LSE[A]", {"A": LOOP}),
    "frames": ("LSE[X]", {"X": FRAMES}),
    "trellis": ("LSE[A ∘ X]", {"A": LOOP, "X": FRAMES}),
    "middle": ("LSE[A ∘ X ∘ B]", {"A": LOOP, "X": FRAMES, "B": LOOP}),
    "difference": ("LSE[X] - LSE[A ∘ X]", {"A": LOOP, "X": FRAMES}),
    "scores": ("w × exp[MAX[A]] / 2 - logadd[v, LSE[A]]", {"A": LINE, "w": 0.5, "v": -1.0}),
    "weighting": ("LSE[A⟨LSE[B] - w⟩ + B]", {"A": LINE, "B": LOOP, "w": 0.25}),
    "graph": ("A B⟨w⟩", {"A": LINE, "B": LINE, "w": -1.0}),
    "best": ("PATH[A + B]", {"A": LINE, "B": LOOP}),
    "count": ("COUNT[A ∘ X] + 1", {"A": LOOP, "X": FRAMES}),
    "split": ("MAX[A + B ∘ X]", {"A": LINE, "B": LOOP, "X": FRAMES}),
    "single": ("LSE[A ∘ X]", {"A": LOOP, "X": FRAMES.astype(np.float32)}),
    "expectation": ("E[A ∘ X, B ∘ V] + H[A ∘ X]", {"A": LOOP, "X": FRAMES, "B": LOOP, "V": FRAMES}),
    "divergence": ("KL[A, B]", {"A": LINE, "B": LINE}),
}


@pytest.mark.parametrize("name", CASES)
def test_generated_source_is_as_recorded(name: str, golden: Callable[[str, str], None]) -> None:
    text, given = CASES[name]
    golden(f"source_{name}.py.txt", ag.compile(text, mode="kernels").source(**given))


@pytest.mark.parametrize("name", CASES)
def test_explanations_are_as_recorded(name: str, golden: Callable[[str, str], None]) -> None:
    """Costs, too: arcs, arc-frames, and bytes of packed regions, workspaces and weights."""
    text, given = CASES[name]
    shown = str(ag.compile(text, mode="kernels").explain(**given))
    lines = [line for line in shown.splitlines() if "in this process so far" not in line]
    golden(f"explain_{name}.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("text", "given", "kind"),
    [
        ("LSE[A]", {"A": LINE}, "lattice region"),
        ("LSE[A]", {"A": LOOP}, "cyclic region"),
        ("LSE[A ∘ X]", {"A": LOOP, "X": FRAMES}, "trellis region over X"),
        ("LSE[X]", {"X": FRAMES}, "frames region over X"),
        ("LSE[X*]", {"X": FRAMES}, "the dense input X is built as a graph"),
        ("LSE[A ∘ X ∘ A]", {"A": LOOP, "X": FRAMES}, "trellis region over X"),
        ("E[A, B]", {"A": LINE, "B": LINE}, "lattice region"),
        ("E[A ∘ X, B ∘ V]", {"A": LOOP, "X": FRAMES, "B": LOOP, "V": FRAMES}, "trellis region over X and V: "),
        ("E[A ∘ X, B ∘ V]", {"A": LOOP, "X": FRAMES, "B": LOOP, "V": FRAMES}, "; G = A and B"),
        ("E[X, V]", {"X": FRAMES, "V": FRAMES}, "frames region over X and V"),
        ("E[A ∘ X, V ∘ B]", {"A": LINE, "X": FRAMES[:2], "B": LINE, "V": FRAMES[:2]}, "the dense input V is built"),
        ("H[A ∘ X]", {"A": LOOP, "X": FRAMES}, "trellis region over X"),
        ("KL[A, B]", {"A": LINE, "B": LINE}, "relative_entropy[s1, s2, s3, s4]"),
    ],
)
def test_explain_names_the_shape(text: str, given: dict[str, object], kind: str) -> None:
    assert kind in str(ag.compile(text).explain(**given))


def test_an_epsilon_cycle_beside_a_dense_input_is_closed_or_built() -> None:
    """Whatever the region, the value is that of the interpreter."""
    for text in ("LSE[A ∘ X]", "LSE[X ∘ A]", "MAX[A ∘ X]", "LSE[A ∘ X ∘ A]", "LSE[A ∘ X] - LSE[X]"):
        given = {"A": EPSILON_CYCLE, "X": np.array([[-0.3, -0.9]])}
        expected, gradient = ag.compile(text, mode="interpret").value_and_grad(given)
        value, found = ag.compile(text, mode="kernels").value_and_grad(given)
        assert np.isfinite(value)
        assert value == pytest.approx(expected, rel=1e-12)
        for name in given:
            np.testing.assert_allclose(found[name], gradient[name], atol=1e-10)


def test_an_intersection_with_a_dense_input_still_asks_for_acceptors() -> None:
    transducer = ag.Graph([0], [1], [0], [1], start=[0], accept=[1])
    for text in ("LSE[A ∩ X]", "LSE[A ∩ X ∩ B]", "LSE[A ∩ (X ∩ B)]"):
        for mode in ("interpret", "kernels"):
            given = {"A": transducer, "B": LINE, "X": FRAMES}
            own = {k: v for k, v in given.items() if k in text}
            with pytest.raises(ag.InputError, match="∩ needs acceptors") as caught:
                ag.compile(text, mode=mode)(own)
            assert caught.value.place is not None


# -- text never reaches code ------------------------------------------------------------------------------------------


def code(source: str) -> list[tuple[int, str]]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [(t.type, t.string) for t in tokens if t.type not in (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE)]


HOSTILE = [
    'LSE["a\u2028import os\u2028" ∘ A]',
    'LSE["\u0085\x0b\x0c\x1c\r" ∘ A]',
    'LSE["\\n    status[item] = 7\\n" ∘ A]',
    'LSE["{0} {cotangent} %s # \\" \\\\ " ∘ A]',
    'LSE["\u202e\ufeff\U000e0041\ud7ff" ∘ A]',
    "LSE[__import__ ∘ A]",
    "LSE[weights ∘ routine]",
    "LSE[λ ∘ Ж漢字]",
    "LSE[B ∘ A] # \u2028 evil()\n# more\n",
    "shift = B\nLSE[shift ∘ A]",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_an_equations_text_reaches_source_in_comments_only(text: str) -> None:
    harmless = ag.compile("LSE[B ∘ A]", mode="kernels").source(A=LINE, B=LINE)
    equation = ag.compile(text, mode="kernels")
    source = equation.source(dict.fromkeys(equation.inputs, LINE))
    assert code(source) == code(harmless)
    # One line by Python's own idea of a line and by everybody else's.
    assert len(source.splitlines()) == source.count("\n") == harmless.count("\n")
    assert source.isascii() or all(c.isprintable() or c == "\n" for c in source)
    compile(source, "<source>", "exec")


def test_names_and_numbers_are_data() -> None:
    one = ag.compile("2.5 LSE[A ∘ B] - w", mode="kernels").source(A=LINE, B=LINE, w=1.0)
    other = ag.compile("7 LSE[Q* ∘ (R + S)] - zeta", mode="kernels").source(Q=LINE, R=LINE, S=LINE, zeta=1.0)
    assert code(one) == code(other)
