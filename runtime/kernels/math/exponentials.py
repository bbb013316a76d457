"""Exponentials that LLVM inlines into loops and vectorises there, and powers of two.

Those of one number have the fast-math flag "contract", to fuse multiplications and additions; nothing may be reordered
in them. Sums of exponentials may be, so these are kernels of their own.
"""

from __future__ import annotations

import numpy as np

from arcgrad.runtime.jit.declare import helper, loose_helper
from arcgrad.runtime.kernels.math.vectors import at_least, powers_of_rounded

__all__ = [
    "LN2",
    "LOG2E",
    "MAGIC",
    "MAGIC_FLOAT32",
    "exponential",
    "exponentials",
    "exponentials_float32",
    "polynomial",
    "short_exponentials",
    "split_exponential",
]

LN2 = 0.6931471805599453
LOG2E = 1.4426950408889634
# ln 2 in two parts; the first has zeros enough that its products with whole numbers below 2^20 are exact.
_LN2_HIGH = 0.6931471803691238
_LN2_LOW = 1.9082149292705877e-10
MAGIC = 6755399441055744.0
"""1.5 · 2^52: adding it rounds to a whole number, which then stands in the sum's lowest bits."""


MAGIC_FLOAT32 = 12582912.0
"""1.5 · 2^23: the same for float32."""

_LN2_HIGH_FLOAT32 = 0.693359375
_LN2_LOW_FLOAT32 = -2.12194440e-4
# Where exponents of two are −1023 and −127, whose bits are those of 0.
_LEAST = -709.0
_LEAST_FLOAT32 = -88.0


@helper
def polynomial(r):
    """exp(r) for |r| ≤ ln(2) / 2: Taylor's of degree 12, within 2e-16."""
    p = 2.08767569878681e-09 * r + 2.505210838544172e-08
    p = p * r + 2.7557319223985893e-07
    p = p * r + 2.7557319223985893e-06
    p = p * r + 2.48015873015873e-05
    p = p * r + 0.0001984126984126984
    p = p * r + 0.001388888888888889
    p = p * r + 0.008333333333333333
    p = p * r + 0.041666666666666664
    p = p * r + 0.16666666666666666
    p = p * r + 0.5
    p = p * r + 1.0
    return p * r + 1.0


@loose_helper("contract")
def exponential(x):
    """exp(x) within 4e-16 relative for x ≤ 700; 0 for x ≤ −708.8, where the power of two has no bits left."""
    z = _LEAST if x < _LEAST else x  # NaN stays
    rounded = z * LOG2E + MAGIC
    k = rounded - MAGIC
    p = polynomial((z - k * _LN2_HIGH) - k * _LN2_LOW)
    power = np.int64((np.float64(rounded).view(np.int64) << 52) + (1023 << 52)).view(np.float64)
    return p * power


@helper
def exponentials(x):
    """As `exponential`, of a vector."""
    z = at_least(x, _LEAST)
    rounded = z * LOG2E + MAGIC
    k = rounded - MAGIC
    return polynomial((z - k * _LN2_HIGH) - k * _LN2_LOW) * powers_of_rounded(rounded)


@helper
def short_exponentials(x):
    """As `exponentials`, within 6e-9 relative: for scores that came in float32."""
    z = at_least(x, _LEAST)
    rounded = z * LOG2E + MAGIC
    r = z - (rounded - MAGIC) * LN2
    p = r * 0.0001984126984126984 + 0.001388888888888889
    p = p * r + 0.008333333333333333
    p = p * r + 0.041666666666666664
    p = p * r + 0.16666666666666666
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    return p * powers_of_rounded(rounded)


@helper
def exponentials_float32(x):
    """exp(x) of a vector of float32 for x ≤ 80, within 2e-7 relative where x is not large; 0 for x ≤ −87.7.

    The polynomial is that of degree 6 with the least relative error, 3e-9 on |r| ≤ ln(2) / 2, after 1 + r.
    """
    z = at_least(x, _LEAST_FLOAT32)
    rounded = z * LOG2E + MAGIC_FLOAT32
    k = rounded - MAGIC_FLOAT32
    r = (z - k * _LN2_HIGH_FLOAT32) - k * _LN2_LOW_FLOAT32
    p = r * 0.001381314454 + 0.008369418832
    p = p * r + 0.04166845679
    p = p * r + 0.1666651479
    p = p * r + 0.4999999305
    p = p * r + 1.0
    p = p * r + 1.0
    return p * powers_of_rounded(rounded)


@helper
def split_exponential(x):
    """m and a whole k with exp(x) = m · 2^k, m in [0.7, 1.42]."""
    k = np.floor(x * LOG2E + 0.5)
    # Where x has no digits left for the rest (beyond 1e15), any rest is as good.
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    return polynomial(-0.35 if r < -0.35 else 0.35 if r > 0.35 else r), k
