"""Elimination of a full block of a component's matrix, in linear arithmetic, and sums over its paths.

Called by ``cyclic_log`` for what sparse elimination leaves behind. Numbers come and go as logarithms. In between, entry
(i, j) stands for exp(entry − φ(i) + φ(j)), where φ is about what a row's largest entries have in common beside those of
its column; this changes no product around a cycle. So matrices are multiplied in vectors, at about 0.1 ns an entry,
where the log domain takes 20.

Nothing is lost by that: all numbers are sums and products of numbers above 0. As long as no factor of a product lies
beyond 2^±500, none under- or overflows, and every entry keeps its digits, however small it is beside others. Factors
are looked at before they are multiplied. Where one lies beyond, the block is eliminated in the log domain.

The only subtraction is that of a pivot: what cycles through states eliminated before add up to is taken from 1 − w, and
that is −expm1 of the logarithm, so that loops near 1 keep their digits.
"""

from __future__ import annotations

from math import exp, expm1, inf, log, log1p

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.entries import is_stopped
from arcgrad.runtime.kernels.math.exponentials import exponential, exponentials
from arcgrad.runtime.kernels.math.vectors import (
    LANES,
    broadcast,
    greater,
    greatest_of,
    load,
    store,
    sum_of,
    where_greater,
)

__all__ = ["SCRATCH", "eliminate_block", "log_add", "padded", "solve_block"]

_PANEL = 32
"""Pivots that are eliminated before what they add to all other entries is: a multiple of 8."""

_TILE = 16
"""Columns that are multiplied at a time."""

SCRATCH = _PANEL * _TILE
"""Numbers of workspace beside the block and its mirror."""

_NOTHING = 45.0
"""Logarithms that differ by so much, a thousandth of the last digit of a sum, need not be added."""

_LARGEST = 2.0**500
_SMALLEST = 2.0**-500
_WIDEST = 346.0
"""Bounds of factors, and of their logarithms."""


