"""Looking inside a graph: its best paths and its best strings, best first, found when they are asked for.

``Graph.paths`` and ``Graph.strings`` are these. Paths are those of NBEST; where its kernels are loaded they find them
(``finders``), else plain Python does.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.best_path import Pair, Rounding, best_pairs, exact_weights
from arcgrad.compiler.graphs.best_paths import best_paths
from arcgrad.compiler.graphs.score_values import as_float
from arcgrad.compiler.graphs.topology import EPSILON, IntArray, Topology
from arcgrad.compiler.graphs.useful_graph import UsefulGraph, useful_graph
from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import shown
from arcgrad.runtime.data.arguments import whole_number

__all__ = ["Path", "Shower", "find_paths", "find_strings", "finders", "first", "shower"]

FloatArray = NDArray[np.float64]
T = TypeVar("T")

finders: list[Callable[[Topology, FloatArray], Iterator[tuple[float, IntArray]] | None]] = []
"""Who finds best paths faster, as `best_paths` gives them; None where it has no reason to."""

SIDES = ("input", "output", "both")
_MOST = 2**62


@dataclass(frozen=True)
class Path:
    """One accepting path of a graph.

    Attributes:
        arcs: numbers of its arcs, in order.
        weight: their sum, in nats.
        ilabels: input labels of these arcs, −1 for ε.
        olabels: output labels of these arcs, −1 for ε.
    """

    arcs: tuple[int, ...]
    weight: float
    ilabels: tuple[int, ...]
    olabels: tuple[int, ...]


def first(found: Iterator[T], n: int | None) -> list[T] | Iterator[T]:
    """A list of the first n of them, or where n is None, all as they are asked for.

    Raises:
        InputError: n is not a whole number, 0 or more.
    """
    if n is None:
        return found
    return list(islice(found, whole_number(n, "n", "a whole number, 0 or more, or None for all", 0, _MOST)))


def find_paths(topology: Topology, weights: FloatArray) -> Iterator[Path]:
    """The accepting paths, best first, in the order of NBEST."""
    found: Any = next((f for finder in finders if (f := finder(topology, weights)) is not None), None)
    for weight, arcs in best_paths(topology, weights) if found is None else found:
        chosen = np.asarray(arcs, dtype=np.intp)
        ilabels, olabels = (tuple(labels[chosen].tolist()) for labels in (topology.ilabel, topology.olabel))
        yield Path(tuple(chosen.tolist()), weight, ilabels, olabels)


Shower = Callable[[Sequence[int]], Any]
"""Makes of labels what is shown of a string."""


def shower(symbols: Any) -> Shower:
    """How strings are shown: as tuples of labels; with a table, or what makes one, or ``chr``, as text.

    Raises:
        InputError: it makes no table.
    """
    if symbols is None:
        return tuple
    from arcgrad.runtime.data.symbols import CODE_POINTS, SymbolTable

    if symbols is chr:
        table: SymbolTable = CODE_POINTS
    else:
        table = symbols if isinstance(symbols, SymbolTable) else SymbolTable(symbols)
    between = "" if table is CODE_POINTS or all(len(symbol) == 1 for symbol in table) else " "
    return lambda labels: between.join(table.decode(labels))


def find_strings(
    topology: Topology, weights: FloatArray, side: str, show: Sequence[Shower]
) -> Iterator[tuple[Any, ...]]:
    """The distinct strings of a side with the weights of their best paths, best first; of both sides, pairs of them.

    Raises:
        InputError: no such side.
    """
    if side not in SIDES:
        raise InputError(f"side is {shown(side)}, but must be one of {', '.join(map(repr, SIDES))}")
    return _strings(topology, weights, side, show)


def _strings(topology: Topology, weights: FloatArray, side: str, show: Sequence[Shower]) -> Iterator[tuple[Any, ...]]:
    ilabel, olabel = topology.ilabel.tolist(), topology.olabel.tolist()
    if side != "both":
        labels = ilabel if side == "input" else olabel
        keys: list[Hashable] = [None if label == EPSILON else label for label in labels]
        for string, weight in _best_strings(topology, weights, keys):
            yield show[side == "output"](string), weight
        return
    keys = [None if pair == (EPSILON, EPSILON) else pair for pair in zip(ilabel, olabel, strict=True)]
    seen: set[tuple[tuple[int, ...], tuple[int, ...]]] = set()
    for string, weight in _best_strings(topology, weights, keys):
        read, written = (tuple(pair[k] for pair in string if pair[k] != EPSILON) for k in (0, 1))
        if (read, written) not in seen:  # else ε arcs were aligned in another way
            seen.add((read, written))
            yield show[0](read), show[1](written), weight


def _best_strings(topology: Topology, weights: FloatArray, keys: list[Any]) -> Iterator[tuple[list[Any], float]]:
    """The distinct strings of keys, best first; an arc whose key is None adds nothing to a string.

    Strings grow key by key, the one first that has the best way on: determinised no further than that (Mohri and Riley,
    An Efficient Algorithm for the n-Best-Strings Problem, 2002).
    """
    graph = useful_graph(topology, weights, drop_minus_infinity=True)
    if not graph.start:
        return
    try:
        best = best_pairs(graph, 1.0)
    except Rounding:
        graph = exact_weights(graph)
        best = best_pairs(graph, 1.0)
    strings: list[tuple[int, Any]] = [(-1, None)]  # each is another one and a key
    number = 0
    begin = _closed(graph, keys, dict.fromkeys(graph.start, 0))
    # −weight, keys, order of discovery; the string, and where it may have led to, None where it ends.
    waiting: list[tuple[Any, int, int, int, dict[int, Any] | None]] = [(-_promise(begin, best), 0, 0, 0, begin)]
    while waiting:
        minus, length, _, string, states = heapq.heappop(waiting)
        if as_float(minus) == np.inf:  # beyond floats, as are all that follow
            return
        if states is None:
            found = []
            while string:
                string, key = strings[string]
                found.append(key)
            yield found[::-1], as_float(-minus) + 0.0
            continue
        ends = [weight for state, weight in states.items() if state in graph.accept]
        if ends:
            number += 1
            heapq.heappush(waiting, (-max(ends), length, number, string, None))
        following: dict[Any, dict[int, Any]] = {}
        for state, weight in states.items():
            for arc, other, more in graph.out[state]:
                if keys[arc] is not None:
                    there = following.setdefault(keys[arc], {})
                    if other not in there or weight + more > there[other]:
                        there[other] = weight + more
        for key in sorted(following):
            there = _closed(graph, keys, following[key])
            number += 1
            strings.append((string, key))
            heapq.heappush(waiting, (-_promise(there, best), length + 1, number, len(strings) - 1, there))


def _promise(states: dict[int, Any], best: Sequence[Pair | None]) -> Any:
    """The weight of the best path that goes on from one of these states."""
    return max(weight + ahead[0] for state, weight in states.items() if (ahead := best[state]) is not None)


def _closed(graph: UsefulGraph, keys: list[Any], states: dict[int, Any]) -> dict[int, Any]:
    """The states and those to which arcs lead that add nothing to a string, with the best weights."""
    changed = list(states)
    for _ in range(graph.n_states):  # more only where rounding makes a cycle seem to gain
        if not changed:
            break
        improved: dict[int, None] = {}
        for state in changed:
            for arc, other, more in graph.out[state]:
                if keys[arc] is None and (other not in states or states[state] + more > states[other]):
                    states[other] = states[state] + more
                    improved[other] = None
        changed = list(improved)
    return states
