"""``MIN[A]``: the smallest path weight."""

from __future__ import annotations

from arcgrad.compiler.operators.base import Category, Law, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

OPERATOR = Operator(
    name="min",
    summary="Is the smallest weight of a path of A; +inf where A has no path.",
    category=Category.REDUCTION,
    operands=(Type.GRAPH,),
    result=Type.SCORE,
    names=("MIN",),
    semiring="min",
    laws=(
        Law("MIN[ε]", "0", (), "one path of weight 0"),
        Law("MIN[A + A]", "MIN[A]", (), "a path twice is no worse than once"),
    ),
    example="MIN[A ∘ B]",
    reference="Mohri, Semiring Frameworks and Algorithms for Shortest-Distance Problems (2002)",
)
