"""Exponentials of whole arrays without a call in the loop, and powers of two, so that LLVM vectorises them."""

from __future__ import annotations

from math import inf

import numpy as np

from arcgrad.runtime.routines import helper

__all__ = ["LN2", "LOG2E", "MAGIC", "NEGATIVE_POWERS", "exponentiate", "powers_of_two", "split_exponentials"]

LN2 = 0.6931471805599453
LOG2E = 1.4426950408889634
# ln 2 in two parts; the first has zeros enough that its products with whole numbers below 2^20 are exact.
_LN2_HIGH = 0.6931471803691238
_LN2_LOW = 1.9082149292705877e-10
MAGIC = 6755399441055744.0
"""1.5 · 2^52: adding it rounds to a whole number, which then stands in the sum's lowest bits."""


NEGATIVE_POWERS = np.array([2.0**-k for k in range(1075)])
"""2^−k, for numbers that differ too much for one scale."""


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


@helper
def exponentiate(x, result, result_bits):
    """Write exp(x) into ``result``, within 4e-16 relative, for x ≤ 700; 0 for x ≤ −708. Spoils x.

    ``result_bits`` is the int64 view of ``result``. Four loops that LLVM vectorises each, as it does not do with one.
    """
    for i in range(len(x)):
        result[i] = max(x[i], -708.0) * LOG2E + MAGIC
    for i in range(len(x)):
        z = max(x[i], -708.0)
        k = result[i] - MAGIC
        p = polynomial((z - k * _LN2_HIGH) - k * _LN2_LOW)
        x[i] = p if x[i] > -708.0 else 0.0
    powers_of_two(result_bits)
    for i in range(len(x)):
        result[i] *= x[i]


@helper
def split_exponentials(x, exponents):
    """Replace x by m with exp(x) = m · 2^exponent, m in [0.7, 1.42] or 0 for −inf, exponents whole."""
    for i in range(len(x)):
        z = x[i] if x[i] > -inf else 0.0
        k = np.floor(z * LOG2E + 0.5)
        # Where x has no digits left for the rest (beyond 1e15), any rest is as good.
        p = polynomial(min(max((z - k * _LN2_HIGH) - k * _LN2_LOW, -0.35), 0.35))
        x[i] = p if x[i] > -inf else 0.0
        exponents[i] = k


@helper
def powers_of_two(bits):
    """Turn the bits of k + MAGIC into those of 2^k, for whole k from −1022 to 1023."""
    for i in range(len(bits)):
        bits[i] = (bits[i] << 52) + (1023 << 52)
