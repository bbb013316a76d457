"""OpenFst's binary format, ``vector`` and ``const``, with arcs of type standard, log or log64; costs are −weights.

    header       types, version, start, numbers of states and arcs, then tables of symbols where there are any
    vector       for each state: its final cost, its number of arcs, its arcs
    const        all states, then all arcs, as two arrays

Labels, ε and final costs are as in OpenFst's text format (``openfst``): label 0 is ε, and a final cost other than 0
becomes an ε arc to a new accept state; these come last, in the order of the final states. Costs of standard and log
are float32, those of log64 float64.

Expresses every graph with one start whose arcs are in the order of their source states; ties aside, and weights only as
far as the arc type has digits.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.topology import EPSILON
from arcgrad.grammar.errors import FormatError, InputError
from arcgrad.runtime.data.bare_graph import BareGraph
from arcgrad.runtime.data.checks import LARGEST
from arcgrad.runtime.data.formats.base import Format, file_labels, warn_inexact
from arcgrad.runtime.data.formats.fst_bytes import (
    ARC_TYPES,
    EXPANDED,
    MUTABLE,
    Cursor,
    Header,
    const_types,
    costs_of,
    header_bytes,
    properties_of,
    read_symbols,
)
from arcgrad.runtime.data.formats.rebuild import single_start, weighted_finals
from arcgrad.runtime.data.symbols import SymbolTable

__all__ = ["FORMAT", "FstOptions", "graph_at", "graph_bytes", "read", "write"]

Array = NDArray[Any]

# So many states are written whether or not they have arcs.
_STATES = 1 << 24


def read(
    data: bytes,
    file: str = "<bytes>",
    *,
    shift: int = 0,
    isymbols: SymbolTable | None = None,
    osymbols: SymbolTable | None = None,
) -> BareGraph:
    """The graph in a file of OpenFst's binary form.

    Args:
        data: the file's bytes.
        file: its name, for messages.
        shift: added to every label but ε (0).
        isymbols, osymbols: tables in which the file's own symbols are looked up, in place of its labels.

    Raises:
        FormatError: the file is malformed; it names the offset.
    """
    cursor = Cursor(data, file)
    graph = graph_at(cursor, shift=shift, isymbols=isymbols, osymbols=osymbols)
    if cursor.left:
        cursor.fail(f"the graph ends here, but {cursor.left} bytes follow")
    return graph


def graph_at(
    cursor: Cursor,
    *,
    shift: int = 0,
    isymbols: SymbolTable | None = None,
    osymbols: SymbolTable | None = None,
) -> BareGraph:
    """The graph at a cursor, which is left behind it; see ``read``."""
    header = Header.read(cursor)
    parts = _vector(cursor, header) if header.fst_type == "vector" else _const(cursor, header)
    try:
        return parts.graph(cursor, header, shift, (isymbols, osymbols))
    except FormatError:
        raise
    except InputError as error:
        cursor.fail(error.message, header.at, error.hint)


@dataclass(frozen=True, slots=True)
class _Parts:
    """The arrays of a file: final costs and numbers of arcs of states, and arcs state by state."""

    final: Array
    counts: Array
    ilabel: Array
    olabel: Array
    cost: Array
    dst: Array

    def graph(
        self, cursor: Cursor, header: Header, shift: int, tables: tuple[SymbolTable | None, SymbolTable | None]
    ) -> BareGraph:
        n_states = len(self.final)
        src = np.repeat(np.arange(n_states), self.counts)

        def check(bad: Array, what: str, values: Array, expected: str) -> None:
            if bad.any():
                k = int(np.argmax(bad))
                arc = k - int(np.searchsorted(src, src[k]))
                cursor.fail(f"state {src[k]}, arc {arc}: {what} is {values[k]}, but {expected}", header.at)

        if not header.start < n_states:
            cursor.fail(f"the start is {header.start}, but there are {n_states} states", header.at)
        check((self.dst < 0) | (self.dst >= n_states), "the destination", self.dst, f"there are {n_states} states")
        finite = "costs are real numbers or Infinity (weight −inf)"
        check(~(self.cost > -np.inf), "the cost", self.cost, finite)
        odd = ~(self.final > -np.inf)
        if odd.any():
            state = int(np.argmax(odd))
            cursor.fail(f"the final cost of state {state} is {self.final[state]}, but {finite}", header.at)
        labels = []
        for side, values, place, table in zip(
            ("input", "output"), (self.ilabel, self.olabel), header.symbols, tables, strict=True
        ):
            low, high = max(-shift, 0), LARGEST - max(shift, 0)
            is_epsilon = values == 0
            if table is None:
                bad = ~is_epsilon & ((values < low) | (values > high))
                check(bad, f"the {side} label", values, f"labels go from {low} to {high}")
                labels.append(np.where(is_epsilon, EPSILON, values.astype(np.int64) + shift))
            else:
                check(values < 0, f"the {side} label", values, "labels are 0 or more")
                labels.append(_looked_up(cursor, side, values, place, table))
        accept = np.flatnonzero(self.final == 0.0)
        weighted = np.flatnonzero((self.final != 0.0) & (self.final < np.inf))
        ends = n_states + np.arange(len(weighted))
        epsilons = np.full(len(weighted), EPSILON)
        costs = np.concatenate([self.cost, self.final[weighted]]).astype(np.float64)
        return BareGraph(
            np.concatenate([src, weighted]),
            np.concatenate([self.dst.astype(np.int64), ends]),
            np.concatenate([labels[0], epsilons]),
            np.concatenate([labels[1], epsilons]),
            0.0 - costs,  # not −costs, which would make −0.0 of the usual cost 0
            start=() if header.start < 0 else (header.start,),
            accept=np.concatenate([accept, ends]),
            n_states=n_states + len(weighted),
        )


def _looked_up(cursor: Cursor, side: str, values: Array, place: int | None, table: SymbolTable) -> Array:
    """The table's labels of the symbols that a file's labels stand for."""
    option = f"{side[0]}symbols"
    if place is None:
        cursor.fail(f"{option} is given, but the file has no table of {side} symbols", hint="leave it out")
    own = read_symbols(Cursor(cursor.data, cursor.file, place), side)
    used, at = np.unique(values, return_inverse=True)
    found = []
    for label in used.tolist():
        try:
            found.append(EPSILON if label == 0 else table[own.symbol(label)])
        except InputError as error:
            cursor.fail(f"{side} label {label}: {error.message}", place, error.hint)
    return np.array(found, dtype=np.int64)[at.reshape(-1)]


def _vector(cursor: Cursor, header: Header) -> _Parts:
    """States one after the other, as they must be found: where one ends is known from where it begins."""
    weight = ARC_TYPES[header.arc_type]
    head = struct.Struct(f"<{weight[1:].replace('f4', 'f').replace('f8', 'd')}q")
    arc = np.dtype([("ilabel", "<i4"), ("olabel", "<i4"), ("cost", weight), ("dst", "<i4")])
    data, begin, end = cursor.data, cursor.at, len(cursor.data)
    unpack, at = head.unpack_from, cursor.at
    final: list[float] = []
    counts: list[int] = []
    heads: list[int] = []
    remaining = header.n_states
    while remaining if header.n_states >= 0 else at < end:
        if end - at < head.size:
            cursor.fail(f"state {len(final)} takes {head.size} bytes or more, but {end - at} follow", at)
        cost, count = unpack(data, at)
        heads.append(at)
        at += head.size
        if not 0 <= count * arc.itemsize <= end - at:
            cursor.fail(f"state {len(final)} has {count} arcs of {arc.itemsize} bytes, but {end - at} bytes follow", at)
        at += count * arc.itemsize
        final.append(cost)
        counts.append(count)
        remaining -= 1
    cursor.at = at
    # All is made of words of four bytes: what is left without the states' heads are the arcs.
    words = np.frombuffer(data, "<u4", (at - begin) // 4, begin)
    kept = np.ones(len(words), dtype=np.bool_)
    first = (np.array(heads, dtype=np.int64) - begin) // 4
    for word in range(head.size // 4):
        kept[first + word] = False
    arcs = words[kept].view(arc)
    return _Parts(
        np.array(final, dtype=np.float64),
        np.array(counts, dtype=np.int64),
        arcs["ilabel"],
        arcs["olabel"],
        arcs["cost"],
        arcs["dst"],
    )


def _const(cursor: Cursor, header: Header) -> _Parts:
    state, arc = const_types(header.arc_type)
    if header.n_states < 0 or header.n_arcs < 0:
        cursor.fail(f"a const graph has {header.n_states} states and {header.n_arcs} arcs", header.at)
    arrays = []
    for what, count, dtype in (("states", header.n_states, state), ("arcs", header.n_arcs, arc)):
        if header.aligned:
            cursor.align()
        at = cursor.take(count * dtype.itemsize, f"the array of {count} {what}")
        arrays.append(np.frombuffer(cursor.data, dtype, count, at))
    states, arcs = arrays
    counts = states["n_arcs"].astype(np.int64)
    ends = np.cumsum(counts)
    begins = ends - counts
    if int(counts.sum()) != header.n_arcs or not np.array_equal(states["pos"][counts > 0], begins[counts > 0]):
        cursor.fail(f"the arcs of the states are not the {header.n_arcs} that follow, in order", header.at)
    return _Parts(states["final"], counts, arcs["ilabel"], arcs["olabel"], arcs["cost"], arcs["dst"])


@dataclass(frozen=True, slots=True)
class FstOptions:
    """How graphs are written; ``write`` says what the fields mean."""

    arc_type: str = "standard"
    fst_type: str = "vector"
    align: bool = False
    shift: int = 0
    isymbols: SymbolTable | None = None
    osymbols: SymbolTable | None = None


def write(
    graph: BareGraph,
    *,
    arc_type: str = "standard",
    fst_type: str = "vector",
    align: bool = False,
    shift: int = 0,
    isymbols: SymbolTable | None = None,
    osymbols: SymbolTable | None = None,
) -> bytes:
    """The graph in OpenFst's binary form.

    Args:
        graph: the graph.
        arc_type: "standard" (tropical), "log" or "log64"; only the last one holds float64.
        fst_type: "vector", which OpenFst can change, or "const", which takes less memory and time to load.
        align: begin the arrays of a const graph at multiples of 16 bytes, so that they can be mapped into memory.
        shift: subtracted from every label but ε.
        isymbols, osymbols: tables of symbols to be stored with the graph.

    Raises:
        InputError: a label or a weight that the form cannot hold.
    """
    return graph_bytes(graph, FstOptions(arc_type, fst_type, align, shift, isymbols, osymbols))


def graph_bytes(graph: BareGraph, options: FstOptions, at: int = 0, key: str = "") -> bytes:
    """The graph as ``write`` makes it, to stand at an offset of a file."""
    reasons = []
    if graph.tie is not None:
        reasons.append("arcs that share parameters are written with weights of their own")
    if len(graph.start) != 1 and graph.n_states:
        reasons.append(f"{len(graph.start) or 'no'} starts become one new start state, 0")
        graph = single_start(graph)
    if graph.n_states > _STATES + 64 * graph.n_arcs:
        raise InputError(
            f"the graph has {graph.n_states} states, of which most have no arc, and each would take bytes in the file",
            hint="arcgrad's own form, .npz, takes them",
        )
    n_finals = weighted_finals(graph)
    n_arcs, n_states = graph.n_arcs - n_finals, graph.n_states - n_finals
    src = graph.src[:n_arcs]
    is_sorted = bool(np.all(src[1:] >= src[:-1])) and bool(np.all(np.diff(graph.src[n_arcs:]) > 0))
    order: Array = np.arange(n_arcs) if is_sorted else np.argsort(src, kind="stable")
    if not is_sorted:
        reasons.append("arcs are ordered by their source states")
    labels = [_labels(a[:n_arcs], name, options.shift)[order] for a, name in
              ((graph.ilabel, "ilabel"), (graph.olabel, "olabel"))]  # fmt: skip
    weight = ARC_TYPES[options.arc_type]
    costs = costs_of(graph.arc_weight, options.arc_type)
    if not np.array_equal(costs.astype(np.float64), -graph.arc_weight):
        reasons.append(
            f"weights are rounded to the float32 of arcs of type {options.arc_type} (arc_type='log64' keeps them)"
        )
    warn_inexact("OpenFst's binary form", reasons)

    final = np.full(n_states, np.inf, dtype=weight)
    final[graph.accept[graph.accept < n_states]] = 0.0
    final[graph.src[n_arcs:]] = costs[n_arcs:]
    src, dst, cost = src[order], graph.dst[:n_arcs][order], costs[:n_arcs][order]
    counts = np.bincount(src, minlength=n_states)
    properties = properties_of(src, labels[0], labels[1], cost, final)
    start = int(graph.start[0]) if n_states else -1
    is_const = options.fst_type == "const"
    head = header_bytes(
        options.fst_type,
        options.arc_type,
        properties | EXPANDED | (0 if is_const else MUTABLE),
        start,
        n_states,
        n_arcs if is_const else 0,
        (options.isymbols, options.osymbols),
        options.shift,
        is_const and options.align,
    )
    if is_const:
        return head + _const_body(final, counts, labels, cost, dst, options, at + len(head))
    return head + _vector_body(final, counts, labels, cost, dst, weight)


def _vector_body(final: Array, counts: Array, labels: list[Array], cost: Array, dst: Array, weight: str) -> bytes:
    head = np.dtype([("final", weight), ("count", "<i8")])
    arc = np.dtype([("ilabel", "<i4"), ("olabel", "<i4"), ("cost", weight), ("dst", "<i4")])
    heads, arcs = np.empty(len(final), head), np.empty(len(dst), arc)
    heads["final"], heads["count"] = final, counts
    arcs["ilabel"], arcs["olabel"], arcs["cost"], arcs["dst"] = *labels, cost, dst
    head_words, arc_words = head.itemsize // 4, arc.itemsize // 4
    words = np.empty(head_words * len(heads) + arc_words * len(arcs), dtype="<u4")
    is_head = np.zeros(len(words), dtype=np.bool_)
    first = head_words * np.arange(len(heads)) + arc_words * (np.cumsum(counts) - counts)
    for word in range(head_words):
        is_head[first + word] = True
    words[is_head] = heads.view("<u4")
    words[~is_head] = arcs.view("<u4")
    return words.tobytes()


def _const_body(
    final: Array, counts: Array, labels: list[Array], cost: Array, dst: Array, options: FstOptions, at: int
) -> bytes:
    state, arc = const_types(options.arc_type)
    states, arcs = np.zeros(len(final), state), np.zeros(len(dst), arc)
    states["final"], states["pos"], states["n_arcs"] = final, np.cumsum(counts) - counts, counts
    src = np.repeat(np.arange(len(final)), counts)
    for name, values in zip(("n_ieps", "n_oeps"), labels, strict=True):
        states[name] = np.bincount(src[values == 0], minlength=len(final))
    arcs["ilabel"], arcs["olabel"], arcs["cost"], arcs["dst"] = *labels, cost, dst
    body = b""
    for array in (states, arcs):
        padding = b"\0" * (-(at + len(body)) % 16 if options.align else 0)
        body += padding + array.tobytes()
    return body


def _labels(labels: Array, side: str, shift: int) -> Array:
    """Labels as the file holds them: ε as 0, all others ``shift`` lower."""
    written = np.where(labels < 0, 0, labels.astype(np.int64) - shift)
    if not np.all((labels < 0) | ((written >= 1) & (written <= LARGEST))):
        file_labels(labels.tolist(), side, format="OpenFst", epsilon=0, low=1, shift=shift)  # says which
    return written


def symbols(data: bytes, file: str, side: str, *, shift: int = 0) -> SymbolTable:
    """The table of symbols that a file holds for one side.

    Raises:
        FormatError: the file is malformed, or holds none.
    """
    cursor = Cursor(data, file)
    place = Header.read(cursor).symbols[side == "output"]
    if place is None:
        cursor.fail(f"the file has no table of {side} symbols", 0)
    return read_symbols(Cursor(data, file, place), side, shift)


FORMAT = Format(
    name="fst",
    summary="OpenFst's binary format",
    suffixes=(".fst",),
    read=read,
    write=write,
    read_symbols=symbols,
    binary=True,
    options=("shift", "isymbols", "osymbols"),
    write_options=("arc_type", "fst_type", "align"),
)
