"""``COUNT[A]``: the number of paths."""

from __future__ import annotations

from arcgrad.compiler.operators.base import Category, Law, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

OPERATOR = Operator(
    name="count",
    summary="Is the number of A's paths, exact, and inf only where it is infinite; it has no gradient.",
    category=Category.REDUCTION,
    operands=(Type.GRAPH,),
    result=Type.SCORE,
    names=("COUNT",),
    semiring="count",
    laws=(
        Law("COUNT[ε]", "1", (), "one path"),
        Law("COUNT[A + A]", "2 × COUNT[A]", (), "every path twice"),
    ),
    example="COUNT[A ∘ B]",
    reference="Mohri, Semiring Frameworks and Algorithms for Shortest-Distance Problems (2002)",
)
