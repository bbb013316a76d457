"""Weight, in another graph, of the path that ``MAX[A]`` takes; has no spelling, it is the derivative of ``MAX``."""

from __future__ import annotations

from arcgrad.compiler.operators.base import Category, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

OPERATOR = Operator(
    name="max_along",
    summary="Is the weight of R's path along which MAX[A] is taken, R having A's topology; 0 where A has no path. Its "
    "gradient with respect to A is zero.",
    category=Category.REDUCTION,
    operands=(Type.GRAPH, Type.GRAPH),
    result=Type.SCORE,
    semiring="max_along",
    example="MAX[A]",
    reference="Clarke, Optimization and Nonsmooth Analysis (1983): directional derivatives of a maximum",
)
