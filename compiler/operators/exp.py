"""Exponential of a score ``exp[a]``."""

from __future__ import annotations

import math

from arcgrad.compiler.graphs.score_values import Number, as_float
from arcgrad.compiler.operators.base import Category, Law, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]


def _evaluate(a: Number) -> float:
    try:
        return math.exp(as_float(a))
    except OverflowError:
        return math.inf


def _derivatives(value: float, a: Number) -> tuple[float, ...]:
    return (value,)


OPERATOR = Operator(
    name="exp",
    summary="The exponential of a score; inf where it is beyond float64.",
    category=Category.ARITHMETIC,
    operands=(Type.SCORE,),
    result=Type.SCORE,
    names=("exp",),
    evaluate=_evaluate,
    derivatives=_derivatives,
    code="exp_({0})",
    gradient_code=("scaled({cotangent}, {value})",),
    laws=(Law("exp[LSE[A] + LSE[B]]", "exp[LSE[A]] × exp[LSE[B]]", (), "the functional equation of exp"),),
    example="exp[LSE[A]]",
    reference="IEEE Std 754-2019, section 6.1 (infinities) and 7.2 (invalid operations)",
)
