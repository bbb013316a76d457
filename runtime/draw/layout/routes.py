"""The layout of a graph: where its states, arcs and labels go. Coordinates of `places` become curves here.

Arcs are level where they pass a column of states or of labels, within a place of their own, and bend only in the gaps
between columns. So no arc passes through a foreign state or label, and no two labels overlap.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from arcgrad.runtime.draw.layout.layers import Layers, make_layers
from arcgrad.runtime.draw.layout.places import Box, heights, spread
from arcgrad.runtime.draw.scene import Point

__all__ = ["Layout", "Outline", "Rect", "Route", "lay_out"]

Rect = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels."""

GAP = 9.0  # between places of one column
ARROW = 9.0  # length of an arrow's head
MARGIN = 14.0
_NARROWEST, _WIDEST = 24.0, 90.0  # a gap between columns
_STEEPEST = 50.0  # degrees: where an arc meets a state's circle, from level
_APART = 17.0  # degrees: between two arcs at one side of a state
_LOOP = 32.0  # degrees: half of a self-loop's opening
_LOOP_HEIGHT = 26.0


@dataclass(frozen=True)
class Route:
    """The way of one edge.

    Attributes:
        points: the first point, then three for each cubic curve, in the edge's direction; the last one is at the tip.
        label: the rectangle kept free for its label; empty where it has none.
    """

    points: tuple[Point, ...]
    label: Rect


@dataclass(frozen=True)
class Outline:
    """A node's shape: half of its width and of its height; round ones are met at any angle, others at their sides."""

    half_width: float
    half_height: float
    is_round: bool = True

    def meet(self, centre: Point, angle: float, right: bool) -> Point:
        """Where an edge meets the outline, at so many degrees below level on the right or left side."""
        turned = math.radians(angle)
        away, aside = self.half_width + 1.5, math.sin(turned)
        if self.is_round:
            reach, aside = away * math.cos(turned), away * aside
        else:
            reach, aside = away, aside * self.half_height
        return centre[0] + (reach if right else -reach), centre[1] + aside

    def slope(self, angle: float) -> float:
        """How steep an edge is where it meets the outline."""
        return math.tan(math.radians(0.7 * angle)) if self.is_round else 0.0


@dataclass(frozen=True)
class Layout:
    """Where everything is, in pixels; the left upper corner is (0, 0)."""

    width: float
    height: float
    radius: float
    states: tuple[Point, ...]
    routes: tuple[Route, ...]


def lay_out(
    n_states: int,
    edges: Sequence[tuple[int, int]],
    label_sizes: Sequence[tuple[float, float]],
    first: Sequence[int] = (),
    radius: float = 15.0,
    outlines: Sequence[Outline] | None = None,
) -> Layout:
    """Lay out a graph from the left to the right.

    Args:
        n_states: number of states.
        edges: source and destination of each edge, parallel ones and self-loops among them.
        label_sizes: width and height of each edge's label; (0, 0) for none.
        first: states to begin with.
        radius: of a state's circle.
        outlines: shapes of the nodes, where they are not all circles of that radius; no self-loops then.

    Returns:
        Routes in the order of the edges.
    """
    straight = [k for k, (source, destination) in enumerate(edges) if source != destination]
    layers = make_layers(n_states, [edges[k] for k in straight], first)
    loops: list[list[int]] = [[] for _ in range(n_states)]
    for k, (source, destination) in enumerate(edges):
        if source == destination:
            loops[source].append(k)
    shapes = [Outline(radius, radius)] * n_states if outlines is None else outlines
    boxes = [_state_box(shapes[state], [label_sizes[k] for k in loops[state]]) for state in range(n_states)]
    boxes += [Box(3.0, 3.0, 0.0)] * (len(layers.column_of) - n_states)
    for k, place in zip(straight, layers.label_at, strict=True):
        w, h = label_sizes[k]
        boxes[place] = Box(h + 4.0 if h else 3.0, 4.0, w / 2 + 4.0 if w else 0.0)
    y = heights(layers, boxes, GAP)
    middles, halves = _columns(layers, boxes, y)
    top = min((y[p] - boxes[p].up for p in range(len(boxes))), default=0.0)
    bottom = max((y[p] + boxes[p].down for p in range(len(boxes))), default=0.0)
    y = [height - top + MARGIN for height in y]
    centres = tuple((middles[layers.column_of[s]], y[s]) for s in range(n_states))
    routes: list[Route | None] = [None] * len(edges)
    angles = _angles(layers, centres, y, middles, halves)
    for number, k in enumerate(straight):
        route = _route(layers, number, centres, y, middles, halves, shapes, angles)
        routes[k] = Route(route, _label_rect(middles, y, layers, number, label_sizes[k]))
    for state in range(n_states):
        for k, (points, label) in zip(
            loops[state], _loops(centres[state], radius, [label_sizes[k] for k in loops[state]]), strict=True
        ):
            routes[k] = Route(points, label)
    width = middles[-1] + halves[-1] + MARGIN if middles else 2 * MARGIN
    return Layout(width, bottom - top + 2 * MARGIN, radius, centres, tuple(r for r in routes if r is not None))


