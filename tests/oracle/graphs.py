"""Naive graphs and the textbook's constructions, arc by arc, in plain Python.

The bottom of the oracle: every arc carries its weight and the leaf entries which that adds up. Nothing here is fast.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

EPSILON = -1

Key = tuple[str, int]


class TooLargeError(Exception):
    """The oracle declines: too many states or paths, or too near an edge to be judged in floats."""


class Arc(NamedTuple):
    """One arc; ``terms`` lists the (leaf name, entry) pairs whose weights add up to ``weight``, repeats included."""

    src: int
    dst: int
    ilabel: int
    olabel: int
    weight: float = 0.0
    terms: tuple[Key, ...] = ()

    def counts(self) -> dict[Key, int]:
        """How often each leaf entry enters this arc's weight: a row of the Jacobian."""
        return dict(Counter(self.terms))


@dataclass
class Graph:
    """States ``0 … n_states − 1``, arcs in order, sorted starts and accepts."""

    n_states: int = 0
    arcs: list[Arc] = field(default_factory=list)
    start: list[int] = field(default_factory=list)
    accept: list[int] = field(default_factory=list)

    @property
    def is_acceptor(self) -> bool:
        return all(a.ilabel == a.olabel for a in self.arcs)


def _shifted(arcs: Sequence[Arc], offset: int) -> list[Arc]:
    return [a._replace(src=a.src + offset, dst=a.dst + offset) for a in arcs]


def epsilon() -> Graph:
    return Graph(1, [], [0], [0])


def empty() -> Graph:
    return Graph()


def linear(labels: Sequence[int]) -> Graph:
    arcs = [Arc(k, k + 1, label, label) for k, label in enumerate(labels)]
    return Graph(len(labels) + 1, arcs, [0], [len(labels)])


def union(a: Graph, b: Graph) -> Graph:
    n = a.n_states
    return Graph(
        n + b.n_states,
        a.arcs + _shifted(b.arcs, n),
        a.start + [s + n for s in b.start],
        a.accept + [s + n for s in b.accept],
    )


def concatenate(a: Graph, b: Graph) -> Graph:
    n = a.n_states
    bridge = [Arc(p, q + n, EPSILON, EPSILON) for p in a.accept for q in b.start]
    return Graph(n + b.n_states, a.arcs + bridge + _shifted(b.arcs, n), list(a.start), [s + n for s in b.accept])


def closure(a: Graph) -> Graph:
    into = [Arc(0, s + 1, EPSILON, EPSILON) for s in a.start]
    back = [Arc(s + 1, 0, EPSILON, EPSILON) for s in a.accept]
    return Graph(a.n_states + 1, into + _shifted(a.arcs, 1) + back, [0], [0])


def plus(a: Graph) -> Graph:
    return concatenate(a, closure(a))


def optional(a: Graph) -> Graph:
    return union(epsilon(), a)


def power(a: Graph, n: int) -> Graph:
    if n == 0:
        return epsilon()
    result = a
    for _ in range(n - 1):
        result = concatenate(result, a)
    return result


def repeat(a: Graph, least: int, most: int | None) -> Graph:
    """``A{least,most}``; most None: unbounded."""
    if most is None:
        return closure(a) if least == 0 else concatenate(power(a, least), closure(a))
    if most == least:
        return power(a, least)
    tail = optional(a)
    for _ in range(most - least - 1):
        tail = optional(concatenate(a, tail))
    return tail if least == 0 else concatenate(power(a, least), tail)


def _map_labels(a: Graph, change: Callable[[int, int], tuple[int, int]]) -> Graph:
    arcs = []
    for arc in a.arcs:
        i, o = change(arc.ilabel, arc.olabel)
        arcs.append(arc._replace(ilabel=i, olabel=o))
    return Graph(a.n_states, arcs, list(a.start), list(a.accept))


def inverse(a: Graph) -> Graph:
    return _map_labels(a, lambda i, o: (o, i))


