"""``rewrite[τ, λ, ρ]``: the context-dependent rewrite rule that maps as τ does what stands between λ and ρ.

The result reads any string of the alphabet and writes what the rule makes of it. It goes along the string with three
things in mind: which suffixes of the rest are due (a deterministic acceptor of the reversed rest, walked backwards, so
that each string has one way), what ends the string so far (another one, forwards), and where in τ it is. Mohri and
Sproat compose five transducers over strings with brackets instead; what comes out is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from arcgrad.compiler.graphs.adjacency import induced
from arcgrad.compiler.graphs.orders import trim
from arcgrad.compiler.graphs.topology import EPSILON, IntArray, Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Category, Law, Operator, Parameters, Size
from arcgrad.compiler.operators.concatenate import concatenated
from arcgrad.compiler.operators.support import minimal_acceptor
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

_BYTES_PER_ARC = 24
_RIGHT_TO_LEFT, _SIMULTANEOUS, _OPTIONAL = "rtl", "sim", "opt"

# Where a state stands: at a place of the string where something may yet be inserted, or no more; within τ on a way that
# may end without reading, on one that is to read something, or has. The last three have a state of τ. As in brackets
# of Mohri and Sproat's, something may be inserted once at each place, then what stands there may be replaced; and where
# something is due to be inserted, a way of τ that reads may be taken, after which nothing is inserted where it ends.
_BEFORE, _AT, _INSERTING, _READING, _HAS_READ = range(5)

_State = tuple[int, int, int, int]  # of the rest, of what was written (read, where all is done at once), place, of τ
_Arc = tuple[_State, int, int, int]  # destination, input, output, arc of τ or −1


class _Rest(NamedTuple):
    """The rest of a string, as states that each string has one sequence of.

    Attributes:
        end: the state when nothing is left.
        arcs: for each state by label, the states once that label is read.
        inserts: for each state, whether ρ begins here.
        reads: for each state, whether a string that τ reads, not the empty one, begins here and ρ after it.
    """

    end: int
    arcs: list[dict[int, list[int]]]
    inserts: list[bool]
    reads: list[bool]


def _reversed(graph: Topology) -> Topology:
    olabel = None if graph.is_acceptor else graph.olabel
    return Topology.make(graph.n_states, graph.dst, graph.src, graph.ilabel, olabel, graph.accept, graph.start)


def _anything_then(graph: Topology, labels: IntArray, limits: Limits) -> tuple[list[dict[int, int]], list[bool]]:
    """The minimal deterministic acceptor of ``Σ* graph``: where each label leads from each state, and which accept."""
    m = len(labels)
    zeros = np.zeros(m, dtype=np.int32)
    anything = Topology.make(1, zeros, zeros, labels, None, [0], [0])
    made = minimal_acceptor(concatenated([anything, graph], limits).topology, limits)
    if not made.n_states:  # nothing ends so
        return [dict.fromkeys(labels.tolist(), 0)], [False]
    moves: list[dict[int, int]] = [{} for _ in range(made.n_states)]
    for src, dst, label in zip(made.src.tolist(), made.dst.tolist(), made.ilabel.tolist(), strict=True):
        moves[src][label] = dst
    accepts = [False] * made.n_states
    for state in made.accept.tolist():
        accepts[state] = True
    return moves, accepts


def _without_empty(graph: Topology) -> Topology:
    """A deterministic acceptor of the same strings but the empty one."""
    if not graph.n_states:
        return graph
    n, leaving = graph.n_states, graph.src == graph.start[0]
    src = np.concatenate([graph.src, np.full(int(leaving.sum()), n, dtype=np.int32)])
    dst, label = (np.concatenate([values, values[leaving]]) for values in (graph.dst, graph.ilabel))
    return Topology.make(n + 1, src, dst, label, None, [n], graph.accept)


def _rest(read: Topology, right: Topology, labels: IntArray, limits: Limits) -> _Rest:
    """The states of the rest of strings, backwards from their ends, where both questions are told together."""
    right_moves, begins_right = _anything_then(_reversed(right), labels, limits)
    both = concatenated([_reversed(right), _reversed(_without_empty(read))], limits).topology
    read_moves, begins_read = _anything_then(both, labels, limits)
    numbers = {(0, 0): 0}
    pairs = list(numbers)
    arcs: list[dict[int, list[int]]] = [{}]
    for number, (p, q) in enumerate(pairs):  # it grows as it is walked along
        for label in labels.tolist():
            pair = right_moves[p][label], read_moves[q][label]
            if pair not in numbers:
                numbers[pair] = len(pairs)
                pairs.append(pair)
                arcs.append({})
            arcs[numbers[pair]].setdefault(label, []).append(number)
        limits.check("the rewrite rule", states=len(pairs), at_least=True)
    return _Rest(0, arcs, [begins_right[p] for p, _ in pairs], [begins_read[q] for _, q in pairs])


class _Rule:
    """A rule from left to right, or everywhere at once."""

    def __init__(
        self, graphs: Sequence[Topology], labels: IntArray, *, simultaneous: bool, optional: bool, limits: Limits
    ) -> None:
        self.tau, left, right = graphs
        tau = self.tau
        read = minimal_acceptor(
            Topology.make(tau.n_states, tau.src, tau.dst, tau.ilabel, None, tau.start, tau.accept), limits
        )
        self.inserts = bool(len(read.accept)) and int(read.accept[0]) == 0  # τ reads the empty string
        self.first = _BEFORE if self.inserts else _AT
        self.rest = _rest(read, right, labels, limits)
        self.left_moves, self.left_accepts = _anything_then(left, labels, limits)
        self.simultaneous, self.optional = simultaneous, optional
        self.accepts = set(tau.accept.tolist())
        self.arcs: list[list[tuple[int, int, int, int]]] = [[] for _ in range(tau.n_states)]
        rows = zip(tau.src.tolist(), tau.dst.tolist(), tau.ilabel.tolist(), tau.olabel.tolist(), strict=True)
        for arc, (src, dst, ilabel, olabel) in enumerate(rows):
            self.arcs[src].append((arc, dst, ilabel, olabel))

    def starts(self) -> list[_State]:
        return [(rest, 0, self.first, -1) for rest in range(len(self.rest.arcs))]

    def is_accept(self, state: _State) -> bool:
        rest, left, place, _ = state
        if rest != self.rest.end or place > _AT:
            return False
        return place == _AT or not self._must_insert(rest, left)

    def _must_insert(self, rest: int, left: int) -> bool:
        return not self.optional and self._may_insert(rest, left)

    def _may_insert(self, rest: int, left: int) -> bool:
        return self.inserts and self.rest.inserts[rest] and self.left_accepts[left]

    def leaving(self, state: _State) -> Iterator[_Arc]:
        """The arcs that leave a state, in order."""
        rest, left, place, tau = state
        if tau >= 0:
            yield from self._within(state)
            return
        if place == _BEFORE:
            if self._may_insert(rest, left):
                for begin in self.tau.start.tolist():
                    yield (rest, left, _INSERTING, begin), EPSILON, EPSILON, -1
            if self._must_insert(rest, left):
                return
        applies = self.rest.reads[rest] and self.left_accepts[left]
        if applies:
            for begin in self.tau.start.tolist():
                yield (rest, left, _READING, begin), EPSILON, EPSILON, -1
        if not applies or self.optional:
            for label, others in self.rest.arcs[rest].items():
                for other in others:
                    yield (other, self.left_moves[left][label], self.first, -1), label, label, -1

    def _within(self, state: _State) -> Iterator[_Arc]:
        rest, left, place, tau = state
        for arc, dst, read, written in self.arcs[tau]:
            seen = read if self.simultaneous else written
            to_left = left if seen == EPSILON else self.left_moves[left][seen]
            if read == EPSILON:
                yield (rest, to_left, place, dst), read, written, arc
            else:
                for other in self.rest.arcs[rest].get(read, ()):
                    yield (other, to_left, _HAS_READ, dst), read, written, arc
        if place != _READING and tau in self.accepts and self.rest.inserts[rest]:
            yield (rest, left, _AT, -1), EPSILON, EPSILON, -1

    def build(self, limits: Limits) -> Built:
        numbers = {state: number for number, state in enumerate(self.starts())}
        n_starts, states = len(numbers), list(numbers)
        arcs: list[tuple[int, int, int, int, int]] = []
        for number, state in enumerate(states):  # it grows as it is walked along
            for there, read, written, arc in self.leaving(state):
                to = numbers.get(there)
                if to is None:
                    to = numbers[there] = len(states)
                    states.append(there)
                arcs.append((number, to, read, written, arc))
            limits.check(
                "the rewrite rule",
                states=len(states),
                arcs=len(arcs),
                bytes=_BYTES_PER_ARC * len(arcs),
                at_least=True,
                smaller="choose shorter contexts or a smaller alphabet",
            )
        src, dst, ilabel, olabel, taken = np.array(arcs, dtype=np.int32).reshape(-1, 5).T
        accept = [number for number, state in enumerate(states) if self.is_accept(state)]
        whole = Topology.make(len(states), src, dst, ilabel, olabel, np.arange(n_starts), accept)
        kept = trim(whole.n_states, whole.src, whole.dst, whole.start, whole.accept)
        made, chosen = induced(whole, kept)
        return Built(made, (np.ascontiguousarray(taken[chosen]), *[np.full(len(chosen), -1, dtype=np.int32)] * 3))


def _build(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    tau, left, right, alphabet = topologies
    mentioned = (alphabet.ilabel, tau.ilabel, tau.olabel, left.ilabel, right.ilabel)
    labels = np.unique(np.concatenate(mentioned))
    labels = labels[labels != EPSILON].astype(np.int32)
    backwards = _RIGHT_TO_LEFT in parameters
    graphs = [_reversed(graph) for graph in (tau, right, left)] if backwards else [tau, left, right]
    rule = _Rule(
        graphs, labels, simultaneous=_SIMULTANEOUS in parameters, optional=_OPTIONAL in parameters, limits=limits
    )
    built = rule.build(limits)
    return Built(_reversed(built.topology), built.selections) if backwards else built


def _size(sizes: Sequence[Size], parameters: Parameters) -> Size:
    tau, left, right, alphabet = sizes
    states = (left.states + 1) * (right.states + 1) * (tau.states + 1)
    return Size(states, states * (alphabet.labels + 1), alphabet.labels)


OPERATOR = Operator(
    name="rewrite",
    summary="Reads any string of labels of Σ and of the rule, and writes it with what τ reads replaced, where λ stands "
    "before it and ρ after it, by what τ writes; weights are those of τ.",
    category=Category.STRUCTURAL,
    operands=(Type.GRAPH, Type.GRAPH, Type.GRAPH, Type.GRAPH),
    acceptors=(False, True, True, True),
    operand_names=("τ", "λ", "ρ", "Σ"),
    names=("rewrite",),
    words=("ltr", _RIGHT_TO_LEFT, _SIMULTANEOUS, "obl", _OPTIONAL),
    exclusive_words=(("ltr", _RIGHT_TO_LEFT, _SIMULTANEOUS), ("obl", _OPTIONAL)),
    ends_with_alphabet=True,
    build=_build,
    size=_size,
    laws=(
        Law("rewrite[∅, ε, ε, in[A]] @ A", "A", ("lse", "max", "count"), "a rule without strings changes nothing"),
        Law("rewrite[A, ∅, ε, in[A]] @ A", "A", ("lse", "max", "count"), "it applies nowhere"),
    ),
    example='LSE[A ∘ rewrite["a" : "b", "c", "d", in[A]]]',
    reference="Mohri and Sproat, An Efficient Compiler for Weighted Rewrite Rules (1996)",
)
