"""Header of cyclic regions of the log semiring: a graph with the entries of its matrices that elimination fills.

Packed by ``regions.elimination``. A *slot* is an entry of the sparse matrix of a component that has arcs.
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
    "ARC_ENDS",
    "ARC_NUMBERS",
    "ARC_SOURCES",
    "BELOW_POINTERS",
    "BELOW_ROWS",
    "BELOW_SLOTS",
    "COMPONENTS",
    "DIAGONAL_SLOTS",
    "ENTRIES",
    "ENTRY_POINTERS",
    "INNER_SLOTS",
    "N_ACCEPTS",
    "N_ARCS",
    "N_COMPONENTS",
    "N_INNER",
    "N_SLOTS",
    "N_STARTS",
    "N_STATES",
    "OUTER_IN",
    "OUTER_OUT",
    "SLOT_COLUMNS",
    "SLOT_POINTERS",
    "STARTS",
]

ARC_SOURCES = 8
"""Source of each arc."""

ARC_ENDS = 9
"""Destination of each arc."""

ARC_NUMBERS = 10
"""The graph's number of each arc."""

N_COMPONENTS, COMPONENTS = 11, 12
"""How many strongly connected components there are, and where each begins among the states, and the end."""

N_INNER, INNER_SLOTS = 13, 14
"""How many arcs lie inside components, before all others, and the slot that each of them adds to."""

N_SLOTS = 15
"""Number of slots."""

SLOT_POINTERS = 16
"""Row pointers of the slots; states of components without arcs have none."""

SLOT_COLUMNS = 17
"""Column of each slot, ascending in a row."""

DIAGONAL_SLOTS = 18
"""Each state's slot on the diagonal; −1 where it has no slots."""

BELOW_POINTERS = 19
"""Row pointers, by column, of the slots below the diagonal."""

BELOW_ROWS = 20
"""Rows of the slots below the diagonal."""

BELOW_SLOTS = 21
"""Their numbers among all slots."""

OUTER_IN = 22
"""Row pointers, by destination, of the arcs between components."""

OUTER_OUT = 23
"""Row pointers, by source, of the list of arcs between components; the list stands behind them, at n_states + 1."""
