"""A direction's share of a derivative, ``p × d``; has no spelling, second derivatives use it."""

from __future__ import annotations

import math

from arcgrad.compiler.graphs.score_values import Number, as_float
from arcgrad.compiler.operators.base import Category, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]


def _finite(value: Number, x: Number) -> float:
    """``x``, or 0 where it or ``value`` is infinite."""
    return 0.0 if math.isinf(as_float(value)) or math.isinf(as_float(x)) else as_float(x)


def _evaluate(value: Number, derivative: Number, direction: Number) -> float:
    return _finite(value, derivative) * _finite(value, direction)


def _derivatives(result: Number, value: Number, derivative: Number, direction: Number) -> tuple[float, ...]:
    return 0.0, _finite(value, direction), _finite(value, derivative)


OPERATOR = Operator(
    name="along",
    summary="The product of a score's derivative and a direction; 0 where the score, the first operand, is infinite.",
    category=Category.ARITHMETIC,
    operands=(Type.SCORE, Type.SCORE, Type.SCORE),
    result=Type.SCORE,
    evaluate=_evaluate,
    derivatives=_derivatives,
    code="below({0}, {1}) * below({0}, {2})",
    gradient_code=("0.0", "scaled({cotangent}, below({0}, {2}))", "scaled({cotangent}, below({0}, {1}))"),
    example="LSE[A] × LSE[B]",
    reference="Pearlmutter, Fast Exact Multiplication by the Hessian (1994)",
)
