"""The log semiring over a trellis in scaled linear arithmetic: inner loops of multiplications and additions only.

A forward score is m · 2^e. Exponents, the states' *units*, stand still for a *block* of frames, in which an arc from s
to d multiplies by exp(weight) · 2^(e[s] − e[d]), its cell, and a frame by its exponentiated columns. A state's unit is
the exponent of its score before the block, or of what its sources may send there, the greatest columns of the block
supposed. The forward pass keeps the row that each block begins with; the backward pass computes the block's rows again,
in memory that stays in the cache, unless all rows are few and were kept. Backward scores β have units of 2^−e, so that
m · β is the state's posterior. What the block arithmetic cannot do is computed a few frames at a time with an
exponent for each number (``slow_frames``). Everything lies in the workspace, at multiples of eight numbers, so that
vectors seldom cross the cache's lines.

**What holds within a block** of n frames, M being the matrix of one frame's cells times columns (Σ over ε arcs too):

1. Units are whole and within ±`NEAR` of 0, the exponent of the best state, so sums of units and arcs' exponents are
   exact, or so far out that the cell is clamped. Rows that hold states further away are computed slowly.
2. A column is 0 or in [2^−`BUDGET`, 1]; frames of wider range are computed slowly.
3. Cells are clamped to [2^`SMALLEST`, 2^`LARGEST`]; 0 means that the arc is absent or its source cannot be reached.
   The upper clamp never counts: where the end's column is not 0 throughout, the clamped cell times it exceeds `GROWTH`
   bits, and the block is refused; where it is 0 throughout, mantissa times cell is finite and the product 0.
4. No row of M sums to more than 2^g, and n · g ≤ `GROWTH`: mantissas, at most 2 to begin with, stay below
   2^(`GROWTH` + 1), and an error made on the way is multiplied by at most 2^`GROWTH` until the block ends.
5. No column of M sums to more than 2^h, and n · h ≤ `GROWTH_BACK`: β, at most 2^`DEPTH` at the end, stays finite.

**Why what passes is exact.** What is lost on the way is what falls below 2^−1022, be it by a product, the first
mantissas' among them, or by a clamp of a cell: each time at most 2^−1020 · 2^(`GROWTH` + 1) in a mantissa at the end of
the block, by 4. The guard accepts a last mantissa above 2^−`DEPTH`, of which that is less than 2^−58. It accepts a last
mantissa of 0 in two cases only: no arc with a cell and a column enters the state (then nothing was lost: this is judged
by what is present, never by a product that might be 0 by underflow), or no product along any path within the block can
fall below 2^−1000, the least first mantissa, the least cells and the least columns supposed. Anything else is tried
again with fewer frames, and in the end slowly. The same bound, turned around, holds for posteriors: what forward scores
have lost is less than 2^−58 of them.
"""

from __future__ import annotations

from arcgrad.runtime.jit.declare import helper

__all__ = [
    "BUDGET",
    "COARSE_ORIGIN",
    "DEPTH",
    "FAR",
    "FEWEST",
    "GROWTH",
    "GROWTH_BACK",
    "HAS_FAR",
    "KEPT",
    "LARGEST",
    "LEAST",
    "LEAST_PRODUCT",
    "LIMIT",
    "LIMITED",
    "LONGEST",
    "NEAR",
    "ORIGIN",
    "SLOW",
    "SMALLEST",
    "TOLERANCE",
    "TOUCHED",
    "UNIFORM",
    "UNKNOWN",
    "block_rows",
    "columns_width",
    "frame_places",
    "row_places",
    "vector_places",
    "weight_places",
]

LONGEST = 48
"""Frames that a block has at most."""

FEWEST = 4
"""Frames that make a block worth while."""

SLOW = 4
"""Frames that are computed in the log domain before a block is tried again."""

KEPT = 80_000
"""Numbers of an item's rows up to which they are kept for the gradient: as much as the cache may hold."""

BUDGET = 350.0
"""Bits between the columns of a frame beyond which it is computed slowly."""

GROWTH = 300.0
"""Bits by which a block may multiply a mantissa."""

GROWTH_BACK = 360.0
"""Bits by which a block may multiply a backward score."""

