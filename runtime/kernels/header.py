"""What stands at the begin of every packed region: the fields that all shapes share.

A field holds a number, or where an array begins, counted from the region's begin. The other fields of each shape are
named in ``lattice_format``, ``cyclic_format`` and ``trellis_format``; regions of shape "frames" have a header of zeros.
"""

from __future__ import annotations

__all__ = [
    "ACCEPTS",
    "ENTRIES",
    "ENTRY_POINTERS",
    "HEADER",
    "N_ACCEPTS",
    "N_ARCS",
    "N_STARTS",
    "N_STATES",
    "STARTS",
    "VALUES",
    "VALUE_ENTRIES",
    "VALUE_FIELDS",
    "VALUE_IN_LINE",
    "VALUE_POINTERS",
]

HEADER = 48
"""Length of every header; a field that a shape has no use for holds 0."""

N_STATES = 0
"""Number of states, in the region's own numbers."""

N_ARCS = 1
"""Number of arcs."""

N_STARTS, STARTS = 2, 3
"""How many start states there are, and where they stand, ascending."""

N_ACCEPTS, ACCEPTS = 4, 5
"""How many accept states there are, and where they stand, ascending."""

ENTRY_POINTERS = 6
"""Row pointers of the entries by arc; 0 where each arc has exactly one entry, and no pointers."""

ENTRIES = 7
"""The leaf entries that arcs' weights sum."""

VALUES = 40
"""First field of the arcs' values, the other weights that expectations are taken of (`regions.values`)."""

VALUE_POINTERS, VALUE_ENTRIES, VALUE_IN_LINE, VALUE_FIELDS = 0, 1, 2, 3
"""Of each kind of values, in turn: row pointers of their entries, or 0; these; whether arc k's only entry is that of
arc 0 plus k, for all k; and how many fields that makes."""
