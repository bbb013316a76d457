"""The reciprocal ``1 / x``, inf at 0; has no spelling, it is the derivative of ``log``."""

from __future__ import annotations

import math

from arcgrad.compiler.graphs.score_values import Number, as_float
from arcgrad.compiler.operators.base import Category, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]


def _evaluate(x: Number) -> float:
    return 1.0 / as_float(x) if x else math.inf


def _derivatives(value: Number, x: Number) -> tuple[float, ...]:
    return (-as_float(value) * as_float(value),)


OPERATOR = Operator(
    name="reciprocal",
    summary="1 divided by a score; inf at 0.",
    category=Category.ARITHMETIC,
    operands=(Type.SCORE,),
    result=Type.SCORE,
    evaluate=_evaluate,
    derivatives=_derivatives,
    code="reciprocal({0})",
    gradient_code=("-scaled({cotangent}, {value} * {value})",),
    example="1 / LSE[A]",
    reference="IEEE Std 754-2019, section 6.1 (infinities)",
)
