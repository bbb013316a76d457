"""``det[A]``: at most one path for each label sequence."""

from __future__ import annotations

from arcgrad.compiler.operators.base import Category, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

OPERATOR = Operator(
    name="determinize",
    summary="Has one path for each label sequence of A, with the sum of its paths' weights.",
    category=Category.LATER,
    operands=(Type.GRAPH,),
    names=("det",),
    example="det[A]",
    reference="Mohri, Finite-State Transducers in Language and Speech Processing (1997)",
)
