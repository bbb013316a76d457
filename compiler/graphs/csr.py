"""Compressed sparse rows: where the items of each row begin.

Used by orders of states and by whoever packs graphs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["gather_rows", "row_pointers"]


def row_pointers(rows: NDArray[np.integer], n_rows: int) -> NDArray[np.int64]:
    """CSR row pointers (n_rows + 1,) of items whose row numbers are ``rows`` (in any order)."""
    pointers = np.zeros(n_rows + 1, dtype=np.int64)
    np.cumsum(np.bincount(rows, minlength=n_rows), out=pointers[1:])
    return pointers


def gather_rows(offsets: NDArray[np.int64], rows: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pick rows of a CSR matrix: the new row pointers, and the old positions of the items in their new order."""
    lengths = offsets[1:][rows] - offsets[:-1][rows]
    pointers = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum(lengths, out=pointers[1:])
    within = np.arange(pointers[-1], dtype=np.int64) - np.repeat(pointers[:-1], lengths)
    return pointers, np.repeat(offsets[:-1][rows], lengths) + within
