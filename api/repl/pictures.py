"""Small graphs drawn with box characters: chains of states, with parallel arcs and loops.

─▶(0)─┬─ a/0.5 ─┬─▶(1)── b ──▶((2))
      └─ b/-1 ──┘
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from arcgrad.runtime.data.graph import Graph

__all__ = ["drawn"]

_MOST_STATES = 12
_MOST_ARCS = 24
_MOST_PARALLEL = 5


def drawn(graph: Graph, label: Callable[[int], str], width: int) -> str | None:
    """The picture, or None where the graph is no chain of few states, or too wide.

    Args:
        graph: any graph.
        label: what to write at an arc.
        width: columns.
    """
    if not 1 <= graph.n_states <= _MOST_STATES or graph.n_arcs > _MOST_ARCS or len(graph.start) != 1:
        return None
    order = _chain(graph)
    if order is None:
        return None
    accepts = set(graph.accept.tolist())
    between: dict[int, list[str]] = {}
    loops: dict[int, list[str]] = {}
    weights = graph.arc_weight.tolist()
    for k, (source, destination) in enumerate(zip(graph.src.tolist(), graph.dst.tolist(), strict=True)):
        weight = "" if weights[k] == 0 else f"/{weights[k]:.6g}"
        (loops if source == destination else between).setdefault(source, []).append(label(k) + weight)
    if max(map(len, between.values()), default=0) > _MOST_PARALLEL:
        return None
    rows = [""] * max([1, *map(len, between.values())])
    columns: dict[int, int] = {}
    rows[0] = "─▶"
    for state in order:
        columns[state] = len(rows[0])
        rows[0] += f"(({state}))" if state in accepts else f"({state})"
        labels = between.get(state, [])
        if not labels:
            continue
        here, wide = len(rows[0]), max(map(len, labels))
        for number, written in enumerate(labels):
            middle = f" {written} ".ljust(wide + 2, "─")
            rows[number] = rows[number].ljust(here) + _joined(middle, number, len(labels))
    return _fitting([*rows, *_loops(loops, columns)], width)


def _chain(graph: Graph) -> list[int] | None:
    """The states in the order of a chain; None where there is none."""
    following: dict[int, set[int]] = {}
    for source, destination in zip(graph.src.tolist(), graph.dst.tolist(), strict=True):
        if source != destination:
            following.setdefault(source, set()).add(destination)
    order = [int(graph.start[0])]
    while following.get(order[-1]):
        nexts = following[order[-1]]
        if len(nexts) > 1 or not nexts.isdisjoint(order):
            return None
        order += nexts
    return order if len(order) == graph.n_states else None


def _joined(middle: str, number: int, n: int) -> str:
    if n == 1:
        return f"──{middle}──▶"
    if number == 0:
        return f"─┬─{middle}─┬─▶"
    return f" ├─{middle}─┤" if number < n - 1 else f" └─{middle}─┘"


def _loops(loops: dict[int, list[str]], columns: dict[int, int]) -> list[str]:
    """Rows below, each loop under its state in the first row where there is room."""
    rows: list[str] = []
    for state, column in columns.items():
        for written in loops.get(state, []):
            row = next((r for r, text in enumerate(rows) if len(text) < column), len(rows))
            rows += [""] * (row + 1 - len(rows))
            rows[row] = rows[row].ljust(column + 1) + f"↺ {written}"
    return rows


def _fitting(rows: list[str], width: int) -> str | None:
    return "\n".join(rows) if max(map(len, rows)) <= width else None
