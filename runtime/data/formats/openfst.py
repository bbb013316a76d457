"""OpenFst's text format (``fstprint``, ``fstcompile``), which AT&T's tools began; costs are weights negated.

    0 1 5 6 0.5  src dst ilabel olabel [cost]; as an acceptor: src dst label [cost]
    1 0.25       state [cost]: a final state
    0 1 a b 0.5  with tables, isymbols= and osymbols=, labels are symbols; ε is <eps>

The first line's source is the start. Label 0 is ε. A final state with a cost other than 0 becomes an ε arc of that
weight to a new accept state, which has no other arcs; writing undoes this where the new accepts are the last states
and the ε arcs the last arcs, as reading leaves them. Cost Infinity is weight −inf, and on a final line it says that
the state is not final: that is how a state is written that would else not be mentioned, or not first.

Expresses every graph with one start, ties aside.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from arcgrad.compiler.graphs.topology import EPSILON
from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import shown
from arcgrad.runtime.data.bare_graph import BareGraph
from arcgrad.runtime.data.formats.base import Format, file_labels, warn_inexact
from arcgrad.runtime.data.formats.lines import Line, split_lines
from arcgrad.runtime.data.formats.rebuild import single_start, weighted_finals
from arcgrad.runtime.data.symbols import EPSILON_NAMES, SymbolTable

__all__ = ["FORMAT", "read", "read_lines", "write"]


def read(
    text: str,
    file: str = "<text>",
    *,
    shift: int = 0,
    acceptor: bool | None = None,
    isymbols: SymbolTable | None = None,
    osymbols: SymbolTable | None = None,
) -> BareGraph:
    """The graph that a text in OpenFst's format describes; an empty text is the graph without states.

    Args:
        text: the text.
        file: its name, for messages.
        shift: added to every label but ε (0).
        acceptor: whether arcs have one label. None decides: they have two if some line has five fields; else one if
            some line has three, or has a fourth that is no label (``0.5``, ``Infinity``, ``-1``); else two.

    Raises:
        FormatError: the text is malformed.
    """
    return read_lines(split_lines(text, file), shift=shift, acceptor=acceptor, isymbols=isymbols, osymbols=osymbols)


def read_lines(
    rows: Iterable[Line],
    *,
    shift: int = 0,
    acceptor: bool | None = None,
    isymbols: SymbolTable | None = None,
    osymbols: SymbolTable | None = None,
) -> BareGraph:
    """The graph of a text's lines; see ``read``."""
    lines = [line for line in rows if line.fields]
    for line in lines:
        if len(line.fields) > 5:
            line.fail(f"expected at most 5 fields, 'src dst ilabel olabel cost', but found {len(line.fields)}", 5)
    arcs = [line for line in lines if len(line.fields) > 2]
    one_label = _is_acceptor(arcs, osymbols) if acceptor is None else acceptor
    row = _Rows(shift, one_label, isymbols, osymbols)
    for line in lines:
        if len(line.fields) > 2:
            row.arc(line)
        else:
            row.final(line)
    return row.graph(None if not lines else lines[0].state(0, "start state"))


def _is_acceptor(arcs: list[Line], osymbols: SymbolTable | None) -> bool:
    if any(len(line.fields) == 5 for line in arcs):
        return False

    def is_label(word: str) -> bool:
        return word.isdigit() if osymbols is None else word in osymbols or word in EPSILON_NAMES

    return any(len(line.fields) == 3 or not is_label(line.fields[3]) for line in arcs)


