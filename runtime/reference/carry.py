"""Attributes of what the interpreter makes: they follow arcs from operation to operation, as weights do."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from arcgrad.compiler.frontend.ir import Node, Program
from arcgrad.compiler.graphs.topology import IntArray
from arcgrad.compiler.types import Type
from arcgrad.runtime.data.attributes import NO_ATTRIBUTES, Attributes, Later, carried
from arcgrad.runtime.data.graph import Graph
from arcgrad.runtime.data.inputs import Bound, BoundGraph

__all__ = ["later_attributes"]


def later_attributes(program: Program, bound: Bound, item: int, values: Mapping[Node, Any]) -> Later | None:
    """Give those of the result's arcs, from the inputs' through the selections; None where no input has any.

    Args:
        program, bound, item: what was evaluated.
        values: of each node, with its local ``selections``.
    """
    leaves: dict[Node, Graph] = {}
    for node in program.nodes:
        found = bound.inputs.get(str(node.parameters[0])) if node.is_input else None
        if isinstance(found, BoundGraph):
            graph = found.items[0 if found.shared else item]
            if graph._attributes is not None:
                leaves[node] = graph
    if not leaves:
        return None
    made = [
        (node, [o for o in node.operands if o.type is not Type.MAPPING], value.selections, len(value.weights))
        for node, value in values.items()
        if value.is_graph and not node.is_input
    ]
    return partial(_carry, leaves, made, program.result)


def _carry(
    leaves: dict[Node, Graph], made: list[tuple[Node, list[Node], tuple[IntArray, ...], int]], result: Node
) -> Attributes:
    """Attributes of a result's arcs, operation by operation."""
    found: dict[Node, Attributes] = {node: graph.attributes for node, graph in leaves.items()}
    for node, operands, selections, n_arcs in made:
        parts = []
        for operand, selection in zip(operands, selections, strict=False):
            if operand in found:
                chosen = np.flatnonzero(selection >= 0)
                parts.append((found[operand], chosen, selection[chosen]))
        if parts:
            found[node] = carried(n_arcs, parts)
    return found.get(result, NO_ATTRIBUTES)
