"""``minimize[A]``: as few states as possible."""

from __future__ import annotations

from arcgrad.compiler.graphs.weighted.minimal import minimized
from arcgrad.compiler.graphs.weighted.pushing import in_semiring
from arcgrad.compiler.operators.base import Category, Law, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

OPERATOR = Operator(
    name="minimize",
    summary="Has the label sequences and weights of A, determinised where they are not, in as few states as a "
    "deterministic graph can have; what leaves a state but the start sums to 1 (under MAX and MIN: is at best 0).",
    category=Category.TRANSFORM,
    operands=(Type.GRAPH,),
    names=("minimize",),
    follows_reduction=True,
    transform=in_semiring("minimize", minimized),
    laws=(
        Law("minimize[A ∘ linear[1, 0]]", "A ∘ linear[1, 0]", ("lse", "max"), "strings keep their weights"),
        Law("minimize[minimize[PATH[A]]]", "minimize[PATH[A]]", ("lse", "max"), "there is nothing smaller"),
    ),
    example="minimize[A ∘ linear[1, 0, 2]]",
    reference="Mohri, Minimization Algorithms for Sequential Transducers (2000)",
)
