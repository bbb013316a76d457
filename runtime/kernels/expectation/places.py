"""Where the kernels of expectations over dense compositions keep what in their workspace.

Everything but the rows that blocks begin with is of fixed size: frames are taken in blocks of `LONGEST`, forward, and
backward after a block's rows were computed again.
"""

from __future__ import annotations

from arcgrad.runtime.jit.declare import helper
from arcgrad.runtime.kernels.trellis import trellis_format as T

__all__ = [
    "AHEAD",
    "ARCS",
    "COARSE",
    "EXPONENT",
    "FLOWS",
    "LONGEST",
    "MEAN",
    "SCALARS",
    "SCORE",
    "SHIFTS",
    "SLOTS",
    "arc_place",
    "block_places",
    "column_places",
    "fixed_size",
    "flow_place",
    "row_size",
    "slot_place",
    "start_place",
]

LONGEST = 32
"""Frames of a block."""

SCALARS = 8
"""Numbers at the begin."""

SCORE, AHEAD = 0, 1
"""Scalars: 1 where there is a path, else 0; and the expectation."""

EXPONENT, COARSE, MEAN, SHIFTS = 1, 2, 3, 2
"""A row: its states' forward scores, mantissas first, in three arrays, as ``scaled`` explains them; what is expected of
the ways to them; and how many numbers follow: the exponent and coarse exponent that were taken off all states."""

ARCS = 6
"""Numbers for each arc: mantissa, exponent and coarse exponent of its weight; its value; and sums of the derivatives
with respect to both."""

SLOTS = 3
"""Numbers for each slot: mantissa, exponent and coarse exponent of a frame's column. One slot more is for ε arcs."""

FLOWS = 4
"""Numbers for each state: visits, and surprises, of the present row and of the one before."""


@helper
def row_size(region):
    """Numbers of a row."""
    return 4 * region[T.N_STATES] + SHIFTS


@helper
def arc_place(region, kind):
    """Place of one of the arcs' arrays."""
    return SCALARS + kind * region[T.N_ARCS]


@helper
def slot_place(region):
    """Place of the slots' three arrays."""
    return SCALARS + ARCS * region[T.N_ARCS]


@helper
def flow_place(region):
    """Place of visits and surprises."""
    return slot_place(region) + SLOTS * (region[T.N_SLOTS] + 1)


@helper
def column_places(region):
    """Places of a block's columns and their values, and of the derivatives with respect to these, frame by frame."""
    at = flow_place(region) + FLOWS * region[T.N_STATES]
    size = LONGEST * region[T.N_SLOTS]
    return at, at + size, at + 2 * size, at + 3 * size


@helper
def block_places(region):
    """Place of a block's rows, one more than it has frames."""
    at, _, _, _ = column_places(region)
    return at + 4 * LONGEST * region[T.N_SLOTS]


@helper
def start_place(region, block):
    """Place of the row that a block begins with."""
    return block_places(region) + (LONGEST + 1 + block) * row_size(region)


@helper
def fixed_size(region):
    """Numbers of the workspace whatever the frames; for each, a `LONGEST`th of a row is added, rounded up."""
    return start_place(region, 2)