def _state_box(outline: Outline, loop_labels: Sequence[tuple[float, float]]) -> Box:
    """What a state takes with its self-loops: the first is above it, the second below."""
    up = down = outline.half_height + 2.0
    half = outline.half_width + 2.0
    for number, (w, h) in enumerate(loop_labels):
        size = outline.half_height + _LOOP_HEIGHT + h + 4.0
        if number % 2 == 0:
            up = max(up, size)
        else:
            down = max(down, size)
        half = max(half, w / 2 + 3.0)
    return Box(up, down, half)


def _columns(layers: Layers, boxes: Sequence[Box], y: Sequence[float]) -> tuple[list[float], list[float]]:
    """The middle of each column and half of its width; gaps are wider where arcs are steep."""
    halves = [max([boxes[place].half for place in column], default=0.0) for column in layers.columns]
    steepest = [0.0] * len(halves)
    for chain in layers.chains:
        for left, right in itertools.pairwise(chain):
            column = layers.column_of[left]
            steepest[column] = max(steepest[column], abs(y[left] - y[right]))
    middles: list[float] = []
    at = MARGIN
    for column, half in enumerate(halves):
        if column:
            at += min(max(_NARROWEST, 0.42 * steepest[column - 1]), _WIDEST)
        middles.append(at + half)
        at += 2 * half
    return middles, halves


Angles = dict[tuple[int, int, bool], float]


def _angles(
    layers: Layers, centres: Sequence[Point], y: Sequence[float], middles: Sequence[float], halves: Sequence[float]
) -> Angles:
    """Where each edge meets its states' circles: degrees below level, by edge, state and whether on the right side."""
    sides: dict[tuple[int, bool], list[tuple[float, int]]] = {}
    for number, chain in enumerate(layers.chains):
        for state, beside, right in ((chain[0], chain[1], True), (chain[-1], chain[-2], False)):
            far = abs(middles[layers.column_of[beside]] - centres[state][0]) - halves[layers.column_of[beside]]
            angle = math.degrees(math.atan2(y[beside] - centres[state][1], max(far, 1.0)))
            sides.setdefault((state, right), []).append((angle, number))
    found: Angles = {}
    for (state, right), wanted in sides.items():
        wanted.sort()
        n = len(wanted)
        apart = min(_APART, 2 * _STEEPEST / max(n - 1, 1))
        places = spread([angle for angle, _ in wanted], [1.0] * n, [apart] * (n - 1))
        low, high = places[0], places[-1]
        shift = max(-_STEEPEST - low, 0.0) or min(_STEEPEST - high, 0.0)
        if high - low > 2 * _STEEPEST:  # squeezed, in order
            scale = 2 * _STEEPEST / (high - low)
            places = [(place - low) * scale - _STEEPEST for place in places]
            shift = 0.0
        for (_, number), place in zip(wanted, places, strict=True):
            found[number, state, right] = min(max(place + shift, -_STEEPEST), _STEEPEST)
    return found


