"""Product of scores ``a × b``, also by juxtaposition."""

from __future__ import annotations

import operator

from arcgrad.compiler.graphs.score_values import Number, apply_exactly, as_float
from arcgrad.compiler.operators.base import Category, Law, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]


def _evaluate(a: Number, b: Number) -> Number:
    return apply_exactly(operator.mul, a, b)


def _derivatives(value: Number, a: Number, b: Number) -> tuple[float, ...]:
    return as_float(b), as_float(a)


OPERATOR = Operator(
    name="multiply",
    summary="The product of two scores; 0 × inf is undefined.",
    category=Category.ARITHMETIC,
    operands=(Type.SCORE, Type.SCORE),
    result=Type.SCORE,
    tag="multiply",
    sign="×",
    evaluate=_evaluate,
    derivatives=_derivatives,
    code="product({0}, {1})",
    gradient_code=("scaled({cotangent}, {1})", "scaled({cotangent}, {0})"),
    laws=(
        Law("LSE[A] × LSE[B]", "LSE[B] × LSE[A]", (), "products have no order"),
        Law("2 LSE[A]", "LSE[A] + LSE[A]", (), "its definition"),
    ),
    example="2 LSE[A]",
    reference="IEEE Std 754-2019, section 6.1 (infinities) and 7.2 (invalid operations)",
)
