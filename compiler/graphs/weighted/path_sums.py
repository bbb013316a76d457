"""Sums over the paths that leave each state of a graph, on a tape: what push, POST, rmeps and minimize are made of.

Components are taken from the last to the first; within one that has a cycle, states are eliminated one by one (Kleene's
algorithm as Gaussian elimination without subtraction; Lehmann, Theoretical Computer Science 4, 1977).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from fractions import Fraction

from arcgrad.compiler.graphs.best_path import best_weights
from arcgrad.compiler.graphs.score_values import as_float
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.graphs.transforms import FloatArray
from arcgrad.compiler.graphs.useful_graph import Arcs, UsefulGraph, cycle_through, divergence_error, useful_graph
from arcgrad.compiler.graphs.weighted.tape import Tape, Term

__all__ = ["REDUCTIONS", "PathSums", "Row", "balance", "path_sums", "solve_rows", "sums_ahead", "weighted_graph"]

Row = dict[Hashable, list[Term]]
"""For each of some things that a path may end in, the terms of the sum over the paths that do."""

Step = Callable[[tuple[int, ...], int, float], Term]

REDUCTIONS = {0: "LSE", 1: "MAX", -1: "MIN"}
"""What diverges where a sum does, for messages."""

# Floats round sums of weights beyond this size in what counts beside ordinary ones: these are moved exactly first.
_LARGE = 1e3
# What rounding makes of a cycle of weight 0, relative to its weights.
_ROUNDING = 1e-12


@dataclass(eq=False)
class PathSums:
    """Sums over the paths from each useful state to an accept.

    Attributes:
        graph: what is useful of the operand; where weights are large, moved so that the best path weighs 0.
        top: what the best path weighed then.
        tape: records the sums.
        ahead: for each useful state, the node of its sum.
    """

    graph: UsefulGraph
    top: float
    tape: Tape
    ahead: dict[int, int]


def path_sums(topology: Topology, weights: FloatArray, best: int) -> PathSums:
    """Sum over the paths from each state of a graph to an accept, in the semiring that ``best`` says (`Tape`).

    Raises:
        DivergenceError: the sum over all paths is not finite.
    """
    graph, top = weighted_graph(topology, weights, best)
    tape = Tape(topology.n_arcs, best=best)
    return PathSums(graph, top, tape, _best_ahead(tape, graph) if best else sums_ahead(tape, graph))


def weighted_graph(topology: Topology, weights: FloatArray, best: int) -> tuple[UsefulGraph, float]:
    """What is useful of a graph, moved where weights are large, and what its best path weighed then, else 0."""
    graph = useful_graph(topology, weights, drop_minus_infinity=True)
    if any(abs(weight) > _LARGE for arcs in graph.out for _, _, weight in arcs):
        return balance(graph, best)
    return graph, 0.0


def balance(graph: UsefulGraph, best: int) -> tuple[UsefulGraph, float]:
    """Move weights along the paths so that the best path weighs 0, exactly, and tell what it weighed.

    An arc's weight becomes w + φ(destination) − φ(source), with φ(state) the greatest weight of a path from that state
    to an accept (D. B. Johnson, Efficient Algorithms for Shortest Paths in Sparse Networks, 1977). All paths lose the
    same by that, and keep their shares.

    Raises:
        DivergenceError: a cycle has a weight above 0.
    """
    found = best_weights(graph, REDUCTIONS[best], best or 1, exact=True)
    potentials = [0 if each is None else each[0] for each in found]
    top = max((potentials[state] for state in graph.start), default=0)
    moved = {
        arc: as_float(Fraction(weight) + potentials[other] - potentials[state])
        for state, arcs in enumerate(graph.out)
        for arc, other, weight in arcs
    }
    out: Arcs = [[(arc, other, moved[arc]) for arc, other, _ in arcs] for arcs in graph.out]
    into: Arcs = [[(arc, other, moved[arc]) for arc, other, _ in arcs] for arcs in graph.into]
    start = {state: as_float(potentials[state] - top) for state in graph.start}
    accept = {state: as_float(-potentials[state]) for state in graph.accept}
    return replace(graph, out=out, into=into, start=start, accept=accept), as_float(top)


def _best_ahead(tape: Tape, graph: UsefulGraph) -> dict[int, int]:
    """The nodes of the greatest weights ahead of each state: each is the first arc that attains it, or the end."""
    found = best_weights(graph, REDUCTIONS[tape.best], tape.best)
    nodes: dict[int, int] = {}
    order = sorted((-each[1], state) for state, each in enumerate(found) if each is not None)
    for length, state in order:
        if length == 0:
            nodes[state] = tape.total([Term((), weight=graph.accept[state])])
            continue
        candidates = [
            (arc, other, weight)
            for arc, other, weight in graph.out[state]
            if (after := found[other]) is not None and -after[1] == length - 1
        ]
        best = max(candidates, key=lambda each: (each[2] + found[each[1]][0], -each[0]))  # type: ignore[index]
        nodes[state] = tape.total([Term((nodes[best[1]],), best[0], best[2])])
    return nodes


def sums_ahead(tape: Tape, graph: UsefulGraph) -> dict[int, int]:
    """The nodes of the sums over the paths from each useful state to an accept."""

    def own(state: int) -> Row:
        return {None: [Term((), weight=graph.accept[state])]} if state in graph.accept else {}

    rows = solve_rows(tape, graph, own)
    return {state: row[None] for state, row in rows.items()}


def solve_rows(
    tape: Tape, graph: UsefulGraph, own: Callable[[int], Row], step: Step = Term
) -> dict[int, dict[Hashable, int]]:
    """For each state, ``row(state) = own(state) + Σ over its arcs of weight · row(destination)``, as nodes of the tape.

    Args:
        tape: takes the sums.
        graph: its arcs' weights, and components with sources first.
        own: the terms with which a state's row begins.
        step: ``step(nodes, arc, weight)``, the term of an arc's weight times nodes; by default, the operand's arcs'.

    Raises:
        DivergenceError: a cycle's powers do not sum to a finite value.
    """
    rows: dict[int, dict[Hashable, int]] = {}
    for component in reversed(graph.components):
        members = set(component)
        begun: dict[int, Row] = {}
        loops = False
        for state in component:
            row = begun[state] = {key: list(terms) for key, terms in own(state).items()}
            for arc, other, weight in graph.out[state]:
                if other in members:
                    loops = True
                else:
                    for key, node in rows.get(other, {}).items():
                        row.setdefault(key, []).append(step((node,), arc, weight))
        if loops:
            _eliminate(tape, graph, component, begun, rows, step)
        else:
            (state,) = component
            rows[state] = {key: tape.total(terms) for key, terms in begun[state].items()}
    return rows


def _eliminate(
    tape: Tape,
    graph: UsefulGraph,
    component: list[int],
    begun: dict[int, Row],
    rows: dict[int, dict[Hashable, int]],
    step: Step,
) -> None:
    """Solve one component: each state in turn, one with fewest neighbours, hands its row on to those before it."""
    members = set(component)
    out: dict[int, dict[int, list[Term]]] = {state: {} for state in component}
    into: dict[int, set[int]] = {state: set() for state in component}
    for state in component:
        for arc, other, weight in graph.out[state]:
            if other in members:
                out[state].setdefault(other, []).append(step((), arc, weight))
                into[other].add(state)
    queue = [(len(out[s]) * len(into[s]), s) for s in component]
    heapq.heapify(queue)
    done: list[tuple[int, tuple[int, ...], dict[int, int], dict[Hashable, int]]] = []
    left = set(component)
    while queue:
        degree, pivot = heapq.heappop(queue)
        if pivot not in left:
            continue
        if len(out[pivot]) * len(into[pivot]) > degree:
            heapq.heappush(queue, (len(out[pivot]) * len(into[pivot]), pivot))
            continue
        left.discard(pivot)
        steps = {other: tape.total(terms) for other, terms in out[pivot].items()}
        loop = steps.pop(pivot, None)
        star: tuple[int, ...] = ()
        if loop is not None:
            _check_loop(tape, graph, members, pivot, loop)
            star = (tape.star(loop),)
        row = {key: tape.total(terms) for key, terms in begun[pivot].items()}
        into[pivot].discard(pivot)
        for before in into[pivot]:
            way = tape.total(out[before].pop(pivot))
            for other, node in steps.items():
                out[before].setdefault(other, []).append(Term((way, *star, node)))
                into[other].add(before)
            for key, node in row.items():
                begun[before].setdefault(key, []).append(Term((way, *star, node)))
        for other in steps:
            into[other].discard(pivot)
        done.append((pivot, star, steps, row))
    for pivot, star, steps, row in reversed(done):
        terms: Row = {key: [Term((*star, node))] for key, node in row.items()}
        for other, node in steps.items():
            for key, further in rows[other].items():
                terms.setdefault(key, []).append(Term((*star, node, further)))
        rows[pivot] = {key: tape.total(each) for key, each in terms.items()}


def _check_loop(tape: Tape, graph: UsefulGraph, members: set[int], pivot: int, loop: int) -> None:
    value = tape.values[loop]
    if tape.best:
        largest = max(abs(weight) for state in members for _, other, weight in graph.out[state] if other in members)
        if value <= _ROUNDING * largest:
            return
    elif value < 0.0:
        return
    why = "their weights do not sum to a finite value"
    if tape.best:
        why = f"makes the path's weight ever {'greater' if tape.best > 0 else 'smaller'}"
    cycle = cycle_through(graph, members, pivot)
    raise divergence_error(graph, REDUCTIONS[tape.best], why, cycle, pivot, tape.best or 1)