class _Rows:
    """Arcs and final states as they are collected, line by line."""

    def __init__(self, shift: int, one_label: bool, isymbols: SymbolTable | None, osymbols: SymbolTable | None) -> None:
        self.shift = shift
        self.one_label = one_label
        self.tables = {"isymbols": isymbols, "osymbols": osymbols}
        self.arcs: list[tuple[int, int, int, int, float]] = []
        self.mentioned = -1
        self.final_cost: dict[int, float] = {}

    def arc(self, line: Line) -> None:
        count = len(line.fields)
        kind = "an acceptor" if self.one_label else "a transducer"
        form = "src dst label [cost]" if self.one_label else "src dst ilabel olabel [cost]"
        n_labels = 1 if self.one_label else 2
        if not 2 + n_labels <= count <= 3 + n_labels:
            line.fail(
                f"expected an arc of {kind}, '{form}', but found {count} fields",
                min(count, 3 + n_labels),
                hint="acceptor=True or acceptor=False says which form the text has",
            )
        src, dst = line.state(0, "source state"), line.state(1, "destination state")
        ilabel = self.label(line, 2, "label" if self.one_label else "input label", "isymbols")
        olabel = ilabel if self.one_label else self.label(line, 3, "output label", "osymbols")
        weight = _weight(line, 2 + n_labels) if count > 2 + n_labels else 0.0
        self.arcs.append((src, dst, ilabel, olabel, weight))
        self.mentioned = max(self.mentioned, src, dst)

    def label(self, line: Line, field: int, what: str, option: str) -> int:
        table, word = self.tables[option], line.fields[field]
        if table is None:
            hint = None
            if word[0].isalpha() or word[0] == "<":
                hint = f"labels are numbers here; of symbols give the table, {option}=ag.SymbolTable.load(…)"
            return line.label(field, what, epsilon=0, shift=self.shift, hint=hint)
        if word not in table and word in EPSILON_NAMES:
            return EPSILON
        try:
            return table[word]
        except InputError as error:
            line.fail(f"{what} {shown(word)} is not in the table {option}", field, hint=error.hint)

    def final(self, line: Line) -> None:
        state = line.state(0, "final state")
        weight = _weight(line, 1) if len(line.fields) > 1 else 0.0
        self.mentioned = max(self.mentioned, state)
        if weight == -math.inf:
            return
        if state in self.final_cost:
            line.fail(f"state {state} is declared final twice", 0)
        self.final_cost[state] = weight

    def graph(self, start: int | None) -> BareGraph:
        accepts = [state for state, weight in self.final_cost.items() if weight == 0.0]
        n_states = self.mentioned + 1
        for state, weight in self.final_cost.items():
            if weight != 0.0:
                self.arcs.append((state, n_states, EPSILON, EPSILON, weight))
                accepts.append(n_states)
                n_states += 1
        return BareGraph.from_arcs(self.arcs, () if start is None else (start,), accepts, n_states)


def _weight(line: Line, field: int) -> float:
    cost = line.real(field, "cost")
    if cost == -math.inf:
        line.fail("a cost may be Infinity (weight −inf) but not -Infinity", field)
    return 0.0 - cost  # not -cost, which would make −0.0 of the usual cost 0


def write(
    graph: BareGraph,
    *,
    shift: int = 0,
    isymbols: SymbolTable | None = None,
    osymbols: SymbolTable | None = None,
) -> str:
    """The graph in OpenFst's format, tab-separated, always with both labels; costs of 0 are left out."""
    reasons = []
    if graph.tie is not None:
        reasons.append("arcs that share parameters are written with weights of their own")
    if len(graph.start) != 1 and graph.n_states:
        reasons.append(f"{len(graph.start) or 'no'} starts become one new start state, 0")
        graph = single_start(graph)
    warn_inexact("OpenFst text", reasons)
    inputs = _words(graph.ilabel.tolist(), "ilabel", shift, isymbols)
    outputs = _words(graph.olabel.tolist(), "olabel", shift, osymbols)
    src, dst, weight = graph.src.tolist(), graph.dst.tolist(), graph.arc_weight.tolist()
    n_finals = weighted_finals(graph)
    n_arcs, n_states = graph.n_arcs - n_finals, graph.n_states - n_finals

    rows = [
        f"{src[arc]}\t{dst[arc]}\t{inputs[arc]}\t{outputs[arc]}{_cost_column(weight[arc])}" for arc in range(n_arcs)
    ]
    finals = [state for state in graph.accept.tolist() if state < n_states]
    start = graph.start.tolist()
    if start and not (n_arcs and src[0] == start[0]):
        if start[0] in finals:
            finals.remove(start[0])
            rows.insert(0, f"{start[0]}")
        else:
            rows.insert(0, f"{start[0]}\tInfinity")
    rows += [f"{state}" for state in finals]
    rows += [f"{src[arc]}{_cost_column(weight[arc])}" for arc in range(n_arcs, graph.n_arcs)]
    mentioned = max([-1, *start, *finals, *src, *dst[:n_arcs]])
    if mentioned < n_states - 1:
        rows.append(f"{n_states - 1}\tInfinity")
    return "".join(row + "\n" for row in rows)


def _words(labels: list[int], side: str, shift: int, table: SymbolTable | None) -> list[int] | list[str]:
    """Labels as the file has them: numbers, or symbols where there is a table."""
    if table is None:
        return file_labels(labels, side, format="OpenFst", epsilon=0, low=1, shift=shift)
    epsilon = next(name for name in (*EPSILON_NAMES, "") if name not in table)
    words = [epsilon if label < 0 else table.symbol(label) for label in labels]
    for arc, word in enumerate(words):
        if not word or any(character in word for character in " \t\n\r"):
            raise InputError(f"{side}[{arc}]: the symbol {shown(word)} cannot be written as OpenFst text")
    return words


def _cost_column(weight: float) -> str:
    if weight == 0.0:
        return ""
    return "\tInfinity" if weight == -math.inf else f"\t{-weight!r}"


FORMAT = Format(
    name="openfst",
    summary="OpenFst's text format (AT&T)",
    suffixes=(".att",),
    read=read,
    write=write,
    options=("shift", "isymbols", "osymbols"),
    read_options=("acceptor",),
)
