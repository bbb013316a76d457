"""Numbers m · 2^(e + 2^40 · c) whose exponents have two parts, so that large scores lose nothing beside small ones.

The logarithm −1e30 + 0.3 is −1e30 in float64: of states that such a score has in common, only their differences count,
and these would be lost. Here −1e30 becomes a *coarse* exponent c, a whole number as float64 may hold it, and 0.3 goes
to the mantissa and the whole exponent e; ordinary scores have a coarse exponent of 0. Coarse exponents are whole, and
sums of them exact until they exceed 2^53, which is a score of 10^27; beyond, they round as the scores themselves do.
"""

from __future__ import annotations

from math import inf

import numpy as np

from arcgrad.runtime.kernels.exponentials import LN2, LOG2E, polynomial, split_exponential
from arcgrad.runtime.routines import helper

__all__ = ["COARSE", "LARGE", "behind", "carried", "exponent_of", "power_of_two", "score_of", "split_weight"]

COARSE = 2.0**40
"""What a coarse exponent counts."""

LARGE = 2.0**38
"""Scores, in nats, from which on they have a coarse exponent: e stays below 2^39 by itself."""

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
def exponent_of(x):
    """The whole k with 2^k ≤ x < 2^(k + 1), of x ≥ 2^−1022."""
    return float((np.float64(x).view(np.int64) >> 52) - 1023)


@helper
def power_of_two(exponent):
    """2^exponent for a whole exponent, as if this were between −1022 and 1023."""
    whole = np.int64(min(max(exponent, -1022.0), 1023.0))
    return np.int64((whole + 1023) << 52).view(np.float64)


@helper
def behind(e, coarse, other_e, other_coarse):
    """By how much the first exponent exceeds the other."""
    return (coarse - other_coarse) * COARSE + (e - other_e)


@helper
def carried(e, coarse):
    """The same exponent with e within ±2^39."""
    if abs(e) > COARSE / 2:
        more = np.floor(e / COARSE + 0.5)
        coarse += more
        e -= more * COARSE
    return e, coarse


@helper
def score_of(e, coarse):
    """The exponent in nats; −inf, or inf, where that is beyond float64."""
    nats = coarse * (COARSE * LN2)
    if nats == -inf and coarse >= _LOWEST * (LOG2E / COARSE) * (1.0 + 1e-15):
        nats = _LOWEST  # of one arc of that weight
    return nats + e * LN2
