"""Weight, in another graph, of the path that ``MIN[A]`` takes; has no spelling, it is the derivative of ``MIN``."""

from __future__ import annotations

from arcgrad.compiler.operators.base import Category, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

OPERATOR = Operator(
    name="min_along",
    summary="Is the weight of R's path along which MIN[A] is taken, R having A's topology; 0 where A has no path. Its "
    "gradient with respect to A is zero.",
    category=Category.REDUCTION,
    operands=(Type.GRAPH, Type.GRAPH),
    result=Type.SCORE,
    semiring="min_along",
    example="MIN[A]",
    reference="Clarke, Optimization and Nonsmooth Analysis (1983): directional derivatives of a maximum",
)
