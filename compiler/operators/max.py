"""``MAX[A]``: the Viterbi score."""

from __future__ import annotations

from arcgrad.compiler.operators.base import Category, Law, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

OPERATOR = Operator(
    name="max",
    summary="Is the greatest weight of a path of A; −inf where A has no path.",
    category=Category.REDUCTION,
    operands=(Type.GRAPH,),
    result=Type.SCORE,
    names=("MAX",),
    semiring="max",
    laws=(
        Law("MAX[ε]", "0", (), "one path of weight 0"),
        Law("MAX[A + A]", "MAX[A]", (), "a path twice is no better than once"),
    ),
    example="MAX[A ∘ B]",
    reference="Viterbi, Error bounds for convolutional codes and an asymptotically optimum decoding algorithm (1967)",
)
