"""Layers of a drawing: which column each node stands in, and in which order, so that few arcs cross.

The method of Sugiyama, Tagawa and Toda (1981): break cycles, put nodes into columns by longest paths, lead arcs through
a place in every column between, and order the columns by barycentres. Arcs have a column of their own for labels
between any two columns of nodes, so that a label is a place like any other. First step of a layout.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Layers", "count_crossings", "make_layers", "ranks_of"]

Edge = tuple[int, int]

_SWEEPS = 24
_MOST_PLACES_TO_SWAP = 600  # places whose neighbours are tried in exchange; beyond that it takes seconds


@dataclass(frozen=True)
class Layers:
    """Places in columns. Places below ``n_nodes`` are nodes, the others are where edges pass a column.

    Attributes:
        n_nodes: number of nodes.
        columns: places of each column from top to bottom; nodes are in even columns, labels in odd ones.
        column_of: the column of each place.
        chains: for each edge its places from the left to the right, the two nodes among them.
        is_back: for each edge whether it leads from the right to the left.
        label_at: for each edge the place of its label.
    """

    n_nodes: int
    columns: tuple[tuple[int, ...], ...]
    column_of: tuple[int, ...]
    chains: tuple[tuple[int, ...], ...]
    is_back: tuple[bool, ...]
    label_at: tuple[int, ...]


def make_layers(n_nodes: int, edges: Sequence[Edge], first: Sequence[int] = ()) -> Layers:
    """Put nodes and edges into columns.

    Args:
        n_nodes: number of nodes.
        edges: source and destination of each edge, no self-loops; parallel edges are allowed.
        first: nodes to begin with, such as start states.
    """
    ranks, is_back, order = ranks_of(n_nodes, edges, first)
    column_of = [2 * rank for rank in ranks]
    columns: list[list[int]] = [[] for _ in range(max(column_of, default=-1) + 1)]
    for node in order:
        columns[column_of[node]].append(node)
    chains: list[tuple[int, ...]] = []
    label_at: list[int] = []
    for (source, destination), back in zip(edges, is_back, strict=True):
        left, right = (destination, source) if back else (source, destination)
        begin, end = column_of[left], column_of[right]
        middle = begin + 1 + 2 * ((end - begin - 2) // 4)
        chain = [left]
        for column in range(begin + 1, end):
            place = len(column_of)
            column_of.append(column)
            columns[column].append(place)
            chain.append(place)
            if column == middle:
                label_at.append(place)
        chains.append((*chain, right))
    ordered = _order(columns, column_of, chains)
    return Layers(
        n_nodes,
        tuple(map(tuple, ordered)),
        tuple(column_of),
        tuple(chains),
        tuple(is_back),
        tuple(label_at),
    )


def ranks_of(n_nodes: int, edges: Sequence[Edge], first: Sequence[int]) -> tuple[list[int], list[bool], list[int]]:
    """The rank of each node, by longest paths; which edges lead back; and nodes in the order in which they were found.

    Edges lead back that close a cycle in a depth-first search from the first nodes.
    """
    leaving: list[list[int]] = [[] for _ in range(n_nodes)]
    entering: list[list[int]] = [[] for _ in range(n_nodes)]
    for number, (source, destination) in enumerate(edges):
        leaving[source].append(number)
        entering[destination].append(number)
    is_back = [False] * len(edges)
    found: list[int] = []
    state = [0] * n_nodes  # 0: not found, 1: on the way, 2: finished
    sources = [node for node in range(n_nodes) if not entering[node]]
    for root in (*first, *sources, *range(n_nodes)):
        if state[root]:
            continue
        state[root] = 1
        found.append(root)
        stack = [(root, iter(leaving[root]))]
        while stack:
            node, arcs = stack[-1]
            for number in arcs:
                there = edges[number][1]
                if state[there] == 1:
                    is_back[number] = True
                elif state[there] == 0:
                    state[there] = 1
                    found.append(there)
                    stack.append((there, iter(leaving[there])))
                    break
            else:
                state[node] = 2
                stack.pop()
    ranks = [0] * n_nodes
    ends = [tuple(reversed(edge)) if back else edge for edge, back in zip(edges, is_back, strict=True)]
    ahead: list[list[int]] = [[] for _ in range(n_nodes)]
    behind: list[list[int]] = [[] for _ in range(n_nodes)]
    for left, right in ends:
        ahead[left].append(right)
        behind[right].append(left)
    topological = _topological(ahead, behind, found)
    for node in topological:
        for there in ahead[node]:
            ranks[there] = max(ranks[there], ranks[node] + 1)
    starts = set(first)
    for node in reversed(topological):  # short arcs: to the right, where that is nearer to more neighbours
        if ahead[node] and len(ahead[node]) > len(behind[node]) and not (node in starts and not behind[node]):
            ranks[node] = max(ranks[node], min(ranks[there] for there in ahead[node]) - 1)
    return ranks, is_back, found


def _topological(ahead: list[list[int]], behind: list[list[int]], found: list[int]) -> list[int]:
    waiting = [len(nodes) for nodes in behind]
    ready = [node for node in found if not waiting[node]]
    done: list[int] = []
    while ready:
        node = ready.pop()
        done.append(node)
        for there in ahead[node]:
            waiting[there] -= 1
            if not waiting[there]:
                ready.append(there)
    return done


def count_crossings(columns: Sequence[Sequence[int]], right_of: Sequence[Sequence[int]]) -> int:
    """How many pairs of segments between neighbouring columns cross.

    Args:
        columns: places from top to bottom.
        right_of: for each place the places in the next column that it is joined to.
    """
    at = [0] * len(right_of)
    for column in columns:
        for position, place in enumerate(column):
            at[place] = position
    return sum(_crossings(column, right_of, at) for column in columns)


def _crossings(column: Sequence[int], right_of: Sequence[Sequence[int]], at: Sequence[int]) -> int:
    passed: list[int] = []  # positions on the right of segments from above, sorted
    crossings = 0
    for place in column:
        positions = sorted(at[there] for there in right_of[place])
        crossings += sum(len(passed) - bisect_right(passed, position) for position in positions)
        for position in positions:
            passed.insert(bisect_right(passed, position), position)
    return crossings


def _order(columns: list[list[int]], column_of: list[int], chains: Sequence[Sequence[int]]) -> list[list[int]]:
    n_places = len(column_of)
    left_of: list[list[int]] = [[] for _ in range(n_places)]
    right_of: list[list[int]] = [[] for _ in range(n_places)]
    for chain in chains:
        for left, right in itertools.pairwise(chain):
            right_of[left].append(right)
            left_of[right].append(left)
    at = [0] * n_places
    for column in columns:
        for position, place in enumerate(column):
            at[place] = position
    best, fewest = [list(column) for column in columns], count_crossings(columns, right_of)
    stale = 0
    for sweep in range(_SWEEPS):
        if fewest == 0 or stale == 6:
            break
        forward = sweep % 2 == 0
        beside = left_of if forward else right_of
        for column in columns if forward else columns[::-1]:
            wanted = {
                place: sum(at[there] for there in beside[place]) / len(beside[place]) if beside[place] else at[place]
                for place in column
            }
            column.sort(key=lambda place: wanted[place])
            for position, place in enumerate(column):
                at[place] = position
        crossings = count_crossings(columns, right_of)
        stale += 1
        if crossings < fewest:
            best, fewest, stale = [list(column) for column in columns], crossings, 0
    if fewest and n_places <= _MOST_PLACES_TO_SWAP:
        _swap(best, left_of, right_of)
    return best


def _swap(columns: list[list[int]], left_of: list[list[int]], right_of: list[list[int]]) -> None:
    """Exchange neighbours as long as that saves crossings."""
    at = [0] * len(left_of)
    for column in columns:
        for position, place in enumerate(column):
            at[place] = position
    for _ in range(8):
        is_better = False
        for column in columns:
            for k in range(len(column) - 1):
                upper, lower = column[k], column[k + 1]
                now = after = 0
                for beside in (left_of, right_of):
                    for one in beside[upper]:
                        for other in beside[lower]:
                            now += at[one] > at[other]
                            after += at[one] < at[other]
                if after < now:
                    column[k], column[k + 1] = lower, upper
                    at[upper], at[lower] = k + 1, k
                    is_better = True
        if not is_better:
            break
