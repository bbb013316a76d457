"""What a graph reads and writes, path by path: the slow way by which builders are checked."""

from __future__ import annotations

from collections import Counter

import arcgrad as ag

__all__ = ["all_paths", "scores"]

Pair = tuple[tuple[int, ...], tuple[int, ...]]


def all_paths(graph: ag.Graph, longest: int, most_arcs: int | None = None) -> list[tuple[Pair, float]]:
    """Each accepting path that reads at most ``longest`` labels: what it reads and writes, and its weight."""
    arcs: dict[int, list[tuple[int, int, int, float]]] = {}
    columns = (graph.src, graph.dst, graph.ilabel, graph.olabel, graph.arc_weight)
    for src, *rest in zip(*(column.tolist() for column in columns), strict=True):
        arcs.setdefault(src, []).append(tuple(rest))
    accept = set(graph.accept.tolist())
    found = []
    pending = [(state, (), (), 0.0, 0) for state in graph.start.tolist()]
    while pending:
        state, read, written, weight, n_arcs = pending.pop()
        if state in accept:
            found.append(((read, written), weight))
        if most_arcs is not None and n_arcs == most_arcs:
            continue
        for dst, ilabel, olabel, added in arcs.get(state, ()):
            longer = read + (ilabel,) * (ilabel >= 0)
            if len(longer) <= longest:
                pending.append((dst, longer, written + (olabel,) * (olabel >= 0), weight + added, n_arcs + 1))
    return found


def scores(graph: ag.Graph, longest: int, most_arcs: int | None = None) -> Counter[Pair]:
    """How many paths read and write the same."""
    return Counter(pair for pair, _ in all_paths(graph, longest, most_arcs))
