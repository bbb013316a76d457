"""A block's frames where neighbouring states are all entered from the same neighbouring ones: a matrix times a vector.

Called by ``trellis_forward`` and ``trellis_backward``; ``arcgrad.runtime.regions.inner_loop`` says what stands in the
table. Rows are taken by four, so that what is common to them is read once; they are filled up with zeros to multiples
of eight, and there are rows enough behind them for the last four.
"""

from __future__ import annotations

from arcgrad.runtime.jit.declare import kernel
from arcgrad.runtime.kernels.math.vectors import broadcast, load, store, sum_of, where_greater
from arcgrad.runtime.kernels.trellis import trellis_format as T
from arcgrad.runtime.kernels.trellis.blocks import (
    BETA,
    columns_width,
    row_places,
    vector_places,
    weight_places,
)
from arcgrad.runtime.kernels.trellis.steps import BACK, FORWARD, clear, copy

__all__ = ["matrix_back", "matrix_forward"]

_COUNTS = 2.0**-1000
"""Factors below this carry nothing that counts; what they are multiplied by may be beyond float64's range."""


@kernel(FORWARD, internal=True, lazy=True)
def matrix_forward(region, work, columns, count, start, rows):
    """As ``steps.diagonals_forward``."""
    _, stride, _, _ = vector_places(region)
    _, _, factors, _ = weight_places(region)
    table = region[T.TABLE]
    first, n_rows = region[table + T.MATRIX_BEGIN], region[table + T.MATRIX_ROWS]
    source, length = region[table + T.MATRIX_SOURCE], region[table + T.MATRIX_WIDTH]
    state_slots = region[T.STATE_SLOTS] + first
    pad = region[T.PAD]
    width = columns_width(region)
    copy(work, start, rows, stride)
    for row_at in range(rows, rows + count * stride, stride):
        before = row_at + pad + source
        after = row_at + stride + pad + first
        clear(work, row_at + stride, stride)
        for row in range(0, n_rows, 4):
            factor0 = factors + row * length
            factor1 = factor0 + length
            factor2 = factor1 + length
            cell3 = factor2 + length
            total0 = total1 = total2 = total3 = broadcast(0.0)
            for k in range(0, length, 8):
                mantissas = load(work, before + k)
                total0 = total0 + load(work, factor0 + k) * mantissas
                total1 = total1 + load(work, factor1 + k) * mantissas
                total2 = total2 + load(work, factor2 + k) * mantissas
                total3 = total3 + load(work, cell3 + k) * mantissas
            work[after + row] = sum_of(total0)
            work[after + row + 1] = sum_of(total1)
            work[after + row + 2] = sum_of(total2)
            work[after + row + 3] = sum_of(total3)
        for row in range(n_rows):
            work[after + row] *= work[columns + region[state_slots + row]]
        columns += width


@kernel(BACK, internal=True, lazy=True)
def matrix_back(region, work, columns, count, rows, want_weights):
    """As ``steps.diagonals_back``; posteriors of arcs are summed over the block's frames first, and multiplied once."""
    vectors, stride, _, _ = vector_places(region)
    _, _, factors, sums = weight_places(region)
    _, flows, _, _ = row_places(region)
    table = region[T.TABLE]
    first, n_rows = region[table + T.MATRIX_BEGIN], region[table + T.MATRIX_ROWS]
    source, length = region[table + T.MATRIX_SOURCE], region[table + T.MATRIX_WIDTH]
    state_slots = region[T.STATE_SLOTS] + first
    pad = region[T.PAD]
    width = columns_width(region)
    beta = vectors + BETA * stride + pad
    clear(work, flows, (count + 3) // 4 * 4 * stride)
    for frame in range(count - 1, -1, -1):
        after = rows + (frame + 1) * stride + pad + first
        column = columns + frame * width
        flow = flows + frame * stride
        for row in range(n_rows):
            work[flow + row] = work[beta + first + row] * work[column + region[state_slots + row]]
        clear(work, column, width)
        for row in range(n_rows):
            work[column + region[state_slots + row]] += work[beta + first + row] * work[after + row]
        clear(work, vectors + BETA * stride, stride)
        for row in range(0, n_rows, 4):
            factor0 = factors + row * length
            factor1 = factor0 + length
            factor2 = factor1 + length
            cell3 = factor2 + length
            flow0, flow1 = broadcast(work[flow + row]), broadcast(work[flow + row + 1])
            flow2, flow3 = broadcast(work[flow + row + 2]), broadcast(work[flow + row + 3])
            for k in range(0, length, 8):
                sent = load(work, factor0 + k) * flow0 + load(work, factor1 + k) * flow1
                sent = sent + load(work, factor2 + k) * flow2 + load(work, cell3 + k) * flow3
                at = beta + source + k
                store(work, at, load(work, at) + sent)
    if want_weights:
        for row in range(n_rows):
            for k in range(0, length, 8):
                total = broadcast(0.0)
                other = broadcast(0.0)
                before = rows + pad + source + k
                flow = flows + row
                for _ in range(0, count, 2):  # a frame more than there are has no flow
                    total = total + load(work, before) * work[flow]
                    other = other + load(work, before + stride) * work[flow + stride]
                    before += 2 * stride
                    flow += 2 * stride
                at = row * length + k
                factor = load(work, factors + at)
                share = where_greater(factor, broadcast(_COUNTS), factor * (total + other), broadcast(0.0))
                store(work, sums + at, load(work, sums + at) + share)
