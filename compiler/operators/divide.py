"""Quotient of scores ``a / b``."""

from __future__ import annotations

import math
import operator

from arcgrad.compiler.graphs.score_values import Number, apply_exactly, as_float
from arcgrad.compiler.operators.base import Category, Law, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]


def _evaluate(a: Number, b: Number) -> Number:
    return math.nan if b == 0 else apply_exactly(operator.truediv, a, b)


def _derivatives(value: Number, a: Number, b: Number) -> tuple[float, ...]:
    divisor = as_float(b)
    return 1 / divisor, -as_float(value) / divisor


OPERATOR = Operator(
    name="divide",
    summary="The quotient of two scores; division by 0 and inf / inf are undefined.",
    category=Category.ARITHMETIC,
    operands=(Type.SCORE, Type.SCORE),
    result=Type.SCORE,
    tag="divide",
    sign="/",
    evaluate=_evaluate,
    derivatives=_derivatives,
    code="divided({0}, {1})",
    gradient_code=("scaled({cotangent}, divided(1.0, {1}))", "scaled(-{cotangent}, divided({value}, {1}))"),
    laws=(Law("LSE[A] / 2", "0.5 LSE[A]", (), "its definition"),),
    example="LSE[A] / 2",
    reference="IEEE Std 754-2019, section 6.1 (infinities) and 7.2 (invalid operations)",
)
