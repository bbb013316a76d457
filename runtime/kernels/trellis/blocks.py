"""The log semiring over a trellis in scaled linear arithmetic: inner loops of multiplications and additions only.

A forward score is m · 2^e. Exponents, the states' *units*, stand still for a *block* of frames, in which an arc from s
to d multiplies by exp(weight) · 2^(e[s] − e[d]), its *factor*, and a frame by its exponentiated columns. A state's unit
is the exponent of its score before the block, or of what its sources may send there, the greatest columns of the block
supposed. The forward pass keeps the row that each block begins with; the backward pass computes the block's rows again,
in memory that stays in the cache, unless all rows are few and were kept. Backward scores β have units of 2^−e, so that
m · β is the state's posterior. What the block arithmetic cannot do is computed a few frames at a time with an
exponent for each number (``slow_frames``). Everything lies in the workspace, at multiples of eight numbers, so that
vectors rarely cross the cache's lines.

**What holds within a block** of n frames, M being the matrix of one frame's factors times columns (Σ over ε arcs too):

1. Units are whole and within ±`NEAR` of 0, the exponent of the best state, so sums of units and arcs' exponents are
   exact, or so far out that the factor is clamped. Rows that hold states further away are computed slowly.
2. A column is 0 or in [2^−`BUDGET`, 1]; frames of wider range are computed slowly.
3. Factors are clamped to [2^`SMALLEST`, 2^`LARGEST`]; 0 means that the arc is absent or its source cannot be reached.
   The upper clamp never counts: where the end's column is not 0 throughout, the clamped factor times it exceeds
   `GROWTH` bits, and the block is refused; where it is 0 throughout, mantissa times factor is finite, the product 0.
4. No row of M sums to more than 2^g, and n · g ≤ `GROWTH`: mantissas, at most 2 to begin with, stay below
   2^(`GROWTH` + 1), and an error made on the way is multiplied by at most 2^`GROWTH` until the block ends.
5. No column of M sums to more than 2^h, and n · h ≤ `GROWTH_BACK`: β, at most 2^`DEPTH` at the end, stays finite.

**Why what passes is exact.** What is lost on the way is what falls below 2^−1022, be it by a product, the first
mantissas' among them, or by a clamp of a factor: each time at most 2^−1020 · 2^(`GROWTH` + 1) in a mantissa at the end
of the block, by 4. The guard accepts a last mantissa above 2^−`DEPTH`, of which that is less than 2^−58. It accepts a
last mantissa of 0 in two cases only: no arc with a factor and a column enters the state (then nothing was lost: this is
judged by what is present, never by a product that might be 0 by underflow), or no product along any path within the
block can fall below 2^−1000, the least first mantissa, the least factors and the least columns supposed. Anything else
is tried again with fewer frames, and in the end slowly. The same bound, turned around, holds for posteriors: what
forward scores have lost is less than 2^−58 of them.
"""

from __future__ import annotations

from arcgrad.runtime.jit.declare import helper
from arcgrad.runtime.kernels.trellis import trellis_format as T

