"""``synchronize[A]``: a transducer that reads and writes at the same time as far as it can."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arcgrad.compiler.graphs.adjacency import accessible, coaccessible, induced
from arcgrad.compiler.graphs.adjacency import outgoing as arcs_out_of
from arcgrad.compiler.graphs.topology import EPSILON, Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Category, Law, Operator, Parameters, Size
from arcgrad.compiler.types import Type
from arcgrad.grammar.errors import LimitError

__all__ = ["OPERATOR"]

Waiting = tuple[int, ...]
"""Labels that one side is ahead."""

_ALL = ("lse", "max", "min", "count")
_ENDED = -1
_NO_ARC = -1


def _build(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    (operand,) = topologies
    kept = accessible(operand) & coaccessible(operand)
    graph, arcs_kept = induced(operand, kept)
    rows = arcs_out_of(graph)
    offsets, order = rows.offsets.tolist(), rows.order.tolist()
    dst, ilabel, olabel = graph.dst.tolist(), graph.ilabel.tolist(), graph.olabel.tolist()
    accept = set(graph.accept.tolist())
    numbers: dict[tuple[int, Waiting, Waiting], int] = {}
    queue: list[tuple[int, Waiting, Waiting]] = []
    made: list[tuple[int, int, int, int, int]] = []

    def number(state: int, read: Waiting, written: Waiting) -> int:
        key = (state, read, written)
        if key not in numbers:
            # Where every cycle reads as much as it writes, the delay of a path without cycles bounds that of all.
            if max(len(read), len(written)) > graph.n_states:
                raise LimitError(
                    f"synchronize does not end: at state {np.flatnonzero(kept)[state]} of its operand the "
                    f"{'input' if read else 'output'} is ever further ahead",
                    hint="it ends where every cycle reads as many labels as it writes",
                )
            numbers[key] = len(queue)
            queue.append(key)
        return numbers[key]

    for state in graph.start.tolist():
        number(state, (), ())
    n_start = len(queue)
    done = 0
    while done < len(queue):
        state, read, written = queue[done]
        if state >= 0:
            for arc in order[offsets[state] : offsets[state + 1]]:
                i = read + ((ilabel[arc],) if ilabel[arc] != EPSILON else ())
                o = written + ((olabel[arc],) if olabel[arc] != EPSILON else ())
                both = bool(i and o)
                to = number(dst[arc], i[both:], o[both:])
                made.append((done, to, i[0] if both else EPSILON, o[0] if both else EPSILON, arc))
        if (read or written) and (state in accept or state == _ENDED):
            to = number(_ENDED, read[1:], written[1:])
            made.append((done, to, read[0] if read else EPSILON, written[0] if written else EPSILON, _NO_ARC))
        done += 1
        limits.check("the synchronized graph", states=len(queue), arcs=len(made), at_least=True)
    ends = [k for k, (state, i, o) in enumerate(queue) if not i and not o and (state in accept or state == _ENDED)]
    columns = np.array(made, dtype=np.int32).reshape(-1, 5).T
    acceptor = bool(np.array_equal(columns[2], columns[3]))
    topology = Topology.make(
        len(queue), columns[0], columns[1], columns[2], None if acceptor else columns[3], np.arange(n_start), ends
    )
    taken = columns[4]
    selection = np.where(taken >= 0, arcs_kept[np.maximum(taken, 0)] if len(arcs_kept) else -1, -1).astype(np.int32)
    return Built(topology, (selection,))


OPERATOR = Operator(
    name="synchronize",
    summary="Has the pairs of strings of A with the same weights; along each path, arcs read and write together until "
    "one side has ended. Every cycle of A reads as many labels as it writes.",
    category=Category.STRUCTURAL,
    operands=(Type.GRAPH,),
    names=("synchronize",),
    build=_build,
    size=lambda sizes, parameters: Size(2 * sizes[0].states, 2 * sizes[0].arcs, sizes[0].labels),
    laws=(
        Law("synchronize[in[A]]", "in[A]", _ALL, "what reads and writes the same is in step"),
        Law("synchronize[PATH[A]]", "PATH[A]", ("lse", "max", "min"), "paths keep their weights"),
    ),
    example="synchronize[PATH[A]]",
    reference="Mohri, Edit-Distance of Weighted Automata: General Definitions and Algorithms (2003)",
)
