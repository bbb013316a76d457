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
    machine = order = None
    if worth_it(topology, KERNELS, _REFERENCE):
        machine = compiled_machine(topology, weights, best, limits, "minimize")
    if machine is not None:
        src = np.repeat(np.arange(machine.n_states, dtype=np.int32), np.diff(machine.arc_pointers))
        order = ORDERS.topological_order(machine.n_states, src, machine.targets)
    if machine is None or order is None:
        with patience.tried():
            return minimized(topology, weights, best, limits)
    every = np.arange(len(machine.targets), dtype=np.int32)
    sums = Sums(Graph(order, machine.arc_pointers, every, machine.targets, machine.weights, machine.ends), best)
    ahead = sums.ahead
    quotient = _quotient(machine, order, src, ahead)
    states, owners, arcs = quotient.states, quotient.owners, quotient.arcs
    own = np.where(states == 0, 0.0, ahead[states])  # the sum over all strings stays at the start
    pointers = np.zeros(len(states) + 1, dtype=np.int64)
    np.cumsum(np.bincount(owners, minlength=len(states)), out=pointers[1:])
    made = LaidOut(
        machine,
        machine.ranks[arcs],
        pointers,
        quotient.targets,
        machine.weights[arcs] + ahead[machine.targets[arcs]] - own[owners],
        machine.ends[states] - own,
    )

    def pull_back(cotangent: FloatArray) -> FloatArray:
        given, given_ends = made.split(cotangent)
        n_states = machine.n_states
        arc_bars, end_bars = np.zeros(len(machine.weights)), np.zeros(n_states)
        arc_bars[arcs] = given
        end_bars[states] = given_ends
        bars = added_up(machine.targets[arcs], given, n_states)
        back = added_up(owners, given, len(states)) + given_ends
        bars[states] -= np.where(states == 0, 0.0, back)
        sums.pull_back(bars, arc_bars, end_bars)
        return machine.pull_back(arc_bars, end_bars)

    return Transformed(made.topology, made.weights, pull_back)


def _quotient(machine: CompiledMachine, order: IntArray, src: IntArray, ahead: FloatArray) -> _Quotient:
    n_states = machine.n_states
    if not n_states:
        nothing = np.empty(0, dtype=np.int32)
        return _Quotient(nothing, nothing, nothing, nothing)
    pushed = weight_classes(machine.weights + ahead[machine.targets] - ahead[src]).astype(np.int32)
    with np.errstate(invalid="ignore"):
        left = np.where(machine.ends > -math.inf, machine.ends - ahead, -math.inf)
    places = np.empty(1 << (2 * n_states).bit_length(), dtype=np.int32)
    firsts, classes = np.empty((2, n_states), dtype=np.int32)
    ends = weight_classes(left).astype(np.int32)
    count = join_states(
        order, machine.arc_pointers, machine.ranks, machine.targets, pushed, ends, places, firsts, classes
    )
    states, numbers = np.empty((2, count), dtype=np.int32)
    walk_classes(machine.arc_pointers, machine.targets, classes, states, numbers)
    begins = machine.arc_pointers[states]
    owners, arcs = expand_ranges(begins, machine.arc_pointers[states + 1] - begins)
    return _Quotient(states, owners.astype(np.int32), arcs.astype(np.int32), numbers[classes[machine.targets[arcs]]])


minimize_of_graph = in_semiring("minimize", _minimized)
"""As the operator minimize."""
