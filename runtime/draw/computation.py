"""The picture of a computation graph, as the textbook draws it: leaves, operations and results.

Inputs are solid circles, those that are data shaded and scores in italics; operations are squares, and results dashed
circles G₁ … Gₙ. Of a trace, nodes hold what was computed: graphs, numbers, and their gradients.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

from arcgrad.compiler.frontend.ir import Node, Program, describe
from arcgrad.compiler.types import Type
from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import shown
from arcgrad.runtime.draw.boxes import computation_boxes
from arcgrad.runtime.draw.dot import quoted
from arcgrad.runtime.draw.drawing import Drawing
from arcgrad.runtime.draw.graph import arrow
from arcgrad.runtime.draw.layout.routes import Outline, lay_out
from arcgrad.runtime.draw.scene import (
    Circle,
    Group,
    Point,
    Rectangle,
    Scene,
    Shape,
    Text,
    add_title,
    moved,
    shorten,
    text_width,
    visible,
    widen,
)

__all__ = ["Step", "checked_data", "draw_computation", "shown_expression", "steps_of"]

MOST_STEPS = 150
"""Equations of more operations are not drawn step by step."""

_SIZE = 13.0
_LONGEST = 260.0  # pixels of a text
_PLACEHOLDER = "\N{REPLACEMENT CHARACTER}"
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(frozen=True)
class Step:
    """One value of an equation.

    Attributes:
        name: the input's, or G1, G2, …; a number's digits.
        kind: "graph", "data", "score" or "mapping" for inputs, "constant" for literals, "result" for others.
        sign: of the operation that makes it, such as ``∘`` or ``LSE``; a literal's text.
        operands: numbers of the steps that it is made from.
        expression: the operation on names.
        inside: what a trace shows within the node; None: its name alone.
    """

    name: str
    kind: str
    sign: str
    operands: tuple[int, ...]
    expression: str
    inside: Scene | None = None


def steps_of(program: Program, data: Collection[str] = ()) -> list[Step]:
    """The steps of an equation in order; the last is its value. Inputs in ``data`` are data, not parameters."""
    steps: list[Step] = []
    at: dict[Node, int] = {}
    names: dict[Node, str] = {}
    count = 0
    for node in program.nodes:
        operands = tuple(at[operand] for operand in node.operands)
        own = {operand: names[operand] for operand in node.operands}
        expression = describe(node, own)
        if node.is_input:
            name = str(node.parameters[0])
            kind = "data" if name in data else {Type.SCORE: "score", Type.MAPPING: "mapping"}.get(node.type, "graph")
            step = Step(name, kind, "", (), name)
        elif node.is_number:
            step = Step(expression, "constant", expression, (), expression)
        else:
            count += 1
            if node.operands:
                step = Step(f"G{count}", "result", _sign(node), operands, expression)
            else:
                step = Step(f"G{count}", "constant", _literal(program, node), (), _literal(program, node))
        names[node] = step.name
        at[node] = len(steps)
        steps.append(step)
    return steps


def _sign(node: Node) -> str:
    """The operation without its operands: ``∘``, ``*``, ``LSE``, ``prune[4]``."""
    text = describe(node, dict.fromkeys(node.operands, _PLACEHOLDER))
    text = re.sub(rf"{_PLACEHOLDER}(, )?", "", text)
    text = re.sub(r"\[(.*?)(, )?\]", lambda found: f"[{found[1]}]" if found[1] else "", text)
    text = text.replace(", ]", "]").strip()
    return text or "·"


def _literal(program: Program, node: Node) -> str:
    """What the equation's text has for a literal; of one that no text has, its own."""
    place = program.places.get(node)
    return describe(node) if place is None else place.text[place.span.start : place.span.end]


