"""Covariance of two graphs' path weights under a third's distribution; has no spelling, second derivatives use it."""

from __future__ import annotations

from arcgrad.compiler.operators.base import Category, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

OPERATOR = Operator(
    name="covariance",
    summary="Is the covariance, under A's distribution over paths, of the weights of R's and S's paths, all of one "
    "topology; 0 where A has no path.",
    category=Category.REDUCTION,
    operands=(Type.GRAPH, Type.GRAPH, Type.GRAPH),
    result=Type.SCORE,
    semiring="covariance",
    example="E[A, R]",
    reference="Li, Eisner, First- and Second-Order Expectation Semirings (2009)",
)
