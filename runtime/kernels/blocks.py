"""The log semiring over a trellis in scaled linear arithmetic: inner loops of multiplications and additions only.

A forward score is m · 2^e. Exponents stand still for a *block* of frames, in which an arc from s to d multiplies by
exp(weight) · 2^(e[s] − e[d]), its cell, and a frame by its exponentiated columns. Before a block, exponents are chosen
so that mantissas cannot grow by more than `GROWTH` bits in it: a state's is that of its score, or of what its sources
may send there, the greatest columns of the block supposed. After a block, a mantissa below 2^−`DEPTH` tells that
something may have been lost on the way: whatever fell below float64's range in between has been multiplied by less than
2^`GROWTH` since, so it does not count where mantissas end above. Such a block is computed again with fewer frames, and
in the end a few frames in the log domain. So nothing is lost, however far states lie apart.

The forward pass keeps the row that each block begins with; the backward pass computes the block's rows again, in memory
that stays in the cache, unless all rows are few and were kept. Backward scores β are kept in units of 2^−e, so that
m · β is the state's posterior.

Everything lies in the workspace, at multiples of eight numbers, so that vectors seldom cross the cache's lines.
"""

from __future__ import annotations

from arcgrad.compiler.regions.trellis import FEWEST, KEPT, LONGEST, SLOW
from arcgrad.runtime.routines import helper

__all__ = [
    "BUDGET",
    "DEPTH",
    "FEWEST",
    "GROWTH",
    "KEPT",
    "LONGEST",
    "SLOW",
    "TOLERANCE",
    "UNKNOWN",
    "block_rows",
    "columns_width",
    "frame_places",
    "row_places",
    "vector_places",
    "weight_places",
]

BUDGET = 450.0
"""Bits between the columns of a frame beyond which it is computed in the log domain."""

GROWTH = 300.0
DEPTH = 660.0
"""Their sum, and 60 bits for what is negligible, is within float64's range."""

TOLERANCE = 5.0
"""Bits by which a step may multiply what a state holds before its exponent is raised: raised once, it raises others."""

UNKNOWN = -1e300
"""Exponent of what is 0: a state that cannot be reached, an arc that is absent, a column of −inf."""


@helper
def columns_width(ints, base):
    """Numbers between one frame's columns and the next one's: zeros behind them, for vectors that begin at any."""
    return (ints[base + 13] + 14) // 8 * 8


# Where things lie in the workspace; `trellis_region` adds up the same sizes.


@helper
def weight_places(ints, base, work0):
    """Places of exponentials of the arcs' weights, mantissas and exponents; of the block's factors; of posteriors.

    All by cell; before them, from ``work0`` on, the arcs' weights in nats.
    """
    size = (ints[base + 21] + 7) // 8 * 8
    linear = work0 + (ints[base + 1] + 7) // 8 * 8
    return linear, linear + size, linear + 2 * size, linear + 3 * size


@helper
def vector_places(ints, base, work0):
    """Place and length of rows of states with their pads; and places of numbers for slots, and of the score.

    The rows: the present one, its exponents, the block's, β, β before, flows, and two of scratch.
    """
    stride = (ints[base] + 7) // 8 * 8 + 2 * ints[base + 20]
    rows = work0 + (ints[base + 1] + 7) // 8 * 8 + 4 * ((ints[base + 21] + 7) // 8 * 8)
    slots = rows + 8 * stride
    return rows, stride, slots, slots + columns_width(ints, base)


@helper
def row_places(ints, base, work0):
    """Places of a block's rows, one more than it has frames; of its flows; of exponents of frames in the log domain."""
    _, stride, _, score = vector_places(ints, base, work0)
    rows = score + 8
    flows = rows + (LONGEST + 1) * stride
    return rows, flows, flows + LONGEST * stride


@helper
def frame_places(ints, base, n_frames, work0):
    """Places of frames' columns, then posteriors; of their shifts; of their ranges in bits; of beginnings of blocks."""
    _, stride, _, score = vector_places(ints, base, work0)
    columns = score + 8 + (2 * LONGEST + 1 + SLOW + 1) * stride
    shifts = columns + n_frames * columns_width(ints, base)
    ranges = shifts + (n_frames + 7) // 8 * 8
    return columns, shifts, ranges, ranges + (n_frames + 7) // 8 * 8


@helper
def block_rows(ints, base, n_frames, work0, block, frame):
    """Place of a block's rows: in memory of their own where all rows are few, else where every block's are."""
    _, stride, _, _ = vector_places(ints, base, work0)
    rows, _, _ = row_places(ints, base, work0)
    _, _, _, starts = frame_places(ints, base, n_frames, work0)
    if n_frames * stride > KEPT:
        return rows
    return starts + 2 * stride * (n_frames // FEWEST + 2) + (frame + block) * stride
