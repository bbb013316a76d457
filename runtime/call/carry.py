"""Attributes of what calls make: of built graphs through the selection, of transforms through the arcs they copied.

Looked up when somebody asks for them, and only where an input has any.
"""

from __future__ import annotations

from functools import partial

from arcgrad.compiler.graphs.transforms import Transformed
from arcgrad.compiler.plan.plan import Plan
from arcgrad.runtime.build.built_graph import SymbolicGraph
from arcgrad.runtime.data.attributes import Attributes, Later, selected, taken
from arcgrad.runtime.data.graph import Graph
from arcgrad.runtime.data.inputs import Bound, BoundGraph

__all__ = ["of_built", "of_copies"]


def of_built(graph: SymbolicGraph, plan: Plan, bound: Bound, item: int) -> Later | None:
    """Give the attributes of a built graph of one item; None where its leaves have none."""
    having: dict[int, Graph] = {}
    for number, leaf in enumerate(plan.leaves):
        found = bound.inputs[str(leaf.parameters[0])] if leaf.is_input else None
        if isinstance(found, BoundGraph):
            source = found.items[0 if found.shared else item]
            if source._attributes is not None:
                having[number] = source
    return partial(_selected, graph, having) if having else None


def _selected(graph: SymbolicGraph, having: dict[int, Graph]) -> Attributes:
    return selected(graph.selection, {number: source.attributes for number, source in having.items()})


def of_copies(made: Transformed, operand: Graph | None) -> Later | None:
    """Give the attributes of a transform's result; None where its arcs are no copies of arcs that have some."""
    copies = made.copies
    if copies is None or operand is None or operand._attributes is None:
        return None
    source = operand
    return lambda: taken(source.attributes, copies)
