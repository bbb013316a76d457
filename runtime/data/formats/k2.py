"""k2's text format (``k2.Fsa.from_str``): one arc a line, then the final state. Scores are weights, not negated.

    0 1 5 0.5    src dst label score
    1 2 -1 0.25  every arc into the final state, and no other, has label −1
    2            the final state, the largest one

or, as a transducer, ``src dst label aux_label score``. State 0 is the start. Label 0 is ε; so is, on an arc into the
final state, −1, which stands for the end of the string there. ``epsilon=(None, 0)`` reads and writes graphs whose input
label 0 is a label like others, as the blank of k2's CTC topologies is.

Expresses graphs whose one start is state 0 and whose one accept is the last state, is left by no arc and entered
by arcs with input label ε only; ties aside.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.topology import EPSILON
from arcgrad.grammar.errors import FormatError, InputError
from arcgrad.runtime.data.bare_graph import BareGraph
from arcgrad.runtime.data.formats.base import Format, file_labels, warn_inexact
from arcgrad.runtime.data.formats.lines import Line, split_lines
from arcgrad.runtime.data.formats.rebuild import single_accept, single_start, swap_states

__all__ = ["FORMAT", "read", "write"]

Epsilons = tuple[int | None, int | None]

_ZERO: Epsilons = (0, 0)


def read(text: str, file: str = "<text>", *, shift: int = 0, epsilon: Epsilons = _ZERO) -> BareGraph:
    """The graph that a text in k2's format describes; an empty text is the graph without states.

    Args:
        text: the text.
        file: its name, for messages.
        shift: added to every label but ε.
        epsilon: the label and the aux_label that are ε, None where none is. −1 on arcs into the final state is, too.

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
    if arcs and width == 4 and epsilon[0] != epsilon[1]:
        arcs[0].fail(
            f"epsilon is {epsilon}, but arcs have one label here, which is ε on both sides or on none",
            2,
            hint="give epsilon=0 or epsilon=None, or a text with aux_labels",
        )
    rows = [_arc(line, width, final, shift, epsilon) for line in arcs]
    return BareGraph.from_arcs(rows, (0,), (final,), final + 1)


def _arc(line: Line, width: int, final: int, shift: int, epsilon: Epsilons) -> tuple[int, int, int, int, float]:
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
        hint = "label −1 is for arcs into the final state"
        ilabel = line.label(2, "label", epsilon=epsilon[0], shift=shift, hint=hint)
    olabel = line.label(3, "aux_label", epsilon=epsilon[1], shift=shift) if width == 5 else ilabel
    return src, dst, ilabel, olabel, score


def write(graph: BareGraph, *, shift: int = 0, epsilon: Epsilons = _ZERO) -> str:
    """The graph in k2's format: four columns for an acceptor, five for a transducer, or where the sides' ε differ."""
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
    sides = [("ilabel", graph.ilabel, epsilon[0])]
    if not graph.is_acceptor or epsilon[0] != epsilon[1]:
        sides.append(("olabel", graph.olabel, epsilon[1]))
    columns = [_column(name, labels, graph.dst == final, shift, zero) for name, labels, zero in sides]
    rows = [
        f"{src} {dst[arc]} {' '.join(str(column[arc]) for column in columns)} {weight[arc]!r}\n"
        for arc, src in enumerate(graph.src.tolist())
    ]
    return "".join(rows) + f"{final}\n"


def _column(side: str, labels: NDArray[np.int32], at_end: NDArray[np.bool_], shift: int, zero: int | None) -> list[int]:
    """Labels as the file has them: ε as ``zero``, and as −1 on arcs into the final state."""
    is_epsilon = labels == EPSILON
    column = file_labels(labels.tolist(), side, format="k2", epsilon=-1, low=0, shift=shift)
    for arc in np.flatnonzero(is_epsilon & ~at_end).tolist():
        if zero is None:
            raise InputError(
                f"{side}[{arc}] is ε, but epsilon=None says that no {side} of the file is",
                hint="write epsilon=0 for that side, and shift=-1 where 0 is a label of the graph, too",
            )
        column[arc] = zero
    if zero is not None:
        clash = next((arc for arc in np.flatnonzero(~is_epsilon).tolist() if column[arc] == zero), None)
        if clash is not None:
            hint = f"write and read with shift={shift - 1}"
            moved = f" becomes {zero} with shift={shift}, which" if shift else ""
            raise InputError(
                f"{side}[{clash}]: label {labels[clash]}{moved} cannot be written as k2 text, where {zero} is ε",
                hint=hint if zero == 0 else None,
            )
    return column


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
    options=("shift", "epsilon"),
)
