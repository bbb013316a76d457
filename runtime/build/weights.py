"""Where the leaf weights of one call lie in its flat vector, and their gradients in theirs.

The flat vector holds first the weights of all leaves that the batch shares, then each item's own. Packed regions name
entries by local numbers: below ``n_shared`` they are shared, others are counted within the item.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.frontend.ir import Node
from arcgrad.compiler.graphs.topology import LARGEST_WEIGHT
from arcgrad.compiler.plan.plan import Plan
from arcgrad.compiler.types import Type
from arcgrad.grammar.errors import InputError, Place
from arcgrad.runtime.data.inputs import Bound, BoundDense, BoundGraph, BoundScore

__all__ = ["Layout", "too_heavy"]

FloatArray = NDArray[np.float64]
Offsets = NDArray[np.int64]


class Layout:
    """Offsets of every leaf of a plan, for one call.

    Attributes:
        n_shared: number of shared entries.
        shifts: (B,) what an item adds to its own local entries to find them in the flat vector.
        size: length of the flat vector.
    """

    def __init__(self, plan: Plan, bound: Bound) -> None:
        self._plan = plan
        self._numbers = {str(leaf.parameters[0]): n for n, leaf in enumerate(plan.leaves) if leaf.is_input}
        n_items = bound.n_items
        self._is_shared = [_shared(leaf, bound) for leaf in plan.leaves]
        # Numbers of weights: one for all items, or one each. An empty batch has nothing to lay out.
        self._sizes = [_size(leaf, bound) if n_items else 0 for leaf in plan.leaves]
        self._offsets: Offsets = np.empty((n_items, len(plan.leaves)), dtype=np.int64)
        self.n_shared = 0
        for number, size in enumerate(self._sizes):
            if self._is_shared[number]:
                self._offsets[:, number] = self.n_shared
                self.n_shared += int(size)
        local: Offsets | int = self.n_shared
        for number, size in enumerate(self._sizes):
            if not self._is_shared[number]:
                self._offsets[:, number] = local
                local = local + size
        totals = np.empty(n_items, dtype=np.int64)
        totals[:] = local
        totals -= self.n_shared
        ends = totals.cumsum()
        self.shifts: Offsets = ends - totals
        self.size = self.n_shared + (int(ends[-1]) if n_items else 0)
        # Where each leaf begins in the flat vector: one place where it is shared, else one an item.
        self._begins: list[list[int]] = [
            self._offsets[:1, number].tolist() if is_shared else (self._offsets[:, number] + self.shifts).tolist()
            for number, is_shared in enumerate(self._is_shared)
        ]
        # What every call fills in: inputs by name; numbers, and NaN for what a routine computes.
        self._inputs: list[tuple[str, list[int]]] = []
        self._constants: list[tuple[float, list[int]]] = []
        for leaf, begins in zip(plan.leaves, self._begins, strict=True):
            if leaf.is_input:
                self._inputs.append((str(leaf.parameters[0]), begins))
            else:
                value = leaf.parameters[0] if leaf.is_number else np.nan
                assert isinstance(value, (int, float))
                self._constants.append((value, begins))

    def __contains__(self, name: str) -> bool:
        """Whether an input has entries in the flat vector."""
        return name in self._numbers

    def begin(self, name: str) -> int:
        """Place in the flat vector of an input's first entry, for the first item; −1 where it has none."""
        number = self._numbers.get(name)
        return -1 if number is None else self._begins[number][0]

    def leaf_offsets(self, item: int) -> Offsets:
        """(n_leaves,) local number of each leaf's first entry."""
        row: Offsets = self._offsets[item]
        return row

    def flat_offsets(self, item: int) -> Offsets:
        """(n_leaves,) place of each leaf's first entry in the flat vector."""
        row: Offsets = self._offsets[item]
        return np.where(self._is_shared, row, row + self.shifts[item])

    def entry(self, leaf: Node) -> int:
        """Local number of a score leaf's entry: the same for all items, since scores come before graphs."""
        return int(self._offsets[0, self._plan.leaf_numbers[leaf]]) if len(self._offsets) else 0

    def weights(self, bound: Bound) -> FloatArray:
        """The flat vector, filled in; slots of computed scores hold NaN until a routine writes them.

        Where it is one graph's weights and nothing else, it is these themselves, read-only: no routine writes them.
        """
        if not self._constants and len(self._inputs) == 1:
            (name, begins), *_ = self._inputs
            alone = bound.inputs[name]
            if len(begins) == 1 and isinstance(alone, BoundGraph):
                return alone.weights(0)
        flat = np.empty(self.size)
        for value, begins in self._constants:
            flat[begins] = value
        for name, begins in self._inputs:
            found = bound.inputs[name]
            if isinstance(found, BoundScore):
                flat[begins] = found.values
                continue
            for item, begin in enumerate(begins):
                values = found.weights(item)
                flat[begin : begin + len(values)] = values
        return flat

    def check_graph_weights(self, bound: Bound) -> None:
        """Raise InputError where a number or a score input is too large to weight a graph's paths."""
        for leaf in self._plan.weighting:
            if leaf.is_input:
                found = bound.inputs[str(leaf.parameters[0])]
                assert isinstance(found, BoundScore)
                values, batch = found.values, not found.shared
            elif leaf.is_number:
                values, batch = np.array([leaf.parameters[0]], dtype=np.float64), False
            else:
                continue
            bad = np.flatnonzero(values > LARGEST_WEIGHT)
            if len(bad):
                item = int(bad[0])
                raise too_heavy(float(values[item]), self._plan.places.get(leaf), item if batch else None)

    def collect(self, name: str, gradient: FloatArray, n_slices: int) -> list[FloatArray] | None:
        """The gradient of an input's entries, from a flat gradient with ``n_slices`` copies of the shared part.

        Returns:
            one array, summed over slices, for a shared input; one an item for others; None where it is not a leaf.
        """
        number = self._numbers.get(name)
        if number is None or not len(self._offsets):
            return None
        begins, sizes = self._begins[number], self._sizes[number]
        if not self._is_shared[number]:
            before = (n_slices - 1) * self.n_shared
            counts = [sizes] * len(begins) if isinstance(sizes, int) else sizes.tolist()
            return [gradient[before + b : before + b + n] for b, n in zip(begins, counts, strict=True)]
        here = slice(begins[0], begins[0] + int(sizes))
        if n_slices == 1:
            return [gradient[here]]
        copies = gradient[: n_slices * self.n_shared].reshape(n_slices, self.n_shared)
        return [copies[:, here].sum(axis=0)]


def too_heavy(weight: float, place: Place | None = None, item: int | None = None) -> InputError:
    """The error for a score too large to be the weight of a graph's paths."""
    where = "" if item is None else f"item {item} of the batch: "
    return InputError(
        f"{where}a graph's paths are weighted by {weight:g}, but weights go up to {LARGEST_WEIGHT:g}, never +inf",
        place=place,
    )


def _shared(leaf: Node, bound: Bound) -> bool:
    """Whether all items have the same weights in a leaf."""
    if leaf.is_number:
        return True
    return bound.inputs[str(leaf.parameters[0])].shared if leaf.is_input else False


def _size(leaf: Node, bound: Bound) -> Offsets | int:
    """Numbers of weights of a leaf: one for all items, or one each."""
    if leaf.type is not Type.GRAPH:
        return 1
    found = bound.inputs[str(leaf.parameters[0])]
    if isinstance(found, BoundDense):
        sizes: Offsets = found.counts * found.n_columns
        return int(sizes[0]) if found.shared else sizes
    assert isinstance(found, BoundGraph)
    if found.shared:
        return found.items[0].n_arcs
    return np.array([graph.n_arcs for graph in found.items], dtype=np.int64)
