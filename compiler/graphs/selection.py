"""Selections: which leaf weights each arc of a built graph adds up. A selection is the textbook's Jacobian, sparse.

An operator gives local selections (one array per operand); this module composes them down to the leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.cached import cached_property
from arcgrad.compiler.graphs.adjacency import expand_ranges
from arcgrad.compiler.graphs.topology import IntArray

__all__ = ["Selection", "block_selection", "compose_selections", "join_selections"]


@dataclass(frozen=True, eq=False)
class Selection:
    """For each arc, the leaf entries whose sum is its weight, in CSR form.

    Attributes:
        offsets: (n_arcs + 1,) int64; the entries of arc k are ``offsets[k]:offsets[k + 1]``. No entries: weight 0.
        leaf: (n_entries,) int32 leaf number, as numbered by the program.
        arc: (n_entries,) int32 arc (or parameter) number within that leaf. An entry that occurs twice counts twice.
    """

    offsets: NDArray[np.int64]
    leaf: IntArray
    arc: IntArray

    @property
    def n_arcs(self) -> int:
        """Number of arcs of the graph that this selects weights for."""
        return len(self.offsets) - 1

    @classmethod
    def identity(cls, leaf: int, n_arcs: int) -> Selection:
        """The selection of leaf number ``leaf`` itself: arc k has weight ``leaf[k]``."""
        made = cls(
            np.arange(n_arcs + 1, dtype=np.int64),
            np.full(n_arcs, leaf, dtype=np.int32),
            np.arange(n_arcs, dtype=np.int32),
        )
        # Known here; to look through a million arcs takes as long as to pack them.
        vars(made).update(leaves=[leaf] if n_arcs else [], line=(leaf, 0) if n_arcs else None)
        return made

    @classmethod
    def none(cls, n_arcs: int) -> Selection:
        """Every arc has weight 0 and depends on no leaf (literals)."""
        empty = np.empty(0, dtype=np.int32)
        return cls(np.zeros(n_arcs + 1, dtype=np.int64), empty, empty)

    def take(self, rows: IntArray) -> Selection:
        """The selection of a graph whose arc k is arc ``rows[k]`` of this one, or of weight 0 where ``rows[k] < 0``."""
        return compose_selections(len(rows), [(rows, self)])

    def weights(self, leaf_weights: NDArray[np.float64], leaf_offsets: NDArray[np.int64]) -> NDArray[np.float64]:
        """Arc weights (n_arcs,), given all leaves in one flat vector in which leaf i begins at ``leaf_offsets[i]``."""
        if len(self.arc) == 0:
            return np.zeros(self.n_arcs)
        values: NDArray[np.float64] = leaf_weights[leaf_offsets[self.leaf] + self.arc]
        if len(values) == self.n_arcs and self.is_one_to_one:
            return values
        result = np.zeros(self.n_arcs)
        filled = self.offsets[1:] > self.offsets[:-1]
        with np.errstate(over="ignore"):  # what is too small for a float is −inf
            result[filled] = np.add.reduceat(values, self.offsets[:-1][filled])
        return result

    @cached_property
    def leaves(self) -> list[int]:
        """The leaves that have entries, ascending."""
        return [int(n) for n in np.unique(self.leaf)]

    @cached_property
    def line(self) -> tuple[int, int] | None:
        """(leaf, first entry) where arc k's only entry is entry ``first + k`` of that leaf, for all k; else None."""
        if not self.n_arcs or not self.is_one_to_one:
            return None
        if bool(np.any(self.leaf != self.leaf[0])) or bool(np.any(np.diff(self.arc) != 1)):
            return None
        return int(self.leaf[0]), int(self.arc[0])

    @property
    def is_one_to_one(self) -> bool:
        """Whether every arc has exactly one entry."""
        return len(self.arc) == self.n_arcs and bool(np.all(np.diff(self.offsets) == 1))

    def scatter(self, gradient: NDArray[np.float64], leaf_offsets: NDArray[np.int64], size: int) -> NDArray[np.float64]:
        """The transpose of ``weights``: (size,) flat leaf gradients from (n_arcs,) arc gradients."""
        rows = np.repeat(gradient, np.diff(self.offsets))
        return np.bincount(leaf_offsets[self.leaf] + self.arc, weights=rows, minlength=size).astype(np.float64)


def compose_selections(n_arcs: int, parts: Sequence[tuple[IntArray, Selection]]) -> Selection:
    """Compose an operator's local selections with its operands' selections.

    Args:
        n_arcs: number of arcs of the operator's output.
        parts: for each operand, (n_arcs,) its arc number or −1 for each output arc, and the operand's own selection.
    """
    counts = np.zeros((len(parts), n_arcs), dtype=np.int64)
    for row, (local, selection) in zip(counts, parts, strict=True):
        if selection.n_arcs:
            begins = np.maximum(local, 0)
            row[:] = np.where(local >= 0, selection.offsets[begins + 1] - selection.offsets[begins], 0)
    offsets = np.zeros(n_arcs + 1, dtype=np.int64)
    np.cumsum(counts.sum(axis=0), out=offsets[1:])
    leaf = np.empty(offsets[-1], dtype=np.int32)
    arc = np.empty(offsets[-1], dtype=np.int32)
    begin = offsets[:-1].copy()
    for row, (local, selection) in zip(counts, parts, strict=True):
        if not row.any():
            continue
        within = np.arange(row.sum(), dtype=np.int64) - np.repeat(np.cumsum(row) - row, row)
        source = np.repeat(selection.offsets[np.maximum(local, 0)], row) + within
        target = np.repeat(begin, row) + within
        leaf[target] = selection.leaf[source]
        arc[target] = selection.arc[source]
        begin += row
    return Selection(offsets, leaf, arc)


def join_selections(n_arcs: int, begins: NDArray[np.int64], parts: Sequence[Selection]) -> Selection:
    """The selection of a graph of ``n_arcs`` arcs in which those of each part stand together, from ``begins`` on."""
    counts = np.zeros(n_arcs, dtype=np.int64)
    arcs = np.array([part.n_arcs for part in parts])
    _, places = expand_ranges(begins, arcs)
    counts[places] = np.concatenate([np.diff(part.offsets) for part in parts])
    offsets = np.zeros(n_arcs + 1, dtype=np.int64)
    np.cumsum(counts, out=offsets[1:])
    return Selection(
        offsets, np.concatenate([part.leaf for part in parts]), np.concatenate([part.arc for part in parts])
    )


def block_selection(n_arcs: int, begin: int, count: int) -> IntArray:
    """(n_arcs,) a local selection: the operand's ``count`` arcs in order from arc ``begin`` on, elsewhere −1."""
    local = np.full(n_arcs, -1, dtype=np.int32)
    local[begin : begin + count] = np.arange(count, dtype=np.int32)
    return local
