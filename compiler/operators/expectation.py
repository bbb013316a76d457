"""``E[A, R]``: the expected weight of another graph's path."""

from __future__ import annotations

from arcgrad.compiler.operators.base import Category, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

OPERATOR = Operator(
    name="expectation",
    summary="Is the expectation, under A's distribution over paths, of the weight of R's path, R having A's topology.",
    category=Category.LATER,
    operands=(Type.GRAPH, Type.GRAPH),
    result=Type.SCORE,
    names=("E",),
    example="E[A, R]",
    reference="Eisner, Parameter Estimation for Probabilistic Finite-State Transducers (2002)",
)
