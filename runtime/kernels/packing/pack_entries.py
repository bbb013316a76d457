"""What the arcs of a graph sum, as ``pack_trellis`` is told: in rows, or as a leaf's arcs, or those of two leaves.

Called by ``pack_trellis_ints``, whose docstring says what the arguments are.
"""

from __future__ import annotations

from arcgrad.runtime.jit.declare import helper

__all__ = ["count_entries", "largest_entry", "write_entries"]


@helper
def count_entries(n_arcs, chosen, pointers, parts, arcs, others):
    """How many entries the first of the chosen arcs have, and whether each has one."""
    if not len(pointers) and len(parts) == 1:
        return n_arcs, True
    count = 0
    single = True
    for k in range(n_arcs):
        arc = chosen[k]
        if len(pointers):
            length = pointers[arc + 1] - pointers[arc]
        else:
            length = (1 if arcs[arc] >= 0 else 0) + (1 if others[arc] >= 0 else 0)
        count += length
        if length != 1:
            single = False
    return count, single


@helper
def write_entries(n_arcs, arc_at, pointers, parts, arcs, others, leaf_offsets, out, rows_at, at):
    """Write the entries of arcs that stand in ``out``, and where each arc's begin, unless each has one (0)."""
    first = leaf_offsets[parts[0]] if len(parts) else 0
    if not len(pointers) and len(parts) == 1:
        for k in range(n_arcs):
            out[at + k] = first + out[arc_at + k]
        return
    second = leaf_offsets[parts[1]] if len(parts) > 1 else 0
    entry = 0
    for k in range(n_arcs):
        arc = out[arc_at + k]
        if rows_at:
            out[rows_at + k] = entry
        if len(pointers):
            for e in range(pointers[arc], pointers[arc + 1]):
                out[at + entry] = leaf_offsets[parts[e]] + arcs[e]
                entry += 1
        else:
            if arcs[arc] >= 0:
                out[at + entry] = first + arcs[arc]
                entry += 1
            if others[arc] >= 0:
                out[at + entry] = second + others[arc]
                entry += 1
    if rows_at:
        out[rows_at + n_arcs] = entry


@helper
def largest_entry(n_arcs, pointers, parts, arcs, others, leaf_offsets):
    """The largest of all entries."""
    largest = 0
    if len(pointers):
        for e in range(len(parts)):
            largest = max(largest, leaf_offsets[parts[e]] + arcs[e])
    elif len(parts) == 1:
        largest = leaf_offsets[parts[0]] + n_arcs - 1
    else:
        for k in range(n_arcs):
            largest = max(largest, leaf_offsets[parts[0]] + arcs[k], leaf_offsets[parts[1]] + others[k])
    return largest
