"""``det[A]``: at most one path for each label sequence."""

from __future__ import annotations

from arcgrad.compiler.graphs.weighted.pushing import in_semiring
from arcgrad.compiler.graphs.weighted.subsets import determinized
from arcgrad.compiler.operators.base import Category, Law, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

OPERATOR = Operator(
    name="determinize",
    summary="Has one path for each label sequence of A, with the sum of its paths' weights (under MAX and MIN: the "
    "best); sequences of pairs of labels where A is a transducer.",
    category=Category.TRANSFORM,
    operands=(Type.GRAPH,),
    names=("det",),
    follows_reduction=True,
    transform=in_semiring("det", determinized),
    laws=(
        Law("det[A ∘ linear[1, 0]]", "A ∘ linear[1, 0]", ("lse", "max"), "one path for each string weighs what all do"),
        Law("det[det[PATH[A]]]", "det[PATH[A]]", ("lse", "max"), "what is deterministic stays"),
    ),
    example="det[A ∘ linear[1, 0, 2]]",
    reference="Mohri, Finite-State Transducers in Language and Speech Processing (1997)",
)
