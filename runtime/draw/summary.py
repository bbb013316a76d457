"""Graphs too large to draw arc by arc, summed up: states and arcs at each distance from the starts, and counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.topology import EPSILON, Topology
from arcgrad.runtime.draw.labels import Painted, graph_words
from arcgrad.runtime.draw.scene import Group, Rectangle, Scene, Shape, Text, add_title

__all__ = ["distances", "summary_scene"]

_MOST_BARS = 60
_HEIGHT = 70.0
_BAR = 9.0


def distances(topology: Topology) -> NDArray[np.int64]:
    """(n_states,) the least number of arcs from a start to each state; −1: it cannot be reached."""
    found = np.full(topology.n_states, -1, dtype=np.int64)
    order = np.argsort(topology.src, kind="stable")
    src, dst = topology.src[order], topology.dst[order]
    front = np.asarray(topology.start, dtype=np.int64)
    distance = 0
    while len(front):
        found[front] = distance
        begins, ends = np.searchsorted(src, front), np.searchsorted(src, front, side="right")
        counts = ends - begins
        places = np.repeat(begins - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        there = np.unique(dst[places])
        front = there[found[there] < 0].astype(np.int64)
        distance += 1
    return found


def summary_scene(graph: Painted) -> Scene:
    """Bars of states and of arcs by distance from the starts, and what else is counted."""
    topology = graph.topology
    far = distances(topology)
    reached = far[far >= 0]
    n_levels = int(reached.max(initial=-1)) + 1
    per_bar = max(1, -(-n_levels // _MOST_BARS))
    n_bars = -(-n_levels // per_bar)
    states = np.bincount(reached // per_bar, minlength=n_bars)
    left = far[topology.src]
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
    lines = _counts(topology, far)
    for line in lines:
        shapes.append(Text(x0, y0, line, 11.0, "start"))
        y0 += 16.0
    scene = Scene(x0 + width + 20.0, y0, shapes)
    add_title(scene, graph.title)
    scene.title = graph.title or "Weighted automaton, summed up"
    scene.description = graph_words(topology, []) + " " + " ".join(f"{line}." for line in lines)
    return scene


def _counts(topology: Topology, far: NDArray[np.int64]) -> list[str]:
    n_arcs = len(topology.src)
    kind = "acceptor" if topology.is_acceptor else "transducer"
    ends = f"{_counted(len(topology.start), 'start')}, {_counted(len(topology.accept), 'accept')}"
    lines = [f"{kind}: {_counted(topology.n_states, 'state')} ({ends}), {_counted(n_arcs, 'arc')}"]
    loops = int((topology.src == topology.dst).sum())
    epsilons = int(((topology.ilabel == EPSILON) & (topology.olabel == EPSILON)).sum())
    lines.append(
        f"{loops:,} self-loops, {epsilons:,} ε arcs, {len(np.unique(topology.ilabel[topology.ilabel >= 0])):,} labels"
    )
    lost = int((far < 0).sum())
    if lost:
        lines.append(f"{_counted(lost, 'state')} cannot be reached from a start")
    return lines


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"
