"""Graphs too large to draw arc by arc, summed up: states and arcs at each distance from the starts, and counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.topology import EPSILON, Topology
from arcgrad.runtime.draw.heatmap import heatmap_scene
from arcgrad.runtime.draw.labels import Painted, graph_words
from arcgrad.runtime.draw.scene import Group, Rectangle, Scene, Shape, Text, add_title, moved

__all__ = ["distances", "summary_scene"]

_MOST_BARS = 60
_HEIGHT = 70.0
_BAR = 9.0
_MOST_FOLLOWED = 3_000_000  # arcs, some two seconds
_MOST_IN_MATRIX = 64  # states


def distances(topology: Topology) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The least number of arcs from a start to each state, and the same for each arc's source.

    Returns:
        (n,) distances of the states that arcs or starts mention, whose number may be far below that of all states, and
        (n_arcs,) distances of sources; −1 where a state cannot be reached, or only by following more than so many arcs.
    """
    mentioned, places = np.unique(np.concatenate([topology.src, topology.dst, topology.start]), return_inverse=True)
    n_arcs = len(topology.src)
    src, dst, starts = places[:n_arcs], places[n_arcs : 2 * n_arcs], places[2 * n_arcs :]
    order = np.argsort(src, kind="stable")
    ends = np.cumsum(np.bincount(src, minlength=len(mentioned))).tolist()
    there = dst[order].tolist()
    found = [-1] * len(mentioned)
    front = sorted(set(starts.tolist()))
    for state in front:
        found[state] = 0
    followed, distance = 0, 0
    while front and followed < _MOST_FOLLOWED:
        distance += 1
        ahead = []
        for state in front:
            begin = ends[state - 1] if state else 0
            followed += ends[state] - begin
            for other in there[begin : ends[state]]:
                if found[other] < 0:
                    found[other] = distance
                    ahead.append(other)
        front = ahead
    far = np.array(found, dtype=np.int64)
    return far, far[src]


def summary_scene(graph: Painted) -> Scene:
    """Bars of states and of arcs by distance from the starts, and what else is counted."""
    topology = graph.topology
    far, left = distances(topology)
    reached = far[far >= 0]
    n_levels = int(reached.max(initial=-1)) + 1
    per_bar = max(1, -(-n_levels // _MOST_BARS))
    n_bars = -(-n_levels // per_bar)
    states = np.bincount(reached // per_bar, minlength=n_bars)
    arcs = np.bincount(left[left >= 0] // per_bar, minlength=n_bars)
    shapes: list[Shape] = []
    x0, y0 = 26.0, 30.0
    rows = [("states", states, "accent"), ("arcs that leave them", arcs, "faint")]
    width = max(n_bars * _BAR, 300.0)
    for name, counts, colour in rows:
        most = max(int(counts.max(initial=0)), 1)
        shapes.append(
            Text(
                x0,
                y0,
                f"{name}, up to {most:,} a {'step' if per_bar == 1 else f'bar of {per_bar} steps'}",
                11.0,
                "start",
            )
        )
        for bar, count in enumerate(counts.tolist()):
            tall = _HEIGHT * count / most
            bottom = y0 + 10.0 + _HEIGHT
            first = bar * per_bar
            steps = f"{first}" if per_bar == 1 else f"{first} to {min(first + per_bar, n_levels) - 1}"
            block = Rectangle(x0 + _BAR * bar, bottom - tall, _BAR - 1.5, tall, "none", colour)
            shapes.append(Group((block,), f"{steps} arcs from a start: {count:,} {name.partition(' ')[0]}"))
        y0 += _HEIGHT + 10.0
        axis = Rectangle(x0, y0, width, 1.0, "none", "faint")
        shapes.append(axis)
        y0 += 24.0
    shapes.append(Text(x0, y0 - 10.0, "0", 10.0, "start", "faint"))
    shapes.append(Text(x0 + width, y0 - 10.0, f"{max(n_levels - 1, 0):,} arcs from a start", 10.0, "end", "faint"))
    y0 += 12.0
    lines = _counts(topology, len(reached))
    for line in lines:
        shapes.append(Text(x0, y0, line, 11.0, "start"))
        y0 += 16.0
    scene = Scene(x0 + width + 20.0, y0, shapes)
    if topology.n_states <= _MOST_IN_MATRIX:
        _add_matrix(scene, graph)
    add_title(scene, graph.title)
    scene.title = graph.title or "Weighted automaton, summed up"
    scene.description = graph_words(topology, []) + " " + " ".join(f"{line}." for line in lines)
    return scene


def _add_matrix(scene: Scene, graph: Painted) -> None:
    """From which state to which how many arcs lead, or the sums of what colours show."""
    topology, n = graph.topology, graph.topology.n_states
    values = np.ones(len(topology.src)) if graph.colours is None else np.clip(graph.colours, -1e300, 1e300)
    cells = np.bincount(topology.dst * n + topology.src, weights=values, minlength=n * n)
    array = cells.astype(np.float64).reshape(n, n)
    what = "number of arcs" if graph.colours is None else "sum of the colours' numbers"
    matrix = heatmap_scene([(array, ())], [str(state) for state in range(n)], None, ("destinations", "sources"))
    scene.shapes.append(Text(26.0, scene.height + 8.0, f"{what} between any two states", 11.0, "start"))
    scene.shapes += [moved(shape, 14.0, scene.height + 14.0) for shape in matrix.shapes]
    scene.width, scene.height = max(scene.width, matrix.width + 28.0), scene.height + 14.0 + matrix.height


def _counts(topology: Topology, n_reached: int) -> list[str]:
    n_arcs = len(topology.src)
    kind = "acceptor" if topology.is_acceptor else "transducer"
    ends = f"{_counted(len(topology.start), 'start')}, {_counted(len(topology.accept), 'accept')}"
    lines = [f"{kind}: {_counted(topology.n_states, 'state')} ({ends}), {_counted(n_arcs, 'arc')}"]
    loops = int((topology.src == topology.dst).sum())
    epsilons = int(((topology.ilabel == EPSILON) & (topology.olabel == EPSILON)).sum())
    lines.append(
        f"{loops:,} self-loops, {epsilons:,} ε arcs, {len(np.unique(topology.ilabel[topology.ilabel >= 0])):,} labels"
    )
    lost = topology.n_states - n_reached
    if lost:
        far = f" by following {_MOST_FOLLOWED:,} arcs" if n_arcs > _MOST_FOLLOWED else ""
        lines.append(f"{_counted(lost, 'state')} cannot be reached from a start{far}")
    return lines


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"
