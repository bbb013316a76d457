"""``KL[A, B]``: relative entropy of two distributions over paths."""

from __future__ import annotations

from arcgrad.compiler.operators.base import Category, Law, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

OPERATOR = Operator(
    name="kl",
    summary="Is the sum over paths of p_A log(p_A / p_B), for A and B of one topology; +inf where A has a path that B "
    "has not, 0 where A has none.",
    category=Category.REDUCTION,
    operands=(Type.GRAPH, Type.GRAPH),
    result=Type.SCORE,
    names=("KL",),
    semiring="kl",
    laws=(
        Law("KL[A, A]", "0", (), "no distribution differs from itself"),
        Law("KL[A⟨v⟩, A⟨w⟩]", "0", (), "a factor common to all paths changes no probability"),
        Law("KL[rev[A], rev[A]]", "KL[A, A]", (), "reversal maps paths one to one and keeps their weights"),
    ),
    example="KL[A, B]",
    reference="Cortes et al., On the Computation of the Relative Entropy of Probabilistic Automata (2008)",
)
