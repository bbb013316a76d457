"""``support[A]``: the minimal deterministic acceptor of the set of strings that A accepts.

Subsets of states that one string leads to become states (Rabin and Scott), and those that accept the same strings are
joined by refining a partition (Hopcroft; the data structures are Valmari's). In plain Python, which is the definition
and fast enough for literals; `arcgrad.runtime.build.operators.support` is the compiled twin.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.adjacency import induced
from arcgrad.compiler.graphs.orders import trim
from arcgrad.compiler.graphs.topology import EPSILON, IntArray, Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Category, Law, Operator, Parameters
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR", "Deterministic", "check_subsets", "determinized", "minimal_acceptor", "quotient", "trimmed"]

_BYTES_PER_MEMBER = 8
_BYTES_PER_ARC = 24


class Deterministic(NamedTuple):
    """A deterministic acceptor: states numbered breadth first from state 0, the start, arcs by source, then label.

    Attributes:
        n_states: 0 where nothing is accepted.
        src, dst, label: (n_arcs,) int32.
        accept: (n_states,) whether each state accepts.
    """

    n_states: int
    src: IntArray
    dst: IntArray
    label: IntArray
    accept: NDArray[np.bool_]


def trimmed(topology: Topology) -> Topology:
    """The states and arcs on accepting paths."""
    kept = trim(topology.n_states, topology.src, topology.dst, topology.start, topology.accept)
    return induced(topology, kept)[0]


def check_subsets(limits: Limits, states: int, arcs: int, members: int) -> None:
    """Raise LimitError where the numbers of subsets, of their members in all, or of arcs exceed the budget."""
    limits.check(
        "the set of strings, as a deterministic graph,",
        states=states,
        arcs=arcs,
        bytes=_BYTES_PER_MEMBER * members + _BYTES_PER_ARC * arcs,
        at_least=True,
        smaller="choose a set that is told sooner: what stands n places before the end, as in "
        're"[ab]*a[ab]{n}", takes 2ⁿ states',
    )


def determinized(topology: Topology, limits: Limits) -> Deterministic:
    """The deterministic acceptor whose states are the sets of states that the strings lead to.

    Args:
        topology: an acceptor all of whose states lie on accepting paths.
        limits: budget.

    Raises:
        LimitError: as soon as there are more subsets than the limits allow.
    """
    n = topology.n_states
    accepts = set(topology.accept.tolist())
    moves: list[list[tuple[int, int]]] = [[] for _ in range(n)]
    epsilons: list[list[int]] = [[] for _ in range(n)]
    for src, dst, label in zip(topology.src.tolist(), topology.dst.tolist(), topology.ilabel.tolist(), strict=True):
        if label == EPSILON:
            epsilons[src].append(dst)
        else:
            moves[src].append((label, dst))
    closures: list[tuple[int, ...] | None] = [None] * n

    def closure(state: int) -> tuple[int, ...]:
        """What ε leads to, without the states that neither accept nor have an arc with a label."""
        found = closures[state]
        if found is None:
            seen, stack = {state}, [state]
            while stack:
                for other in epsilons[stack.pop()]:
                    if other not in seen:
                        seen.add(other)
                        stack.append(other)
            found = closures[state] = tuple(s for s in seen if moves[s] or s in accepts)
        return found

    begin = tuple(sorted({s for start in topology.start.tolist() for s in closure(start)}))
    numbers: dict[tuple[int, ...], int] = {begin: 0} if begin else {}
    subsets = list(numbers)
    n_members = len(begin)
    arcs: list[tuple[int, int, int]] = []
    for number, members in enumerate(subsets):  # it grows as it is walked along
        reached: dict[int, set[int]] = {}
        for state in members:
            for label, dst in moves[state]:
                reached.setdefault(label, set()).update(closure(dst))
        for label in sorted(reached):
            key = tuple(sorted(reached[label]))
            target = numbers.get(key)
            if target is None:
                target = numbers[key] = len(subsets)
                subsets.append(key)
                n_members += len(key)
            arcs.append((number, target, label))
        check_subsets(limits, len(subsets), len(arcs), n_members)
    src, dst, labels = np.array(arcs, dtype=np.int32).reshape(-1, 3).T
    accept = np.array([not accepts.isdisjoint(members) for members in subsets], dtype=np.bool_)
    return Deterministic(len(subsets), src, dst, labels, accept)


class _Partition:
    """A partition of ``0 … n − 1`` whose parts are split by marking some of their members (Valmari 2012)."""

    def __init__(self, keys: Sequence[int]) -> None:
        """Members of equal keys are together at first, by rising key."""
        n = len(keys)
        self.members = sorted(range(n), key=keys.__getitem__)
        self.place = [0] * n
        self.part = [0] * n
        self.first: list[int] = []
        for at, member in enumerate(self.members):
            self.place[member] = at
            if not at or keys[member] != keys[self.members[at - 1]]:
                self.first.append(at)
            self.part[member] = len(self.first) - 1
        self.end = [*self.first[1:], n] if n else []
        self.marked = [0] * len(self.first)
        self.touched: list[int] = []

    def mark(self, member: int) -> None:
        part = self.part[member]
        at, to = self.place[member], self.first[part] + self.marked[part]
        if at < to:
            return
        other = self.members[to]
        self.members[at], self.place[other] = other, at
        self.members[to], self.place[member] = member, to
        if not self.marked[part]:
            self.touched.append(part)
        self.marked[part] += 1

    def split(self) -> None:
        """Of each part with marked members and others, the smaller half becomes a new part."""
        for part in self.touched:
            middle = self.first[part] + self.marked[part]
            first, end = self.first[part], self.end[part]
            self.marked[part] = 0
            if middle == end:
                continue
            if middle - first <= end - middle:
                low, high, self.first[part] = first, middle, middle
            else:
                low, high, self.end[part] = middle, end, middle
            for at in range(low, high):
                self.part[self.members[at]] = len(self.first)
            self.first.append(low)
            self.end.append(high)
            self.marked.append(0)
        self.touched.clear()


def _parts(graph: Deterministic) -> IntArray:
    """(n_states,) numbers of parts, equal for states that accept the same strings."""
    src = graph.src.tolist()
    states = _Partition(graph.accept.astype(int).tolist())
    splitters = _Partition(graph.label.tolist())  # sets of arcs, at first those of each label
    order = np.argsort(graph.dst, kind="stable").tolist()
    offsets = np.zeros(graph.n_states + 1, dtype=np.int64)
    np.cumsum(np.bincount(graph.dst, minlength=graph.n_states), out=offsets[1:])
    entering = [order[low:high] for low, high in pairwise(offsets.tolist())]
    done_states, done_arcs = 1, 0
    while done_arcs < len(splitters.first):
        for arc in splitters.members[splitters.first[done_arcs] : splitters.end[done_arcs]]:
            states.mark(src[arc])
        states.split()
        done_arcs += 1
        while done_states < len(states.first):
            for state in states.members[states.first[done_states] : states.end[done_states]]:
                for arc in entering[state]:
                    splitters.mark(arc)
            splitters.split()
            done_states += 1
    return np.array(states.part, dtype=np.int32)


def quotient(graph: Deterministic, parts: IntArray) -> Topology:
    """The acceptor with a state for each part.

    A state's number follows the shortest, then smallest string that leads to it: the parts keep the order in which they
    first occur, and breadth first from the start stays breadth first.
    """
    if not graph.n_states:
        return Topology.make(0, (), (), ())
    _, representative, part = np.unique(parts, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(representative, kind="stable"), kind="stable")
    number = rank[part.reshape(-1)].astype(np.int32)
    chosen = np.zeros(graph.n_states, dtype=np.bool_)
    chosen[representative] = True
    kept = np.flatnonzero(chosen[graph.src])
    accept = number[np.flatnonzero(graph.accept & chosen)]
    return Topology.make(
        len(representative),
        number[graph.src[kept]],
        number[graph.dst[kept]],
        graph.label[kept],
        start=(0,),
        accept=np.sort(accept),
    )


def minimal_acceptor(topology: Topology, limits: Limits) -> Topology:
    """The minimal deterministic acceptor of the strings that an acceptor accepts.

    Raises:
        LimitError: as soon as there are more subsets than the limits allow.

    Example:
        >>> from arcgrad.compiler.graphs.topology import Topology
        >>> from arcgrad.compiler.limits import DEFAULT_LIMITS
        >>> twice = Topology.from_arcs(3, [(0, 1, 5), (0, 2, 5)], [0], [1, 2])
        >>> minimal_acceptor(twice, DEFAULT_LIMITS).dst.tolist()
        [1]
    """
    graph = determinized(trimmed(topology), limits)
    return quotient(graph, _parts(graph))


def _build(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    made = minimal_acceptor(topologies[0], limits)
    return Built(made, (np.full(made.n_arcs, -1, dtype=np.int32),))


OPERATOR = Operator(
    name="support",
    summary="Has one path, of weight 0, for each string that A accepts; the minimal deterministic acceptor.",
    category=Category.STRUCTURAL,
    operands=(Type.GRAPH,),
    acceptors=(True,),
    names=("support",),
    build=_build,
    size=lambda sizes, parameters: sizes[0],
    laws=(
        Law("support[support[in[A]]]", "support[in[A]]", ("equal",), "a set of strings has one minimal acceptor"),
        Law("support[in[A] + in[A]]", "support[in[A]]", ("equal",), "sets have each string once"),
        Law("support[in[A]*]", "support[support[in[A]]*]", ("equal",), "the same strings, however they are accepted"),
        Law("support[rev[rev[in[A]]]]", "support[in[A]]", ("equal",), "the same strings"),
        Law("support[in[A] & in[B]]", "support[in[A]] & support[in[B]]", ("lse", "count"), "the strings of both"),
    ),
    example="LSE[X ∘ support[in[A]]]",
    reference="Rabin and Scott, Finite Automata and Their Decision Problems (1959); Hopcroft, An n log n Algorithm for "
    "Minimizing States in a Finite Automaton (1971); Valmari, Fast Brief Practical DFA Minimization (2012)",
)
