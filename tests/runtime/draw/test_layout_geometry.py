"""Layouts of random graphs keep their promises: labels and states apart, no arc through a foreign state or label."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from arcgrad.runtime.draw.layout.layers import count_crossings, make_layers
from arcgrad.runtime.draw.layout.places import spread
from arcgrad.runtime.draw.layout.routes import Layout, Rect, lay_out
from arcgrad.runtime.draw.scene import Point

Edges = list[tuple[int, int]]


def random_edges(rng: random.Random) -> tuple[int, Edges, list[tuple[float, float]]]:
    """A graph of one of several kinds, with parallel edges, at most two self-loops a state, and labels of any size."""
    n = rng.randint(1, 14)
    n_edges = rng.randint(0, 3 * n)
    reach = rng.choice([1, 2, 3, n])
    edges: Edges = []
    for _ in range(n_edges):
        src = rng.randrange(n)
        low, high = (src, src + reach) if rng.random() < 0.7 else (src - reach, src + reach)
        dst = min(max(rng.randint(low, high), 0), n - 1)
        if src != dst or edges.count((src, src)) < 2:
            edges.append((src, dst))
    sizes = [(rng.uniform(6, 110), 14.5 * rng.choice([1, 1, 1, 2, 4])) for _ in edges]
    return n, edges, sizes


def sampled(points: tuple[Point, ...], steps: int = 24) -> list[Point]:
    """Points along the cubic curves."""
    found = []
    for k in range(0, len(points) - 1, 3):
        p0, p1, p2, p3 = points[k : k + 4]
        for step in range(steps + 1):
            t = step / steps
            a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
            found.append((a * p0[0] + b * p1[0] + c * p2[0] + d * p3[0], a * p0[1] + b * p1[1] + c * p2[1] + d * p3[1]))
    return found


def overlap(one: Rect, other: Rect) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def faults_of(layout: Layout, edges: Edges, room: float = 1.0) -> list[str]:
    """What a layout does that it must not do."""
    r = layout.radius
    faults = []
    circles = [(x - r, y - r, x + r, y + r) for x, y in (*layout.states, *(point for _, point in layout.again))]
    for (i, one), (j, other) in itertools.combinations(enumerate(layout.routes), 2):
        if overlap(one.label, other.label):
            faults.append(f"labels {i} and {j} overlap")
    for i, j in itertools.combinations(range(len(circles)), 2):
        if overlap(circles[i], circles[j]):
            faults.append(f"states {i} and {j} overlap")
    for k, route in enumerate(layout.routes):
        faults += [f"label {k} is on state {s}" for s, circle in enumerate(circles) if overlap(route.label, circle)]
        way = [point for piece in (*route.before, route.points) for point in sampled(piece)]
        for s, (x, y) in enumerate(layout.states):
            nearest = min(math.hypot(px - x, py - y) for px, py in way)
            if nearest < (r if s in edges[k] else r + room):
                faults.append(f"arc {k} passes through state {s}")
        for s, (x, y) in layout.again:
            if min(math.hypot(px - x, py - y) for px, py in way) < (r if s in edges[k] else r + room):
                faults.append(f"arc {k} passes through state {s}, which is there again")
        for j, other_route in enumerate(layout.routes):
            left, top, right, bottom = other_route.label
            if any(left < px < right and top < py < bottom for px, py in way):
                faults.append(f"arc {k} passes through label {j}")
        xs, ys = [x for x, _ in way], [y for _, y in way]
        if min(xs) < 0 or min(ys) < 0 or max(xs) > layout.width or max(ys) > layout.height:
            faults.append(f"arc {k} leaves the picture")
        if route.label[0] < 0 or route.label[1] < 0 or route.label[2] > layout.width or route.label[3] > layout.height:
            faults.append(f"label {k} leaves the picture")
    return faults


@pytest.mark.parametrize("seed", range(90))
def test_nothing_overlaps(seed: int) -> None:
    n, edges, sizes = random_edges(random.Random(seed))
    assert faults_of(lay_out(n, edges, sizes, [0]), edges) == []


@pytest.mark.parametrize("seed", range(40))
def test_nothing_overlaps_in_bands(seed: int) -> None:
    n, edges, sizes = random_edges(random.Random(seed))
    layout = lay_out(n, edges, sizes, [0], widest=250.0)
    assert faults_of(layout, edges) == []
    assert layout.again or not any(route.before for route in layout.routes)


@pytest.mark.parametrize("widest", [1100.0, 250.0])
@pytest.mark.parametrize("seed", range(20))
def test_arcs_begin_and_end_at_their_states(seed: int, widest: float) -> None:
    n, edges, sizes = random_edges(random.Random(seed))
    layout = lay_out(n, edges, sizes, [0], widest=widest)
    for (src, dst), route in zip(edges, layout.routes, strict=True):
        pieces = (*route.before, route.points)
        for state, (x, y) in ((src, pieces[0][0]), (dst, pieces[-1][-1])):
            places = [layout.states[state], *(point for s, point in layout.again if s == state)]
            away = min(math.hypot(x - at[0], y - at[1]) for at in places)
            assert layout.radius < away < layout.radius + 3


def test_long_graphs_are_cut_into_bands() -> None:
    edges = [*((k, k + 1) for k in range(40)), *((k, k + 2) for k in range(0, 38, 3)), (40, 0)]
    layout = lay_out(41, edges, [(20.0, 14.5)] * len(edges), [0])
    assert layout.width < 1200
    assert len(layout.again) >= 3
    through = layout.routes[-1]  # leads back from the last band to the first
    assert len(through.before) == len(layout.again)
    for one, other in itertools.pairwise((*through.before, through.points)):
        assert one[-1][0] < 60 < 900 < other[0][0]  # leaves at the left, and comes in at the right


def test_faults_are_seen() -> None:
    """The checks find what is wrong with a layout that somebody broke."""
    edges = [(0, 1), (1, 2)]
    good = lay_out(3, edges, [(20.0, 14.0)] * 2, [0])
    moved = Layout(good.width, good.height, good.radius, (good.states[0], good.states[2], good.states[2]), good.routes)
    assert {"states 1 and 2 overlap", "arc 1 passes through state 0"} & set(faults_of(moved, edges))
    label = good.routes[0].label
    across = Layout(
        good.width,
        good.height,
        good.radius,
        good.states,
        tuple(type(route)(route.points, (label[0], label[1] + 10, label[2], label[3] + 10)) for route in good.routes),
    )
    assert {"labels 0 and 1 overlap", "arc 0 passes through label 0"} <= set(faults_of(across, edges))


@pytest.mark.parametrize("seed", range(30))
def test_crossings_are_counted(seed: int) -> None:
    rng = random.Random(seed)
    left, right = list(range(6)), list(range(6, 12))
    right_of: list[list[int]] = [[rng.choice(right) for _ in range(rng.randint(0, 3))] for _ in left]
    right_of += [[] for _ in right]
    segments = [(place, there) for place in left for there in right_of[place]]
    slow = sum((a - c) * (b - d) < 0 for (a, b), (c, d) in itertools.combinations(segments, 2))
    assert count_crossings([left, right], right_of) == slow


def crossings_in(n: int, edges: Edges) -> int:
    layers = make_layers(n, edges, [0])
    right_of: list[list[int]] = [[] for _ in layers.column_of]
    for chain in layers.chains:
        for one, other in itertools.pairwise(chain):
            right_of[one].append(other)
    return count_crossings(layers.columns, right_of)


def test_ordering_removes_crossings(monkeypatch: pytest.MonkeyPatch) -> None:
    # A lattice that is planar, with its states numbered so that a naive order crosses.
    edges = [(0, 1), (0, 2), (0, 3), (1, 6), (2, 5), (3, 4), (4, 7), (5, 7), (6, 7)]
    assert crossings_in(8, edges) == 0
    graphs = []
    for seed in range(20):
        rng = random.Random(seed)
        graphs.append([(a, b) for a, b in ((rng.randrange(19), rng.randrange(20)) for _ in range(30)) if a < b])
    ordered = sum(crossings_in(20, edges) for edges in graphs)
    monkeypatch.setattr("arcgrad.runtime.draw.layout.layers._MOST_PLACES_TO_SWAP", 0)
    by_barycentres = sum(crossings_in(20, edges) for edges in graphs)
    monkeypatch.setattr("arcgrad.runtime.draw.layout.layers._SWEEPS", 0)
    found = sum(crossings_in(20, edges) for edges in graphs)
    assert ordered <= by_barycentres <= 0.7 * found, (ordered, by_barycentres, found)


@pytest.mark.parametrize("seed", range(30))
def test_edges_lead_to_the_right_unless_they_close_a_cycle(seed: int) -> None:
    n, edges, _ = random_edges(random.Random(seed))
    straight = [(src, dst) for src, dst in edges if src != dst]
    layers = make_layers(n, straight, [0])
    for (src, dst), back in zip(straight, layers.is_back, strict=True):
        assert (layers.column_of[src] > layers.column_of[dst]) == back
    kept = [edge for edge, back in zip(straight, layers.is_back, strict=True) if not back]
    if all(src < dst for src, dst in straight):
        assert len(kept) == len(straight)


def test_places_keep_their_distance_and_are_nearest() -> None:
    found = spread([0.0, 0.0, 10.0], [1.0, 1.0, 1.0], [4.0, 4.0])
    assert found == pytest.approx([-2.0, 2.0, 10.0])
    assert spread([5.0, 0.0], [3.0, 1.0], [2.0]) == pytest.approx([3.25, 5.25])
    assert spread([], [], []) == []
