"""Difference of scores ``a − b``."""

from __future__ import annotations

import operator

from arcgrad.compiler.graphs.score_values import Number, apply_exactly
from arcgrad.compiler.operators.base import Category, Law, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]


def _evaluate(a: Number, b: Number) -> Number:
    return apply_exactly(operator.sub, a, b)


def _derivatives(value: Number, a: Number, b: Number) -> tuple[float, ...]:
    return 1.0, -1.0


OPERATOR = Operator(
    name="subtract",
    summary="The difference of two scores; inf − inf and −inf − −inf are undefined.",
    category=Category.ARITHMETIC,
    operands=(Type.SCORE, Type.SCORE),
    result=Type.SCORE,
    evaluate=_evaluate,
    derivatives=_derivatives,
    code="{0} - {1}",
    gradient_code=("{cotangent}", "-{cotangent}"),
    laws=(Law("LSE[A] - LSE[B]", "LSE[A] + (-LSE[B])", (), "its definition"),),
    example="LSE[A ∘ B] - LSE[A]",
    reference="IEEE Std 754-2019, section 6.1 (infinities) and 7.2 (invalid operations)",
)
