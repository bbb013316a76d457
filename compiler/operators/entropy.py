"""``H[A]``: the entropy of the distribution over paths."""

from __future__ import annotations

from arcgrad.compiler.operators.base import Category, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

OPERATOR = Operator(
    name="entropy",
    summary="Is the entropy, in nats, of the distribution of A's paths in proportion to exp(weight); 0 without a path.",
    category=Category.LATER,
    operands=(Type.GRAPH,),
    result=Type.SCORE,
    names=("H",),
    example="H[A ∘ B]",
    reference="Hernando, Crespi, Cybenko, Efficient Computation of the Hidden Markov Model Entropy (2005)",
)