def draw_computation(steps: Sequence[Step], title: str | None = None) -> Drawing:
    """The drawing of an equation's steps."""
    if title is not None and not isinstance(title, str):
        raise InputError(f"title is {shown(title)} ({type(title).__name__}), but must be a str")
    made = [f"{step.name} = {step.expression}" for step in steps if step.operands]
    description = "; ".join(made[:40]) + (" …" if len(made) > 40 else "") + "." if made else f"{steps[-1].expression}."
    if len(steps) > MOST_STEPS:
        return Drawing(_too_many(steps, title, description))
    edges: list[tuple[int, int]] = []
    outlines: list[Outline] = []
    drawn: list[tuple[int, bool]] = []  # for each node its step, and whether it is the operation's square
    node_of: dict[int, int] = {}
    operations: dict[int, int] = {}
    for number, step in enumerate(steps):
        if step.operands:
            operations[number] = len(outlines)
            outlines.append(_outline_of_sign(step))
            drawn.append((number, True))
        node_of[number] = len(outlines)
        outlines.append(_outline(step))
        drawn.append((number, False))
    for number, step in enumerate(steps):
        edges += [(node_of[operand], operations[number]) for operand in step.operands]
        if step.operands:
            edges.append((operations[number], node_of[number]))
    first = [node_of[number] for number, step in enumerate(steps) if not step.operands]
    plan = lay_out(len(outlines), edges, [(0.0, 0.0)] * len(edges), first, outlines=outlines)
    shapes: list[Shape] = [Group(arrow(route.points), role="arc") for route in plan.routes]
    for (number, is_sign), centre, outline in zip(drawn, plan.states, outlines, strict=True):
        last = number == len(steps) - 1
        shapes.append(
            _square(steps[number], centre, outline) if is_sign else _node(steps[number], centre, outline, last)
        )
    scene = Scene(plan.width, plan.height, shapes)
    add_title(scene, title)
    _add_key(scene, steps)
    scene.title = title or "Computation graph"
    scene.description = description
    texts = [_plain(steps[number], is_sign) for number, is_sign in drawn]
    return Drawing(
        scene, partial(_dot, steps, title), lambda ascii, width: computation_boxes(texts, edges, first, ascii, width)
    )


def _plain(step: Step, is_sign: bool) -> str:
    """What stands for a node in box characters: an operation in brackets, a literal's text, or a name."""
    if is_sign:
        return f"[{step.sign}]"
    return visible(step.sign).replace("␣", " ") if step.kind == "constant" else step.name


def shown_name(name: str) -> str:
    """The name with its number as a subscript: A₁ for A1."""
    found = re.fullmatch(r"(\D+?)_?(\d+)", name)
    return visible(found[1]) + found[2].translate(_SUBSCRIPTS) if found else visible(name)


def shown_expression(text: str) -> str:
    """An expression with its names' numbers as subscripts; one with literals as it is."""
    text = visible(text).replace("␣", " ").replace(" - ", " − ")
    if '"' in text:
        return text
    return re.sub(r"\b([^\W\d_]+)_?(\d+)\b", lambda found: found[1] + found[2].translate(_SUBSCRIPTS), text)


def _texts(step: Step) -> str:
    """What stands in a node that holds no picture."""
    if step.kind != "constant" or step.name == step.sign:
        return shown_name(step.name)
    return shorten(f"{shown_name(step.name)} = {shown_expression(step.sign)}", _LONGEST, _SIZE)


def _outline(step: Step) -> Outline:
    if step.inside is not None:
        return Outline(step.inside.width / 2, step.inside.height / 2, is_round=False)
    half = text_width(_texts(step), _SIZE) / 2
    if half <= 15.0:
        return Outline(18.0, 18.0)
    return Outline(min(half, _LONGEST / 2) + 11.0, 15.0, is_round=False)


def _outline_of_sign(step: Step) -> Outline:
    return Outline(max(13.0, text_width(_sign_text(step), _SIZE) / 2 + 6.0), 13.0, is_round=False)


def _sign_text(step: Step) -> str:
    return "−" if step.sign == "-" else shorten(shown_expression(step.sign), _LONGEST, _SIZE)


def _square(step: Step, centre: Point, outline: Outline) -> Group:
    (x, y), w, h = centre, outline.half_width, outline.half_height
    box = Rectangle(x - w, y - h, 2 * w, 2 * h, "ink", "wash")
    text = Text(x, y + _SIZE * 0.36, _sign_text(step), _SIZE)
    return Group((box, text), f"operation {step.name} = {step.expression}", "operation")


def _node(step: Step, centre: Point, outline: Outline, is_last: bool) -> Group:
    (x, y), w, h = centre, outline.half_width, outline.half_height
    dash = step.kind == "result"
    fill = "wash" if step.kind == "data" else "paper"
    thick = 2.0 if is_last or step.kind in ("graph", "score") else 1.2
    shapes: list[Shape] = []
    if step.inside is not None:
        shapes.append(Rectangle(x - w, y - h, 2 * w, 2 * h, "ink", fill, thick, dash, 10.0))
        shapes += [moved(shape, x - w, y - h) for shape in step.inside.shapes]
    else:
        if outline.is_round:
            shapes.append(Circle(x, y, w, "ink", fill, thick, dash))
        else:
            shapes.append(Rectangle(x - w, y - h, 2 * w, 2 * h, "ink", fill, thick, dash, h))
        italic = step.kind in ("score", "mapping")
        shapes.append(Text(x, y + _SIZE * 0.36, shorten(_texts(step), 2 * w - 8, _SIZE), _SIZE, italic=italic))
    return Group(tuple(shapes), f"{_KINDS[step.kind]} {step.name}", step.kind)


