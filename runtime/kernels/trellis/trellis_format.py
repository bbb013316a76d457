"""Header of trellises, and the tables of their inner loops; packed by ``regions.trellis`` and ``kernels.packing``.

Emitting arcs, sorted by destination, come first, then ε arcs, sorted by destination.
"""

from __future__ import annotations

from arcgrad.runtime.kernels.header import (
    ACCEPTS,
    ENTRIES,
    ENTRY_POINTERS,
    HEADER,
    N_ACCEPTS,
    N_ARCS,
    N_STARTS,
    N_STATES,
    STARTS,
)

__all__ = [
    "ACCEPTS",
    "ARC_BY_ARC",
    "ARC_ENDS",
    "ARC_FACTORS",
    "ARC_NUMBERS",
    "ARC_SLOTS",
    "ARC_SOURCES",
    "BLOCK_FLOWS",
    "BLOCK_ROWS",
    "DIAGONAL",
    "DIAGONALS",
    "DIAGONAL_BEGIN",
    "DIAGONAL_END",
    "DIAGONAL_FACTOR",
    "DIAGONAL_OFFSET",
    "EMITTING",
    "ENTRIES",
    "ENTRY_POINTERS",
    "FACTOR0",
    "FACTOR1",
    "FACTOR2",
    "FACTORS",
    "FRAMES",
    "GROUP",
    "GROUPS",
    "GROUP_BEGIN",
    "GROUP_END",
    "GROUP_SLOT",
    "GROUP_STEP",
    "HEADER",
    "INNER_LOOP",
    "IS_FIRST",
    "LINEAR",
    "MATRIX",
    "MATRIX_BEGIN",
    "MATRIX_COLUMNS",
    "MATRIX_ROWS",
    "MATRIX_SOURCE",
    "MATRIX_TABLE",
    "MATRIX_WIDTH",
    "N_ACCEPTS",
    "N_ARCS",
    "N_DIAGONALS",
    "N_EMITTING",
    "N_FACTORS",
    "N_GROUPS",
    "N_LEFTOVER",
    "N_LONG",
    "N_REAL_STATES",
    "N_SLOTS",
    "N_STARTS",
    "N_STATES",
    "N_TRIPLES_BACK",
    "N_TRIPLES_FORWARD",
    "OFFSET0",
    "OFFSET1",
    "OFFSET2",
    "PAD",
    "RESTS",
    "SCALES",
    "SCORE",
    "SILENT",
    "SILENT_DEPTH",
    "SLOT_COLUMNS",
    "SLOT_ROOM",
    "SLOW_COARSE",
    "SLOW_EXPONENTS",
    "STARTS",
    "STATE_SLOTS",
    "STRIDE",
    "SUMS",
    "TABLE",
    "TRIPLE",
    "TRIPLE_GROUP",
    "VECTORS",
    "WIDTH",
]

N_EMITTING = 8
"""Number of emitting arcs; all others are ε arcs."""

ARC_SOURCES = 9
"""Source of each arc."""

ARC_ENDS = 10
"""Destination of each arc."""

ARC_NUMBERS = 11
"""The graph's number of each arc."""

ARC_SLOTS = 12
"""Slot of each emitting arc: the column that it takes, in numbers of the region's own."""

N_SLOTS, SLOT_COLUMNS = 13, 14
"""How many slots there are, and the column of each."""

EMITTING = 15
"""Row pointers of emitting arcs by destination."""

SILENT = 16
"""Row pointers of ε arcs by destination."""

SILENT_DEPTH = 17
"""Length of the longest chain of ε arcs."""

INNER_LOOP = 18
"""Format of the inner loop (log): `ARC_BY_ARC`, `DIAGONALS` or `MATRIX`."""

TABLE = 19
"""Table of the inner loop, in the formats that have one (log)."""

PAD = 20
"""Zeros that the inner loop reads on both sides of a row of states, a multiple of eight (log)."""

N_FACTORS = 21
"""How many numbers the inner loop multiplies by (log)."""

ARC_FACTORS = 22
"""Place of each arc's factor among these (log)."""

STATE_SLOTS = 23
"""Slot that each state is entered with; −1 where there is none, or several (log)."""

N_REAL_STATES = 24
"""Number of states that are not there only to fill up groups."""

ARC_BY_ARC, DIAGONALS, MATRIX = 0, 1, 2
"""Formats of the inner loop."""

# Sizes and places of the workspace, in eights of numbers; written by ``blocks.lay_out``, which describes it (log).

STRIDE, WIDTH = 25, 26
"""Length of a row of states with its pads; of a frame's columns with zeros behind them, for vectors to begin at any."""

RESTS = 27
"""Place of what rounding left off the arcs' weights, which stand before it."""

LINEAR, SCALES, FACTORS, SUMS = 28, 29, 30, 31
"""Places by factor: of exponentials of weights, mantissas and exponents; of the block's factors; of posteriors."""

VECTORS, SLOT_ROOM, SCORE = 32, 33, 34
"""Places of rows of states, of numbers for slots, and of the score with other scalars behind it."""

BLOCK_ROWS, BLOCK_FLOWS, SLOW_EXPONENTS, SLOW_COARSE = 35, 36, 37, 38
"""Places of a block's rows, of its flows, and of slow frames' exponents and coarse exponents."""

FRAMES = 39
"""Place of what has a length for each frame; all before it is of fixed size."""

# The table of diagonals: six sizes, then groups, diagonals, triples forward, triples back, leftover arcs' numbers.

N_DIAGONALS = 0
"""Number of diagonals, the empty one at the begin included."""

N_LEFTOVER = 1
"""Number of leftover arcs: those on no diagonal; their factors stand behind all others."""

N_GROUPS = 2
"""Number of groups of states."""

N_TRIPLES_FORWARD, N_TRIPLES_BACK = 3, 4
"""Numbers of triples, by the groups that their diagonals lead to, and by those that they leave."""

N_LONG = 5
"""Number of diagonals that are long, the empty one at the begin included: these come first, and stand in triples."""

GROUPS = 6
"""Where the groups begin in the table."""

GROUP_BEGIN, GROUP_END, GROUP_SLOT, GROUP_STEP, GROUP = 0, 1, 2, 3, 4
"""A group's first state, its end, the first state's slot, the step of the slot from state to state (0 where the group
shares a column, else 1); and the length of that."""

DIAGONAL_OFFSET, DIAGONAL_FACTOR, DIAGONAL_BEGIN, DIAGONAL_END, DIAGONAL = 0, 1, 2, 3, 4
"""A diagonal's offset (destination − source), place of the factor of destination 0, first destination, end; and the
length of that."""

TRIPLE_GROUP, IS_FIRST = 0, 1
"""A triple's group, and whether it is the group's first; then offsets and factors of three diagonals."""

OFFSET0, FACTOR0, OFFSET1, FACTOR1, OFFSET2, FACTOR2 = 2, 3, 4, 5, 6, 7
"""Offset and factor, as the diagonals' own, of each of the three; those of the empty diagonal are 0."""

TRIPLE = 8
"""Length of a triple."""

MATRIX_BEGIN, MATRIX_ROWS, MATRIX_SOURCE, MATRIX_COLUMNS, MATRIX_WIDTH, MATRIX_TABLE = 0, 1, 2, 3, 4, 5
"""The table of a full matrix: first destination, number of destinations, first source, number of sources, factors that
a row takes; and the length of that."""
