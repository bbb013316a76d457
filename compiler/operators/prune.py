"""``prune[A, beam]``: without what lies on bad paths only."""

from __future__ import annotations

from arcgrad.compiler.operators.base import Category, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

OPERATOR = Operator(
    name="prune",
    summary="Has the states and arcs of A that lie on a path whose weight is within the beam of the best.",
    category=Category.LATER,
    operands=(Type.GRAPH, Type.SCORE),
    names=("prune",),
    example="prune[A, 8]",
    reference="OpenFst, Prune",
)
