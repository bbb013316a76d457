"""What of a graph lies on accepting paths, for the packer of trellises. Called by ``pack_trellis``."""

from __future__ import annotations

from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.kernels.graphs.order import FORWARD, mark_reached

__all__ = ["mark_from"]


@helper
def _sweep(tails, heads, labels, n_columns, bit, marks):
    """Mark what can be reached from marked states, in a few passes over the arcs in their order or against it.

    Returns whether that was enough, as it is for graphs whose arcs are numbered along the paths.
    """
    n_arcs = len(tails)
    for _ in range(4):
        changed = False
        for k in range(n_arcs):
            arc = k if bit == FORWARD else n_arcs - 1 - k
            if marks[tails[arc]] & ~marks[heads[arc]] & bit and labels[arc] < n_columns:
                marks[heads[arc]] |= bit
                changed = True
        if not changed:
            return True
    return False


@kernel(f"void({', '.join(['const int32[::1]'] * 4)}, int64, int64, {', '.join(['int32[::1]'] * 4)})", internal=True)
def mark_from(begin, tails, heads, labels, n_columns, bit, marks, pointers, ends, stack):
    """Set ``bit`` in the mark of each state that can be reached from ``begin`` by arcs with a column or ε."""
    for state in begin:
        marks[state] |= bit
    if not _sweep(tails, heads, labels, n_columns, bit, marks):
        mark_reached(tails, heads, labels, n_columns, bit, marks, pointers, ends, stack)
