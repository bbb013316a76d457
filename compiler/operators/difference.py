"""Difference ``A − B``: the paths of A whose labels B does not accept."""

from __future__ import annotations

from arcgrad.compiler.operators.base import Category, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

OPERATOR = Operator(
    name="difference",
    summary="Has the paths of A whose labels no path of B has; B's weights are 0.",
    category=Category.LATER,
    operands=(Type.GRAPH, Type.GRAPH),
    acceptors=(True, True),
    tag="difference",
    sign="-",
    overload="subtract",
    example="LSE[A - B]",
    reference="Mohri, Weighted Automata Algorithms, in Handbook of Weighted Automata (2009)",
)
