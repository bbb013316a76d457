"""KL divergence from the scores that it is made of; has no spelling, rewrites of ``KL[A, B]`` use it."""

from __future__ import annotations

from math import inf, nan

from arcgrad.compiler.graphs.score_values import Number, as_float
from arcgrad.compiler.operators.base import Category, Operator
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]

# The largest scores whose difference is exact to about 1e-9: beyond, the interpreter evaluates KL as a whole.
_LARGEST_COMPARED = 1e6


def _evaluate(own: Number, other: Number, expected: Number, entropy: Number) -> float:
    if own == -inf:
        return 0.0
    if expected == -inf:
        return inf
    if abs(as_float(other)) > _LARGEST_COMPARED or abs(as_float(expected)) > _LARGEST_COMPARED:
        return nan
    # Not below 0, where rounding alone would lead.
    return max(as_float(other) - as_float(expected) - as_float(entropy), 0.0)


def _derivatives(value: Number, own: Number, other: Number, expected: Number, entropy: Number) -> tuple[float, ...]:
    return (0.0, 0.0, 0.0, 0.0) if own == -inf else (0.0, 1.0, -1.0, -1.0)


OPERATOR = Operator(
    name="relative_entropy",
    summary="The KL divergence from LSE[A], LSE[B], E[A, B] and H[A]: 0 where A has no path, inf where E is −inf; "
    "undefined where these are so large that their difference has few digits.",
    category=Category.ARITHMETIC,
    operands=(Type.SCORE, Type.SCORE, Type.SCORE, Type.SCORE),
    result=Type.SCORE,
    evaluate=_evaluate,
    derivatives=_derivatives,
    code="relative_entropy({0}, {1}, {2}, {3})",
    gradient_code=(
        "0.0",
        "scaled({cotangent}, has_path({0}))",
        "-scaled({cotangent}, has_path({0}))",
        "-scaled({cotangent}, has_path({0}))",
    ),
    example="KL[A, B]",
    reference="Cortes et al., On the Computation of the Relative Entropy of Probabilistic Automata (2008)",
)
