"""Sum of scores in the log domain ``logadd[a, b]``."""

from __future__ import annotations

from arcgrad.compiler.graphs.score_values import Number, log_add, softmax
from arcgrad.compiler.operators.base import Category, Law, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]


def _evaluate(*operands: Number) -> float:
    return log_add(operands)


def _derivatives(value: float, *operands: Number) -> tuple[float, ...]:
    return softmax(operands)


OPERATOR = Operator(
    name="logadd",
    summary="log(exp(a) + exp(b)), also of more than two; −inf where all are, and then with gradient 0.",
    category=Category.ARITHMETIC,
    operands=(Type.SCORE, Type.SCORE),
    result=Type.SCORE,
    variadic=True,
    names=("logadd",),
    evaluate=_evaluate,
    derivatives=_derivatives,
    code="logadd({0}, {1})",
    gradient_code=("scaled({cotangent}, share({0}, {1}))", "scaled({cotangent}, share({1}, {0}))"),
    laws=(
        Law("logadd[LSE[A], LSE[B]]", "logadd[LSE[B], LSE[A]]", (), "sums have no order"),
        Law("logadd[LSE[A], LSE[B], LSE[C]]", "LSE[A + B + C]", (), "the sum over three sets of paths"),
    ),
    example="logadd[LSE[A], LSE[B]]",
    reference="Hannun, An Introduction to Weighted Automata in Machine Learning (2021): LSE",
)
