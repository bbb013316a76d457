"""Whether two graphs are equal, arc by arc, or isomorphic: the same up to the numbering of states and arcs.

Isomorphism is decided exactly, by partition refinement and, where that leaves a choice, by trying it: states that
start out alike are told apart by their arcs until nothing more can be told; then one state is paired with each
candidate in turn. What lies between states that are paired already falls into components that are matched one by one,
so that symmetric parts (copies of a chain, states that are interchangeable) multiply no work. See B. McKay and
A. Piperno, *Practical graph isomorphism, II* (2014), for the method and for the graphs on which it is slow.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import kind_of
from arcgrad.runtime.data.arguments import real_number
from arcgrad.runtime.data.bare_graph import BareGraph

__all__ = ["equal", "isomorphic"]

Adjacency = list[list[tuple[int, int]]]
Search = Generator["Search", bool, bool]


def equal(a: BareGraph, b: BareGraph, tolerance: float = 0.0) -> bool:
    """Whether two graphs have the same states, starts, accepts and arcs, in the same order.

    Args:
        a: a graph.
        b: a graph.
        tolerance: by how many nats arc weights may differ; −inf equals only −inf. Ties do not matter, only the weight
            that each arc has.

    Raises:
        InputError: an argument that is not a graph, or a tolerance that is not a number ≥ 0.

    Example:
        >>> import arcgrad as ag
        >>> ag.equal(ag.linear([1, 2]), ag.linear([1, 2], weight=[0.0, 1e-12]), tolerance=1e-9)
        True
    """
    tolerance = _check(a, b, tolerance)
    return _same_topology(a, b) and bool(np.all(_close(a.arc_weight, b.arc_weight, tolerance)))


def isomorphic(a: BareGraph, b: BareGraph, tolerance: float = 1e-9) -> bool:
    """Whether the states and arcs of one graph can be renumbered so that it equals the other.

    All states count, also those that no path reaches. Takes time near linear in the number of arcs, except on graphs
    made to be hard.

    Args:
        a: a graph.
        b: a graph.
        tolerance: by how many nats the weights of corresponding arcs may differ.

    Raises:
        InputError: an argument that is not a graph, or a tolerance that is not a number ≥ 0.

    Example:
        >>> import arcgrad as ag
        >>> a = ag.Graph.from_arcs([(0, 1, 5), (0, 2, 6)], accept=[1, 2])
        >>> b = ag.Graph.from_arcs([(2, 0, 6), (2, 1, 5)], start=[2], accept=[0, 1])
        >>> ag.isomorphic(a, b), ag.equal(a, b)
        (True, False)
    """
    tolerance = _check(a, b, tolerance)
    counts = [(g.n_states, g.n_arcs, len(g.start), len(g.accept)) for g in (a, b)]
    if counts[0] != counts[1]:
        return False
    if a.n_states == 0 or equal(a, b, tolerance):
        return True
    clusters, transitive = _cluster(np.concatenate([a.arc_weight, b.arc_weight]), tolerance)
    partition = _Partition.whole(a, b, _adjacency(a, b, clusters))
    if not partition.refine(list(partition.members)):
        return False
    return _run(_match(partition)) if transitive else _match_within_tolerance(partition, a, b, tolerance)


def _check(a: Any, b: Any, tolerance: Any) -> float:
    for name, graph in (("a", a), ("b", b)):
        if not isinstance(graph, BareGraph):
            hint = "compare a dense input as its .to_graph()" if hasattr(graph, "to_graph") else None
            raise InputError(f"{name} is {kind_of(graph)}, but must be a Graph", hint=hint)
    return real_number(tolerance, "tolerance", "a number ≥ 0", lambda number: number >= 0)


def _same_topology(a: BareGraph, b: BareGraph) -> bool:
    s, t = a.topology, b.topology
    if s is t:
        return True
    return s.n_states == t.n_states and all(
        np.array_equal(x, y)
        for x, y in (
            (s.src, t.src),
            (s.dst, t.dst),
            (s.ilabel, t.ilabel),
            (s.olabel, t.olabel),
            (s.start, t.start),
            (s.accept, t.accept),
        )
    )


def _close(x: NDArray[np.float64], y: NDArray[np.float64], tolerance: float) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):  # −inf − −inf, which x == y answers
        close: NDArray[np.bool_] = (x == y) | ((np.abs(x - y) <= tolerance) & (x > -np.inf) & (y > -np.inf))
        return close


def _cluster(weights: NDArray[np.float64], tolerance: float) -> tuple[NDArray[np.int64], bool]:
    """A cluster number for each weight, such that weights within the tolerance share a cluster.

    The second value tells whether the converse holds too, so that "within the tolerance" is transitive here.
    """
    order = np.argsort(weights, kind="stable")
    ranked = weights[order]
    new = np.ones(len(ranked), dtype=bool)
    new[1:] = ~_close(ranked[1:], ranked[:-1], tolerance)
    numbers = np.cumsum(new) - 1
    clusters = np.empty(len(ranked), dtype=np.int64)
    clusters[order] = numbers
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(ranked)) - 1
    return clusters, bool(np.all(_close(ranked[first], ranked[last], tolerance))) if len(first) else True


def _adjacency(a: BareGraph, b: BareGraph, clusters: NDArray[np.int64]) -> Adjacency:
    """For each state of both graphs, b's after a's: its neighbours, each with the kind and direction of the arc."""
    kinds = np.stack([np.concatenate([a.ilabel, b.ilabel]), np.concatenate([a.olabel, b.olabel]), clusters])
    _, kind = np.unique(kinds, axis=1, return_inverse=True)
    src = np.concatenate([a.src.astype(np.int64), b.src.astype(np.int64) + a.n_states]).tolist()
    dst = np.concatenate([a.dst.astype(np.int64), b.dst.astype(np.int64) + a.n_states]).tolist()
    adjacency: Adjacency = [[] for _ in range(2 * a.n_states)]
    for tail, head, code in zip(src, dst, (2 * kind.reshape(-1)).tolist(), strict=True):
        adjacency[head].append((tail, code))
        adjacency[tail].append((head, code + 1))
    return adjacency


class _Partition:
    """Some states of both graphs, in cells: states that are not told apart yet. A cell has as many of a as of b.

    Attributes:
        adjacency: of all states.
        n: states below n are a's, the others b's.
        cell_of: the cell of each state that takes part.
        members: the states of each cell.
    """

    __slots__ = ("adjacency", "cell_of", "members", "n")

    def __init__(self, adjacency: Adjacency, n: int, cell_of: dict[int, int]) -> None:
        self.adjacency = adjacency
        self.n = n
        self.cell_of = cell_of
        self.members: dict[int, set[int]] = {}
        for state, cell in cell_of.items():
            self.members.setdefault(cell, set()).add(state)

    @classmethod
    def whole(cls, a: BareGraph, b: BareGraph, adjacency: Adjacency) -> _Partition:
        """All states, told apart only by being start and accept."""
        n = a.n_states
        cell_of = dict.fromkeys(range(2 * n), 0)
        for offset, graph in ((0, a), (n, b)):
            for state in graph.start.tolist():
                cell_of[offset + state] += 1
            for state in graph.accept.tolist():
                cell_of[offset + state] += 2
        return cls(adjacency, n, cell_of)

    def is_balanced(self, states: list[int] | set[int]) -> bool:
        """Whether half of the states are a's."""
        return 2 * sum(state < self.n for state in states) == len(states)

    def refine(self, work: list[int]) -> bool:
        """Split cells until states of a cell have the same arcs to and from every cell; False if one gets unbalanced.

        Hopcroft's worklist: of the parts of a cell that was dealt with, the largest need not be looked at again.

        Args:
            work: cells by which others have not been split yet; used up.
        """
        cell_of, members = self.cell_of, self.members
        if not all(self.is_balanced(members[cell]) for cell in work):
            return False
        waiting = set(work)
        fresh = max(members) + 1
        while work:
            splitter = work.pop()
            waiting.discard(splitter)
            touched: dict[int, list[int]] = {}
            for state in members[splitter]:
                for neighbour, code in self.adjacency[state]:
                    if neighbour in cell_of:
                        touched.setdefault(neighbour, []).append(code)
            parts_of: dict[int, dict[tuple[int, ...], list[int]]] = {}
            for state, codes in touched.items():
                codes.sort()
                parts_of.setdefault(cell_of[state], {}).setdefault(tuple(codes), []).append(state)
            for cell, by_codes in parts_of.items():
                parts = sorted(by_codes.values(), key=len)
                if not all(self.is_balanced(part) for part in parts):
                    return False
                whole = members[cell]
                if sum(map(len, parts)) == len(whole):
                    parts.pop()  # the largest stays as it is
                ids = [cell]
                for part in parts:
                    whole.difference_update(part)
                    members[fresh] = set(part)
                    cell_of.update(dict.fromkeys(part, fresh))
                    ids.append(fresh)
                    fresh += 1
                if cell in waiting:
                    ids.remove(cell)
                else:
                    ids.remove(max(ids, key=lambda number: len(members[number])))
                work += ids
                waiting.update(ids)
        return True

    def paired(self, states: list[int], one: int, other: int) -> _Partition | None:
        """Those states only, with ``one`` and ``other`` in a cell of their own, refined; None if that cannot be."""
        cell_of = {state: self.cell_of[state] for state in states}
        alone = max(cell_of.values()) + 1
        cell_of[one] = cell_of[other] = alone
        partition = _Partition(self.adjacency, self.n, cell_of)
        return partition if partition.refine([alone]) else None

    def components(self) -> Iterator[list[int]]:
        """States that are not paired yet, by the components that they form when paired ones are taken away."""
        loose = {state for cell in self.members.values() if len(cell) > 2 for state in cell}
        while loose:
            found = [loose.pop()]
            for state in found:
                for neighbour, _ in self.adjacency[state]:
                    if neighbour in loose:
                        loose.remove(neighbour)
                        found.append(neighbour)
            yield found


