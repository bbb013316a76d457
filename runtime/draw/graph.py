"""The picture of a graph: states as circles, accepts doubled, starts bold, arcs with ``in:out/weight``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.topology import Topology
from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import shown
from arcgrad.runtime.draw.boxes import graph_boxes
from arcgrad.runtime.draw.colours import arc_colour, arc_width, largest, number_text
from arcgrad.runtime.draw.drawing import Drawing
from arcgrad.runtime.draw.labels import LINE, SIZE, Bundle, Legend, Namer, Painted, arc_texts, bundles, graph_words
from arcgrad.runtime.draw.layout.layers import ranks_of
from arcgrad.runtime.draw.layout.routes import ARROW, Route, lay_out
from arcgrad.runtime.draw.scene import (
    Circle,
    Group,
    Path,
    Point,
    Rectangle,
    Scene,
    Shape,
    Text,
    add_title,
    shorten,
    text_width,
    widen,
)

__all__ = ["arrow", "draw_graph", "graph_scene"]

MOST_ARCS = 300
"""Graphs of more arcs, or of more states, are summed up: nobody reads that many labels."""

_MOST_FAR, _FAR = 90, 4.0  # arcs, and columns of states that they pass on average

_LAYOUTS = ("layers", "dot")


def draw_graph(
    topology: Topology,
    weights: NDArray[np.float64],
    tie: NDArray[np.int32] | None,
    names: tuple[Namer, Namer],
    *,
    color: Any = None,
    width: Any = None,
    title: str | None = None,
    layout: str = "layers",
) -> Drawing:
    """The drawing of a graph; what ``Graph.draw`` does, which says what the arguments mean."""
    if layout not in _LAYOUTS:
        raise InputError(f"layout is {shown(layout)}, but must be one of {', '.join(map(repr, _LAYOUTS))}")
    if title is not None and not isinstance(title, str):
        raise InputError(f"title is {shown(title)} ({type(title).__name__}), but must be a str")
    n_arcs = len(topology.src)
    painted = Painted(
        topology,
        weights.tolist(),
        names,
        _arc_numbers(color, "color", n_arcs, tie),
        _arc_numbers(width, "width", n_arcs, tie),
        title,
    )
    if max(n_arcs, topology.n_states) > MOST_ARCS or _is_tangle(topology):
        from arcgrad.runtime.draw.summary import summary_scene

        scene = summary_scene(painted)
    else:
        scene = graph_scene(painted, layout)
    return Drawing(scene, partial(_dot, painted), partial(graph_boxes, painted))


def _is_tangle(topology: Topology) -> bool:
    """Whether many arcs lead far, past many columns of states, so that nobody could follow them."""
    ends: set[tuple[int, int]] = set(zip(topology.src.tolist(), topology.dst.tolist(), strict=True))
    edges = sorted((a, b) for a, b in ends if a != b)
    if len(edges) <= _MOST_FAR:
        return False
    ranks, _, _ = ranks_of(topology.n_states, edges, topology.start.tolist())
    return sum(abs(ranks[a] - ranks[b]) for a, b in edges) > _FAR * len(edges)


def _arc_numbers(given: Any, name: str, n_arcs: int, tie: NDArray[np.int32] | None) -> list[float] | None:
    """One number an arc, of an array for arcs or for tied parameters, or of a graph's arc weights.

    Raises:
        InputError: it is no such array.
    """
    if given is None:
        return None
    if isinstance(given, Mapping):
        keys = list(given)
        key = keys[0] if keys and isinstance(keys[0], str) else "A"
        raise InputError(f"{name} is a mapping, but must be one number an arc", hint=f"{name}=grad[{shown(key)}]")
    weights = getattr(given, "arc_weight", None)
    n_parameters = None if tie is None else int(tie.max(initial=-1)) + 1
    expected = f"{n_arcs} real numbers, one an arc"
    if n_parameters is not None:
        expected += ", or one a parameter of this tied graph"
    try:
        array = np.asarray(given if weights is None else weights)
        is_real = array.dtype.kind in "fiub" or not array.size
        array = array.astype(np.float64) if is_real else array
    except (ValueError, TypeError, RuntimeError) as error:
        raise InputError(f"{name} must be {expected}; numpy cannot make an array of it: {error}") from None
    if not is_real or array.ndim != 1:
        raise InputError(f"{name} has shape {array.shape}, dtype {array.dtype}, but must be {expected}")
    if len(array) != n_arcs and tie is not None and len(array) > int(tie.max(initial=-1)):
        array = array[tie]
    if len(array) != n_arcs:
        raise InputError(
            f"{name} has {len(array)} entries, but must be {expected}",
            hint='a gradient has one entry an arc of its own graph: draw A with color=grad["A"]',
        )
    if np.isnan(array).any():
        raise InputError(f"{name}[{int(np.argmax(np.isnan(array)))}] is nan, but must be a number")
    numbers: list[float] = array.tolist()
    return numbers


def _dot(graph: Painted) -> str:
    from arcgrad.runtime.draw.dot import graph_dot

    colours = widths = None
    if graph.colours is not None:
        most = largest(graph.colours)
        colours = [arc_colour(value, most) for value in graph.colours]
    if (values := graph.widths if graph.widths is not None else graph.colours) is not None:
        most = largest(values)
        widths = [arc_width(value, most) for value in values]
    return graph_dot(
        graph.topology, arc_texts(graph.topology, graph.weights, graph.names), colours, widths, graph.title
    )


def graph_scene(graph: Painted, layout: str = "layers") -> Scene:
    """Lay the graph out and draw it."""
    topology = graph.topology
    legend = Legend()
    texts = arc_texts(topology, graph.weights, graph.names, legend)
    grouped = bundles(topology, texts, one_a_line=graph.colours is not None)
    radius = max(14.0, text_width(str(max(topology.n_states - 1, 0)), SIZE) / 2 + 6.0)
    ends = [(bundle.src, bundle.dst) for bundle in grouped]
    sizes = [bundle.size for bundle in grouped]
    if layout == "dot":
        from arcgrad.runtime.draw.dot import lay_out_by_dot

        plan = lay_out_by_dot(topology.n_states, ends, sizes, radius)
    else:
        plan = lay_out(topology.n_states, ends, sizes, topology.start.tolist(), radius)
    shapes: list[Shape] = []
    for bundle, route in zip(grouped, plan.routes, strict=True):
        shapes.append(_arc(graph, bundle, route, texts))
    starts, accepts = set(topology.start.tolist()), set(topology.accept.tolist())
    for state, (x, y) in enumerate(plan.states):
        shapes.append(_state(state, x, y, plan.radius, state in starts, state in accepts))
    for state, (x, y) in plan.again:
        shapes.append(_state_again(state, x, y, plan.radius))
    scene = Scene(plan.width, plan.height, shapes)
    if topology.n_states == 0:
        scene.width, scene.height = 150.0, 44.0
        scene.shapes.append(Text(75.0, 27.0, "∅: no states", SIZE, fill="faint"))
    add_title(scene, graph.title)
    _add_scale(scene, graph)
    _add_legend(scene, legend)
    scene.title = graph.title or "Weighted automaton"
    scene.description = graph_words(topology, texts)
    return scene


def _state(state: int, x: float, y: float, radius: float, is_start: bool, is_accept: bool) -> Group:
    circles = [Circle(x, y, radius, width=2.8 if is_start else 1.2)]
    if is_accept:
        circles.append(Circle(x, y, radius - 3.5, fill="none", width=1.2))
    number = Text(x, y + SIZE * 0.36, str(state), SIZE, bold=is_start)
    kinds = [word for word, holds in (("start", is_start), ("accept", is_accept)) if holds]
    return Group((*circles, number), f"state {state}{': ' if kinds else ''}{', '.join(kinds)}", "state")


def _state_again(state: int, x: float, y: float, radius: float) -> Group:
    """A state at the beginning of a band, which stands at the end of the one above, too."""
    circle = Circle(x, y, radius, "faint", dash=True)
    return Group((circle, Text(x, y + SIZE * 0.36, str(state), SIZE, fill="faint")), f"state {state} again")


def _arc(graph: Painted, bundle: Bundle, route: Route, texts: Sequence[str]) -> Group:
    colour, width = "ink", 1.2
    if graph.colours is not None:
        most = largest(graph.colours)
        value = max((graph.colours[arc] for arc in bundle.arcs), key=abs)
        colour = arc_colour(value, most)
        if graph.widths is None:
            width = arc_width(value, most)
    if graph.widths is not None:
        width = arc_width(max(abs(graph.widths[arc]) for arc in bundle.arcs), largest(graph.widths))
    shapes: list[Shape] = [Path(piece, colour, width=width) for piece in route.before]
    shapes += arrow(route.points, colour, width)
    left, top, right, _ = route.label
    for number, (line, owner) in enumerate(zip(bundle.lines, bundle.owners, strict=True)):
        fill = "ink"
        if graph.colours is not None and owner >= 0 and len(bundle.arcs) > 1:
            fill = arc_colour(graph.colours[owner], largest(graph.colours))
        shapes.append(Text((left + right) / 2, top + LINE * number + SIZE * 0.9, line, SIZE, fill=fill))
    names = []
    for arc in bundle.arcs[:20]:
        name = f"arc {arc}: {bundle.src} → {bundle.dst}, {texts[arc]}"
        if graph.colours is not None:
            name += f", {number_text(graph.colours[arc], 6)}"
        elif graph.widths is not None:
            name += f", {number_text(graph.widths[arc], 6)}"
        names.append(name)
    if len(bundle.arcs) > 20:
        names.append(f"… {len(bundle.arcs) - 20} more")
    return Group(tuple(shapes), "\n".join(names), "arc")


def arrow(points: Sequence[Point], colour: str = "ink", width: float = 1.2) -> tuple[Path, Path]:
    """A curve and its head, whose tip is the last point."""
    (x1, y1), (x0, y0) = points[-1], points[-2]
    length = math.hypot(x1 - x0, y1 - y0) or 1.0
    dx, dy = (x1 - x0) / length, (y1 - y0) / length
    head = ARROW + 1.2 * (width - 1.2)
    half = 0.36 * head + 0.25 * width
    bx, by = x1 - dx * head, y1 - dy * head
    # The curve ends within the head, so that a thick one does not blunt the tip.
    inner = (x1 - dx * head * 0.7, y1 - dy * head * 0.7)
    handle = points[-2]
    if length < head:  # the handle lies within the head: it goes back with the end
        handle = (x0 - dx * head * 0.7, y0 - dy * head * 0.7)
    curve = Path((*points[:-2], handle, inner), stroke=colour, width=width)
    corners = ((x1, y1), (bx - dy * half, by + dx * half), (bx + dy * half, by - dx * half))
    return curve, Path(corners, stroke="none", fill=colour, is_polygon=True)


def _add_scale(scene: Scene, graph: Painted) -> None:
    """What the colours of arcs mean."""
    if graph.colours is None or not len(graph.colours):
        return
    most = largest(graph.colours)
    low = -most if min(graph.colours) < 0 else 0.0
    high = most if max(graph.colours) > 0 or low == 0 else 0.0
    texts = number_text(low), number_text(high)
    steps, side = 12, 7.0
    widths = [text_width(text, 10.0) for text in texts]
    widen(scene, sum(widths) + steps * side + 44.0)
    x, y = 14.0 + widths[0] + 5.0, scene.height - 4.0
    scene.shapes.append(Text(x - 5.0, y + 8.0, texts[0], 10.0, "end"))
    for step in range(steps):
        value = low + (high - low) * (step + 0.5) / steps
        scene.shapes.append(Rectangle(x + side * step, y, side + 0.3, 9.0, "none", arc_colour(value, most)))
    scene.shapes.append(Text(x + steps * side + 5.0, y + 8.0, texts[1], 10.0, "start"))
    scene.height += 18.0


def _add_legend(scene: Scene, legend: Legend) -> None:
    if not legend.names:
        return
    names = [shorten(name, 560.0, 11.0) for name in legend.names]
    widen(scene, max(text_width(f"{len(names)}  {name}", 11.0) for name in names) + 36.0)
    for number, name in enumerate(names, 1):
        scene.shapes.append(Text(18.0, scene.height + 8.0, str(number), 8.0, "end"))
        scene.shapes.append(Text(22.0, scene.height + 10.0, name, 11.0, "start"))
        scene.height += 16.0
    scene.height += 4.0
