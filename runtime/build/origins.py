"""Words for an arc of a built graph: which arcs of the user's graphs it was made of, as messages name them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from arcgrad.compiler.frontend.ir import Node, describe
from arcgrad.compiler.graphs.topology import IntArray, Topology
from arcgrad.compiler.types import Type
from arcgrad.runtime.data.inputs import Bound, BoundDense, BoundGraph

__all__ = ["arc_parts", "arc_words", "cycle_words", "expression_words", "label_words"]

_MOST_PARTS = 4  # of an arc, that a message names
_MOST_ARCS = 12  # of a cycle


def label_words(topology: Topology, arc: int) -> str:
    """The arc's label, or its labels ``5:ε`` where they differ."""
    labels = ["ε" if label < 0 else str(label) for label in (int(topology.ilabel[arc]), int(topology.olabel[arc]))]
    return labels[0] if labels[0] == labels[1] else ":".join(labels)


def expression_words(node: Node) -> str:
    """The expression as messages show it; an input by its name alone."""
    text = describe(node, limit=60)
    return text if node.is_input else f"`{text if len(text) <= 60 else text[:59] + '…'}`"


def arc_parts(node: Node, arc: int, selections: Callable[[Node], Sequence[IntArray]]) -> list[tuple[Node, int | None]]:
    """What an arc of a node's graph was made of, as `arc_words` takes it.

    Args:
        node: an expression.
        arc: of the graph that it stands for.
        selections: how an inner node's graph takes its arcs from those of its operands, mappings aside.
    """
    parts: list[tuple[Node, int | None]] = []
    stack = [(node, arc)]
    while stack and len(parts) <= _MOST_PARTS:
        current, number = stack.pop()
        operands = [operand for operand in current.operands if operand.type is not Type.MAPPING]
        taken = zip(operands, selections(current), strict=False)
        further = [(operand, int(arcs[number])) for operand, arcs in taken if arcs[number] >= 0]
        if not further:
            parts.append((current, None if operands and current.type is Type.GRAPH else number))
        stack += reversed(further)
    return parts


def arc_words(parts: Iterable[tuple[Node, int | None]], bound: Bound) -> str:
    """Name an arc by what it was made of.

    Args:
        parts: inputs or literals with the number of the arc that was taken, or with None an operator that made an arc
            of its own.
        bound: the call's inputs.
    """
    words = []
    for node, arc in parts:
        found = bound.inputs.get(str(node.parameters[0])) if node.is_input else None
        if arc is None:
            words.append(f"an arc of {expression_words(node)}")
        elif node.type is Type.SCORE:
            words.append(f"the weight {expression_words(node)}")
        elif isinstance(found, BoundDense):
            frame, column = divmod(arc, found.n_columns)
            words.append(f"column {column} of frame {frame} of {expression_words(node)}")
        else:
            words.append(f"arc {arc} of {expression_words(node)}")
    return " with ".join(words[:_MOST_PARTS]) + " with …" * (len(words) > _MOST_PARTS)


def cycle_words(
    node: Node, topology: Topology, cycle: Sequence[int], origin: Callable[[Node, int], str], bound: Bound
) -> str:
    """Name a cycle of a node's graph by the state at which it begins, and by its arcs and their labels.

    Args:
        node: an expression.
        topology: the graph that it stands for.
        cycle: numbers of arcs.
        origin: words for an arc of a node's graph.
        bound: the call's inputs.
    """
    shown, more = cycle[:_MOST_ARCS], ", …" * (len(cycle) > _MOST_ARCS)
    labels = [label_words(topology, arc) for arc in shown]
    if node.is_input and isinstance(bound.inputs[str(node.parameters[0])], BoundGraph):
        plural = "s" * (len(cycle) > 1)
        along = f"arc{plural} {', '.join(map(str, shown))}{more}, label{plural} {', '.join(labels)}{more}"
    else:
        steps = zip(shown, labels, strict=True)
        along = ", ".join(
            f"{origin(node, arc)} ({label if label == 'ε' else f'label {label}'})" for arc, label in steps
        )
        along += more
    return f"state {topology.src[cycle[0]]} of {expression_words(node)} along {along}"