DEPTH = 660.0
"""Bits below 1 that a mantissa may have at the end of a block. With `GROWTH` and 58 bits for the negligible, that is
within float64's range; and with `GROWTH_BACK`, so are backward scores."""

SMALLEST, LARGEST = -1020.0, 651.0
"""Exponents to which cells are clamped. Times a column, 2^`LARGEST` is beyond 2^`GROWTH`; times a mantissa, finite."""

LEAST_PRODUCT = -1000.0
"""Exponent above which no product can have lost anything."""

TOLERANCE = 5.0
"""Bits by which a step may multiply what a state holds before its exponent is raised: raised once, it raises others."""

UNKNOWN = -1e300
"""Exponent of what is 0: a state that cannot be reached, an arc that is absent, a column of −inf."""

NEAR = 2.0**45
"""Exponents in a block: those of 48 frames and as many arcs add up exactly."""

FAR = 2.0**60
"""Exponent that stands for an arc's where that has two parts, with its sign; ``scaled`` explains these."""


@helper
def columns_width(ints, base):
    """Numbers between one frame's columns and the next one's: zeros behind them, for vectors that begin at any."""
    return (ints[base + 13] + 14) // 8 * 8


# What stands behind the score: whether the cells are those of one unit for all states, the least of their exponents;
# whether it is known how many frames they allow, and how many; the exponent, and the coarse one, that those of the
# present row count from; whether any of its states has a coarse exponent of its own; and a place to write to.
UNIFORM, LEAST, LIMITED, LIMIT, ORIGIN, COARSE_ORIGIN, HAS_FAR, TOUCHED = 1, 2, 3, 4, 5, 6, 7, 8
SCALARS = 16

# Where things lie in the workspace; `trellis_region` adds up the same sizes.


@helper
def weight_places(ints, base, work0):
    """Places of exponentials of the arcs' weights, mantissas and exponents; of the block's factors; of posteriors.

    All by cell; before them, from ``work0`` on, the arcs' weights in nats, and what their rounding left off.
    """
    size = (ints[base + 21] + 7) // 8 * 8
    linear = work0 + 2 * ((ints[base + 1] + 7) // 8 * 8)
    return linear, linear + size, linear + 2 * size, linear + 3 * size


@helper
def vector_places(ints, base, work0):
    """Place and length of rows of states with their pads; and places of numbers for slots, and of the score.

    The rows: the present one, its exponents, the block's, β, β before, flows, coarse exponents of the present one, and
    one of scratch. For slots three times as many numbers as a frame has columns.
    """
    stride = (ints[base] + 7) // 8 * 8 + 2 * ints[base + 20]
    rows = work0 + 2 * ((ints[base + 1] + 7) // 8 * 8) + 4 * ((ints[base + 21] + 7) // 8 * 8)
    slots = rows + 8 * stride
    return rows, stride, slots, slots + 3 * columns_width(ints, base)


@helper
def row_places(ints, base, work0):
    """Places of a block's rows, one more than it has frames; of its flows; of exponents of slow frames, and coarse."""
    _, stride, _, score = vector_places(ints, base, work0)
    rows = score + SCALARS
    flows = rows + (LONGEST + 1) * stride
    exponents = flows + LONGEST * stride
    return rows, flows, exponents, exponents + (SLOW + 1) * stride


@helper
def frame_places(ints, base, n_frames, work0):
    """Places of frames' columns, then posteriors; of their shifts; of their ranges in bits; of beginnings of blocks."""
    _, stride, _, score = vector_places(ints, base, work0)
    columns = score + SCALARS + (2 * LONGEST + 1 + 2 * (SLOW + 1)) * stride
    shifts = columns + n_frames * columns_width(ints, base)
    ranges = shifts + (n_frames + 7) // 8 * 8
    return columns, shifts, ranges, ranges + (n_frames + 7) // 8 * 8


@helper
def block_rows(ints, base, n_frames, work0, block, frame):
    """Place of a block's rows: in memory of their own where all rows are few, else where every block's are."""
    _, stride, _, _ = vector_places(ints, base, work0)
    rows, _, _, _ = row_places(ints, base, work0)
    _, _, _, starts = frame_places(ints, base, n_frames, work0)
    if n_frames * stride > KEPT:
        return rows
    return starts + 3 * stride * (n_frames // FEWEST + 2) + (frame + block) * stride
