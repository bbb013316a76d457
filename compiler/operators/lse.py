"""``LSE[A]``: the forward score."""

from __future__ import annotations

from arcgrad.compiler.operators.base import Category, Law, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

OPERATOR = Operator(
    name="lse",
    summary="Is the logarithm of the sum over A's paths of exp(path weight); −inf where A has no path.",
    category=Category.REDUCTION,
    operands=(Type.GRAPH,),
    result=Type.SCORE,
    names=("LSE",),
    semiring="log",
    laws=(
        Law("LSE[ε]", "0", (), "one path of weight 0"),
        Law("LSE[A + A]", "LSE[A] + log[2]", (), "every path twice: a union is no set union"),
    ),
    example="LSE[A ∘ B]",
    reference="Rabiner, A Tutorial on Hidden Markov Models and Selected Applications in Speech Recognition (1989)",
)
