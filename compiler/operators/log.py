"""Natural logarithm of a score ``log[a]``."""

from __future__ import annotations

import math

from arcgrad.compiler.graphs.score_values import Number, as_float, natural_log
from arcgrad.compiler.operators.base import Category, Law, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]


def _evaluate(a: Number) -> float:
    return natural_log(a)


def _derivatives(value: Number, a: Number) -> tuple[float, ...]:
    # At 0 the derivative from the right: +inf.
    return (1 / as_float(a) if a else math.inf,)


OPERATOR = Operator(
    name="log",
    summary="The natural logarithm of a score; −inf at 0, undefined below.",
    category=Category.ARITHMETIC,
    operands=(Type.SCORE,),
    result=Type.SCORE,
    names=("log",),
    evaluate=_evaluate,
    derivatives=_derivatives,
    code="log_({0})",
    gradient_code=("scaled({cotangent}, reciprocal({0}))",),
    laws=(Law("log[exp[LSE[A]]]", "LSE[A]", (), "inverse functions, where exp neither over- nor underflows"),),
    example="log[COUNT[A]]",
    reference="IEEE Std 754-2019, section 6.1 (infinities) and 7.2 (invalid operations)",
)
