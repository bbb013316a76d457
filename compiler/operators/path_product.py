"""Weight of the pairs of paths of two graphs; has no spelling, rewrites of ``LSE[A B]`` use it."""

from __future__ import annotations

import math
import operator

from arcgrad.compiler.graphs.score_values import Number, apply_exactly
from arcgrad.compiler.operators.base import Category, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]


def _evaluate(a: Number, b: Number) -> Number:
    return -math.inf if -math.inf in (a, b) else apply_exactly(operator.add, a, b)


def _derivatives(value: Number, a: Number, b: Number) -> tuple[float, ...]:
    return (0.0, 0.0) if value == -math.inf else (1.0, 1.0)


OPERATOR = Operator(
    name="path_product",
    summary="The sum of two scores, but −inf, which stands for no path, makes −inf of any sum, with gradient 0.",
    category=Category.ARITHMETIC,
    operands=(Type.SCORE, Type.SCORE),
    result=Type.SCORE,
    evaluate=_evaluate,
    derivatives=_derivatives,
    code="path_product({0}, {1})",
    gradient_code=("scaled({cotangent}, has_path({value}))", "scaled({cotangent}, has_path({value}))"),
    example="LSE[A B]",
    reference="Mohri, Semiring Frameworks and Algorithms for Shortest-Distance Problems (2002): the zero annihilates",
)
