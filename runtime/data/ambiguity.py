"""Whether some string has two paths in a graph, and which.

Two paths are followed at once, together until they part and then apart: the graph composed with itself, in which pairs
are met breadth first by the number of labels read, so that the string found is a shortest one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from arcgrad.compiler.graphs.adjacency import induced
from arcgrad.compiler.graphs.orders import trim
from arcgrad.compiler.graphs.topology import EPSILON, Topology
from arcgrad.compiler.limits import DEFAULT_LIMITS, Limits
from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import counted, shown
from arcgrad.runtime.data.bare_graph import BareGraph

__all__ = ["Ambiguity", "ambiguity", "ambiguity_of"]


@dataclass(frozen=True)
class Ambiguity:
    """A string that has two paths.

    Attributes:
        string: its labels, a shortest one.
        side: "input" or "output": the labels that were read.
        starts: the start state of each of the two paths.
        paths: the two paths, as the numbers of their arcs; they differ in an arc or in where they start.
    """

    string: tuple[int, ...]
    side: str
    starts: tuple[int, int]
    paths: tuple[tuple[int, ...], tuple[int, ...]]

    def __str__(self) -> str:
        read = " ".join(map(str, self.string)) or "ε"
        ways = " and ".join(
            f"from state {start} along {counted(len(path), 'arc')} {' '.join(map(str, path))}".rstrip()
            for start, path in zip(self.starts, self.paths, strict=True)
        )
        return f"the {self.side} string {read} has two paths: {ways}"


def ambiguity(graph: BareGraph, *, side: str = "input", limits: Limits = DEFAULT_LIMITS) -> Ambiguity | None:
    """Find a string that has two paths, or know that there is none.

    ``LSE``, ``H`` and ``COUNT`` count every path, so where a graph stands for a set of strings, such a string counts
    twice; ``support[A]`` accepts each once. Weights play no part: an arc of weight −inf is an arc here.

    A transducer is looked at on one side, so the question is whether a string that it reads (or writes) has two paths.
    Whether a pair of strings has two paths is undecidable (Fischer and Rosenberg 1968).

    Args:
        graph: any graph, with ε and cycles.
        side: "input" or "output".
        limits: budget of pairs of states.

    Returns:
        None where every string has at most one path. Time and memory are quadratic in the number of states at worst.

    Raises:
        InputError: not a graph, or no such side.
        LimitError: more pairs of states were met than ``limits.states``.

    Source:
        Mohri, Weighted Automata Algorithms, in Handbook of Weighted Automata (2009); Weber and Seidl, On the Degree of
        Ambiguity of Finite Automata (1991).

    Example:
        >>> import arcgrad as ag
        >>> twice = ag.Graph([0, 0, 1], [0, 1, 1], [5, 5, 5], accept=[1])
        >>> print(ag.ambiguity(twice))
        the input string 5 5 has two paths: from state 0 along 2 arcs 0 1 and from state 0 along 2 arcs 1 2
        >>> print(ag.ambiguity(ag.linear([5, 5])))
        None
    """
    if not isinstance(graph, BareGraph):
        raise InputError(f"graph is of type {type(graph).__name__}, but a Graph was expected")
    if side not in ("input", "output"):
        raise InputError(f"side is {shown(side)}, but must be 'input' or 'output'")
    return ambiguity_of(graph.topology, side, limits)


def ambiguity_of(topology: Topology, side: str = "input", limits: Limits = DEFAULT_LIMITS) -> Ambiguity | None:
    """The same of a topology; remembered with it."""
    memo = topology.memo("ambiguity")
    if side not in memo:
        found = _Search(topology, side, limits)
        memo[side] = [None if found.is_deterministic else found.run()]  # a list: it has no size in bytes to be counted
    answer: Ambiguity | None = memo[side][0]
    return answer


# How two paths stand to each other: the same so far; apart; and parted by an ε arc that only the left one took, so that
# the right one, from where they were, may not take an ε arc next, which would part them in another way.
_SAME, _APART, _HELD = range(3)

_State = tuple[int, int, int]
_Step = tuple[_State, int, int, bool]  # to; arc of the left and of the right path, −1: none; whether a label is read


class _Search:
    def __init__(self, topology: Topology, side: str, limits: Limits) -> None:
        self.side, self.limits = side, limits
        kept = trim(topology.n_states, topology.src, topology.dst, topology.start, topology.accept)
        self.topology, self.numbers = induced(topology, kept)
        self.states = np.flatnonzero(kept)
        self.labels = self.topology.ilabel if side == "input" else self.topology.olabel

    @property
    def is_deterministic(self) -> bool:
        """Whether arrays alone tell that there is no such string: forwards or backwards, there is one way to go on."""
        t, labels = self.topology, self.labels
        if bool(np.any(labels == EPSILON)):
            return False
        return any(
            len(ends) <= 1 and len(np.unique((states.astype(np.int64) << 32) + labels)) == len(labels)
            for ends, states in ((t.start, t.src), (t.accept, t.dst))
        )

    def run(self) -> Ambiguity | None:
        t = self.topology
        self.epsilons: list[list[tuple[int, int]]] = [[] for _ in range(t.n_states)]  # (arc, destination)
        self.by_label: list[dict[int, list[tuple[int, int]]]] = [{} for _ in range(t.n_states)]
        rows = zip(t.src.tolist(), t.dst.tolist(), self.labels.tolist(), strict=True)
        for arc, (src, dst, label) in enumerate(rows):
            if label == EPSILON:
                self.epsilons[src].append((arc, dst))
            else:
                self.by_label[src].setdefault(label, []).append((arc, dst))
        accepts = set(t.accept.tolist())
        starts = t.start.tolist()
        came: dict[_State, tuple[_State, int, int] | None] = {(s, s, _SAME): None for s in starts}
        came.update(dict.fromkeys((p, q, _APART) for k, p in enumerate(starts) for q in starts[k + 1 :]))
        level = list(came)
        while level:
            further: dict[_State, tuple[_State, int, int]] = {}
            for state in level:  # it grows by what is reached without reading a label
                if state[2] != _SAME and state[0] in accepts and state[1] in accepts:
                    return self._found(state, came)
                for there, left, right, reads in self._steps(state):
                    if there in came:
                        continue
                    if reads:  # it may yet be reached with fewer labels
                        further.setdefault(there, (state, left, right))
                    else:
                        came[there] = state, left, right
                        level.append(there)
                if len(came) + len(further) > self.limits.states:
                    states = len(came) + len(further)
                    self.limits.check("the graph composed with itself", states=states, at_least=True)
            level = [there for there in further if there not in came]
            came.update((there, further[there]) for there in level)
        return None

    def _steps(self, state: _State) -> Iterator[_Step]:
        p, q, kind = state
        if kind == _SAME:
            yield from self._steps_together(p)
            return
        for arc, dst in self.epsilons[p]:
            yield (dst, q, kind), arc, -1, False
        if kind == _APART:
            for arc, dst in self.epsilons[q]:
                yield (p, dst, kind), -1, arc, False
        others = self.by_label[q]
        for label, arcs in self.by_label[p].items():
            for other, there in others.get(label, ()):
                for arc, dst in arcs:
                    yield (dst, there, _APART), arc, other, True

    def _steps_together(self, p: int) -> Iterator[_Step]:
        for arc, dst in self.epsilons[p]:
            yield (dst, dst, _SAME), arc, arc, False
            yield (dst, p, _HELD), arc, -1, False
        for arcs, reads in [(self.epsilons[p], False), *((arcs, True) for arcs in self.by_label[p].values())]:
            for k, (arc, dst) in enumerate(arcs):
                if reads:
                    yield (dst, dst, _SAME), arc, arc, True
                for other, there in arcs[k + 1 :]:
                    yield (dst, there, _APART), arc, other, reads

    def _found(self, state: _State, came: dict[_State, tuple[_State, int, int] | None]) -> Ambiguity:
        left: list[int] = []
        right: list[int] = []
        here = state
        while (step := came[here]) is not None:
            here, one, other = step
            left += [one] if one >= 0 else []
            right += [other] if other >= 0 else []
        labels = self.labels[left[::-1]]
        return Ambiguity(
            string=tuple(labels[labels != EPSILON].tolist()),
            side=self.side,
            starts=(int(self.states[here[0]]), int(self.states[here[1]])),
            paths=(tuple(self.numbers[left[::-1]].tolist()), tuple(self.numbers[right[::-1]].tolist())),
        )
