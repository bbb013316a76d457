"""Covariance of a path's −log p with another graph's weight of it; has no spelling, it is the derivative of ``H``."""

from __future__ import annotations

from arcgrad.compiler.operators.base import Category, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

OPERATOR = Operator(
    name="entropy_along",
    summary="Is the covariance, under A's distribution over paths, of −log p and of the weight of R's path, R having "
    "A's topology: the derivative of H[A] in the direction R.",
    category=Category.REDUCTION,
    operands=(Type.GRAPH, Type.GRAPH),
    result=Type.SCORE,
    semiring="entropy_along",
    example="H[A ∘ B]",
    reference="Li, Eisner, First- and Second-Order Expectation Semirings (2009)",
)