@helper
def padded(n):
    """Length of the rows of a block of n states: whole vectors."""
    return -(-n // 8) * 8


@helper
def log_add(a, b):
    """log(exp(a) + exp(b)); both may be −inf."""
    if a < b:
        a, b = b, a
    if b <= a - _NOTHING:
        return a
    return a + log1p(exp(b - a))


@kernel(
    "void(float64[::1], int64, int64, int64, int64, int64, int64, int64, int64)", fastmath={"contract"}, internal=True
)
def add_products(work, target, left, right, stride, n_rows, n_columns, depth, scratch):
    """Add to a part of a matrix the product of two others, whose numbers of columns are multiples of 8."""
    for column in range(0, n_columns, _TILE):
        wide = column + _TILE <= n_columns
        for k in range(depth):
            at = right + k * stride + column
            store(work, scratch + k * _TILE, load(work, at))
            if wide:
                store(work, scratch + k * _TILE + LANES, load(work, at + LANES))
        row = 0
        while wide and row + 4 <= n_rows:
            at_0 = target + row * stride + column
            at_1, at_2, at_3 = at_0 + stride, at_0 + 2 * stride, at_0 + 3 * stride
            a_0, b_0 = load(work, at_0), load(work, at_0 + LANES)
            a_1, b_1 = load(work, at_1), load(work, at_1 + LANES)
            a_2, b_2 = load(work, at_2), load(work, at_2 + LANES)
            a_3, b_3 = load(work, at_3), load(work, at_3 + LANES)
            factors = left + row * stride
            for k in range(depth):
                a, b = load(work, scratch + k * _TILE), load(work, scratch + k * _TILE + LANES)
                factor = broadcast(work[factors + k])
                a_0, b_0 = a_0 + factor * a, b_0 + factor * b
                factor = broadcast(work[factors + stride + k])
                a_1, b_1 = a_1 + factor * a, b_1 + factor * b
                factor = broadcast(work[factors + 2 * stride + k])
                a_2, b_2 = a_2 + factor * a, b_2 + factor * b
                factor = broadcast(work[factors + 3 * stride + k])
                a_3, b_3 = a_3 + factor * a, b_3 + factor * b
            store(work, at_0, a_0)
            store(work, at_0 + LANES, b_0)
            store(work, at_1, a_1)
            store(work, at_1 + LANES, b_1)
            store(work, at_2, a_2)
            store(work, at_2 + LANES, b_2)
            store(work, at_3, a_3)
            store(work, at_3 + LANES, b_3)
            row += 4
        while row < n_rows:
            at = target + row * stride + column
            for half in range(2 if wide else 1):
                total = load(work, at + half * LANES)
                for k in range(depth):
                    factor = work[left + row * stride + k]
                    total = total + factor * load(work, scratch + k * _TILE + half * LANES)
                store(work, at + half * LANES, total)
            row += 1


@helper
def is_legal(number):
    """Whether a number may be a factor."""
    return number == 0.0 or (number >= _SMALLEST and number <= _LARGEST)


@helper
def balance(work, block, n, stride, common):
    """Write φ of each state: half of what its row's largest entry exceeds its column's by, where rows are equal."""
    for i in range(n):
        top = -inf
        for j in range(n):
            if j != i:
                top = max(top, work[block + i * stride + j])
        work[common + i] = top if top > -inf else 0.0
    for j in range(n):
        work[common + n + j] = -inf
    for i in range(n):
        for j in range(n):
            if j != i:
                rest = work[block + i * stride + j] - work[common + i]
                work[common + n + j] = max(work[common + n + j], rest)
    for i in range(n):
        if work[common + n + i] > -inf:
            work[common + i] = 0.5 * (work[common + i] - work[common + n + i])


@helper
def to_linear(work, block, n, stride, common, matrix):
    """Write the scaled exponentials, 0 on the diagonal and beyond the rows' ends; whether all may be factors."""
    for i in range(n):
        row = matrix + i * stride
        for j in range(n):
            rest = work[block + i * stride + j] - work[common + i] + work[common + j]
            if j != i and rest > -inf and abs(rest) > _WIDEST:
                return False
            work[row + j] = exponential(rest)
        work[row + i] = 0.0
        for j in range(n, stride):
            work[row + j] = 0.0
    return True


@helper
def add_multiple(target, factor, source):
    """Add a multiple of one row to another."""
    # A loop from 0 to a length is one that LLVM vectorises: it knows that no index is negative.
    for k in range(len(target)):
        target[k] += factor * source[k]


@helper
def eliminate_panel(work, block, n, stride, stars, matrix, low, high):
    """Eliminate pivots from their own rows and columns: 1; 0 where one is not above 0; −1 where a factor is illegal."""
    for pivot in range(low, high):
        row = matrix + pivot * stride
        left = -expm1(work[block + pivot * (stride + 1)]) - work[row + pivot]
        if not left > 0.0:
            return 0
        for j in range(pivot + 1, n):
            if not is_legal(work[row + j]):
                return -1
        work[stars + pivot] = 1.0 / left
        for i in range(pivot + 1, high):
            own = matrix + i * stride
            factor = work[own + pivot] / left
            if not (is_legal(factor) and is_legal(work[own + pivot])):
                return -1
            work[own + pivot] = factor
            if factor > 0.0:
                add_multiple(work[own + pivot + 1 : own + n], factor, work[row + pivot + 1 : row + n])
    for i in range(high, n):
        own = matrix + i * stride
        for pivot in range(low, high):
            factor = work[own + pivot] * work[stars + pivot]
            if not (is_legal(factor) and is_legal(work[own + pivot])):
                return -1
            work[own + pivot] = factor
            if factor > 0.0:
                row = matrix + pivot * stride
                add_multiple(work[own + pivot + 1 : own + high], factor, work[row + pivot + 1 : row + high])
    return 1


@helper
def eliminate_linearly(work, iwork, block, n, stride, stars, matrix, common, scratch):
    """Eliminate all pivots in linear arithmetic: 1; 0 where one is ≤ 0, or stopped; −1 where numbers differ widely."""
    balance(work, block, n, stride, common)
    if not to_linear(work, block, n, stride, common, matrix):
        return -1
    for low in range(0, n, _PANEL):
        if is_stopped(iwork):
            return 0
        high = min(low + _PANEL, n)
        found = eliminate_panel(work, block, n, stride, stars, matrix, low, high)
        if found != 1:
            return found
        if high < n:
            add_products(
                work, matrix + high * (stride + 1), matrix + high * stride + low, matrix + low * stride + high, stride,
                n - high, stride - high, high - low, scratch,
            )  # fmt: skip
    for i in range(n):
        work[stars + i] = log(work[stars + i])
    for i in range(n):
        for j in range(n):
            if j != i:
                number = work[matrix + i * stride + j]
                entry = log(number) + (work[common + i] - work[common + j]) if number > 0.0 else -inf
                work[block + i * stride + j] = entry - work[stars + j] if j < i else entry
    return 1


@helper
def eliminate_logs(work, iwork, block, n, stride, stars):
    """Eliminate all pivots in the log domain: 1, or 0 where one is not below 0, or stopped."""
    for pivot in range(n):
        if is_stopped(iwork):
            return 0
        row = block + pivot * stride
        loop = work[row + pivot]
        if loop >= 0.0:
            return 0
        star = -log(-expm1(loop))
        work[stars + pivot] = star
        for i in range(pivot + 1, n):
            own = block + i * stride
            factor = work[own + pivot] + star
            if factor > -inf:
                j = pivot + 1
                while j < n:
                    if j + LANES <= n:
                        sums, terms = load(work, own + j), factor + load(work, row + j)
                        counts = where_greater(terms, sums - _NOTHING, broadcast(1.0), broadcast(0.0))
                        if greatest_of(counts) == 0.0:
                            j += LANES
                            continue
                    for k in range(j, min(j + LANES, n)):
                        work[own + k] = log_add(work[own + k], factor + work[row + k])
                    j += LANES
    return 1


@kernel(
    "boolean(float64[::1], int32[::1], int64, int64, int64, int64, int64, int64)",
    fastmath={"contract"},
    internal=True,
    lazy=True,
)
def eliminate_block(work, iwork, block, n, stars, mirror, common, scratch):
    """Factor a block in place, write its mirror image and each state's star; False where a pivot is ≤ 0, or stopped.

    Args:
        work: the workspace.
        iwork: its integers, of which the last says whether to give up.
        block: (n, padded(n)) logarithms of the entries.
        n: number of states.
        stars: (n,)
        mirror: as the block.
        common: (2n,) workspace.
        scratch: (SCRATCH,) workspace.
    """
    stride = padded(n)
    found = eliminate_linearly(work, iwork, block, n, stride, stars, mirror, common, scratch)
    if found < 0:
        found = eliminate_logs(work, iwork, block, n, stride, stars)
    if found == 1:
        for i in range(n):
            for j in range(n):
                work[mirror + i * stride + j] = work[block + j * stride + i]
    return found == 1


@helper
def log_dot(work, left, right, count):
    """log Σ exp(left + right) over two rows."""
    whole = count // LANES * LANES
    top = -inf
    if whole > 0:
        tops = load(work, left) + load(work, right)
        for k in range(LANES, whole, LANES):
            tops = greater(tops, load(work, left + k) + load(work, right + k))
        top = greatest_of(tops)
    for k in range(whole, count):
        top = max(top, work[left + k] + work[right + k])
    if top == -inf:
        return top
    total = 0.0
    if whole > 0:
        sums = broadcast(0.0)
        for k in range(0, whole, LANES):
            sums = sums + exponentials((load(work, left + k) + load(work, right + k)) - top)
        total = sum_of(sums)
    for k in range(whole, count):
        total += exponential(work[left + k] + work[right + k] - top)
    return top + log(total)


@kernel("void(float64[::1], int64, int64, int64, int64)", fastmath={"contract"}, internal=True, lazy=True)
def solve_block(work, block, n, stars, scores):
    """Replace what enters each state by the sum over all ways on within a factored block; its mirror: all ways here."""
    stride = padded(n)
    for i in range(n):
        work[scores + i] = work[stars + i] + log_add(work[scores + i], log_dot(work, block + i * stride, scores, i))
    for i in range(n - 1, -1, -1):
        onward = log_dot(work, block + i * stride + i + 1, scores + i + 1, n - 1 - i)
        work[scores + i] = log_add(work[scores + i], work[stars + i] + onward)
