"""``replace[R, 1: A, 2: B]``: graphs in place of arcs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arcgrad.compiler.graphs.topology import EPSILON, IntArray, Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Category, Law, Operator, Parameters, Size
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

_ALL = ("lse", "max", "min", "count")


def _build(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    root, *parts = topologies
    of_label = {label: k for k, label in enumerate(parameters)}
    chosen = np.full(root.n_arcs, -1, dtype=np.int64)
    for label, k in of_label.items():
        chosen[(root.ilabel == label) & (root.olabel == label)] = k
    calls = np.flatnonzero(chosen >= 0).tolist()
    states = root.n_states + sum(parts[chosen[arc]].n_states for arc in calls)
    ends = [len(part.start) + len(part.accept) for part in parts]
    arcs = root.n_arcs - len(calls) + sum(parts[chosen[arc]].n_arcs + ends[chosen[arc]] for arc in calls)
    limits.check_graph("the graph with others in place of arcs", states, arcs)
    columns: list[list[IntArray]] = [[] for _ in range(4)]
    selections: list[list[IntArray]] = [[] for _ in topologies]

    def add(src: IntArray, dst: IntArray, i: IntArray, o: IntArray, owner: int, taken: IntArray) -> None:
        for column, values in zip(columns, (src, dst, i, o), strict=True):
            column.append(np.asarray(values, dtype=np.int32))
        for k, selection in enumerate(selections):
            selection.append(taken.astype(np.int32) if k == owner else np.full(len(taken), -1, dtype=np.int32))

    def silent(src: IntArray, dst: IntArray, owner: int, taken: IntArray) -> None:
        epsilons = np.full(len(src), EPSILON, dtype=np.int32)
        add(src, dst, epsilons, epsilons, owner, taken)

    offset, before = root.n_states, 0
    every = np.arange(root.n_arcs, dtype=np.int32)
    for arc in [*calls, root.n_arcs]:
        own = slice(before, arc)
        add(root.src[own], root.dst[own], root.ilabel[own], root.olabel[own], 0, every[own])
        before = arc + 1
        if arc == root.n_arcs:
            break
        k = int(chosen[arc])
        part = parts[k]
        n = len(part.start)
        silent(np.full(n, root.src[arc]), part.start + offset, 0, np.full(n, arc))
        all_arcs = np.arange(part.n_arcs, dtype=np.int32)
        add(part.src + offset, part.dst + offset, part.ilabel, part.olabel, k + 1, all_arcs)
        n = len(part.accept)
        silent(part.accept + offset, np.full(n, root.dst[arc]), 0, np.full(n, -1))
        offset += part.n_states
    src, dst, ilabel, olabel = (np.concatenate(column) for column in columns)
    made = Topology.make(
        offset, src, dst, ilabel, None if np.array_equal(ilabel, olabel) else olabel, root.start, root.accept
    )
    return Built(made, tuple(np.concatenate(selection) for selection in selections))


def _size(sizes: Sequence[Size], parameters: Parameters) -> Size:
    arcs = sizes[0].arcs / max(sizes[0].labels, 1.0)
    states = sizes[0].states + sum(arcs * size.states for size in sizes[1:])
    return Size(states, sizes[0].arcs + sum(arcs * (size.arcs + 2) for size in sizes[1:]), max(s.labels for s in sizes))


OPERATOR = Operator(
    name="replace",
    summary="Has R with a copy of A in place of each arc that reads and writes the label before A, and so on for "
    "further graphs: an ε arc of that arc's weight leads to each of A's starts, one of weight 0 from each accept; "
    "labels within A stay.",
    category=Category.STRUCTURAL,
    operands=(Type.GRAPH,),
    variadic=True,
    labelled=True,
    names=("replace",),
    build=_build,
    size=_size,
    laws=(
        Law("replace[linear[1, 2], 1: A, 2: B]", "A B", _ALL, "one after the other is a concatenation"),
        Law("replace[A, 7: B]", "A", _ALL, "there is no such arc"),
    ),
    example="replace[A, 1: B]",
    reference="OpenFst, Replace",
)
