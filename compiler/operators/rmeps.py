"""``rmeps[A]``: without ε arcs."""

from __future__ import annotations

from arcgrad.compiler.graphs.weighted.pushing import in_semiring
from arcgrad.compiler.graphs.weighted.rows import without_epsilons
from arcgrad.compiler.operators.base import Category, Law, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

OPERATOR = Operator(
    name="rmeps",
    summary="Has the label sequences of A with the same total weights (under MAX and MIN: best weights), and no arc "
    "that neither reads nor writes, but one for the empty string where A accepts that with a weight.",
    category=Category.TRANSFORM,
    operands=(Type.GRAPH,),
    names=("rmeps",),
    follows_reduction=True,
    transform=in_semiring("rmeps", without_epsilons),
    laws=(
        Law("rmeps[A]", "A", ("lse", "max"), "paths of ε arcs are added up"),
        Law("rmeps[A] ∘ B", "A ∘ B", ("lse", "max"), "whatever strings are read and written"),
        Law("rmeps[rmeps[A]]", "rmeps[A]", ("lse", "max"), "there is nothing left to remove"),
    ),
    example="rmeps[A]",
    reference="Mohri, Generic Epsilon-Removal Algorithms for Weighted Transducers (2002)",
)
