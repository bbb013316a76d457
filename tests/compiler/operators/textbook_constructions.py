"""Oracle of the operator tests: each construction as a textbook gives it, with lists, dicts and a queue, arc by arc.

Written from the equation language's description alone, and sharing nothing with the operators. A graph is a NaiveGraph
whose arcs carry what they are made of: for each operand, the set of its arcs whose weights they take.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, replace

from arcgrad.compiler.operators import Built
from arcgrad.compiler.topology import Topology

EPSILON = -1


@dataclass(frozen=True)
class NaiveArc:
    """An arc, and (operand number, arc number) pairs of the weights that it adds up."""

    src: int
    dst: int
    ilabel: int
    olabel: int
    weights: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class NaiveGraph:
    """States 0 … n − 1, arcs in order, starts and accepts in order."""

    n: int
    arcs: tuple[NaiveArc, ...]
    start: tuple[int, ...]
    accept: tuple[int, ...]

    def topology(self) -> Topology:
        return Topology.from_arcs(
            self.n, [(a.src, a.dst, a.ilabel, a.olabel) for a in self.arcs], self.start, self.accept
        )

    def operand(self, number: int) -> NaiveGraph:
        """The same graph whose arc k takes the weight of arc k of that operand."""
        return replace(self, arcs=tuple(replace(a, weights=((number, k),)) for k, a in enumerate(self.arcs)))


def random_graph(
    source: random.Random, *, acceptor: bool = False, epsilon: float = 0.3, states: int = 4, arcs: int = 7
) -> NaiveGraph:
    """A small graph: maybe empty or cyclic, with ε, parallel arcs, self-loops, several starts and accepts."""
    n = source.randrange(states + 1)
    if n == 0:
        return NaiveGraph(0, (), (), ())

    def label() -> int:
        return EPSILON if source.random() < epsilon else source.randrange(3)

    made = []
    for _ in range(source.randrange(arcs + 1)):
        ilabel = label()
        made.append(NaiveArc(source.randrange(n), source.randrange(n), ilabel, ilabel if acceptor else label()))
    if made and source.random() < 0.3:
        made.append(source.choice(made))
    start = sorted(source.sample(range(n), source.choice([0, 1, 1, 1, min(2, n), n])))
    accept = sorted(source.sample(range(n), source.choice([0, 1, 1, 1, min(2, n), n])))
    return NaiveGraph(n, tuple(made), tuple(start), tuple(accept))


def shift(a: NaiveGraph, by: int) -> NaiveGraph:
    return NaiveGraph(
        a.n + by,
        tuple(replace(x, src=x.src + by, dst=x.dst + by) for x in a.arcs),
        tuple(s + by for s in a.start),
        tuple(s + by for s in a.accept),
    )


EPSILON_GRAPH = NaiveGraph(1, (), (0,), (0,))


def union(a: NaiveGraph, b: NaiveGraph) -> NaiveGraph:
    b = shift(b, a.n)
    return NaiveGraph(b.n, a.arcs + b.arcs, a.start + b.start, a.accept + b.accept)


def concatenate(a: NaiveGraph, b: NaiveGraph) -> NaiveGraph:
    b = shift(b, a.n)
    links = tuple(NaiveArc(p, q, EPSILON, EPSILON) for p in a.accept for q in b.start)
    return NaiveGraph(b.n, a.arcs + links + b.arcs, a.start, b.accept)


def closure(a: NaiveGraph) -> NaiveGraph:
    a = shift(a, 1)
    enter = tuple(NaiveArc(0, s, EPSILON, EPSILON) for s in a.start)
    leave = tuple(NaiveArc(s, 0, EPSILON, EPSILON) for s in a.accept)
    return NaiveGraph(a.n, enter + a.arcs + leave, (0,), (0,))


def power(a: NaiveGraph, n: int) -> NaiveGraph:
    if n == 0:
        return EPSILON_GRAPH
    result = a
    for _ in range(n - 1):
        result = concatenate(result, a)
    return result


def repeat(a: NaiveGraph, least: int, most: int | None) -> NaiveGraph:
    if most is None:
        rest = closure(a)
    elif most == least:
        return power(a, least)
    else:
        rest = union(EPSILON_GRAPH, a)
        for _ in range(most - least - 1):
            rest = union(EPSILON_GRAPH, concatenate(a, rest))
    return rest if least == 0 else concatenate(power(a, least), rest)


def weight(a: NaiveGraph, score_operand: int) -> NaiveGraph:
    a = shift(a, 1)
    enter = tuple(NaiveArc(0, s, EPSILON, EPSILON, ((score_operand, 0),)) for s in a.start)
    return NaiveGraph(a.n, enter + a.arcs, (0,), a.accept)


def relabelled(a: NaiveGraph, inputs: dict[int, int], outputs: dict[int, int]) -> NaiveGraph:
    arcs = tuple(
        replace(x, ilabel=inputs.get(x.ilabel, x.ilabel), olabel=outputs.get(x.olabel, x.olabel)) for x in a.arcs
    )
    return replace(a, arcs=arcs)


def inverse(a: NaiveGraph) -> NaiveGraph:
    return replace(a, arcs=tuple(replace(x, ilabel=x.olabel, olabel=x.ilabel) for x in a.arcs))


def reverse(a: NaiveGraph) -> NaiveGraph:
    return NaiveGraph(a.n, tuple(replace(x, src=x.dst, dst=x.src) for x in a.arcs), a.accept, a.start)


def project_input(a: NaiveGraph) -> NaiveGraph:
    return replace(a, arcs=tuple(replace(x, olabel=x.ilabel) for x in a.arcs))


def project_output(a: NaiveGraph) -> NaiveGraph:
    return replace(a, arcs=tuple(replace(x, ilabel=x.olabel) for x in a.arcs))


def cross(a: NaiveGraph, b: NaiveGraph) -> NaiveGraph:
    reads = replace(a, arcs=tuple(replace(x, olabel=EPSILON) for x in a.arcs))
    writes = replace(b, arcs=tuple(replace(x, ilabel=EPSILON) for x in b.arcs))
    return concatenate(reads, writes)


def _closed_set(seeds: tuple[int, ...], edges: list[tuple[int, int]]) -> set[int]:
    found, queue = set(seeds), deque(seeds)
    while queue:
        state = queue.popleft()
        for p, q in edges:
            if p == state and q not in found:
                found.add(q)
                queue.append(q)
    return found


def keep(a: NaiveGraph, states: set[int]) -> NaiveGraph:
    number = {s: i for i, s in enumerate(sorted(states))}
    arcs = tuple(
        replace(x, src=number[x.src], dst=number[x.dst]) for x in a.arcs if x.src in number and x.dst in number
    )
    return NaiveGraph(
        len(number),
        arcs,
        tuple(number[s] for s in a.start if s in number),
        tuple(number[s] for s in a.accept if s in number),
    )


def useful(a: NaiveGraph) -> set[int]:
    return _closed_set(a.accept, [(x.dst, x.src) for x in a.arcs])


def connect(a: NaiveGraph) -> NaiveGraph:
    return keep(a, useful(a) & _closed_set(a.start, [(x.src, x.dst) for x in a.arcs]))


def compose(a: NaiveGraph, b: NaiveGraph) -> NaiveGraph:
    number: dict[tuple[int, int, int], int] = {}
    queue: deque[tuple[int, int, int]] = deque()

    def visit(state: tuple[int, int, int]) -> int:
        if state not in number:
            number[state] = len(number)
            queue.append(state)
        return number[state]

    start = tuple(visit((p, q, 0)) for p in a.start for q in b.start)
    arcs: list[NaiveArc] = []
    while queue:
        p, q, f = state = queue.popleft()
        for x in a.arcs:
            if x.src != p:
                continue
            if x.olabel == EPSILON:
                if f == 0:
                    arcs.append(NaiveArc(number[state], visit((x.dst, q, 0)), x.ilabel, EPSILON, x.weights))
                continue
            for y in b.arcs:
                if y.src == q and y.ilabel == x.olabel:
                    target = visit((x.dst, y.dst, 0))
                    arcs.append(NaiveArc(number[state], target, x.ilabel, y.olabel, x.weights + y.weights))
        for y in b.arcs:
            if y.src == q and y.ilabel == EPSILON:
                arcs.append(NaiveArc(number[state], visit((p, y.dst, 1)), EPSILON, y.olabel, y.weights))
    accept = tuple(i for (p, q, _), i in number.items() if p in a.accept and q in b.accept)
    whole = NaiveGraph(len(number), tuple(arcs), start, accept)
    return keep(whole, useful(whole))


def assert_built(built: Built, expected: NaiveGraph, operands: int) -> None:
    """The built graph has these states and arcs in this order, and its selections say what each arc is made of."""
    topology = built.topology
    assert topology.n_states == expected.n
    columns = (topology.src, topology.dst, topology.ilabel, topology.olabel)
    found = list(zip(*(c.tolist() for c in columns), strict=True))
    assert found == [(x.src, x.dst, x.ilabel, x.olabel) for x in expected.arcs]
    assert topology.start.tolist() == list(expected.start)
    assert topology.accept.tolist() == list(expected.accept)
    assert len(built.selections) == operands
    for k, selection in enumerate(built.selections):
        assert selection.dtype == "int32"
        wanted = []
        for arc in expected.arcs:
            entries = [number for operand, number in arc.weights if operand == k]
            assert len(entries) <= 1
            wanted.append(entries[0] if entries else -1)
        assert selection.tolist() == wanted
    for array in (*columns, topology.start, topology.accept):
        assert array.dtype == "int32"
        assert array.flags.c_contiguous
        assert not array.flags.writeable
