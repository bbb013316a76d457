"""Computation graphs: which steps an equation has, what is told apart, and what a trace shows in its nodes."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest

import arcgrad as ag
from arcgrad.runtime.draw.computation import shown_expression, steps_of

SVG = "{http://www.w3.org/2000/svg}"


def steps(text: str, data: tuple[str, ...] = (), **how: Any) -> list[tuple[str, str, str]]:
    return [(s.name, s.kind, s.sign) for s in steps_of(ag.compile(text, **how)._program, data)]


def test_the_textbooks_example() -> None:
    assert steps("LSE[(A1 + A2) ∘ X*]", ("X",)) == [
        ("A1", "graph", ""),
        ("A2", "graph", ""),
        ("G1", "result", "+"),
        ("X", "data", ""),
        ("G2", "result", "*"),
        ("G3", "result", "∘"),
        ("G4", "result", "LSE"),
    ]


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("A B", "·"),
        ("A - B", "-"),
        ("A : B", ":"),
        ("A{2,3}", "{2,3}"),
        ("A⁻¹", "⁻¹"),
        ("A⟨2⟩", "⟨⟩"),
        ("prune[A, 4]", "prune[4]"),
        ("NBEST[A, 3]", "NBEST[3]"),
        ("relabel[A, m]", "relabel"),
        ("E[A, R]", "E"),
        ("logadd[LSE[A], LSE[B]]", "logadd"),
        ("2 LSE[A]", "×"),
        ("push[A, end]", "push[end]"),
    ],
)
def test_signs_of_operations(text: str, sign: str) -> None:
    assert steps(text)[-1][2] == sign


def test_kinds_of_inputs_and_literals() -> None:
    found = steps('α LSE[relabel[A, m] ∘ "ab"] + 2')
    assert [(name, kind) for name, kind, _ in found if kind != "result"] == [
        ("α", "score"),
        ("A", "graph"),
        ("m", "mapping"),
        ("G2", "constant"),
        ("2", "constant"),
    ]
    assert ("G2", "constant", '"ab"') in found


@pytest.mark.parametrize("text", ["LSE[(A1 + A2) ∘ X*]", 'LSE[A ∘ "ab"] - LSE[A] × 2', "A", "rmeps[A A] A"])
def test_names_are_those_of_the_trace(text: str) -> None:
    equation = ag.compile(text)
    a = ag.linear("ab", [-1.0, -2.0])
    trace = equation.trace(dict.fromkeys(equation.inputs, a))
    drawn = steps_of(equation._program)
    assert [step.name for step in drawn] == [node.name for node in trace.nodes]
    made = [(step.name, step.expression) for step in drawn if step.operands]
    assert made == [(node.name, node.expression) for node in trace.nodes if node.inputs]


def roles(svg: str) -> dict[str, list[ET.Element]]:
    found: dict[str, list[ET.Element]] = {}
    for group in ET.fromstring(svg).iter(f"{SVG}g"):
        found.setdefault(group.get("class", ""), []).append(group)
    return found


def test_leaves_are_solid_operations_square_and_results_dashed() -> None:
    found = roles(ag.compile("LSE[(A1 + A2) ∘ X*]").draw(data="X").svg)
    assert {kind: len(groups) for kind, groups in found.items() if kind} == {
        "arc": 10, "graph": 2, "data": 1, "operation": 4, "result": 4,
    }  # fmt: skip
    for kind, tag, dashed in (("graph", "circle", False), ("operation", "rect", False), ("result", "circle", True)):
        for group in found[kind]:
            shape = group.find(f"{SVG}{tag}")
            assert shape is not None
            assert (shape.get("stroke-dasharray") is not None) == dashed
    fills = {kind: found[kind][0].find(f"{SVG}circle").get("fill") for kind in ("graph", "data")}  # type: ignore[union-attr]
    assert fills["graph"] != fills["data"]


def test_a_trace_has_graphs_values_and_gradients_in_its_nodes() -> None:
    x = np.log(np.full((2, 2), 0.5))
    trace = ag.compile("α LSE[X ∘ Y]").trace(X=x, Y=ag.linear([0, 1]), α=2.0)
    svg = trace.draw().svg
    texts = [element.text for element in ET.fromstring(svg).iter(f"{SVG}text")]
    assert "−2.77259" in texts  # 2 log ¼
    assert "gradient −1.38629" in texts  # with respect to α
    assert "G₁ = X ∘ Y" in texts
    assert "data X" in svg  # dense inputs are data unless told otherwise
    assert "data X" not in trace.draw(data=()).svg
    states = sum(node.value.n_states for node in trace.nodes if hasattr(node.value, "n_states"))
    assert svg.count('class="state"') == states


def test_large_graphs_in_a_trace_are_numbers() -> None:
    svg = ag.compile("LSE[A]").trace(A=ag.linear(range(100))).draw().svg
    assert "101 states, 100 arcs" in svg
    assert 'class="state"' not in svg


def test_equations_of_many_steps_are_counted() -> None:
    text = " + ".join(f"LSE[A{k}]" for k in range(100))
    svg = ag.compile(text).draw().svg
    assert "299 steps, too many to draw" in svg
    assert "100 × LSE" in svg


def test_subscripts() -> None:
    assert shown_expression("A1 + A_12 - B{2,3} 3") == "A₁ + A₁₂ − B{2,3} 3"
    assert shown_expression('"a1"') == '"a1"'
