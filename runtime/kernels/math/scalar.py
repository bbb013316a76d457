"""Arithmetic between scores, as the arithmetic operators' code templates call it in generated source.

Plain functions over floats, one definition each: the kernel builder compiles them, the interpreter's tests call them as
they are. nan says that an operation is undefined; no function raises. They agree with the operators' ``evaluate``.
"""

from __future__ import annotations

import math

from arcgrad.runtime.jit.declare import helper

__all__ = [
    "below",
    "divided",
    "exp_",
    "first_is_larger",
    "has_path",
    "in_range",
    "larger",
    "log_",
    "logadd",
    "path_product",
    "product",
    "reciprocal",
    "relative_entropy",
    "scaled",
    "second_is_larger",
    "share",
]

# The largest float64 whose exponential is finite.
_LARGEST_EXPONENT = 709.782712893384
_LARGEST = 1.7976931348623157e308
# The largest scores whose difference is exact to about 1e-9.
_LARGEST_COMPARED = 1e6


@helper
def log_(x: float) -> float:
    """The natural logarithm: −inf at 0, nan below."""
    if x > 0.0:
        return math.log(x)
    if x == 0.0:
        return -math.inf
    return math.nan


@helper
def exp_(x: float) -> float:
    """The exponential, inf where it is beyond float64."""
    if x > _LARGEST_EXPONENT:
        return math.inf
    return math.exp(x)


@helper
def logadd(a: float, b: float) -> float:
    """log(exp(a) + exp(b)) without overflow; −inf where both are."""
    greater = a if a >= b else b
    smaller = b if a >= b else a
    if math.isinf(greater) or math.isinf(smaller):
        return greater
    return greater + math.log1p(math.exp(smaller - greater))


@helper
def share(x: float, other: float) -> float:
    """The part that a term x has in ``logadd(x, other)``, at most 1; 0 where x is −inf or the sum infinite."""
    if math.isinf(x) or other == math.inf:
        return 0.0
    # Not exp(x − sum): near −1e30 a sum is rounded to its greater term, and both terms would have all of it.
    if x >= other:
        return 1.0 / (1.0 + math.exp(other - x))
    ratio = math.exp(x - other)
    return ratio / (1.0 + ratio)


@helper
def larger(a: float, b: float) -> float:
    """The larger of two scores; nan where either is."""
    if a >= b:
        return a
    if b > a:
        return b
    return math.nan


@helper
def first_is_larger(a: float, b: float) -> float:
    """The derivative of ``larger`` with respect to its first operand: 1 where that is not smaller, and not −inf."""
    return 1.0 if a >= b and a > -math.inf else 0.0


@helper
def second_is_larger(a: float, b: float) -> float:
    """The derivative of ``larger`` with respect to its second operand: 1 where that alone is greatest."""
    return 1.0 if b > a else 0.0


@helper
def scaled(cotangent: float, factor: float) -> float:
    """Multiply a cotangent by a derivative, where 0 on either side wins over an infinity on the other."""
    if cotangent == 0.0 or factor == 0.0:
        return 0.0
    return cotangent * factor


@helper
def divided(a: float, b: float) -> float:
    """The quotient; nan for division by 0 and for inf / inf."""
    if b == 0.0:
        return math.nan
    return a / b


@helper
def reciprocal(x: float) -> float:
    """1 / x, the derivative of the logarithm: +inf at 0."""
    if x == 0.0:
        return math.inf
    return 1.0 / x


@helper
def product(a: float, b: float) -> float:
    """The product; nan for 0 × inf."""
    return a * b


@helper
def path_product(a: float, b: float) -> float:
    """The sum of two scores, where −inf, which stands for no path, wins over anything."""
    if a == -math.inf or b == -math.inf:
        return -math.inf
    return a + b


@helper
def below(value: float, x: float) -> float:
    """A derivative below a score of that value, or a direction; 0 where either is infinite."""
    return 0.0 if math.isinf(value) or math.isinf(x) else x


@helper
def relative_entropy(own: float, other: float, expected: float, entropy: float) -> float:
    """KL[A, B] from LSE[A], LSE[B], E[A, B] and H[A]: 0 where A has no path, inf where it has one that B has not.

    nan where the scores are so large that their difference has few digits left.
    """
    if own == -math.inf:
        return 0.0
    if expected == -math.inf:
        return math.inf
    if abs(other) > _LARGEST_COMPARED or abs(expected) > _LARGEST_COMPARED:
        return math.nan
    found = other - expected - entropy
    return 0.0 if found < 0.0 else found


@helper
def in_range(cotangent: float) -> float:
    """A cotangent; the largest or least float where it is beyond these."""
    return min(max(cotangent, -_LARGEST), _LARGEST)


@helper
def has_path(value: float) -> float:
    """The derivative of ``path_product``: 0 where its value is −inf, else 1."""
    return 0.0 if value == -math.inf else 1.0
