"""``KL[A, B]``: relative entropy of two distributions over paths."""

from __future__ import annotations

from arcgrad.compiler.operators.base import Category, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

OPERATOR = Operator(
    name="kl",
    summary="Is the sum over paths of p_A log(p_A / p_B), for A and B of one topology.",
    category=Category.LATER,
    operands=(Type.GRAPH, Type.GRAPH),
    result=Type.SCORE,
    names=("KL",),
    example="KL[A, B]",
    reference="Cortes et al., On the Computation of the Relative Entropy of Probabilistic Automata (2008)",
)