def _route(
    layers: Layers,
    number: int,
    centres: Sequence[Point],
    y: Sequence[float],
    middles: Sequence[float],
    halves: Sequence[float],
    shapes: Sequence[Outline],
    angles: Angles,
) -> tuple[Point, ...]:
    chain = layers.chains[number]
    left, right = chain[0], chain[-1]
    angle = angles[number, left, True]
    points = [shapes[left].meet(centres[left], angle, True)]
    tilt = shapes[left].slope(angle)
    column = layers.column_of[left]
    edge = middles[column] + halves[column]
    if halves[column] > shapes[left].half_width + 4:  # level to the column's end, below labels of self-loops
        points += _line(points[-1], (edge, points[-1][1]))
        tilt = 0.0
    for place in chain[1:-1]:
        column = layers.column_of[place]
        if not halves[column]:  # nothing stands there: one bend instead of two
            continue
        points += _bend(points[-1], tilt, (middles[column] - halves[column], y[place]), 0.0)
        tilt = 0.0
        points += _line(points[-1], (middles[column] + halves[column], y[place]))
    angle = angles[number, right, False]
    end = shapes[right].meet(centres[right], angle, False)
    column = layers.column_of[right]
    if halves[column] > shapes[right].half_width + 4:
        points += _bend(points[-1], tilt, (middles[column] - halves[column], end[1]), 0.0)
        points += _line(points[-1], end)
    else:
        points += _bend(points[-1], tilt, end, -shapes[right].slope(angle))
    return tuple(points[::-1] if layers.is_back[number] else points)


def _line(begin: Point, end: Point) -> list[Point]:
    (x0, y0), (x1, y1) = begin, end
    return [(x0 + (x1 - x0) / 3, y0 + (y1 - y0) / 3), (x0 + 2 * (x1 - x0) / 3, y0 + 2 * (y1 - y0) / 3), end]


def _bend(begin: Point, leaving: float, end: Point, arriving: float) -> list[Point]:
    """A curve between two points whose slopes there are given, in y by x."""
    (x0, y0), (x1, y1) = begin, end
    reach = 0.45 * (x1 - x0)
    return [(x0 + reach, y0 + leaving * reach), (x1 - reach, y1 - arriving * reach), end]


def _label_rect(
    middles: Sequence[float], y: Sequence[float], layers: Layers, number: int, size: tuple[float, float]
) -> Rect:
    place = layers.label_at[number]
    x, line = middles[layers.column_of[place]], y[place]
    w, h = size
    return (x - w / 2, line - 3.0 - h, x + w / 2, line - 3.0) if h else (x, line, x, line)


def _loops(centre: Point, radius: float, sizes: Sequence[tuple[float, float]]) -> list[tuple[tuple[Point, ...], Rect]]:
    x, y = centre
    away = radius + 1.5
    across, along = away * math.sin(math.radians(_LOOP)), away * math.cos(math.radians(_LOOP))
    found: list[tuple[tuple[Point, ...], Rect]] = []
    for number, (w, h) in enumerate(sizes):
        sign = -1.0 if number % 2 == 0 else 1.0
        # A cubic's middle is a quarter of its ends and three quarters of its handles.
        tip = radius + _LOOP_HEIGHT - 3.0
        reach = (tip - along / 4) / 0.75
        points = (
            (x - across, y + sign * along),
            (x - across - 15.0, y + sign * reach),
            (x + across + 15.0, y + sign * reach),
            (x + across, y + sign * along),
        )
        edge = y + sign * (tip + 3.0)
        label = (x - w / 2, min(edge, edge + sign * h), x + w / 2, max(edge, edge + sign * h))
        found.append((points, label))
    return found
