"""Arithmetic between scores in plain Python: floats, and the exact whole numbers that COUNT gives.

Used by the arithmetic operators' ``evaluate`` and ``derivatives``, which the interpreter calls. Results that are too
large for a float become ±inf, as float64 arithmetic has it; nan says that the operation is undefined.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

__all__ = ["WHOLE", "Number", "apply_exactly", "as_float", "log_add", "natural_log", "softmax"]

Number = int | float

# Operators between scores that make whole numbers of whole numbers.
WHOLE = ("add", "subtract", "multiply", "negate", "score_max")


def as_float(value: Number | Fraction) -> float:
    """The nearest float, ±inf where the value is beyond all of them."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def apply_exactly(operation: Callable[..., Number], *values: Number) -> Number:
    """``operation(*values)``, also where a whole number among them is too large to meet a float.

    Example:
        >>> import operator
        >>> from arcgrad.compiler.graphs.score_values import apply_exactly
        >>> apply_exactly(operator.mul, 10**400, 1e-300)
        1e+100
    """
    try:
        return operation(*values)
    except OverflowError:
        if any(math.isinf(v) for v in values if isinstance(v, float)):
            # Beside an infinity only the sign of a whole number matters.
            return operation(*(v if isinstance(v, float) else float((v > 0) - (v < 0)) for v in values))
        return as_float(operation(*(Fraction(v) for v in values)))


def natural_log(value: Number) -> float:
    """The natural logarithm: −inf at 0, nan below, and finite for whole numbers of any size."""
    if value == 0:
        return -math.inf
    return math.log(value) if value > 0 else math.nan


def log_add(values: tuple[Number, ...]) -> float:
    """Compute log Σ exp(value), without overflow."""
    floats = [as_float(v) for v in values]
    greatest = max(floats)
    if math.isinf(greatest):
        return greatest
    return greatest + math.log(math.fsum(math.exp(v - greatest) for v in floats))


def softmax(values: tuple[Number, ...]) -> tuple[float, ...]:
    """Compute the derivatives of ``log_add``: each value's share of the sum, zeros where that is infinite.

    From differences of the values, as near −1e30 the sum in the log domain is rounded to the greatest of them.

    Example:
        >>> from arcgrad.compiler.graphs.score_values import softmax
        >>> softmax((-1e30, -1e30))
        (0.5, 0.5)
    """
    floats = [as_float(v) for v in values]
    greatest = max(floats)
    if math.isinf(greatest):
        return (0.0,) * len(floats)
    terms = [math.exp(v - greatest) for v in floats]
    total = math.fsum(terms)
    return tuple(term / total for term in terms)