def project_input(a: Graph) -> Graph:
    return _map_labels(a, lambda i, o: (i, i))


def project_output(a: Graph) -> Graph:
    return _map_labels(a, lambda i, o: (o, o))


def relabel(a: Graph, mapping: Mapping[int, int], sides: str = "both") -> Graph:
    """Replaces labels; ``sides``: both, input or output. Labels that the mapping lacks stay."""

    def change(i: int, o: int) -> tuple[int, int]:
        return (i if sides == "output" else mapping.get(i, i)), (o if sides == "input" else mapping.get(o, o))

    return _map_labels(a, change)


def reverse(a: Graph) -> Graph:
    return Graph(a.n_states, [r._replace(src=r.dst, dst=r.src) for r in a.arcs], list(a.accept), list(a.start))


def weight(a: Graph, value: float, terms: tuple[Key, ...] = ()) -> Graph:
    """``A⟨w⟩``: a new state 0 as the single start, with an arc of weight w to each old start."""
    into = [Arc(0, s + 1, EPSILON, EPSILON, value, terms) for s in a.start]
    return Graph(a.n_states + 1, into + _shifted(a.arcs, 1), [0], [s + 1 for s in a.accept])


def cross(a: Graph, b: Graph) -> Graph:
    left = _map_labels(a, lambda i, o: (i, EPSILON))
    right = _map_labels(b, lambda i, o: (EPSILON, o))
    return concatenate(left, right)


def reachable(n_states: int, sources: Sequence[int], edges: Sequence[tuple[int, int]]) -> list[bool]:
    """Which states can be reached from the sources along the edges."""
    following: list[list[int]] = [[] for _ in range(n_states)]
    for p, q in edges:
        following[p].append(q)
    seen = [False] * n_states
    stack = list(sources)
    for s in stack:
        seen[s] = True
    while stack:
        for q in following[stack.pop()]:
            if not seen[q]:
                seen[q] = True
                stack.append(q)
    return seen


def _keep(a: Graph, kept: Sequence[bool]) -> Graph:
    number = {}
    for s in range(a.n_states):
        if kept[s]:
            number[s] = len(number)
    arcs = [r._replace(src=number[r.src], dst=number[r.dst]) for r in a.arcs if kept[r.src] and kept[r.dst]]
    return Graph(len(number), arcs, [number[s] for s in a.start if kept[s]], [number[s] for s in a.accept if kept[s]])


def connect(a: Graph) -> Graph:
    """Drops states that lie on no accepting path, order kept."""
    forward = reachable(a.n_states, a.start, [(r.src, r.dst) for r in a.arcs])
    backward = reachable(a.n_states, a.accept, [(r.dst, r.src) for r in a.arcs])
    return _keep(a, [f and b for f, b in zip(forward, backward, strict=True)])


