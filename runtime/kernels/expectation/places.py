"""Where the kernels of expectations over dense compositions keep what in their workspace.

``rows`` works for all: everything but the rows that blocks begin with is of fixed size: frames are taken in blocks of
`LONGEST`, forward, and backward after a block's rows were computed again. Full matrices (``matrix``) take the place
of these rows; where ``linear`` is tried first, the workspace is that of ``trellis_log``, and more behind it.
"""

from __future__ import annotations

from arcgrad.compiler.graphs.topology import IntArray
from arcgrad.runtime.jit.declare import helper
from arcgrad.runtime.kernels.trellis import trellis_format as T
from arcgrad.runtime.kernels.trellis.blocks import FEWEST, KEPT, START_ROWS, columns_width, eights
from arcgrad.runtime.kernels.trellis.blocks import LONGEST as LONGEST_LOG

__all__ = [
    "AHEAD",
    "ARCS",
    "BY_LINEAR",
    "BY_MATRIX",
    "BY_ROWS",
    "COARSE",
    "END_ROWS",
    "EXPONENT",
    "FLOWS",
    "HOW",
    "LONGEST",
    "MEAN",
    "SCALARS",
    "SCORE",
    "SHIFTS",
    "SLOTS",
    "arc_place",
    "block_places",
    "column_places",
    "flow_place",
    "is_linear",
    "linear_arcs",
    "linear_columns",
    "linear_end",
    "linear_means",
    "linear_states",
    "log_size",
    "matrix_frames",
    "matrix_places",
    "matrix_sizes",
    "row_size",
    "slot_place",
    "start_place",
    "work_sizes",
]

LONGEST = 32
"""Frames of a block."""

SCALARS = 8
"""Numbers at the begin."""

SCORE, AHEAD, HOW = 0, 1, 2
"""Scalars: 1 where there is a path, else 0; the expectation; and by what it was computed:"""

BY_ROWS, BY_MATRIX, BY_LINEAR = 0.0, 1.0, 2.0
"""``rows``, ``matrix`` or ``linear``."""

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
def matrix_sizes(region):
    """Of a full matrix: numbers of a row of states, of a row of ends, and factors; each a multiple of eight."""
    table = region[T.TABLE]
    length = region[table + T.MATRIX_WIDTH]
    ends = (region[table + T.MATRIX_ROWS] + 7) // 8 * 8
    last = max(region[table + T.MATRIX_SOURCE] + length, region[table + T.MATRIX_BEGIN] + ends)
    return (max(last, region[T.N_STATES]) + 7) // 8 * 8, ends, ends * length


MATRIX_ROWS, END_ROWS, FRAME_SCALARS = 3, 4, 2
"""For each frame: rows of states, and scalars. For each frame of a block: rows of ends."""


@helper
def matrix_places(region):
    """Where ``matrix`` keeps what: four arrays of factors; three rows of scratch; rows of a block; frames' rows."""
    states, ends, factors = matrix_sizes(region)
    at = block_places(region)
    scratch = at + 4 * factors
    block = scratch + 2 * states + 2 * ends
    return at, scratch, block, block + LONGEST * END_ROWS * ends


@helper
def matrix_frames(region, frame):
    """Places of a frame's rows of states, the row before the first frame's being that of 0; and of its scalars."""
    states, _, _ = matrix_sizes(region)
    _, _, _, at = matrix_places(region)
    at += frame * (MATRIX_ROWS * states + FRAME_SCALARS)
    return at, at + states, at + 2 * states, at + 3 * states


@helper
def log_size(region, n_frames):
    """Numbers of the workspace of ``trellis_log``, and the scalars before it."""
    stride = eights(region, T.STRIDE)
    frame = columns_width(region) + 2 + (START_ROWS * stride + FEWEST - 1) // FEWEST
    fixed = eights(region, T.FRAMES) + KEPT + KEPT // FEWEST + (4 + 2 * START_ROWS) * stride + 16
    return SCALARS + fixed + n_frames * frame


@helper
def linear_arcs(region, n_frames):
    """Where ``linear`` keeps the arcs' values, and sums of the derivatives with respect to weights and values."""
    at = log_size(region, n_frames)
    return at, at + region[T.N_ARCS], at + 2 * region[T.N_ARCS]


@helper
def linear_columns(region, n_frames):
    """Places of the values of a block's columns, and of the derivatives with respect to columns and these."""
    at = log_size(region, n_frames) + 3 * region[T.N_ARCS]
    size = LONGEST_LOG * region[T.N_SLOTS]
    return at, at + size, at + 2 * size


@helper
def linear_states(region, n_frames):
    """Place of visits and surprises, and of those before; and of the means that each block begins with."""
    at, _, _ = linear_columns(region, n_frames)
    return at + 3 * LONGEST_LOG * region[T.N_SLOTS]


@helper
def linear_means(region, n_frames, block, frame):
    """Place of a block's rows of means: of its own where all are few, else where every block's are."""
    stride = eights(region, T.STRIDE)
    at = linear_states(region, n_frames) + (4 + n_frames // FEWEST + 3) * stride
    if n_frames * stride > KEPT:
        return at
    return at + (frame + block) * stride


@helper
def linear_end(region, n_frames):
    """Numbers of the workspace that ``linear`` needs."""
    stride = eights(region, T.STRIDE)
    rows = max((LONGEST_LOG + 2) * stride, KEPT + KEPT // FEWEST + 4 * stride)
    return linear_states(region, n_frames) + (4 + n_frames // FEWEST + 3) * stride + rows


def work_sizes(region: IntArray) -> tuple[int, int]:
    """Numbers of the workspace: whatever the frames, and more for each frame."""
    rows, each = int(start_place(region, 2)), -(-int(row_size(region)) // LONGEST)
    if region[T.INNER_LOOP] == T.MATRIX:
        rows = max(rows, int(matrix_frames(region, 1)[0]))
        each = max(each, MATRIX_ROWS * int(matrix_sizes(region)[0]) + FRAME_SCALARS)
    if is_linear(region):
        none, some = int(linear_end(region, 0)), int(linear_end(region, FEWEST))
        rows, each = max(rows, none), max(each, -(-(some - none) // FEWEST))
    return rows, each


@helper
def is_linear(region):
    """Whether ``linear`` may be tried."""
    return region[T.N_EMITTING] == region[T.N_ARCS]
