"""Numbers m · 2^(e + 2^40 · c) whose exponents have two parts, so that large scores lose nothing beside small ones.

The logarithm −1e30 + 0.3 is −1e30 in float64: of states that such a score has in common, only their differences count,
and these would be lost. Here −1e30 becomes a *coarse* exponent c, a whole number as float64 may hold it, and 0.3 goes
to the mantissa and the whole exponent e; ordinary scores have a coarse exponent of 0. What a sum of coarse exponents
rounds off goes to e, as far as e has room for it, so that sizes as different as 1e30, 1e14 and 1 may stand in one sum.
"""

from __future__ import annotations

from math import inf

import numpy as np

from arcgrad.runtime.jit.declare import helper
from arcgrad.runtime.kernels.math.exponentials import LN2, LOG2E, polynomial, split_exponential

__all__ = [
    "COARSE",
    "LARGE",
    "added",
    "behind",
    "carried",
    "exponent_of",
    "power_of_two",
    "score_of",
    "split_sum",
    "split_weight",
    "two_sum",
]

COARSE = 2.0**40
"""What a coarse exponent counts."""

LARGE = 2.0**38
"""Scores, in nats, from which on they have a coarse exponent: e stays below 2^39 by itself."""

_ROOM = 2.0**12
_LOWEST = -1.7976931348623157e308

# A score up to which all of its exponent is a whole number with some digits to spare for e.
_WHOLE = 2.0**90


@helper
def split_weight(x):
    """m, e and c with exp(x) = m · 2^(e + 2^40 · c), m in [0.7, 1.42]; x is finite."""
    coarse = 0.0
    if abs(x) < LARGE:
        m, e = split_exponential(x)
    else:
        coarse = np.floor(x * (LOG2E / COARSE) + 0.5)
        e = np.floor(x * LOG2E - coarse * COARSE + 0.5) if abs(x) < _WHOLE else 0.0
        # What is left of x after its exponent has few digits, or none: any is as good, the same for the same x.
        rest = (x - coarse * COARSE * LN2) - e * LN2
        m = polynomial(min(max(rest, -0.35), 0.35))
    return m, e, coarse


@helper
def split_sum(x, rest):
    """As `split_weight`, of x and of what its rounding left off."""
    m, e, coarse = split_weight(x)
    if rest != 0.0:
        m_rest, e_rest, coarse_rest = split_weight(rest)
        e, coarse = added(e, coarse, e_rest, coarse_rest)
        m *= m_rest
    return m, e, coarse


@helper
def exponent_of(x):
    """The whole k with 2^k ≤ x < 2^(k + 1), of x ≥ 2^−1022."""
    return float((np.float64(x).view(np.int64) >> 52) - 1023)


@helper
def power_of_two(exponent):
    """2^exponent for a whole exponent, as if this were between −1022 and 1023."""
    whole = np.int64(min(max(exponent, -1022.0), 1023.0))
    return np.int64((whole + 1023) << 52).view(np.float64)


@helper
def two_sum(a, b):
    """a + b as it is rounded, and what that leaves off (Knuth)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


@helper
def added(e, coarse, other_e, other_coarse):
    """The sum of two exponents."""
    if other_coarse == 0.0:
        return e + other_e, coarse
    coarse, rest = two_sum(coarse, other_coarse)
    if abs(rest) > _ROOM:
        rest = 0.0  # e would lose its own digits: coarse exponents of this size round as their scores do
    return e + other_e + rest * COARSE, coarse


@helper
def behind(e, coarse, other_e, other_coarse):
    """By how much the first exponent exceeds the other."""
    return (coarse - other_coarse) * COARSE + (e - other_e)


@helper
def carried(e, coarse):
    """The same exponent with e within ±2^39."""
    if abs(e) > COARSE / 2:
        more = np.floor(e / COARSE + 0.5)
        coarse, rest = two_sum(coarse, more)
        e += (rest - more) * COARSE
    return e, coarse


@helper
def score_of(e, coarse):
    """The exponent in nats; −inf, or inf, where that is beyond float64."""
    nats = coarse * (COARSE * LN2)
    if nats == -inf and coarse >= _LOWEST * (LOG2E / COARSE) * (1.0 + 1e-15):
        nats = _LOWEST  # of one arc of that weight
    return nats + e * LN2
