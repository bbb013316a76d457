"""``NBEST[A, n]``: the n best paths."""

from __future__ import annotations

from arcgrad.compiler.operators.base import Category, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

OPERATOR = Operator(
    name="nbest",
    summary="Has the n paths of A of greatest weight, as linear graphs side by side.",
    category=Category.LATER,
    operands=(Type.GRAPH,),
    names=("NBEST",),
    parameter_names=("n",),
    example="NBEST[A, 5]",
    reference="Mohri, Riley, An Efficient Algorithm for the n-Best-Strings Problem (2002)",
)
