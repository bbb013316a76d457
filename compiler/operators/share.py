"""The share of a score in a ``logadd``; has no spelling, it is the derivative of ``logadd``."""

from __future__ import annotations

import math

from arcgrad.compiler.graphs.score_values import Number, as_float
from arcgrad.compiler.operators.base import Category, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]


def _evaluate(x: Number, other: Number) -> float:
    own, others = as_float(x), as_float(other)
    if math.isinf(own) or others == math.inf:
        return 0.0
    if own >= others:
        return 1.0 / (1.0 + math.exp(others - own))
    ratio = math.exp(own - others)
    return ratio / (1.0 + ratio)


def _derivatives(value: Number, x: Number, other: Number) -> tuple[float, ...]:
    slope = _evaluate(x, other) * _evaluate(other, x)
    return slope, -slope


OPERATOR = Operator(
    name="share",
    summary="The part that exp(a) has in exp(a) + exp(b); 0 where a, or the sum, is infinite.",
    category=Category.ARITHMETIC,
    operands=(Type.SCORE, Type.SCORE),
    result=Type.SCORE,
    evaluate=_evaluate,
    derivatives=_derivatives,
    code="share({0}, {1})",
    gradient_code=(
        "scaled({cotangent}, share({0}, {1}) * share({1}, {0}))",
        "-scaled({cotangent}, share({0}, {1}) * share({1}, {0}))",
    ),
    example="logadd[LSE[A], LSE[B]]",
    reference="Boyd, Vandenberghe, Convex Optimization (2004): log-sum-exp",
)
