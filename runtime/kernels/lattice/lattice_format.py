"""Header of lattices, and of cyclic regions of the semirings max, min and count; packed by ``regions.graph``."""

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
    "ARC_POINTERS",
    "COMPONENTS",
    "ENTRIES",
    "ENTRY_POINTERS",
    "FURTHEST",
    "HAS_CYCLE",
    "IN_LINE",
    "IN_POINTERS",
    "IN_SOURCES",
    "N_ACCEPTS",
    "N_ARCS",
    "N_COMPONENTS",
    "N_STARTS",
    "N_STATES",
    "STARTS",
]

ARC_POINTERS = 8
"""Row pointers of arcs by the state that they leave; the arcs of a state are in the graph's order."""

ARC_ENDS = 9
"""Destination of each arc."""

ARC_NUMBERS = 10
"""The graph's number of each arc."""

N_COMPONENTS, COMPONENTS = 11, 12
"""How many strongly connected components there are, and where each begins among the states, and the end (max, min)."""

HAS_CYCLE = 13
"""1 where there is a cycle, else 0."""

IN_LINE = 14
"""1 where arc k's only entry is that of arc 0 plus k, for all k, so that no index need be read; else 0."""

FURTHEST = 15
"""Largest destination of the arcs out of each block of states, −1 where there are none (log)."""

IN_POINTERS, IN_SOURCES = 16, 17
"""Row pointers, by destination, of the arcs' sources, and these, where there is a cycle (max, min)."""
