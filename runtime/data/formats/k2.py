"""k2's text format (``k2.Fsa.from_str``): one arc a line, then the final state. Scores are weights, not negated.

    0 1 5 0.5    src dst label score
    1 2 -1 0.25  every arc into the final state, and no other, has label −1
    2            the final state, the largest one

or, as a transducer, ``src dst label aux_label score``. State 0 is the start. Label 0 is ε; so is, on an arc into the
final state, −1, which stands for the end of the string there.

Expresses graphs whose one start is state 0 and whose one accept is the last state, is left by no arc and entered
by arcs with input label ε only; ties aside.
"""

from __future__ import annotations

import math

import numpy as np

from arcgrad.compiler.graphs.topology import EPSILON
from arcgrad.grammar.errors import FormatError
from arcgrad.runtime.data.bare_graph import BareGraph
from arcgrad.runtime.data.formats.base import Format, file_labels, warn_inexact
from arcgrad.runtime.data.formats.lines import Line, split_lines
from arcgrad.runtime.data.formats.rebuild import single_accept, single_start, swap_states

__all__ = ["FORMAT", "read", "write"]


def read(text: str, file: str = "<text>", *, shift: int = 0) -> BareGraph:
    """The graph that a text in k2's format describes; an empty text is the graph without states.

    Raises:
        FormatError: the text is malformed.
    """
    lines = [line for line in split_lines(text, file) if line.fields]
    if not lines:
        return BareGraph([], [], [], start=(), n_states=0)
    *arcs, last = lines
    if len(last.fields) != 1:
        raise FormatError(
            "the text ends where a line with the final state, the largest one, was expected",
            file=file,
            line=last.number + 1,
            column=1,
        )
    final = last.state(0, "final state")
    if final == 0:
        last.fail("the final state is 0, but 0 is the start, and k2 has no state that is both", 0)
    for line in arcs:
        if len(line.fields) == 1:
            line.fail("a line with one field is the final state and must be the last line", 0)
    width = len(arcs[0].fields) if arcs else 4
    rows = [_arc(line, width, final, shift) for line in arcs]
    return BareGraph.from_arcs(rows, (0,), (final,), final + 1)


def _arc(line: Line, width: int, final: int, shift: int) -> tuple[int, int, int, int, float]:
    count = len(line.fields)
    if count not in (4, 5) or count != width:
        expected = {4: "'src dst label score'", 5: "'src dst label aux_label score'"}
        what = f"{expected[width]}, as on the first line" if width in expected else f"{expected[4]} or {expected[5]}"
        line.fail(f"expected an arc, {what}, but found {count} fields", min(count, width if width in expected else 5))
    src = line.integer(0, "source state", 0, final - 1, hint=f"state {final}, the final state, can be left by no arc")
    dst = line.integer(1, "destination state", 0, final, hint=f"the last line says that {final} is the largest state")
    score = line.real(count - 1, "score")
    if score == math.inf:
        line.fail("a score may be -inf but not +inf", count - 1)
    if dst == final:
        if line.integer(2, "label", -1, 2**31 - 1) != -1:
            line.fail(f"label {line.fields[2]} on an arc into the final state, where k2 demands −1", 2)
        if width == 5 and line.fields[3] == "-1":
            return src, dst, EPSILON, EPSILON, score
        ilabel = EPSILON
    else:
        ilabel = line.label(2, "label", epsilon=0, shift=shift, hint="label −1 is for arcs into the final state")
    olabel = line.label(3, "aux_label", epsilon=0, shift=shift) if width == 5 else ilabel
    return src, dst, ilabel, olabel, score


def write(graph: BareGraph, *, shift: int = 0) -> str:
    """The graph in k2's format: four columns for an acceptor, five for a transducer."""
    if graph.n_states == 0:
        return ""
    reasons = []
    if graph.tie is not None:
        reasons.append("arcs that share parameters are written with weights of their own")
    if len(graph.start) != 1:
        reasons.append(f"{len(graph.start) or 'no'} starts become one new start state, 0")
        graph = single_start(graph)
    elif graph.start[0] != 0:
        reasons.append(f"states {graph.start[0]} and 0 change places, since k2's start is state 0")
        graph = swap_states(graph, int(graph.start[0]), 0)
    if not _has_final(graph):
        reasons.append("a new last state becomes the one final state")
        graph = single_accept(graph)
    warn_inexact("k2 text", reasons)

    final = graph.n_states - 1
    dst, weight = graph.dst.tolist(), graph.arc_weight.tolist()
    inputs = file_labels(graph.ilabel.tolist(), "ilabel", format="k2", epsilon=0, low=1, shift=shift)
    columns = [inputs]
    if not graph.is_acceptor:
        columns.append(file_labels(graph.olabel.tolist(), "olabel", format="k2", epsilon=0, low=1, shift=shift))
    for arc in np.flatnonzero(graph.dst == final).tolist():
        for column in columns:
            column[arc] = column[arc] or -1
    rows = [
        f"{src} {dst[arc]} {' '.join(str(column[arc]) for column in columns)} {weight[arc]!r}\n"
        for arc, src in enumerate(graph.src.tolist())
    ]
    return "".join(rows) + f"{final}\n"


def _has_final(graph: BareGraph) -> bool:
    final = graph.n_states - 1
    return (
        graph.accept.tolist() == [final]
        and final > 0
        and not bool(np.any(graph.src == final))
        and bool(np.all(graph.ilabel[graph.dst == final] == EPSILON))
    )


FORMAT = Format(
    name="k2",
    summary="k2's text format",
    suffixes=(".k2",),
    read=read,
    write=write,
    options=("shift",),
)
