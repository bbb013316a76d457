"""What of a graph lies on accepting paths, as lists in plain Python, and the error that names a cycle of it.

Under the reference reductions (`reference`), which all begin by making one of these.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.score_values import as_float
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.grammar.errors import DivergenceError

__all__ = [
    "Arcs",
    "UsefulGraph",
    "cycle_through",
    "divergence_error",
    "is_cyclic",
    "path_weight",
    "shortest_path",
    "strong_components",
    "useful_graph",
]

Arcs = list[list[tuple[int, int, Any]]]


@dataclass(eq=False)
class UsefulGraph:
    """What remains of a graph once arcs of weight −inf and states on no accepting path are dropped.

    Attributes:
        n_states: states before any were dropped; those that were have no arcs.
        out: for each state, (arc number, destination, weight) of the arcs that leave it.
        into: for each state, (arc number, source, weight) of the arcs that enter it.
        start: weights with which paths begin, by start state.
        accept: weights with which paths end, by accept state.
        components: strongly connected components, sources first.
        weights: the weights of all arcs as they were given, for messages.
    """

    n_states: int
    out: Arcs
    into: Arcs
    start: dict[int, float]
    accept: dict[int, float]
    components: list[list[int]]
    weights: list[float]

    def reversed(self) -> UsefulGraph:
        """The graph with every arc turned round."""
        return UsefulGraph(
            self.n_states, self.into, self.out, self.accept, self.start, self.components[::-1], self.weights
        )


def useful_graph(topology: Topology, weights: NDArray[np.float64], drop_minus_infinity: bool) -> UsefulGraph:
    """Keep the states and arcs that lie on accepting paths; ``drop_minus_infinity``: an arc of −inf is absent."""
    n = topology.n_states
    out: Arcs = [[] for _ in range(n)]
    into: Arcs = [[] for _ in range(n)]
    listed = weights.tolist()
    rows = list(zip(topology.src.tolist(), topology.dst.tolist(), listed, strict=True))
    for arc, (src, dst, weight) in enumerate(rows):
        if not (drop_minus_infinity and weight == -math.inf):
            out[src].append((arc, dst, weight))
            into[dst].append((arc, src, weight))
    forward = _reach(topology.start.tolist(), out)
    backward = _reach(topology.accept.tolist(), into)
    keep = [f and b for f, b in zip(forward, backward, strict=True)]
    for state in range(n):
        if keep[state]:
            out[state] = [a for a in out[state] if keep[a[1]]]
            into[state] = [a for a in into[state] if keep[a[1]]]
        else:
            out[state], into[state] = [], []
    start = {s: 0.0 for s in topology.start.tolist() if keep[s]}
    accept = {s: 0.0 for s in topology.accept.tolist() if keep[s]}
    return UsefulGraph(n, out, into, start, accept, strong_components(keep, out), listed)


def _reach(roots: list[int], arcs: Arcs) -> list[bool]:
    """Mark the states that can be reached from the roots."""
    seen = [False] * len(arcs)
    stack = list(roots)
    for state in roots:
        seen[state] = True
    while stack:
        for _, other, _ in arcs[stack.pop()]:
            if not seen[other]:
                seen[other] = True
                stack.append(other)
    return seen


def strong_components(keep: list[bool], out: Arcs) -> list[list[int]]:
    """Find the strongly connected components of the kept states, sources first (Tarjan, without recursion)."""
    index = [-1] * len(keep)
    low = [0] * len(keep)
    on_stack = [False] * len(keep)
    stack: list[int] = []
    found: list[list[int]] = []
    counter = 0
    for root in range(len(keep)):
        if not keep[root] or index[root] >= 0:
            continue
        work = [(root, 0)]
        while work:
            state, position = work.pop()
            if position == 0:
                index[state] = low[state] = counter
                counter += 1
                stack.append(state)
                on_stack[state] = True
            descended = False
            for i in range(position, len(out[state])):
                other = out[state][i][1]
                if index[other] < 0:
                    work.append((state, i + 1))
                    work.append((other, 0))
                    descended = True
                    break
                if on_stack[other]:
                    low[state] = min(low[state], index[other])
            if descended:
                continue
            if low[state] == index[state]:
                component = []
                while True:
                    member = stack.pop()
                    on_stack[member] = False
                    component.append(member)
                    if member == state:
                        break
                found.append(sorted(component))
            if work:
                parent = work[-1][0]
                low[parent] = min(low[parent], low[state])
    return found[::-1]


def is_cyclic(graph: UsefulGraph, component: list[int]) -> bool:
    """Whether a path can return to a state of the component."""
    return len(component) > 1 or any(other == component[0] for _, other, _ in graph.out[component[0]])


def shortest_path(graph: UsefulGraph, members: set[int], begin: int, end: int) -> list[int]:
    """Find the arcs of a path of fewest arcs within a component; none where both ends are one state."""
    parent: dict[int, tuple[int, int]] = {}
    frontier = [begin]
    while end != begin and end not in parent:
        following = []
        for current in frontier:
            for arc, other, _ in graph.out[current]:
                if other in members and other not in parent and other != begin:
                    parent[other] = (arc, current)
                    following.append(other)
        frontier = following
    arcs: list[int] = []
    while end != begin:
        arc, end = parent[end]
        arcs.append(arc)
    return arcs[::-1]


def cycle_through(graph: UsefulGraph, members: set[int], state: int) -> list[int]:
    """Find the arcs of a cycle through a state: of the shortest by each arc that leaves it, the heaviest."""
    cycles = [
        [arc, *shortest_path(graph, members, other, state)] for arc, other, _ in graph.out[state] if other in members
    ]
    return max(cycles, key=lambda arcs: (path_weight([graph.weights[arc] for arc in arcs]), -len(arcs)))


def divergence_error(
    graph: UsefulGraph, reduction: str, why: str, arcs: list[int], state: int, sign: float = 1.0
) -> DivergenceError:
    """Make the error for a cycle through ``state``; ``sign``: −1 where the graph's weights are the negatives."""
    shown = ", ".join(map(str, arcs[:12])) + (", …" if len(arcs) > 12 else "")
    plural = "s" if len(arcs) > 1 else ""
    weight = path_weight([graph.weights[arc] * sign for arc in arcs])
    where = f"state {state} along arc{plural} {shown}"
    rounded = float(f"{weight:.6g}")  # without the last bits of a sum
    return DivergenceError(
        f"{reduction} diverges: the cycle through {where} (weight {rounded!r}) can be repeated without end and {why}",
        cycle=tuple(arcs),
        where=where,
        hint="make the cycle's weight smaller (below 0, so that its probability is below 1)"
        if reduction == "LSE"
        else None,
    )


def path_weight(weights: list[float]) -> float:
    """Add weights exactly and round once; ±inf where the sum is beyond all floats, or any weight is infinite."""
    infinite = [weight for weight in weights if math.isinf(weight)]
    return infinite[0] if infinite else as_float(sum(map(Fraction, weights), Fraction()))
