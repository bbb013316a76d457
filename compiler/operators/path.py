"""``PATH[A]``: the best path as a linear graph."""

from __future__ import annotations

from arcgrad.compiler.operators.base import Category, Law, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

OPERATOR = Operator(
    name="path",
    summary="Has the path of A of greatest weight alone, with its labels and weights; ∅ where A has no path.",
    category=Category.PATHS,
    operands=(Type.GRAPH,),
    names=("PATH",),
    laws=(
        Law("MAX[PATH[A]]", "MAX[A]", (), "the best path weighs what the best path weighs"),
        Law("LSE[PATH[A]]", "MAX[A]", (), "the sum over one path is its weight"),
    ),
    example="PATH[A ∘ B]",
    reference="Viterbi, Error bounds for convolutional codes and an asymptotically optimum decoding algorithm (1967)",
)
