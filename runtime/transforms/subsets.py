"""det of large graphs by kernels: rows without ε:ε arcs, then subsets of states with residual weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.topology import IntArray, Topology
from arcgrad.compiler.graphs.transforms import FloatArray, Transformed
from arcgrad.compiler.graphs.weighted.pushing import in_semiring
from arcgrad.compiler.graphs.weighted.subsets import (
    GRID,
    MOST_VARIANTS,
    RESIDUAL_TOLERANCE,
    SMALLER,
    determinized,
    endless,
)
from arcgrad.compiler.limits import Limits
from arcgrad.runtime.kernels.weighted import subsets as kernels
from arcgrad.runtime.kernels.weighted.layout import lay_out
from arcgrad.runtime.transforms.rows import KERNELS as ROWS
from arcgrad.runtime.transforms.rows import CompiledRows, compiled_rows, longer
from arcgrad.runtime.transforms.useful import patience, scratch, worth_it

__all__ = ["KERNELS", "CompiledMachine", "LaidOut", "compiled_machine", "det_of_graph"]

KERNELS = (
    *ROWS, kernels.find_places, kernels.follow_subsets, kernels.pull_back_subsets, lay_out,
)  # fmt: skip
LongArray = NDArray[np.int64]

# Plain Python's seconds an arc.
_REFERENCE = 5e-5


class CompiledMachine:
    """A deterministic machine of a graph's strings; `arcgrad.runtime.kernels.weighted.subsets` says how it lies.

    Attributes:
        rows: of the graph.
        n_states: subsets, breadth first.
        arc_pointers: (n_states + 1,) where each one's arcs begin.
        ranks, targets, weights: (n_arcs,) rank of the labels, destination, weight.
        ends: (n_states,) what a path weighs that ends there, −inf where none does.
    """

    def __init__(self, rows: CompiledRows, best: int, limits: Limits, what: str) -> None:
        self.rows, self._best = rows, best
        n = len(rows.begins)
        self._rows: tuple[Any, ...] = rows.begins, rows.finals, rows.keys, rows.values, rows.ends
        start = rows.useful.start
        grid = 0.0 if rows.useful.order is None else GRID
        counters = np.zeros(kernels.COUNTERS, dtype=np.int64)
        room = {"subsets": n + n // 8, "members": n + n // 4 + len(start), "arcs": len(rows.keys) + len(rows.keys) // 8}
        room = {name: count + 64 for name, count in room.items()}
        pointers, arc_pointers = (np.zeros(room["subsets"] + 1, dtype=np.int64) for _ in range(2))
        ends = np.empty(room["subsets"])
        members, residuals = np.empty(room["members"], dtype=np.int32), np.zeros(room["members"])
        ranks, targets = (np.empty(room["arcs"], dtype=np.int32) for _ in range(2))
        weights, is_first = np.empty(room["arcs"]), np.empty(room["arcs"], dtype=np.int8)
        places = np.full(1 << (4 * room["subsets"]).bit_length(), -1, dtype=np.int32)
        space: tuple[Any, ...] = scratch(int((rows.finals - rows.begins).max(initial=0)) + 64)
        if len(start):
            members[: len(start)] = start
            pointers[1] = len(start)
            counters[kernels.N_SUBSETS], counters[kernels.N_MEMBERS] = 1, len(start)
            kernels.find_places(1, pointers, members, residuals, grid, places)
        while True:
            outcome = kernels.follow_subsets(
                *self._rows, best, RESIDUAL_TOLERANCE, grid, MOST_VARIANTS, counters, places, pointers, members,
                residuals, arc_pointers, ranks, targets, weights, is_first, ends, *space,
            )  # fmt: skip
            n_subsets, followed, n_members, n_arcs, needed, label = counters.tolist()
            if outcome == kernels.DONE:
                break
            if outcome == kernels.ENDLESS:
                string = [*_string(followed, arc_pointers, ranks, targets, is_first), int(label)]
                labels = [(int(rows.labels.ilabels[rank]), int(rows.labels.olabels[rank])) for rank in string]
                raise endless(what, labels, members[n_members : n_members + needed].tolist())
            limits.check(
                what, states=n_subsets, arcs=n_arcs, bytes=12 * n_members + 40 * n_subsets + 20 * n_arcs, at_least=True,
                smaller=SMALLER,
            )  # fmt: skip
            if needed > len(space[0]):
                space = scratch(2 * needed)
            if n_subsets + needed + 1 > len(ends) or 2 * (n_subsets + needed) > len(places):
                size = _room(len(ends), n_subsets + needed + 1, limits.states)
                ends = longer(ends, size, n_subsets)
                pointers, arc_pointers = (
                    longer(pointers, size + 1, n_subsets + 1),
                    longer(arc_pointers, size + 1, followed + 1),
                )
                places = np.empty(1 << (4 * size).bit_length(), dtype=np.int32)
                kernels.find_places(n_subsets, pointers, members, residuals, grid, places)
            if n_members + needed > len(members):
                size = _room(len(members), n_members + needed, 1 << 62)
                members, residuals = longer(members, size, n_members), longer(residuals, size, n_members)
            if n_arcs + needed > len(ranks):
                size = _room(len(ranks), n_arcs + needed, limits.arcs)
                ranks, targets = longer(ranks, size, n_arcs), longer(targets, size, n_arcs)
                weights, is_first = longer(weights, size, n_arcs), longer(is_first, size, n_arcs)
        limits.check(what, states=n_subsets, arcs=n_arcs, at_least=True, smaller=SMALLER)
        self.n_states = n_subsets
        self.arc_pointers: LongArray = arc_pointers[: n_subsets + 1]
        self.ranks: IntArray = ranks[:n_arcs]
        self.targets: IntArray = targets[:n_arcs]
        self.weights: FloatArray = weights[:n_arcs]
        self.ends: FloatArray = ends[:n_subsets]
        self._members = pointers[: n_subsets + 1], members[:n_members], residuals[:n_members]
        self._is_first, self._scratch = is_first[:n_arcs], space

    def pull_back(self, arc_bars: FloatArray, end_bars: FloatArray) -> FloatArray:
        """The cotangent of the graph's arcs, from those of the machine's arcs and ends."""
        pointers, members, residuals = self._members
        bars, row_end_bars = np.zeros(len(self.rows.keys)), np.zeros(len(self.rows.begins))
        sums = np.empty(len(self._scratch[0]) + 1)
        arguments = (
            *self._rows, self._best, self.n_states, pointers, members, residuals, self.arc_pointers, self.targets,
            self._is_first, self.ends, *self._scratch, sums, arc_bars, end_bars, np.zeros(len(members)), bars,
            row_end_bars,
        )  # fmt: skip
        kernels.pull_back_subsets(*arguments)
        return self.rows.pull_back(bars, row_end_bars)


def _room(now: int, needed: int, most: int) -> int:
    """A greater size, but for what is needed not far beyond a limit, at which building stops."""
    return max(min(2 * now, most + (most >> 3) + 64), needed + (needed >> 3))


def _string(
    subset: int, pointers: LongArray, ranks: IntArray, targets: IntArray, is_first: NDArray[np.int8]
) -> list[int]:
    """The ranks of labels by which a subset was reached first."""
    arrivals = np.flatnonzero(is_first[: pointers[subset]])
    arc_of = dict(zip(targets[arrivals].tolist(), arrivals.tolist(), strict=True))
    found = []
    while subset > 0:
        arc = arc_of[subset]
        found.append(int(ranks[arc]))
        subset = int(np.searchsorted(pointers[: subset + 1], arc, side="right")) - 1
    return found[::-1]


def compiled_machine(
    topology: Topology, weights: FloatArray, best: int, limits: Limits, what: str
) -> CompiledMachine | None:
    """The deterministic machine of a graph's strings; None where a cycle of ε:ε arcs is to be closed.

    Raises:
        LimitError: it exceeds the budget, or has no end.
    """
    rows = compiled_rows(topology, weights, best, limits, merged=False)
    return None if rows is None else CompiledMachine(rows, best, limits, what)


class LaidOut:
    """The graph of a deterministic machine, as `arcgrad.compiler.graphs.weighted.subsets.graph_of` makes it.

    Args:
        machine: has the labels.
        ranks: (n_arcs,) the arcs' labels by rank.
        pointers: (n_states + 1,) where each state's arcs begin.
        targets, weights: (n_arcs,) their destinations and weights.
        ends: (n_states,) what ends weigh.

    Attributes:
        topology, weights: the graph.
    """

    def __init__(
        self, machine: CompiledMachine, ranks: IntArray, pointers: LongArray, targets: IntArray, weights: FloatArray,
        ends: FloatArray,
    ) -> None:  # fmt: skip
        n_states, n_arcs = len(ends), len(ranks)
        labels = machine.rows.labels
        plain = np.flatnonzero(ends == 0.0)
        self.last: IntArray = np.flatnonzero((ends > -math.inf) & (ends != 0.0)).astype(np.int32)
        self._pointers = pointers
        sinks = plain[pointers[plain + 1] == pointers[plain]]
        sink = int(sinks[0]) if len(sinks) else n_states
        total = n_arcs + len(self.last)
        src, dst, ilabel, olabel = (np.empty(total, dtype=np.int32) for _ in range(4))
        self.weights: FloatArray = np.empty(total)
        lay_out(
            pointers, ranks, targets, weights, ends, labels.ilabels, labels.olabels, sink, src, dst, ilabel, olabel,
            self.weights,
        )  # fmt: skip
        new = sink == n_states and len(self.last) > 0
        self.topology = Topology.make(
            n_states + new, src, dst, ilabel, None if np.array_equal(ilabel, olabel) else olabel,
            [0] if n_states else [], np.append(plain, sink) if new else plain,
        )  # fmt: skip

    def split(self, cotangent: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The cotangents of the machine's arcs and ends, from those of the graph's arcs."""
        end_bars = np.zeros(len(self._pointers) - 1)
        exits = self._pointers[self.last + 1] + np.arange(len(self.last))
        end_bars[self.last] = cotangent[exits]
        return np.delete(cotangent, exits) if len(exits) else cotangent, end_bars


def _determinized(topology: Topology, weights: FloatArray, best: int, limits: Limits) -> Transformed:
    machine = None
    if worth_it(topology, KERNELS, _REFERENCE):
        machine = compiled_machine(topology, weights, best, limits, "det")
    if machine is None:
        with patience.tried():
            return determinized(topology, weights, best, limits)
    made = LaidOut(machine, machine.ranks, machine.arc_pointers, machine.targets, machine.weights, machine.ends)

    def pull_back(cotangent: FloatArray) -> FloatArray:
        return machine.pull_back(*made.split(cotangent))

    return Transformed(made.topology, made.weights, pull_back)


det_of_graph = in_semiring("det", _determinized)
"""As the operator det."""
