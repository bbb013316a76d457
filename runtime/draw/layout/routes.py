"""The layout of a graph: where its states, arcs and labels go. Coordinates of `places` become curves here.

Arcs are level where they pass a column of states or of labels, within a place of their own, and bend only in the gaps
between columns. So no arc passes through a foreign state or label, and no two labels overlap.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from arcgrad.runtime.draw.layout.bands import MARGIN, STUB, Bands, make_bands
from arcgrad.runtime.draw.layout.layers import Layers, make_layers
from arcgrad.runtime.draw.layout.places import Box, heights, spread
from arcgrad.runtime.draw.scene import Point

__all__ = ["Layout", "Outline", "Rect", "Route", "lay_out"]

Rect = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels."""

GAP = 9.0  # between places of one column
ARROW = 9.0  # length of an arrow's head
WIDEST = 1100.0  # a band of a long graph
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
        before: of an edge that goes through several bands, the pieces before the last one.
    """

    points: tuple[Point, ...]
    label: Rect
    before: tuple[tuple[Point, ...], ...] = ()


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
    """Where everything is, in pixels; the left upper corner is (0, 0).

    ``again`` are states that stand at the beginning of a band once more, with their numbers.
    """

    width: float
    height: float
    radius: float
    states: tuple[Point, ...]
    routes: tuple[Route, ...]
    again: tuple[tuple[int, Point], ...] = ()


def lay_out(
    n_states: int,
    edges: Sequence[tuple[int, int]],
    label_sizes: Sequence[tuple[float, float]],
    first: Sequence[int] = (),
    radius: float = 15.0,
    outlines: Sequence[Outline] | None = None,
    widest: float = WIDEST,
) -> Layout:
    """Lay out a graph from the left to the right.

    Args:
        n_states: number of states.
        edges: source and destination of each edge, parallel ones and self-loops among them.
        label_sizes: width and height of each edge's label; (0, 0) for none.
        first: states to begin with.
        radius: of a state's circle.
        outlines: shapes of the nodes, where they are not all circles of that radius; no self-loops then.
        widest: graphs that are much wider are cut into bands, where all nodes are circles.

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
    bands = make_bands(layers, boxes, y, middles, halves, widest if outlines is None else math.inf)
    plan = _Plan(layers, y, middles, halves, shapes, bands)
    routes: list[Route | None] = [None] * len(edges)
    angles = _angles(plan)
    for number, k in enumerate(straight):
        *before, points = _pieces(plan, number, angles)
        routes[k] = Route(points, _label_rect(plan, number, label_sizes[k]), tuple(before))
    centres = tuple(plan.centre(state, bands.entering(layers.column_of[state])) for state in range(n_states))
    for state in range(n_states):
        sizes = [label_sizes[k] for k in loops[state]]
        for k, (points, label) in zip(loops[state], _loops(centres[state], radius, sizes), strict=True):
            routes[k] = Route(points, label)
    again = tuple(
        (state, plan.centre(state, bands.leaving(column)))
        for column in bands.cuts
        for state in layers.columns[column]
        if state < n_states
    )
    return Layout(bands.width, bands.height, radius, centres, tuple(r for r in routes if r is not None), again)


@dataclass(frozen=True)
class _Plan:
    """Columns and heights, before they go into bands."""

    layers: Layers
    y: Sequence[float]
    middles: Sequence[float]
    halves: Sequence[float]
    shapes: Sequence[Outline]
    bands: Bands

    def centre(self, place: int, band: int) -> Point:
        """The middle of a place, in a band."""
        dx, dy = self.bands.offsets[band]
        return self.middles[self.layers.column_of[place]] + dx, self.y[place] + dy

    def ends(self, place: int, band: int) -> tuple[Point, Point]:
        """Where an edge that passes a place enters its column and leaves it."""
        x, height = self.centre(place, band)
        half = self.halves[self.layers.column_of[place]]
        return (x - half, height), (x + half, height)


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


def _angles(plan: _Plan) -> Angles:
    """Where each edge meets its states' circles: degrees below level, by edge, state and whether on the right side."""
    sides: dict[tuple[int, bool], list[tuple[float, int]]] = {}
    column_of = plan.layers.column_of
    for number, chain in enumerate(plan.layers.chains):
        for state, beside, right in ((chain[0], chain[1], True), (chain[-1], chain[-2], False)):
            column = column_of[beside]
            far = abs(plan.middles[column] - plan.middles[column_of[state]]) - plan.halves[column]
            angle = math.degrees(math.atan2(plan.y[beside] - plan.y[state], max(far, 1.0)))
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


def _pieces(plan: _Plan, number: int, angles: Angles) -> list[tuple[Point, ...]]:
    """The way of an edge, in its direction: one piece in each band."""
    chain, bands, column_of = plan.layers.chains[number], plan.bands, plan.layers.column_of
    left, right = chain[0], chain[-1]
    band = bands.leaving(column_of[left])
    angle, shape = angles[number, left, True], plan.shapes[left]
    points = [shape.meet(plan.centre(left, band), angle, True)]
    tilt = shape.slope(angle)
    if plan.halves[column_of[left]] > shape.half_width + 4:  # level to the column's end, below labels of self-loops
        points += _line(points[-1], (plan.ends(left, band)[1][0], points[-1][1]))
        tilt = 0.0
    pieces: list[list[Point]] = []
    for place in chain[1:-1]:
        if not plan.halves[column_of[place]]:  # nothing stands there: one bend instead of two
            continue
        begin, end = plan.ends(place, band)
        points += _bend(points[-1], tilt, begin, 0.0)
        tilt = 0.0
        if bands.leaving(column_of[place]) > band:  # on to the next band
            points += _line(begin, (end[0] + STUB, end[1]))
            pieces.append(points)
            band += 1
            begin, end = plan.ends(place, band)
            points = [(begin[0] - STUB, begin[1])]
        points += _line(points[-1], end)
    angle, shape = angles[number, right, False], plan.shapes[right]
    end = shape.meet(plan.centre(right, band), angle, False)
    if plan.halves[column_of[right]] > shape.half_width + 4:
        points += _bend(points[-1], tilt, (plan.ends(right, band)[0][0], end[1]), 0.0)
        points += _line(points[-1], end)
    else:
        points += _bend(points[-1], tilt, end, -shape.slope(angle))
    pieces.append(points)
    return [tuple(piece[::-1]) for piece in pieces[::-1]] if plan.layers.is_back[number] else list(map(tuple, pieces))


def _line(begin: Point, end: Point) -> list[Point]:
    (x0, y0), (x1, y1) = begin, end
    return [(x0 + (x1 - x0) / 3, y0 + (y1 - y0) / 3), (x0 + 2 * (x1 - x0) / 3, y0 + 2 * (y1 - y0) / 3), end]


def _bend(begin: Point, leaving: float, end: Point, arriving: float) -> list[Point]:
    """A curve between two points whose slopes there are given, in y by x."""
    (x0, y0), (x1, y1) = begin, end
    reach = 0.45 * (x1 - x0)
    return [(x0 + reach, y0 + leaving * reach), (x1 - reach, y1 - arriving * reach), end]


def _label_rect(plan: _Plan, number: int, size: tuple[float, float]) -> Rect:
    place = plan.layers.label_at[number]
    x, line = plan.centre(place, plan.bands.entering(plan.layers.column_of[place]))
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
