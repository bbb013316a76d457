"""``SAMPLE[A, n, seed]``: random paths."""

from __future__ import annotations

from arcgrad.compiler.operators.base import Category, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

OPERATOR = Operator(
    name="sample",
    summary="Has n paths of A, drawn with probabilities in proportion to exp(weight).",
    category=Category.LATER,
    operands=(Type.GRAPH, Type.SCORE),
    names=("SAMPLE",),
    parameter_names=("n",),
    parameter_positions=(1,),
    example="SAMPLE[A, 5, 1]",
    reference="OpenFst, RandGen",
)
