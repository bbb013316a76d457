"""Graphs without ε:ε arcs, state by state: what rmeps builds, and what det and minimize begin with.

A state's *row* has for each pair of labels and each destination the sum over the paths that take ε:ε arcs and then an
arc of these labels to it; and what *ends* there, the sum over the paths of ε:ε arcs to an accept.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import numpy as np

from arcgrad.compiler.graphs.topology import EPSILON, Topology
from arcgrad.compiler.graphs.transforms import FloatArray, Transformed
from arcgrad.compiler.graphs.useful_graph import Arcs, is_cyclic, strong_components, useful_graph
from arcgrad.compiler.graphs.weighted.path_sums import Row, solve_rows
from arcgrad.compiler.graphs.weighted.tape import Tape, Term
from arcgrad.compiler.limits import Limits

__all__ = ["SMALLER", "WHAT", "Key", "Rows", "built_graph", "rows_of", "without_epsilons"]

Key = tuple[int, int, int]
"""Input label, output label, destination."""

WHAT = "the graph without ε arcs"
SMALLER = "have fewer arcs of ε: each state gets those of all that it leads to by them"
_BYTES_OF_NODE = 200
_END = "end"


@dataclass(eq=False)
class Rows:
    """The rows of a graph's useful states.

    Attributes:
        tape: has the nodes of their sums.
        start: states that paths begin at, in order.
        rows: for each state, by key in ascending order, the node of the sum.
        ends: for each state at which a path may end, the node of what does.
        plain: the states that end as accepts alone, with a weight of 0.
        acyclic: whether the graph has no cycle.
    """

    tape: Tape
    start: list[int]
    rows: dict[int, dict[Key, int]]
    ends: dict[int, int]
    plain: set[int]
    acyclic: bool


def rows_of(topology: Topology, weights: FloatArray, best: int, limits: Limits) -> Rows:
    """The rows of a graph, in the semiring that ``best`` says (`Tape`).

    Raises:
        DivergenceError: a cycle of ε:ε arcs on an accepting path has no finite sum.
        LimitError: they exceed the budget.
    """
    graph = useful_graph(topology, weights, drop_minus_infinity=True)
    silent = ((topology.ilabel == EPSILON) & (topology.olabel == EPSILON)).tolist()
    ilabel, olabel = topology.ilabel.tolist(), topology.olabel.tolist()
    useful = [bool(arcs) for arcs in graph.out]
    for state in graph.accept:
        useful[state] = True
    out: Arcs = [[arc for arc in arcs if silent[arc[0]]] for arcs in graph.out]
    into: Arcs = [[arc for arc in arcs if silent[arc[0]]] for arcs in graph.into]
    tape = Tape(topology.n_arcs, best=best)

    def own(state: int) -> Row:
        limits.check(WHAT, bytes=_BYTES_OF_NODE * len(tape.values), at_least=True, smaller=SMALLER)
        row: Row = {}
        if state in graph.accept:
            row[_END] = [Term()]
        for arc, other, weight in graph.out[state]:
            if not silent[arc]:
                row.setdefault((ilabel[arc], olabel[arc], other), []).append(Term((), arc, weight))
        return row

    silent_graph = replace(graph, out=out, into=into, components=strong_components(useful, out))
    solved = solve_rows(tape, silent_graph, own)
    ends = {state: row[_END] for state, row in solved.items() if _END in row}
    return Rows(
        tape,
        list(graph.start),
        {state: _by_key(row) for state, row in solved.items()},
        ends,
        {state for state in graph.accept if not any(other in ends for _, other, _ in out[state])},
        not any(is_cyclic(graph, component) for component in graph.components),
    )


def _by_key(row: dict[Hashable, int]) -> dict[Key, int]:
    return dict(sorted((cast(Key, key), node) for key, node in row.items() if key != _END))


def built_graph(
    tape: Tape,
    n_states: int,
    arcs: list[tuple[int, int, int, int, Term]],
    start: list[int],
    accept: list[int],
    what: str,
    limits: Limits,
) -> Transformed:
    """The graph of these arcs, ``(source, destination, input label, output label, weight)``, and its way back.

    Raises:
        LimitError: it exceeds the budget.
    """
    limits.check_graph(what, n_states, len(arcs))
    columns = np.array([arc[:4] for arc in arcs], dtype=np.int32).reshape(-1, 4).T
    acceptor = bool(np.array_equal(columns[2], columns[3]))
    topology = Topology.make(
        n_states, columns[0], columns[1], columns[2], None if acceptor else columns[3], sorted(start), sorted(accept)
    )
    weights = np.array([tape.value(arc[4]) for arc in arcs], dtype=np.float64)

    def pull_back(cotangent: FloatArray) -> FloatArray:
        return tape.pull_back((arc[4], bar) for arc, bar in zip(arcs, cotangent.tolist(), strict=True))

    return Transformed(topology, weights, pull_back, along=partial(tape.along, [arc[4] for arc in arcs]))


def without_epsilons(topology: Topology, weights: FloatArray, best: int, limits: Limits) -> Transformed:
    """The graph without ε:ε arcs: states in order, each with its row in order of labels and destinations.

    An arc to a state at which a path ends with a weight has a twin of that weight more, to a new accept. What the
    empty string weighs is on an ε arc from a new start to it, unless one start is an accept with a weight of 0.
    """
    found = rows_of(topology, weights, best, limits)
    tape, rows, ends = found.tape, found.rows, found.ends
    beginning = [state for state in found.start if state in ends]
    alone = beginning if len(beginning) == 1 and beginning[0] in found.plain else []
    kept = {state for state in found.plain if state not in found.start or state in alone}
    seen = dict.fromkeys(found.start)
    stack = list(seen)
    while stack:
        for *_, other in rows[stack.pop()]:
            if other not in seen:
                seen[other] = None
                stack.append(other)
    states = [state for state in sorted(seen) if rows[state] or state in kept]
    number = {state: k for k, state in enumerate(states)}
    last = len(states)
    arcs: list[tuple[int, int, int, int, Term]] = []
    for state in states:
        for (ilabel, olabel, other), node in rows[state].items():
            if other in number:
                arcs.append((number[state], number[other], ilabel, olabel, Term((node,))))
            if other in ends and other not in kept:
                arcs.append((number[state], last, ilabel, olabel, Term((node, ends[other]))))
    n_states = last + any(arc[1] == last for arc in arcs)
    start = [number[state] for state in found.start if state in number]
    accept = [number[state] for state in states if state in kept]
    if beginning and not alone:
        empty = tape.total([Term((ends[state],)) for state in beginning])
        arcs.append((last + 1, last, EPSILON, EPSILON, Term((empty,))))
        n_states = last + 2
        start.append(last + 1)
    if n_states > last:
        accept.append(last)
    return built_graph(tape, n_states, arcs, start, accept, WHAT, limits)
