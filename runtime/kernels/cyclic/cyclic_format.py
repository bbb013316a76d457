"""Header of cyclic regions of the log semiring: a graph with the entries of its matrices that elimination fills.

Packed by ``regions.elimination``. A component's states stand in the order in which they are eliminated, its *dense*
ones last: the matrix that the others leave behind is full, or nearly so. An entry with a sparse row or column that arcs
or elimination fill is a *slot*; the dense states have a *block* of all entries behind the slots, row by row.
"""

from __future__ import annotations

from arcgrad.runtime.kernels.header import (
    ACCEPTS,
    ENTRIES,
    ENTRY_POINTERS,
    N_ACCEPTS,
    N_ARCS,
    N_STARTS,
    N_STATES,
    STARTS,
)

__all__ = [
    "ACCEPTS",
    "ARCS_IN",
    "ARC_ENDS",
    "ARC_NUMBERS",
    "ARC_PLACES",
    "ARC_SOURCES",
    "BELOW_POINTERS",
    "BELOW_ROWS",
    "BELOW_SLOTS",
    "BLOCKS",
    "COMPONENTS",
    "DENSE_STATES",
    "DIAGONAL_SLOTS",
    "ENTRIES",
    "ENTRY_POINTERS",
    "IN_POINTERS",
    "N_ACCEPTS",
    "N_ARCS",
    "N_COMPONENTS",
    "N_PLACES",
    "N_SLOTS",
    "N_STARTS",
    "N_STATES",
    "OUT_POINTERS",
    "SLOT_COLUMNS",
    "SLOT_POINTERS",
    "STARTS",
]

ARC_SOURCES = 8
"""Source of each arc, ascending."""

ARC_ENDS = 9
"""Destination of each arc."""

ARC_PLACES = 10
"""The place that each arc adds to: a slot, or an entry of a block; −1 of arcs between components."""

OUT_POINTERS = 11
"""Row pointers of the arcs, by source."""

IN_POINTERS = 12
"""Row pointers, by destination, of the list of arcs."""

ARCS_IN = 13
"""The arcs by destination."""

N_COMPONENTS, COMPONENTS = 14, 15
"""How many strongly connected components there are, and where each begins among the states, and the end."""

DENSE_STATES = 16
"""Where the dense states of each component begin; its end where it has none."""

BLOCKS = 17
"""The place where the block of each component begins."""

N_SLOTS = 18
"""Number of slots."""

N_PLACES = 19
"""Number of slots and of all entries of blocks."""

SLOT_POINTERS = 20
"""Row pointers of the slots; states of components without arcs have none."""

SLOT_COLUMNS = 21
"""Column of each slot, ascending in a row."""

DIAGONAL_SLOTS = 22
"""Each state's slot on the diagonal; −1 where it has none."""

BELOW_POINTERS = 23
"""Row pointers, by column, of the slots below the diagonal."""

BELOW_ROWS = 24
"""Rows of the slots below the diagonal."""

BELOW_SLOTS = 25
"""Their numbers among all slots."""

ARC_NUMBERS = 26
"""The graph's number of each arc."""