__all__ = [
    "BETA",
    "BOUNDS",
    "BUDGET",
    "COARSE_EXPONENTS",
    "COARSE_ORIGIN",
    "DEPTH",
    "EARLIER",
    "ENTERING",
    "EXPONENTS",
    "FAR",
    "FEWEST",
    "FIRST_FRAME",
    "FLOWS",
    "GROWTH",
    "GROWTH_BACK",
    "HAS_FAR",
    "HOW",
    "KEPT",
    "LARGEST",
    "LEAST",
    "LEAST_PRODUCT",
    "LEAVING",
    "LIMIT",
    "LIMITED",
    "LONGEST",
    "MOST_FRAMES",
    "NEAR",
    "N_BLOCKS",
    "N_VECTORS",
    "ORIGIN",
    "PREFETCHED",
    "RAISED",
    "SCALARS",
    "SCRATCH",
    "SILENT_SUMS",
    "SLOW",
    "SMALLEST",
    "START_COARSE",
    "START_EXPONENTS",
    "START_ROWS",
    "TOLERANCE",
    "UNIFORM",
    "UNITS",
    "UNKNOWN",
    "block_rows",
    "columns_width",
    "eights",
    "frame_places",
    "lay_out",
    "row_places",
    "trellis_work",
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
"""Exponents to which factors are clamped. 2^`LARGEST` times a column exceeds 2^`GROWTH`; times a mantissa is finite."""

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


UNIFORM, LEAST = 1, 2
"""Scalars behind the score: whether the factors are those of one unit for all states; the least of their exponents."""

LIMITED, LIMIT = 3, 4
"""Scalars: whether it is known how many frames the factors allow; and how many."""

ORIGIN, COARSE_ORIGIN = 5, 6
"""Scalars: the exponent, and the coarse one, that those of the present row count from."""

HAS_FAR = 7
"""Scalar: whether any state of the present row has a coarse exponent of its own."""

PREFETCHED = 8
"""Scalar: a place to write to what was read only to be in the cache."""

SCALARS = 16
"""Number of scalars."""

EXPONENTS, UNITS, BETA, EARLIER, FLOWS, COARSE_EXPONENTS, SCRATCH = 1, 2, 3, 4, 5, 6, 7
"""Rows of states behind the present one: its exponents; the block's units; β; β a frame before; β times columns; the
present row's coarse exponents; and one of scratch."""

RAISED, SILENT_SUMS, BOUNDS, ENTERING, LEAVING = BETA, BETA, EARLIER, FLOWS, SCRATCH
"""What the forward pass keeps in rows of the backward pass: units raised by a sweep; sums of ε arcs' factors; bounds of
the columns that states are entered with; sums of the factors by which they are entered, and left."""

N_VECTORS = 8
"""Number of rows of states."""

START_EXPONENTS, START_COARSE, START_ROWS = 1, 2, 3
"""Rows behind the one that a block begins with: its exponents, or units; its coarse exponents; and how many in all."""

N_BLOCKS, MOST_FRAMES = 0, 1
"""Integers of the workspace: how many blocks there are; how many frames the next one may have."""

FIRST_FRAME, HOW = 2, 3
"""Integers of the first block, two numbers before those of the second: its first frame; how it was computed."""


@helper
def lay_out(header):
    """Write into a header where things lie in the workspace; the size of it, in eights, without what frames take.

    First arcs' weights, in nats, and what their rounding left off; four arrays by factor; rows of states; for slots,
    three times as many numbers as a frame has columns; scalars; rows of a block, one more than it has frames, and its
    flows; exponents of slow frames. For each frame: columns, which become posteriors; its shift; its range in bits; and
    its part of the rows that blocks begin with, and of those that are kept.
    """
    arcs, factors = (header[T.N_ARCS] + 7) // 8, (header[T.N_FACTORS] + 7) // 8
    stride, width = (header[T.N_STATES] + 7) // 8 + header[T.PAD] // 4, (header[T.N_SLOTS] + 14) // 8
    header[T.STRIDE] = stride
    header[T.WIDTH] = width
    header[T.RESTS] = arcs
    header[T.LINEAR] = 2 * arcs
    header[T.SCALES] = 2 * arcs + factors
    header[T.FACTORS] = 2 * arcs + 2 * factors
    header[T.SUMS] = 2 * arcs + 3 * factors
    at = 2 * arcs + 4 * factors
    header[T.VECTORS] = at
    at += N_VECTORS * stride
    header[T.SLOT_ROOM] = at
    at += 3 * width
    header[T.SCORE] = at
    at += SCALARS // 8
    header[T.BLOCK_ROWS] = at
    at += (LONGEST + 1) * stride
    header[T.BLOCK_FLOWS] = at
    at += LONGEST * stride
    header[T.SLOW_EXPONENTS] = at
    at += (SLOW + 1) * stride
    header[T.SLOW_COARSE] = at
    at += (SLOW + 1) * stride
    header[T.FRAMES] = at
    return at


@helper
def trellis_work(frames, stride, width):
    """Floats of workspace whatever the frames, and more for each of them, by fields of a header of these names."""
    # Rows that are kept, one more for each block; a share of those that blocks begin with.
    fixed = 8 * frames + KEPT + KEPT // FEWEST + (4 + 2 * START_ROWS) * 8 * stride + 16
    return fixed, 8 * width + 2 + (START_ROWS * 8 * stride + FEWEST - 1) // FEWEST


@helper
def eights(region, field):
    """A size or place of the workspace, in numbers."""
    return 8 * region[field]


@helper
def columns_width(region):
    """Numbers between one frame's columns and the next one's."""
    return eights(region, T.WIDTH)


@helper
def weight_places(region):
    """Places of exponentials of the arcs' weights, mantissas and exponents; of the block's factors; of posteriors."""
    return (
        eights(region, T.LINEAR),
        eights(region, T.SCALES),
        eights(region, T.FACTORS),
        eights(region, T.SUMS),
    )


@helper
def vector_places(region):
    """Place and length of rows of states with their pads; and places of numbers for slots, and of the score.

    The rows are the present one and those that `EXPONENTS` and its like name.
    """
    return (
        eights(region, T.VECTORS),
        eights(region, T.STRIDE),
        eights(region, T.SLOT_ROOM),
        eights(region, T.SCORE),
    )


@helper
def row_places(region):
    """Places of a block's rows; of its flows; of exponents of slow frames, and coarse ones."""
    return (
        eights(region, T.BLOCK_ROWS),
        eights(region, T.BLOCK_FLOWS),
        eights(region, T.SLOW_EXPONENTS),
        eights(region, T.SLOW_COARSE),
    )


@helper
def frame_places(region, n_frames):
    """Places of frames' columns, then posteriors; of their shifts; of their ranges in bits; of beginnings of blocks."""
    columns = eights(region, T.FRAMES)
    shifts = columns + n_frames * columns_width(region)
    ranges = shifts + (n_frames + 7) // 8 * 8
    return columns, shifts, ranges, ranges + (n_frames + 7) // 8 * 8


@helper
def block_rows(region, n_frames, block, frame):
    """Place of a block's rows: in memory of their own where all rows are few, else where every block's are."""
    stride = eights(region, T.STRIDE)
    if n_frames * stride > KEPT:
        return eights(region, T.BLOCK_ROWS)
    _, _, _, starts = frame_places(region, n_frames)
    return starts + START_ROWS * stride * (n_frames // FEWEST + 2) + (frame + block) * stride
