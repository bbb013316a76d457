"""Graphs that meet dense inputs may carry only labels for which these have columns.

Where a dense input stands at the end of a chain of compositions, what it is composed with meets it: in ``X ∘ (T ∘ Y)``
the graph ``T ∘ Y``, in ``X ∘ T ∘ Y`` the graph T, in ``A ∘ X ∘ B`` both A and B. Looked at where a call is prepared,
once for known graphs, and by the interpreter as it composes: `arcgrad.runtime.reference.columns`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from arcgrad.compiler.frontend.ir import Node
from arcgrad.compiler.graphs.topology import EPSILON, IntArray, Topology
from arcgrad.compiler.plan.chains import CHAINS
from arcgrad.compiler.types import Type
from arcgrad.grammar.errors import InputError, Place
from arcgrad.grammar.mistakes import counted
from arcgrad.runtime.build.builder import depends_on_shared_inputs
from arcgrad.runtime.build.origins import expression_words
from arcgrad.runtime.data.inputs import Bound, BoundDense, BoundGraph

__all__ = ["Meets", "find_arc_without_column", "find_meetings", "suspects", "without_column"]


class Meets(NamedTuple):
    """A graph that meets a dense input.

    Attributes:
        node: the composition or intersection.
        dense: the dense input's name.
        graph: the other operand.
        side: "input" or "output": its labels that are matched with the dense input's.
    """

    node: Node
    dense: str
    graph: Node
    side: str


def find_meetings(nodes: Iterable[Node], bound: Bound) -> list[Meets]:
    """Where dense inputs are met among these nodes, whose operands come first."""
    dense = {name for name, found in bound.inputs.items() if isinstance(found, BoundDense)}
    found: list[Meets] = []
    ends: dict[Node, tuple[frozenset[str], frozenset[str]]] = {}  # dense inputs at the left and at the right end
    none: frozenset[str] = frozenset()
    for node in nodes if dense else ():
        if node.is_input:
            name = str(node.parameters[0])
            if name in dense:
                ends[node] = (frozenset((name,)),) * 2
        elif node.operator in CHAINS:
            left, right = (ends.get(operand, (none, none)) for operand in node.operands)
            found += [Meets(node, name, node.operands[1], "input") for name in sorted(left[1])]
            found += [Meets(node, name, node.operands[0], "output") for name in sorted(right[0])]
            both = (left[0] | right[0], left[1] | right[1]) if node.operator == "intersect" else (left[0], right[1])
            if both != (none, none):
                ends[node] = both
    return found


def _labels(topology: Topology, side: str) -> IntArray:
    """The labels of that side."""
    return topology.ilabel if side == "input" else topology.olabel


def suspects(meetings: Iterable[Meets], bound: Bound) -> Iterator[tuple[Meets, int]]:
    """Meetings, and the items in which a label may be without a column, found without building anything."""
    for meeting in meetings:
        n_columns = _n_columns(meeting, bound)
        graphs = bound.inputs.get(str(meeting.graph.parameters[0])) if meeting.graph.is_input else None
        if isinstance(graphs, BoundGraph):  # as in most batches, whose graphs are new at every call
            for item, graph in enumerate(graphs.items[: bound.n_items]):
                if _largest_of(graph.topology, meeting.side) >= n_columns:
                    yield meeting, item
            continue
        n_items = min(1, bound.n_items) if depends_on_shared_inputs(meeting.graph, bound) else bound.n_items
        for item in range(n_items):
            if _largest_label(meeting.graph, meeting.side, bound, item) >= n_columns:
                yield meeting, item


def _n_columns(meeting: Meets, bound: Bound) -> int:
    dense = bound.inputs[meeting.dense]
    assert isinstance(dense, BoundDense)
    return dense.n_columns


# Operators whose result has no other labels than their operands, side by side.
_KEEP_LABELS = frozenset((
    "union", "concatenate", "closure", "plus", "optional", "repeat", "reverse", "weight", "connect", "epsilon", "empty",
    "intersect", "support",
))  # fmt: skip
_UNKNOWN = 2**31


def _largest_label(graph: Node, side: str, bound: Bound, item: int) -> int:
    """A bound of the labels on that side, found without building anything."""
    most, seen = EPSILON, set()
    stack = [(graph, side)]
    while stack:
        node, side = key = stack.pop()
        if key in seen:
            continue
        seen.add(key)
        if node.is_input:
            found = bound.inputs[str(node.parameters[0])]
            if isinstance(found, BoundGraph):
                most = max(most, _largest_of(found.items[0 if found.shared else item].topology, side))
            elif isinstance(found, BoundDense):
                most = max(most, found.n_columns - 1)
        elif node.operator in ("linear", "symbols"):
            most = max([most, *(label for label in node.parameters if isinstance(label, int))])
        elif node.operator in _KEEP_LABELS:
            stack += [(operand, side) for operand in node.operands if operand.type is Type.GRAPH]
        elif node.operator == "inverse":
            stack.append((node.operands[0], "output" if side == "input" else "input"))
        elif node.operator in ("project_input", "project_output"):
            stack.append((node.operands[0], node.operator.removeprefix("project_")))
        elif node.operator in ("relabel", "relabel_input", "relabel_output"):
            mapping = next(bound.mappings[str(o.parameters[0])] for o in node.operands if o.type is Type.MAPPING)
            most = max(most, int(mapping.targets.max(initial=EPSILON)))
            stack += [(operand, side) for operand in node.operands if operand.type is Type.GRAPH]
        elif node.operator == "difference":
            stack.append((node.operands[0], side))
        elif node.operator in ("compose", "cross"):
            stack.append((node.operands[0 if side == "input" else 1], side))
        else:
            return _UNKNOWN
    return most


# So few are looked through in less time than numpy needs to begin.
_FEW_ARCS = 64


def _largest_of(topology: Topology, side: str) -> int:
    """The largest label on that side, −1 where there is none; looked for once."""
    memo = topology.memo("columns")
    largest: int | None = memo.get(side)
    if largest is None:
        labels = _labels(topology, side)
        few = len(labels) <= _FEW_ARCS
        largest = max(labels.tolist(), default=EPSILON) if few else int(np.maximum.reduce(labels))
        memo[side] = largest
    return largest


def find_arc_without_column(meeting: Meets, topology: Topology, bound: Bound) -> int | None:
    """The first arc of the graph that meets the dense input whose label has no column, if there is one."""
    bad = np.flatnonzero(_labels(topology, meeting.side) >= _n_columns(meeting, bound))
    return int(bad[0]) if len(bad) else None


def without_column(
    meeting: Meets, topology: Topology, arc: int, origin: str, bound: Bound, place: Place | None
) -> InputError:
    """The error for that arc of the graph that meets the dense input; ``origin`` are words for the arc."""
    label = int(_labels(topology, meeting.side)[arc])
    made = "" if meeting.graph.is_input or not meeting.graph.operands else f" in {expression_words(meeting.graph)}"
    side = "" if topology.is_acceptor else f"{meeting.side} "
    return _no_column(meeting, f"{origin} has{made} the {side}label {label}", bound, place)


def _no_column(meeting: Meets, words: str, bound: Bound, place: Place | None) -> InputError:
    n_columns = _n_columns(meeting, bound)
    has = f"labels 0 to {n_columns - 1}" if n_columns else "no labels at all"
    return InputError(
        f"{words}, but {meeting.dense} has {counted(n_columns, 'column')}: {has}",
        place=place,
        hint=f"a graph that meets {meeting.dense} may carry only labels that it has columns for; "
        "relabel[…, m] maps others",
    )
