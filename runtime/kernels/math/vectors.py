"""Vectors of eight float64, or sixteen float32, as values of kernels: vectors by construction, not by LLVM's leave.

A loop over arrays that numba compiles becomes one of vectors only after checks that nothing overlaps, and with up to
three more loops for what remains; on rows of a hundred states these took longer than the arithmetic. Vectors add,
subtract and multiply with the usual signs, also with numbers; a product and a sum may be fused. ``runtime.vector_code``
compiles the operations; what they do is told by the functions here, which run as plain Python over arrays of eight.
"""

from __future__ import annotations

import numpy as np

from arcgrad.runtime.jit.declare import vector_operation

__all__ = [
    "LANES",
    "add_picked",
    "add_up",
    "at_least",
    "broadcast",
    "broadcast_like",
    "divide",
    "entry",
    "exponents",
    "greater",
    "greatest_of",
    "is_short",
    "least_of",
    "lesser",
    "load",
    "load_rest",
    "load_row",
    "number",
    "picked",
    "powers_of_rounded",
    "powers_of_two",
    "put",
    "store",
    "store_rest",
    "store_row",
    "sum_of",
    "where_greater",
]

LANES = 8


@vector_operation
def load(work, at):
    """Eight numbers of the workspace."""
    return work[at : at + LANES].copy()


@vector_operation
def store(work, at, vector):
    """Write eight numbers into the workspace."""
    work[at : at + LANES] = vector


@vector_operation
def number(work, at):
    """One number of the workspace; where it stands is not checked, nor counted from the end."""
    return work[at]


@vector_operation
def put(work, at, value):
    """Write one number into the workspace."""
    work[at] = value


@vector_operation
def entry(ints, at):
    """One whole number of a packed array, as `number`."""
    return ints[at]


@vector_operation
def load_row(rows, row, column):
    """Neighbouring columns of a row: eight of a matrix of float64, sixteen of float32."""
    return rows[row, column : column + 64 // rows.itemsize].copy()


@vector_operation
def store_row(rows, row, column, vector):
    """Write neighbouring columns of a row."""
    rows[row, column : column + 64 // rows.itemsize] = vector


@vector_operation
def load_rest(rows, row, column, count, other):
    """As `load_row`, where only so many columns may be left; ``other`` in place of those that are not."""
    found = np.full(64 // rows.itemsize, other, dtype=rows.dtype)
    count = min(count, len(found))
    found[:count] = rows[row, column : column + count]
    return found


@vector_operation
def store_rest(rows, row, column, count, vector):
    """As `store_row`, of at most so many columns."""
    count = min(count, len(vector))
    rows[row, column : column + count] = vector[:count]


@vector_operation
def picked(rows, row, ints, at):
    """The eight columns of a row that are named from some place on, as float64."""
    return rows[row, ints[at : at + LANES]].astype(np.float64)


@vector_operation
def add_picked(rows, row, ints, at, vector):
    """Add to the columns of a row that are named from some place on; one may be named more than once."""
    np.add.at(rows[row], ints[at : at + LANES], vector.astype(rows.dtype))


@vector_operation
def broadcast_like(rows, number):
    """A number in all places of a vector as `load_row` gives it."""
    return np.full(64 // rows.itemsize, number, dtype=rows.dtype)


@vector_operation
def is_short(vector):
    """Whether its numbers are float32: known to the compiler, so that of two branches one is left."""
    return vector.dtype == np.float32


@vector_operation
def add_up(total, vector):
    """Add to a vector of sums, which are float64: one of float32 in two parts, one after the other."""
    for k in range(0, len(vector), LANES):
        total = total + vector[k : k + LANES]
    return total


@vector_operation
def broadcast(number):
    """A number eight times."""
    return np.full(LANES, number)


@vector_operation
def sum_of(vector):
    """The sum of the eight, always in the same order."""
    return ((vector[0] + vector[4]) + (vector[2] + vector[6])) + ((vector[1] + vector[5]) + (vector[3] + vector[7]))


@vector_operation
def greatest_of(vector):
    """The greatest of them, as float64."""
    return float(vector.max())


@vector_operation
def least_of(vector):
    """The least of the eight."""
    return vector.min()


@vector_operation
def greater(a, b):
    """The greater of each two."""
    return np.where(a > b, a, b)


@vector_operation
def lesser(a, b):
    """The lesser of each two."""
    return np.where(a < b, a, b)


@vector_operation
def at_least(vector, number):
    """Each of them, or the number where that is greater; NaN stays."""
    return np.where(number > vector, vector.dtype.type(number), vector)


@vector_operation
def divide(a, b):
    """a / b, of each two."""
    with np.errstate(all="ignore"):
        return a / b


@vector_operation
def where_greater(a, b, yes, no):
    """``yes`` where a > b, else ``no``."""
    return np.where(a > b, yes, no)


@vector_operation
def powers_of_two(exponents):
    """2^exponent for whole exponents, as if these were between −1022 and 1023; but 0 below −10^299, which means 0."""
    return np.where(exponents > -1e299, 2.0 ** np.clip(exponents, -1022.0, 1023.0), 0.0)


@vector_operation
def powers_of_rounded(rounded):
    """2^k from k + 1.5 · 2^52 (2^23 of float32), which is what adding that number to any other makes of it.

    For whole k from −1022 to 1023; 0 for −1023 (from −126 to 127, and −127, of float32).
    """
    magic, least = (12582912.0, -126.0) if rounded.dtype == np.float32 else (6755399441055744.0, -1022.0)
    whole = np.maximum(rounded - rounded.dtype.type(magic), least)
    return np.where(rounded >= magic + least, 2.0**whole, 0.0).astype(rounded.dtype)


@vector_operation
def exponents(vector):
    """For each number above 0, the whole k with 2^k ≤ x < 2^(k + 1); −1023 for 0 and what is smaller than 2^−1022."""
    return np.where(vector >= 2.0**-1022, np.frexp(vector)[1] - 1.0, -1023.0)