def _match(partition: _Partition) -> Search:
    """Whether a refined partition can be refined to pairs. A generator of sub-searches, so that depth costs no stack.

    States of one cell have the same arcs to every paired state, so that components can be matched one by one; and
    being isomorphic is transitive, so that any component that fits may be taken for good.
    """
    sides: tuple[dict[tuple[int, ...], list[list[int]]], ...] = ({}, {})
    for states in partition.components():
        cells = tuple(sorted(partition.cell_of[state] for state in states))
        sides[states[0] >= partition.n].setdefault(cells, []).append(states)
    if {k: len(v) for k, v in sides[0].items()} != {k: len(v) for k, v in sides[1].items()}:
        return False
    for cells, of_a in sides[0].items():
        if len(cells) == 1:
            continue
        candidates = sides[1][cells]
        for one in of_a:
            for index, other in enumerate(candidates):
                if (yield _match_components(partition, one, other)):
                    del candidates[index]
                    break
            else:
                return False
    return True


def _match_components(partition: _Partition, of_a: list[int], of_b: list[int]) -> Search:
    cell_of = partition.cell_of
    counts: dict[int, int] = {}
    for state in of_a:
        counts[cell_of[state]] = counts.get(cell_of[state], 0) + 1
    state = min(of_a, key=lambda candidate: counts[cell_of[candidate]])
    for other in of_b:
        if cell_of[other] == cell_of[state]:
            finer = partition.paired(of_a + of_b, state, other)
            if finer is not None and (yield _match(finer)):
                return True
    return False


