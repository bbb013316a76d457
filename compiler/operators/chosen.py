"""The direction of the larger of two scores; has no spelling, it is the derivative of ``max`` and ``min``."""

from __future__ import annotations

import math

from arcgrad.compiler.graphs.score_values import Number, as_float
from arcgrad.compiler.operators.base import Category, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]


def _taken(a: Number, b: Number) -> tuple[float, float]:
    """1 for the one that is the greatest, the first of two alike; 0 for the other, and where it is infinite."""
    if a >= b:
        return float(not math.isinf(as_float(a))), 0.0
    return 0.0, float(not math.isinf(as_float(b)))


def _evaluate(a: Number, b: Number, of_first: Number, of_second: Number) -> float:
    first, second = _taken(a, b)
    return as_float(of_first) if first else as_float(of_second) if second else 0.0


def _derivatives(value: Number, a: Number, b: Number, of_first: Number, of_second: Number) -> tuple[float, ...]:
    return (0.0, 0.0, *_taken(a, b))


OPERATOR = Operator(
    name="chosen",
    summary="The third operand where the first is not smaller than the second, else the fourth; 0 where the larger is "
    "infinite.",
    category=Category.ARITHMETIC,
    operands=(Type.SCORE, Type.SCORE, Type.SCORE, Type.SCORE),
    result=Type.SCORE,
    evaluate=_evaluate,
    derivatives=_derivatives,
    code="scaled(below({0}, first_is_larger({0}, {1})), {2}) + scaled(below({1}, second_is_larger({0}, {1})), {3})",
    gradient_code=(
        "0.0",
        "0.0",
        "scaled({cotangent}, below({0}, first_is_larger({0}, {1})))",
        "scaled({cotangent}, below({1}, second_is_larger({0}, {1})))",
    ),
    example="max[LSE[A], LSE[B]]",
    reference="Clarke, Optimization and Nonsmooth Analysis (1983): directional derivatives of a maximum",
)
