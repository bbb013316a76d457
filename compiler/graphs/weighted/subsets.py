"""Weighted determinisation by subsets of states with residual weights (Mohri 1997), and deterministic machines.

A *machine* has one start, at most one arc of a pair of labels at each state, and weights with which paths end. Weights
are nodes of a tape.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from arcgrad.compiler.graphs.topology import EPSILON, Topology
from arcgrad.compiler.graphs.transforms import FloatArray, Transformed
from arcgrad.compiler.graphs.weighted.rows import Rows, built_graph, rows_of
from arcgrad.compiler.graphs.weighted.tape import Tape, Term
from arcgrad.compiler.limits import Limits
from arcgrad.grammar.errors import LimitError

__all__ = [
    "GRID",
    "MOST_VARIANTS",
    "RESIDUAL_TOLERANCE",
    "SMALLER",
    "Arc",
    "Machine",
    "determinized",
    "endless",
    "graph_of",
    "machine_of",
]

RESIDUAL_TOLERANCE = 1e-9
"""Residual weights of two subsets that differ by no more than this, absolutely or relative to their size, are one."""

MOST_VARIANTS = 1000
"""Subsets of the same states with different residual weights, from which on determinisation is said not to end where
the graph has a cycle."""

GRID = 2.0**20
"""In graphs without cycles, of which there may be many such subsets, they are looked up by residual weights rounded to
multiples of 1 / GRID."""

_FURTHEST = 2.0**40

_SHOWN = 12
_NEVER = Term()

_Member = tuple[int, tuple[int, ...], tuple[int, ...]]
"""A state; its residual weight is the sum of the first nodes over the others."""

Arc = tuple[int, int, int, Term]
"""Input label, output label, destination, weight."""


@dataclass(eq=False)
class Machine:
    """A deterministic graph whose paths end with weights.

    Attributes:
        tape: has the weights' nodes.
        arcs: for each state, its arcs in order of labels; the start is state 0. None where the graph has no path.
        ends: for each state at which paths end, the weight with which they do; None where that is 0 for any weights.
    """

    tape: Tape
    arcs: list[list[Arc]]
    ends: dict[int, Term | None]


def machine_of(topology: Topology, weights: FloatArray, best: int, limits: Limits, what: str) -> Machine:
    """A deterministic machine of a graph's strings, states breadth first, arcs in order of labels.

    Raises:
        DivergenceError: a cycle of ε:ε arcs has no finite sum.
        LimitError: it exceeds the budget, or has no end.
    """
    found = rows_of(topology, weights, best, limits)
    machine = _Subsets(found, limits, what)
    machine.run()
    return machine.machine


class _Subsets:
    """A determinisation in progress: subsets in order of arrival, each as states with (node of a sum, node over it)."""

    def __init__(self, found: Rows, limits: Limits, what: str) -> None:
        self._found = found
        self._limits = limits
        self._what = what
        self.machine = Machine(found.tape, [], {})
        self._members: list[list[_Member]] = []
        self._residuals: list[list[float]] = []
        self._variants: dict[tuple[int, ...], list[int]] = {}
        self._acyclic = found.acyclic
        self._parents: list[tuple[int, tuple[int, int]]] = []
        self._sorted = {state: sorted((key[:2], key[2], node) for key, node in row.items()) for state, row in
                        found.rows.items()}  # fmt: skip

    def run(self) -> None:
        """Follow every subset until no new one arrives."""
        if not self._found.start:
            return
        self._add([(state, (), ()) for state in sorted(self._found.start)], [0.0] * len(self._found.start), -1, (0, 0))
        done = n_arcs = 0
        while done < len(self._members):
            n_arcs += self._follow(done)
            self._limits.check(
                self._what, states=len(self._members), arcs=n_arcs, at_least=True, smaller=SMALLER,
            )  # fmt: skip
            done += 1

    def _follow(self, subset: int) -> int:
        tape, _found = self._found.tape, self._found
        ways: dict[tuple[int, int], dict[int, list[_Member]]] = {}
        members = self._members[subset]
        for state, sums, over in members:
            for labels, other, node in self._sorted[state]:
                ways.setdefault(labels, {}).setdefault(other, []).append((node, sums, over))
        arcs: list[Arc] = []
        for labels in sorted(ways):
            # What competes has a weight in common, which would hide residual weights if it were large.
            common = max(tape.values[node] for terms in ways[labels].values() for node, _, _ in terms)
            others = sorted(ways[labels])
            nodes = [
                tape.total([Term((node, *sums), weight=-common, over=over) for node, sums, over in ways[labels][other]])
                for other in others
            ]
            total = tape.total([Term((node,)) for node in nodes])
            residuals = [tape.values[node] - tape.values[total] for node in nodes]
            members_there: list[_Member] = [
                (other, (node,), (total,)) for other, node in zip(others, nodes, strict=True)
            ]
            target = self._target(members_there, residuals, subset, labels)
            arcs.append((*labels, target, Term((total,), weight=common)))
        self.machine.arcs[subset] = arcs
        self._end(subset)
        return len(arcs)

    def _end(self, subset: int) -> None:
        tape, found, members = self._found.tape, self._found, self._members[subset]
        ending = [member for member in members if member[0] in found.ends]
        if not ending:
            return
        plain = all(member[0] in found.plain for member in members)
        if plain and (subset > 0 or len(members) == 1):  # residual weights add up to 0
            self.machine.ends[subset] = None
            return
        node = tape.total([Term((found.ends[state], *sums), over=over) for state, sums, over in ending])
        self.machine.ends[subset] = Term((node,)) if tape.values[node] != 0.0 else None

    def _target(
        self,
        members: list[_Member],
        residuals: list[float],
        parent: int,
        labels: tuple[int, int],
    ) -> int:
        """The number of a subset: of one that arrived before, where residual weights agree, else a new one."""
        variants = self._alike(members, residuals)
        for number in variants:
            if all(
                abs(one - other) <= RESIDUAL_TOLERANCE * max(1.0, abs(one))
                for one, other in zip(residuals, self._residuals[number], strict=True)
            ):
                return number
        if len(variants) >= MOST_VARIANTS and not self._acyclic:
            raise endless(self._what, self._string(parent, labels), [member[0] for member in members])
        return self._add(members, residuals, parent, labels)

    def _alike(self, members: list[_Member], residuals: list[float]) -> list[int]:
        """The subsets of the same states among which one that arrives is looked up."""
        key = tuple(member[0] for member in members)
        if self._acyclic:
            key += tuple(math.floor(min(max(r, -_FURTHEST), _FURTHEST) * GRID + 0.5) for r in residuals)
        return self._variants.setdefault(key, [])

    def _add(
        self,
        members: list[_Member],
        residuals: list[float],
        parent: int,
        labels: tuple[int, int],
    ) -> int:
        number = len(self._members)
        self._members.append(members)
        self._residuals.append(residuals)
        self._parents.append((parent, labels))
        self._alike(members, residuals).append(number)
        self.machine.arcs.append([])
        return number

    def _string(self, subset: int, labels: tuple[int, int]) -> list[tuple[int, int]]:
        found = [labels]
        while subset > 0:
            subset, labels = self._parents[subset]
            found.append(labels)
        return found[::-1]


SMALLER = "take support[A], the set of A's strings, each once, of weight 0"


def endless(what: str, string: list[tuple[int, int]], states: list[int]) -> LimitError:
    """The error of a determinisation that does not end, with a string that shows it."""
    labels = ["ε" if i < 0 else str(i) if i == o else f"{i}:{'ε' if o < 0 else o}" for i, o in string]
    labels = [label.replace("-1:", "ε:") for label in labels]
    shown = " ".join(labels[:_SHOWN]) + (f" … ({len(labels)} labels)" if len(labels) > _SHOWN else "")
    reached = ", ".join(map(str, states[:_SHOWN])) + (", …" if len(states) > _SHOWN else "")
    return LimitError(
        f"{what} does not end: strings such as {shown} lead to states {reached} of its operand with relative weights "
        f"that never recur ({MOST_VARIANTS} times so far), so that no finite deterministic graph has its weights",
        hint="det ends where paths that read the same along cycles weigh the same there (the twins property), as in "
        "every graph without cycles; support[A] is the set of A's strings, each once, of weight 0",
    )


def graph_of(machine: Machine, what: str, limits: Limits) -> Transformed:
    """The graph of a machine: what ends with a weight does so by an ε arc to an accept that no arc leaves.

    That is the first state of this kind, or where there is none, a new one, the last.
    """
    arcs: list[tuple[int, int, int, int, Term]] = []
    n_states = len(machine.arcs)
    sinks = (k for k, own in enumerate(machine.arcs) if not own and machine.ends.get(k, _NEVER) is None)
    last = next(sinks, n_states)
    accept = []
    for state, own in enumerate(machine.arcs):
        arcs += [(state, other, ilabel, olabel, term) for ilabel, olabel, other, term in own]
        if state in machine.ends:
            ending = machine.ends[state]
            if ending is None:
                accept.append(state)
            else:
                arcs.append((state, last, EPSILON, EPSILON, ending))
    start = [0] if n_states else []
    if last == n_states and len(accept) < len(machine.ends):
        accept.append(last)
        n_states += 1
    return built_graph(machine.tape, n_states, arcs, start, accept, what, limits)


def determinized(topology: Topology, weights: FloatArray, best: int, limits: Limits) -> Transformed:
    """The deterministic graph of a graph's strings."""
    return graph_of(machine_of(topology, weights, best, limits, "det"), "det", limits)
