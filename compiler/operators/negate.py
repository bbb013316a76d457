"""Negative of a score ``−a``."""

from __future__ import annotations

from arcgrad.compiler.graphs.score_values import Number
from arcgrad.compiler.operators.base import Category, Law, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]


def _evaluate(a: Number) -> Number:
    return -a


def _derivatives(value: Number, a: Number) -> tuple[float, ...]:
    return (-1.0,)


OPERATOR = Operator(
    name="negate",
    summary="The negative of a score.",
    category=Category.ARITHMETIC,
    operands=(Type.SCORE,),
    result=Type.SCORE,
    tag="negate",
    sign="unary -",
    evaluate=_evaluate,
    derivatives=_derivatives,
    code="-{0}",
    gradient_code=("-{cotangent}",),
    laws=(Law("-(-LSE[A])", "LSE[A]", (), "twice is not at all"),),
    example="-LSE[A ∘ B]",
    reference="IEEE Std 754-2019, section 6.1 (infinities) and 7.2 (invalid operations)",
)