def _run(search: Search) -> bool:
    """Run a search that yields sub-searches and is sent their answers."""
    stack: list[Search] = [search]
    answer: bool | None = None
    while stack:
        try:
            stack.append(next(stack[-1]) if answer is None else stack[-1].send(answer))
            answer = None
        except StopIteration as stop:
            stack.pop()
            answer = bool(stop.value)
    return bool(answer)


def _match_within_tolerance(partition: _Partition, a: BareGraph, b: BareGraph, tolerance: float) -> bool:
    """Whether pairs exist whose arcs' weights agree, where weights a and b, b and c may be close but a and c not.

    Then no choice may be taken for good, so this goes back over all of them.
    """
    stack = [iter([partition])]
    while stack:
        node = next(stack[-1], None)
        if node is None:
            stack.pop()
        elif _weights_agree(node, a, b, tolerance):
            loose = [cell for cell in node.members.values() if len(cell) > 2]
            if not loose:
                return True
            stack.append(_children(node, min(loose, key=len)))
    return False


def _children(partition: _Partition, cell: set[int]) -> Iterator[_Partition]:
    one = min(cell)
    states = list(partition.cell_of)
    for other in sorted(state for state in cell if state >= partition.n):
        finer = partition.paired(states, one, other)
        if finer is not None:
            yield finer


def _weights_agree(partition: _Partition, a: BareGraph, b: BareGraph, tolerance: float) -> bool:
    """Whether the arcs between paired states can be paired within the tolerance."""
    image = np.full(a.n_states, -1, dtype=np.int64)
    is_paired = np.zeros(a.n_states, dtype=bool)
    for cell in partition.members.values():
        if len(cell) == 2:
            one, other = sorted(cell)
            image[other - a.n_states] = one
            is_paired[one] = True
    columns = []
    for g, src, dst in (
        (a, np.where(is_paired[a.src], a.src, -1), np.where(is_paired[a.dst], a.dst, -1)),
        (b, image[b.src], image[b.dst]),
    ):
        rows = np.stack([src, dst, g.ilabel, g.olabel]).astype(np.int64)[:, (src >= 0) & (dst >= 0)]
        weights = g.arc_weight[(src >= 0) & (dst >= 0)]
        order = np.lexsort((weights, *rows[::-1]))
        columns.append((rows[:, order], weights[order]))
    (rows_a, weights_a), (rows_b, weights_b) = columns
    # Parallel arcs in order of weight: if any pairing fits, this one does.
    return np.array_equal(rows_a, rows_b) and bool(np.all(_close(weights_a, weights_b, tolerance)))
