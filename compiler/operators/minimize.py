"""``minimize[A]``: as few states as possible."""

from __future__ import annotations

from arcgrad.compiler.operators.base import Category, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

OPERATOR = Operator(
    name="minimize",
    summary="Has the label sequences and weights of A, in as few states as a deterministic graph can have.",
    category=Category.LATER,
    operands=(Type.GRAPH,),
    names=("minimize",),
    example="minimize[A]",
    reference="Mohri, Minimization Algorithms for Sequential Transducers (2000)",
)
