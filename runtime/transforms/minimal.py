"""minimize of large graphs by kernels, where what is deterministic of them has no cycle."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from arcgrad.compiler.graphs.adjacency import expand_ranges
from arcgrad.compiler.graphs.topology import IntArray, Topology
from arcgrad.compiler.graphs.transforms import FloatArray, Transformed
from arcgrad.compiler.graphs.weighted.minimal import minimized, weight_classes
from arcgrad.compiler.graphs.weighted.pushing import in_semiring
from arcgrad.compiler.limits import Limits
from arcgrad.runtime.kernels.weighted.joining import join_states, walk_classes
from arcgrad.runtime.kernels.weighted.sums import add_up_ahead, pull_back_ahead
from arcgrad.runtime.regions.orders import ORDERS
from arcgrad.runtime.transforms.cyclic import KERNELS as CYCLIC
from arcgrad.runtime.transforms.cyclic import LARGEST, BestSums, CyclicSums, Diverges, Factors
from arcgrad.runtime.transforms.pushing import Graph, Sums
from arcgrad.runtime.transforms.subsets import KERNELS as SUBSETS
from arcgrad.runtime.transforms.subsets import CompiledMachine, LaidOut, compiled_machine
from arcgrad.runtime.transforms.useful import added_up, patience, worth_it

__all__ = ["KERNELS", "minimize_of_graph"]

KERNELS = (*SUBSETS, add_up_ahead, pull_back_ahead, join_states, walk_classes)
# Plain Python's seconds an arc.
_REFERENCE = 1e-4


class _Quotient(NamedTuple):
    """One state of each class, in order of breadth; and the arcs that leave these, with their places and ends."""

    states: IntArray
    owners: IntArray
    arcs: IntArray
    targets: IntArray


def _minimized(topology: Topology, weights: FloatArray, best: int, limits: Limits) -> Transformed:
    machine = None
    if worth_it(topology, KERNELS, _REFERENCE):
        machine = compiled_machine(topology, weights, best, limits, "minimize")
    ahead = None if machine is None else _ahead(machine, best, limits)
    if machine is None or ahead is None:
        with patience.tried():
            return minimized(topology, weights, best, limits)
    return _joined(machine, *ahead)


class _Ahead(NamedTuple):
    """Sums over the strings that lead from each state to an accept; states so that arcs lead forward, or None."""

    sums: Sums | CyclicSums | BestSums
    src: IntArray
    order: IntArray | None


def _ahead(machine: CompiledMachine, best: int, limits: Limits) -> _Ahead | None:
    """The sums ahead of a machine's states; None where kernels cannot tell them."""
    n_states, weights, ends = machine.n_states, machine.weights, machine.ends
    src = np.repeat(np.arange(n_states, dtype=np.int32), np.diff(machine.arc_pointers))
    order = ORDERS.topological_order(n_states, src, machine.targets)
    if order is not None:
        every = np.arange(len(machine.targets), dtype=np.int32)
        return _Ahead(Sums(Graph(order, machine.arc_pointers, every, machine.targets, weights, ends), best), src, order)
    if max(np.abs(weights).max(initial=0.0), np.abs(ends[ends > -math.inf]).max(initial=0.0)) > LARGEST:
        return None
    if not worth_it(machine.rows.useful.topology, CYCLIC, _REFERENCE):
        return None
    if best:
        try:
            return _Ahead(BestSums(src, machine.targets, weights, ends), src, None)
        except Diverges:
            return None
    accept = np.flatnonzero(ends > -math.inf)
    graph = Topology.make(n_states, src, machine.targets, machine.ranks, None, [0], accept)
    try:
        factors = Factors(graph, weights, limits)
    except Diverges:
        return None
    return _Ahead(CyclicSums(factors, src, machine.targets, weights, ends, back=False), src, None)


def _joined(
    machine: CompiledMachine, sums: Sums | CyclicSums | BestSums, src: IntArray, order: IntArray | None
) -> Transformed:
    """The graph of a machine's classes of states."""
    ahead, n_states = sums.ahead, machine.n_states
    quotient = _quotient(machine, order, src, ahead)
    states, owners, arcs = quotient.states, quotient.owners, quotient.arcs
    # The sum over all strings stays at the start, and what returns there is divided by it.
    own = np.where(states == 0, 0.0, ahead[states])
    returns = np.flatnonzero(quotient.targets == 0)
    pointers = np.zeros(len(states) + 1, dtype=np.int64)
    np.cumsum(np.bincount(owners, minlength=len(states)), out=pointers[1:])
    weights = machine.weights[arcs] + ahead[machine.targets[arcs]] - own[owners]
    if len(returns):
        weights[returns] -= ahead[0]
    made = LaidOut(machine, machine.ranks[arcs], pointers, quotient.targets, weights, machine.ends[states] - own)

    def pull_back(cotangent: FloatArray) -> FloatArray:
        given, given_ends = made.split(cotangent)
        arc_bars, end_bars = np.zeros(len(machine.weights)), np.zeros(n_states)
        arc_bars[arcs] = given
        end_bars[states] = given_ends[: len(states)]
        bars = added_up(machine.targets[arcs], given, n_states)
        leaving = added_up(owners, given, len(states)) + given_ends[: len(states)]
        bars[states] -= np.where(states == 0, 0.0, leaving)
        if len(returns):
            bars[0] -= given[returns].sum()
        sums.pull_back(bars, arc_bars, end_bars)
        return machine.pull_back(arc_bars, end_bars)

    return Transformed(made.topology, made.weights, pull_back)


def _quotient(machine: CompiledMachine, order: IntArray | None, src: IntArray, ahead: FloatArray) -> _Quotient:
    n_states = machine.n_states
    if not n_states:
        nothing = np.empty(0, dtype=np.int32)
        return _Quotient(nothing, nothing, nothing, nothing)
    pushed = weight_classes(machine.weights + ahead[machine.targets] - ahead[src]).astype(np.int32)
    left = np.full(n_states, -math.inf)
    ending = machine.ends > -math.inf
    left[ending] = machine.ends[ending] - ahead[ending]
    places = np.empty(1 << (2 * n_states).bit_length(), dtype=np.int32)
    firsts, classes = np.empty((2, n_states), dtype=np.int32)
    ends = weight_classes(left).astype(np.int32)
    given = machine.arc_pointers, machine.ranks, machine.targets, pushed
    if order is not None:
        count = join_states(order, *given, ends, classes, places, firsts, classes)
    else:
        every = np.arange(n_states, dtype=np.int32)
        known, before, count = ends, 0, int(ends.max()) + 1
        while count > before:
            before = count
            count = join_states(every, *given, known, known, places, firsts, classes)
            known = classes.copy()
    states, numbers = np.empty((2, count), dtype=np.int32)
    walk_classes(machine.arc_pointers, machine.targets, classes, states, numbers)
    begins = machine.arc_pointers[states]
    owners, arcs = expand_ranges(begins, machine.arc_pointers[states + 1] - begins)
    return _Quotient(states, owners.astype(np.int32), arcs.astype(np.int32), numbers[classes[machine.targets[arcs]]])


minimize_of_graph = in_semiring("minimize", _minimized)
"""As the operator minimize."""
