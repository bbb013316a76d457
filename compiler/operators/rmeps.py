"""``rmeps[A]``: without ε arcs."""

from __future__ import annotations

from arcgrad.compiler.operators.base import Category, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

OPERATOR = Operator(
    name="rmeps",
    summary="Has the label sequences of A with the same total weights, and no ε arcs but for the empty string.",
    category=Category.LATER,
    operands=(Type.GRAPH,),
    names=("rmeps",),
    example="rmeps[A]",
    reference="Mohri, Generic Epsilon-Removal Algorithms for Weighted Transducers (2002)",
)
