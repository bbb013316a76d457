"""``POST[A]``: posterior probabilities of arcs."""

from __future__ import annotations

from arcgrad.compiler.operators.base import Category, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

OPERATOR = Operator(
    name="posterior",
    summary="Has A's states and arcs, each arc weighted by the logarithm of the probability that a path takes it.",
    category=Category.LATER,
    operands=(Type.GRAPH,),
    names=("POST",),
    example="POST[A ∘ B]",
    reference="Rabiner, A Tutorial on Hidden Markov Models and Selected Applications in Speech Recognition (1989)",
)
