"""The smallest deterministic machine with the same weighted strings: weights pushed, then equal states joined.

States are equal where the same strings lead from them to accepts with the same weights, up to a factor (Mohri 2000).
Once what leaves each state sums to 1, that factor is gone, and weights are like labels.
"""

from __future__ import annotations

import math

import numpy as np

from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.graphs.transforms import FloatArray, Transformed
from arcgrad.compiler.graphs.useful_graph import Arcs, UsefulGraph, strong_components
from arcgrad.compiler.graphs.weighted.path_sums import Row, path_sums, solve_rows
from arcgrad.compiler.graphs.weighted.subsets import RESIDUAL_TOLERANCE, Arc, Machine, graph_of, machine_of
from arcgrad.compiler.graphs.weighted.tape import Term
from arcgrad.compiler.limits import Limits
from arcgrad.grammar.errors import DivergenceError

__all__ = ["minimized", "weight_classes"]


def minimized(topology: Topology, weights: FloatArray, best: int, limits: Limits) -> Transformed:
    """The smallest deterministic graph of a graph's strings, states breadth first, arcs in order of labels."""
    machine = machine_of(topology, weights, best, limits, "minimize")
    try:
        joined = _quotient(machine)
    except DivergenceError as error:
        path_sums(topology, weights, best)  # diverges, too, and names a cycle of the graph, not of the machine
        raise DivergenceError(error.message, hint=error.hint) from None
    return graph_of(joined, "minimize", limits)


def weight_classes(weights: FloatArray) -> np.ndarray:
    """(n,) a number for each weight, the same for those that agree within the tolerance of residual weights.

    Example:
        >>> import numpy as np
        >>> from arcgrad.compiler.graphs.weighted.minimal import weight_classes
        >>> weight_classes(np.array([0.5, -2.0, 0.5 + 1e-12])).tolist()
        [1, 0, 1]
    """
    order = np.argsort(weights, kind="stable")
    ascending = weights[order]
    with np.errstate(invalid="ignore"):  # −inf − −inf
        steps = np.diff(ascending) > RESIDUAL_TOLERANCE * np.maximum(1.0, np.abs(ascending[1:]))
    classes = np.empty(len(weights), dtype=np.int64)
    classes[order] = np.concatenate([np.zeros(min(len(weights), 1), dtype=np.int64), np.cumsum(steps)])
    return classes


def _sums_ahead(machine: Machine) -> list[int]:
    """The node of the sum over the strings that lead from each state to an accept."""
    n_states = len(machine.arcs)
    out: Arcs = [[] for _ in range(n_states)]
    into: Arcs = [[] for _ in range(n_states)]
    terms: list[Term] = []
    for state, arcs in enumerate(machine.arcs):
        for *_, other, term in arcs:
            value = machine.tape.value(term)
            out[state].append((len(terms), other, value))
            into[other].append((len(terms), state, value))
            terms.append(term)
    listed = [weight for arcs in out for _, _, weight in arcs]
    graph = UsefulGraph(n_states, out, into, {}, {}, strong_components([True] * n_states, out), listed)

    def own(state: int) -> Row:
        return {None: [machine.ends[state] or Term()]} if state in machine.ends else {}

    def step(nodes: tuple[int, ...], arc: int, weight: float) -> Term:
        term = terms[arc]
        return term._replace(nodes=term.nodes + nodes)

    rows = solve_rows(machine.tape, graph, own, step)
    return [rows[state][None] for state in range(n_states)]


def _quotient(machine: Machine) -> Machine:
    """The machine of classes of equal states, whose start keeps the sum over all strings on what leaves it."""
    n_states = len(machine.arcs)
    if not n_states:
        return machine
    tape = machine.tape
    ahead = _sums_ahead(machine)
    pushed = [
        [tape.value(_moved(term, (ahead[other],), (ahead[state],))) for _, _, other, term in machine.arcs[state]]
        for state in range(n_states)
    ]
    ends = [
        tape.value(_moved(machine.ends[state] or Term(), (), (ahead[state],))) if state in machine.ends else -math.inf
        for state in range(n_states)
    ]
    numbers = weight_classes(np.array([weight for row in pushed for weight in row], dtype=np.float64)).tolist()
    endings = weight_classes(np.array(ends, dtype=np.float64)).tolist()
    following = iter(numbers)
    rows = [[(i, o, other, next(following)) for i, o, other, _ in machine.arcs[state]] for state in range(n_states)]
    classes = _refine(rows, endings)
    first: dict[int, int] = {}  # the state that stands for each class, in order of breadth
    order = [0]
    first[classes[0]] = 0
    for state in order:
        for _, _, other, _ in machine.arcs[state]:
            if classes[other] not in first:
                first[classes[other]] = other
                order.append(other)
    number = {state: k for k, state in enumerate(order)}
    begin = classes[0]
    arcs: list[list[Arc]] = []
    ending: dict[int, Term | None] = {}
    for state in order:
        over = () if state == 0 else (ahead[state],)
        own: list[Arc] = []
        for ilabel, olabel, other, term in machine.arcs[state]:
            to = number[first[classes[other]]]
            # The sum over all strings stays at the start: what returns there is divided by it.
            back = (ahead[0],) if classes[other] == begin else ()
            own.append((ilabel, olabel, to, _moved(term, (ahead[other],), over + back)))
        arcs.append(own)
        if state in machine.ends:
            last = machine.ends[state]
            only = last is None and (state == 0 or not machine.arcs[state])
            moved = _moved(last or Term(), (), over)
            ending[number[state]] = None if only or tape.value(moved) == 0.0 else moved
    return Machine(tape, arcs, ending)


def _moved(term: Term, nodes: tuple[int, ...], over: tuple[int, ...]) -> Term:
    return term._replace(nodes=term.nodes + nodes, over=term.over + over)


def _refine(rows: list[list[tuple[int, int, int, int]]], endings: list[int]) -> list[int]:
    """Classes of states whose ends, and the labels, weights and classes of whose arcs, agree (Moore 1956)."""
    classes = endings
    count = len(set(classes))
    while True:
        signatures: dict[tuple[object, ...], int] = {}
        classes = [
            signatures.setdefault(
                (classes[state], *((i, o, w, classes[other]) for i, o, other, w in row)), len(signatures)
            )
            for state, row in enumerate(rows)
        ]
        if len(signatures) == count:
            return classes
        count = len(signatures)