_KINDS = {
    "graph": "input graph",
    "data": "data",
    "score": "input score",
    "mapping": "label mapping",
    "constant": "constant",
    "result": "result",
}


def _add_key(scene: Scene, steps: Sequence[Step]) -> None:
    """What the nodes' looks mean, for those that occur."""
    kinds = [kind for kind in _KINDS if any(step.kind == kind for step in steps)]
    entries: list[tuple[str, Shape]] = []
    for kind in kinds:
        sample = Circle(
            7.0, 0.0, 6.0, "ink", "wash" if kind == "data" else "paper", 1.8 if kind in ("graph", "score") else 1.1,
            kind == "result",
        )  # fmt: skip
        shape: Shape = (
            Group((sample, Text(7.0, 3.2, "x", 9.0, italic=True))) if kind in ("score", "mapping") else sample
        )
        entries.append((_KINDS[kind], shape))
    if any(step.operands for step in steps):
        entries.append(("operation", Rectangle(1.0, -6.0, 12.0, 12.0, "ink", "wash", 1.1)))
    widths = [text_width(name, 10.0) + 32.0 for name, _ in entries]
    width = max(scene.width, min(sum(widths) + 20.0, 330.0))
    widen(scene, width)
    x, y = 14.0, scene.height + 4.0
    for (name, shape), wide in zip(entries, widths, strict=True):
        if x + wide > width and x > 14.0:
            x, y = 14.0, y + 18.0
        scene.shapes.append(moved(shape, x, y))
        scene.shapes.append(Text(x + 18.0, y + 3.5, name, 10.0, "start", "faint"))
        x += wide
    scene.height = y + 16.0


def _too_many(steps: Sequence[Step], title: str | None, description: str) -> Scene:
    counts: dict[str, int] = {}
    for step in steps:
        name = step.sign if step.operands else _KINDS[step.kind]
        counts[name] = counts.get(name, 0) + 1
    lines = [f"{len(steps):,} steps, too many to draw:"]
    lines += [
        f"{count:,} × {shorten(visible(name), 300.0)}"
        for name, count in sorted(counts.items(), key=lambda c: -c[1])[:20]
    ]
    shapes: list[Shape] = [Text(16.0, 28.0 + 17.0 * k, line, 12.0, "start") for k, line in enumerate(lines)]
    scene = Scene(360.0, 40.0 + 17.0 * len(lines), shapes)
    add_title(scene, title)
    scene.title, scene.description = title or "Computation graph", description
    return scene


def _dot(steps: Sequence[Step], title: str | None) -> str:
    lines = ["digraph arcgrad {", "  rankdir=LR;", '  node [fontname="sans-serif"];']
    if title:
        lines.append(f"  label={quoted(title)}; labelloc=t;")
    for number, step in enumerate(steps):
        styles = {"result": ", style=dashed", "data": ', style=filled, fillcolor="#eef1f5"'}
        label = step.sign if step.kind == "constant" else step.name
        lines.append(f"  v{number} [shape=ellipse, label={quoted(label)}{styles.get(step.kind, '')}];")
        if step.operands:
            lines.append(f"  o{number} [shape=box, label={quoted(step.sign)}];")
            lines.append(f"  o{number} -> v{number};")
            lines += [f"  v{operand} -> o{number};" for operand in step.operands]
    return "\n".join([*lines, "}"]) + "\n"


def checked_data(data: object, inputs: Collection[str]) -> tuple[str, ...]:
    """The names of inputs that are data.

    Raises:
        InputError: one is not an input.
    """
    names = [data] if isinstance(data, str) else list(data) if isinstance(data, (list, tuple, set, frozenset)) else None
    if names is None:
        raise InputError(f"data is {shown(data)}, but must be a name of an input, or several")
    for name in names:
        if name not in inputs:
            raise InputError(f"data names {shown(name)}, but the inputs are {', '.join(inputs) or 'none'}")
    return tuple(names)
