"""What a trace shows within a node: a graph drawn small, with its gradient as colours, or a number and its gradient."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from arcgrad.runtime.draw.colours import number_text
from arcgrad.runtime.draw.computation import Step, shown_expression
from arcgrad.runtime.draw.graph import graph_scene
from arcgrad.runtime.draw.labels import Namer, Painted
from arcgrad.runtime.draw.scene import Scene, Shape, Text, moved, shorten, text_width

__all__ = ["with_values"]

MOST_ARCS = 40
"""Graphs of more arcs, or of more states, are numbers of both."""

_LONGEST = 320.0


def with_values(step: Step, node: Any, names: Namer) -> Step:
    """The step with a picture of what a node of a trace holds: its ``value`` and its ``gradient``."""
    if step.kind == "constant" and not hasattr(node.value, "topology"):
        return step
    heading = shown_expression(step.name)
    if step.operands or step.expression != step.name:
        heading += " = " + shown_expression(step.expression)
    heading = shorten(heading, _LONGEST, 12.0)
    lines: list[str] = []
    inner: Scene | None = None
    if hasattr(node.value, "topology"):
        topology = node.value.topology
        if max(topology.n_states, node.value.n_arcs) <= MOST_ARCS:
            gradient = None if node.gradient is None else node.gradient.tolist()
            inner = graph_scene(Painted(topology, node.value.arc_weight.tolist(), (names, names), gradient or None))
        else:
            lines.append(f"{topology.n_states:,} states, {node.value.n_arcs:,} arcs")
    else:
        lines.append(number_text(node.value, 6))
        if node.gradient is not None:
            lines.append(f"gradient {number_text(node.gradient, 6)}")
    width = max([text_width(heading, 12.0, bold=True), *(text_width(line, 12.0) for line in lines)]) + 20.0
    width = max(width, inner.width if inner else 0.0)
    shapes: list[Shape] = [Text(width / 2, 18.0, heading, 12.0, bold=True)]
    height = 26.0
    for line in lines:
        shapes.append(Text(width / 2, height + 10.0, line, 12.0))
        height += 17.0
    if inner is not None:
        shapes += [moved(shape, (width - inner.width) / 2, height - 6.0) for shape in inner.shapes]
        height += inner.height - 6.0
    return replace(step, inside=Scene(width, height + 4.0, shapes))
