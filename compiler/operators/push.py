"""``push[A]``: weights moved towards the start."""

from __future__ import annotations

from arcgrad.compiler.operators.base import Category, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

OPERATOR = Operator(
    name="push",
    summary="Has the paths of A with the same weights, moved along them towards the start.",
    category=Category.LATER,
    operands=(Type.GRAPH,),
    names=("push",),
    example="push[A]",
    reference="Mohri, Weighted Automata Algorithms, in Handbook of Weighted Automata (2009)",
)
