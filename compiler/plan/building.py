"""How a graph expression is built: whole chains at once, and what literals alone make once for all calls.

Made of a plan's graphs and read by the builder of the runtime.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from arcgrad.compiler.frontend.ir import Node, topological
from arcgrad.compiler.types import Type

__all__ = ["Building", "building_of"]


@dataclass(frozen=True, slots=True)
class Building:
    """What is known of an expression before it is built.

    Attributes:
        chains: for the outermost node of each chain of three operands or more of one operator that has a ``join``, the
            chain's operands: one by one, n unions would copy up to n graphs each.
        constants: nodes that nothing but literals enters.
        kept: constants whose graphs are worth remembering: the outermost ones.
    """

    chains: dict[Node, tuple[Node, ...]]
    constants: frozenset[Node]
    kept: frozenset[Node]


def building_of(root: Node) -> Building:
    """Look through an expression.

    A node that occurs twice ends a chain: opened, forty lines of text would have 2⁴⁰ operands.
    """
    nodes = topological(root)
    uses = Counter(operand for node in nodes for operand in node.operands)
    constants: set[Node] = set()
    for node in nodes:
        if node.type is Type.GRAPH and not node.is_input and all(o in constants for o in node.operands):
            constants.add(node)
    kept = {o for node in nodes if node not in constants for o in node.operands if o in constants}
    chains: dict[Node, tuple[Node, ...]] = {}
    opened: set[Node] = set()
    for node in reversed(nodes):
        if node.is_input or node.is_number or node in opened or node.definition.join is None:
            continue
        operands, stack = [], list(node.operands)
        while stack:
            operand = stack.pop()
            if operand.operator == node.operator and uses[operand] == 1:
                opened.add(operand)
                stack.extend(operand.operands)
            else:
                operands.append(operand)
        if len(operands) > len(node.operands):
            chains[node] = tuple(reversed(operands))
    return Building(chains, frozenset(constants), frozenset(kept | ({root} & constants)))
