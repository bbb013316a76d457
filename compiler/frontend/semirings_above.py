"""Gives operators such as ``det`` the semiring of the reduction above them, before anything is planned or evaluated.

Last step of elaboration. ``LSE[det[A]] + MAX[det[A]]`` has one ``det`` under two reductions, which need different
graphs: it becomes two nodes. The semiring is a last parameter of the node, and not there where it is "log"; expressions
are shown without it.
"""

from __future__ import annotations

from arcgrad.compiler.frontend.ir import Interner, Node, topological
from arcgrad.compiler.operators import operator
from arcgrad.grammar.errors import Place

__all__ = ["settle_semirings"]

_TROPICAL = ("max", "min")


def settle_semirings(result: Node, interner: Interner, places: dict[Node, Place]) -> Node:
    """The same program with the semiring among the parameters of each operator that follows the reduction above it.

    A graph that is the program's value, or that only transforms without a semiring of their own lead to, is "log".

    Args:
        result: what the program's value is.
        interner: makes its nodes.
        places: where nodes stand in the text; that of new ones is added.
    """
    nodes = topological(result)
    if not any(_follows(node) for node in nodes):
        return result
    above: dict[Node, dict[str, None]] = {node: {} for node in nodes}  # in order, unlike a set
    above[result]["log"] = None
    for node in reversed(nodes):
        for operand in node.operands:
            above[operand].update((_below(node, semiring), None) for semiring in above[node])
    made: dict[tuple[Node, str], Node] = {}
    for node in nodes:
        for semiring in above[node]:
            operands = tuple(made[operand, _below(node, semiring)] for operand in node.operands)
            new = interner.with_operands(node, operands)
            if semiring in _TROPICAL and _follows(node):
                new = interner.make(node.operator, operands, (*node.parameters, semiring), node.type)
            if new is not node and node in places:
                places.setdefault(new, places[node])
            made[node, semiring] = new
    return made[result, "log"]


def _follows(node: Node) -> bool:
    """Whether the node's operator takes the semiring of the reduction above it."""
    return not node.is_input and not node.is_number and operator(node.operator).follows_reduction


def _below(node: Node, semiring: str) -> str:
    """What is above a node's operands."""
    if node.is_input or node.is_number:
        return semiring
    own = operator(node.operator).semiring
    if own is None:
        return semiring
    return own if own in _TROPICAL else "log"
