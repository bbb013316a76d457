"""Least of scores ``min[a, b]``."""

from __future__ import annotations

import math

from arcgrad.compiler.graphs.score_values import Number
from arcgrad.compiler.operators.base import Category, Law, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]


def _evaluate(*operands: Number) -> Number:
    return min(operands)


def _derivatives(value: Number, *operands: Number) -> tuple[float, ...]:
    winner = operands.index(value) if value != math.inf else -1
    return tuple(float(i == winner) for i in range(len(operands)))


OPERATOR = Operator(
    name="score_min",
    summary="The least of two or more scores; its gradient goes to the first least, to none if all are +inf.",
    category=Category.ARITHMETIC,
    operands=(Type.SCORE, Type.SCORE),
    result=Type.SCORE,
    variadic=True,
    names=("min",),
    evaluate=_evaluate,
    derivatives=_derivatives,
    code="-larger(-{0}, -{1})",
    gradient_code=(
        "scaled({cotangent}, first_is_larger(-{0}, -{1}))",
        "scaled({cotangent}, second_is_larger(-{0}, -{1}))",
    ),
    laws=(Law("min[MIN[A], MIN[B], MIN[C]]", "MIN[A + B + C]", (), "the least of three sets of paths"),),
    example="min[MIN[A], MIN[B]]",
    reference="Boyd, Vandenberghe, Convex Optimization (2004): pointwise minimum",
)