def compose(a: Graph, b: Graph, max_states: int = 4000, max_arcs: int = 20000) -> Graph:
    """``A ∘ B`` with the ε filter of the language's rules: after a lone arc of B, no lone arc of A until a match."""
    from_a: dict[int, list[Arc]] = {}
    for arc in a.arcs:
        from_a.setdefault(arc.src, []).append(arc)
    matching: dict[tuple[int, int], list[Arc]] = {}
    for arc in b.arcs:
        matching.setdefault((arc.src, arc.ilabel), []).append(arc)

    number: dict[tuple[int, int, int], int] = {}
    queue: deque[tuple[int, int, int]] = deque()

    def visit(p: int, q: int, blocked: int) -> int:
        state = (p, q, blocked)
        if state not in number:
            number[state] = len(number)
            queue.append(state)
        return number[state]

    start = [visit(p, q, 0) for p in a.start for q in b.start]
    arcs: list[Arc] = []
    while queue:
        p, q, blocked = queue.popleft()
        here = number[p, q, blocked]
        for left in from_a.get(p, ()):
            if left.olabel == EPSILON:
                if blocked == 0:
                    to = visit(left.dst, q, 0)
                    arcs.append(Arc(here, to, left.ilabel, EPSILON, left.weight, left.terms))
                continue
            for right in matching.get((q, left.olabel), ()):
                to = visit(left.dst, right.dst, 0)
                total = left.weight + right.weight
                arcs.append(Arc(here, to, left.ilabel, right.olabel, total, left.terms + right.terms))
        for right in matching.get((q, EPSILON), ()):
            to = visit(p, right.dst, 1)
            arcs.append(Arc(here, to, EPSILON, right.olabel, right.weight, right.terms))
        if len(number) > max_states or len(arcs) > max_arcs:
            raise TooLargeError(f"composition of more than {max_states} states or {max_arcs} arcs")
    accepting_a, accepting_b = set(a.accept), set(b.accept)
    accept = [k for (p, q, _), k in number.items() if p in accepting_a and q in accepting_b]
    everything = Graph(len(number), arcs, start, accept)
    return _keep(everything, reachable(len(number), accept, [(r.dst, r.src) for r in arcs]))


def _subsets(a: Graph) -> Graph:
    """The deterministic graph of the sets of states that strings lead to, breadth first, labels in order."""
    following: dict[tuple[int, int], set[int]] = {}
    for arc in a.arcs:
        following.setdefault((arc.src, arc.ilabel), set()).add(arc.dst)

    def close(states: set[int]) -> frozenset[int]:
        found = set(states)
        while more := {q for p in found for q in following.get((p, EPSILON), ())} - found:
            found |= more
        return frozenset(found)

    labels = sorted({arc.ilabel for arc in a.arcs} - {EPSILON})
    number = {close(set(a.start)): 0}
    queue, arcs = list(number), []
    for here in queue:
        for label in labels:
            there = close({q for p in here for q in following.get((p, label), ())})
            if there:
                if there not in number:
                    number[there] = len(number)
                    queue.append(there)
                arcs.append(Arc(number[here], number[there], label, label))
        if len(number) > 2000:
            raise TooLargeError("more than 2000 subsets")
    accept = [number[states] for states in queue if states & set(a.accept)]
    return Graph(len(number), arcs, [0], accept)


def support(a: Graph) -> Graph:
    """The minimal deterministic acceptor of a's strings: reversed and made deterministic twice (Brzozowski 1962)."""
    if not a.is_acceptor:
        raise ValueError("support of a transducer")
    return connect(_subsets(reverse(_subsets(reverse(connect(a))))))


def difference(a: Graph, b: Graph) -> Graph:
    """Pairs of a state of a and one of b's minimal acceptor, None where that accepts nothing any more."""
    strings = support(b)
    following = {(arc.src, arc.ilabel): arc.dst for arc in strings.arcs}
    begin = strings.start[0] if strings.start else None
    number = {(p, begin): k for k, p in enumerate(a.start)}
    queue, arcs = list(number), []
    for p, q in queue:
        for arc in a.arcs:
            if arc.src == p:
                there = (arc.dst, q if arc.ilabel == EPSILON else following.get((q, arc.ilabel)))
                if there not in number:
                    number[there] = len(number)
                    queue.append(there)
                arcs.append(arc._replace(src=number[p, q], dst=number[there]))
    accept = [k for (p, q), k in number.items() if p in a.accept and q not in strings.accept]
    everything = Graph(len(number), arcs, [number[p, begin] for p in a.start], accept)
    return _keep(everything, reachable(len(number), accept, [(r.dst, r.src) for r in arcs]))


def intersect(a: Graph, b: Graph, max_states: int = 4000, max_arcs: int = 20000) -> Graph:
    if not (a.is_acceptor and b.is_acceptor):
        raise ValueError("intersection of a transducer")
    return compose(a, b, max_states, max_arcs)
