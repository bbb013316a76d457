"""GTN's text format (``gtn.savetxt``, ``gtn.loadtxt``): start states, accept states, then one arc a line.

    0            start states, separated by spaces; the line may be empty
    2 3          accept states
    0 1 5        src dst label
    1 2 5 6      src dst ilabel olabel
    1 3 5 -1 0.5 src dst ilabel olabel weight; ε is −1

Expresses every graph but one whose last states have no arc and are neither start nor accept, and ties.
"""

from __future__ import annotations

import math

from arcgrad.compiler.graphs.topology import EPSILON
from arcgrad.grammar.errors import FormatError
from arcgrad.grammar.mistakes import counted
from arcgrad.runtime.data.bare_graph import BareGraph
from arcgrad.runtime.data.formats.base import Format, file_labels, warn_inexact
from arcgrad.runtime.data.formats.lines import Line, split_lines

__all__ = ["FORMAT", "read", "write"]


def read(text: str, file: str = "<text>", *, shift: int = 0) -> BareGraph:
    """The graph that a text in GTN's format describes. Blank lines after the second are skipped.

    Raises:
        FormatError: the text is malformed.
    """
    lines = list(split_lines(text, file))
    if len(lines) < 2:
        missing = (
            "start states and a second one of accept states" if not lines else "accept states after the start states"
        )
        raise FormatError(
            f"the text ends where a line of {missing} was expected",
            file=file,
            line=len(lines) + 1,
            column=1,
            hint="GTN's format begins with a line of start states and a line of accept states; either may be empty",
        )
    starts, accepts = _states(lines[0], "start state"), _states(lines[1], "accept state")
    src, dst, ilabel, olabel, weight = [], [], [], [], []
    for line in lines[2:]:
        count = len(line.fields)
        if count == 0:
            continue
        if not 3 <= count <= 5:
            line.fail(
                f"expected an arc, 'src dst label', 'src dst ilabel olabel' or 'src dst ilabel olabel weight', "
                f"but found {counted(count, 'field')}",
                min(count, 5),
            )
        src.append(line.state(0, "source state"))
        dst.append(line.state(1, "destination state"))
        ilabel.append(line.label(2, "input label", epsilon=EPSILON, shift=shift))
        olabel.append(line.label(3, "output label", epsilon=EPSILON, shift=shift) if count > 3 else ilabel[-1])
        value = line.real(4, "weight") if count > 4 else 0.0
        if value == math.inf:
            line.fail("a weight may be −inf but not +inf", 4)
        weight.append(value)
    return BareGraph(src, dst, ilabel, olabel, weight, start=starts, accept=accepts)


def _states(line: Line, what: str) -> list[int]:
    states = [line.state(field, what) for field in range(len(line.fields))]
    if len(set(states)) < len(states):
        twice = next(field for field, state in enumerate(states) if state in states[:field])
        line.fail(f"{what} {states[twice]} is mentioned twice", twice)
    return states


def write(graph: BareGraph, *, shift: int = 0) -> str:
    """The graph in GTN's format, five columns an arc."""
    reasons = []
    mentioned = max(int(a.max(initial=-1)) for a in (graph.src, graph.dst, graph.start, graph.accept)) + 1
    if mentioned < graph.n_states:
        reasons.append(f"states {mentioned} … {graph.n_states - 1} have no arc and are neither start nor accept")
    if graph.tie is not None:
        reasons.append("arcs that share parameters are written with weights of their own")
    warn_inexact("GTN text", reasons)
    rules = {"format": "GTN", "epsilon": EPSILON, "low": 0, "shift": shift}
    inputs = file_labels(graph.ilabel.tolist(), "ilabel", **rules)  # type: ignore[arg-type]
    outputs = file_labels(graph.olabel.tolist(), "olabel", **rules)  # type: ignore[arg-type]
    rows = [" ".join(map(str, graph.start.tolist())), " ".join(map(str, graph.accept.tolist()))]
    rows += [
        f"{src} {dst} {ilabel} {olabel} {weight!r}"
        for src, dst, ilabel, olabel, weight in zip(
            graph.src.tolist(), graph.dst.tolist(), inputs, outputs, graph.arc_weight.tolist(), strict=True
        )
    ]
    return "\n".join(rows) + "\n"


FORMAT = Format(
    name="gtn",
    summary="GTN's text format",
    suffixes=(".gtn", ".txt"),
    read=read,
    write=write,
    options=("shift",),
)
