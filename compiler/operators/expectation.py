"""``E[A, R]``: the expected weight of another graph's path."""

from __future__ import annotations

from arcgrad.compiler.operators.base import Category, Law, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

OPERATOR = Operator(
    name="expectation",
    summary="Is the expectation, under A's distribution over paths, of the weight of R's path, R having A's topology; "
    "0 where A has no path.",
    category=Category.REDUCTION,
    operands=(Type.GRAPH, Type.GRAPH),
    result=Type.SCORE,
    names=("E",),
    semiring="expectation",
    laws=(
        Law("E[ε, ε]", "0", (), "one path of weight 0"),
        Law("E[ε + A, ε + A]", "LSE[ε + A] - H[ε + A]", (), "−log p(path) is LSE less the path's weight"),
        Law("E[rev[A], rev[A]]", "E[A, A]", (), "reversal maps paths one to one and keeps their weights"),
        Law("E[A + A, A + A]", "E[A, A]", (), "each path twice, and half as likely"),
    ),
    example="E[A, R]",
    reference="Eisner, Parameter Estimation for Probabilistic Finite-State Transducers (2002)",
)
