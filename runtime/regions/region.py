"""What a packed region is, and the pieces that all packers share.

A region is one reduction over one graph. A packer lays everything symbolic about it out in one flat int32 array: a
header of sizes and relative offsets, then the arrays they point to. Kernels read that array and nothing else, so that
graphs are data and one compiled kernel serves them all. The header's fields are named beside the kernels, in ``header``
and the ``…_format`` of each shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.csr import gather_rows
from arcgrad.compiler.graphs.selection import Selection
from arcgrad.compiler.graphs.topology import IntArray
from arcgrad.grammar.errors import LimitError
from arcgrad.runtime.kernels.header import HEADER

__all__ = ["Packing", "Region"]

_INT32_MAX = 2**31 - 1


@dataclass(frozen=True, eq=False, init=False)
class Region:
    """One reduction over one graph, ready for its kernels.

    Attributes:
        kind: shape: "lattice", "cyclic", "trellis" or "frames".
        semiring: name of the semiring.
        ints: all symbolic data, int32; offsets in the header count from its first element.
        n_states: states that lie on an accepting path (as far as labels tell).
        n_arcs: arcs between them.
        fixed_work: floats (float64) and integers (int32) of workspace that the kernels need whatever the frames.
        frame_work: floats and integers of workspace more for each frame.
        operations: what the kernels' time is about proportional to, whatever the frames: arcs, and what is eliminated.
    """

    kind: str
    semiring: str
    ints: IntArray
    n_states: int
    n_arcs: int
    fixed_work: tuple[int, int]
    frame_work: tuple[int, int]
    operations: int

    def __init__(
        self,
        kind: str,
        semiring: str,
        ints: IntArray,
        n_states: int,
        n_arcs: int,
        fixed_work: tuple[int, int],
        frame_work: tuple[int, int] = (0, 0),
        operations: int | None = None,
    ) -> None:
        # A frozen dataclass's own takes four times as long, and training packs a region for each new target.
        self.__dict__.update(
            kind=kind, semiring=semiring, ints=ints, n_states=n_states, n_arcs=n_arcs,
            fixed_work=fixed_work, frame_work=frame_work,
            operations=n_arcs if operations is None else operations,
        )  # fmt: skip

    def work(self, n_frames: int) -> tuple[int, int]:
        """Workspace of one item with ``n_frames`` frames (0 for graph kinds): numbers of float64 and of int32."""
        return (
            self.fixed_work[0] + n_frames * self.frame_work[0],
            self.fixed_work[1] + n_frames * self.frame_work[1],
        )

    @property
    def nbytes(self) -> int:
        """Bytes of the packed array."""
        return self.ints.nbytes


class Packing:
    """Builds a region's flat array: numbers and arrays are put under their places in the header.

    Args:
        size: length of the flat array so far: beyond the header's where what is packed already gets more fields.

    Attributes:
        header: the fields so far.
    """

    def __init__(self, size: int = HEADER) -> None:
        self.header = [0] * HEADER
        self._parts: list[IntArray] = []
        self._size = size

    def number(self, place: int, value: int) -> None:
        """Put a number itself into the header."""
        self.header[place] = value

    def array(self, place: int, values: Sequence[int] | NDArray[np.integer]) -> None:
        """Append an array and put its offset into the header."""
        self.header[place] = self._size
        part = np.ascontiguousarray(values, dtype=np.int32)
        self._parts.append(part)
        self._size += len(part)

    def counted(self, place: int, values: Sequence[int] | NDArray[np.integer]) -> None:
        """Put an array's length at ``place`` and its offset at ``place + 1``."""
        self.number(place, len(values))
        self.array(place + 1, values)

    def entries(self, place: int, selection: Selection, leaf_offsets: NDArray[np.int64], arcs: IntArray) -> bool:
        """Put the selected leaf entries of ``arcs``: row pointers' offset at ``place``, entries' at ``place + 1``.

        The row pointers' offset is 0 where every arc has exactly one entry.

        Args:
            place: first of the two places.
            selection: entries of every arc of the graph.
            leaf_offsets: (n_leaves,) where each leaf begins among an item's local entries.
            arcs: the graph's arc numbers, in packed order.

        Returns:
            whether there are arcs, and each has one entry, the one behind that of the arc before it.
        """
        line = selection.line
        if line is not None:
            leaf, first = line
            largest = int(leaf_offsets[leaf]) + first + selection.n_arcs - 1
        else:
            local = leaf_offsets[selection.leaf].astype(np.int64) + selection.arc
            largest = int(local.max(initial=0))
        if largest > _INT32_MAX:
            raise LimitError(
                f"the leaves of one equation hold more than {_INT32_MAX} weights, and entries are 32-bit numbers",
                hint="split the equation, or tie weights",
            )
        if line is not None:
            self.number(place, 0)
            self.array(place + 1, arcs + np.int32(leaf_offsets[leaf] + first))
            return bool(len(arcs) and np.all(arcs[1:] - arcs[:-1] == 1))
        pointers, rows = gather_rows(selection.offsets, arcs)
        if len(rows) == len(arcs) and bool(np.all(np.diff(pointers) == 1)):
            self.number(place, 0)
        else:
            self.array(place, pointers)
        chosen = local[rows]
        self.array(place + 1, chosen)
        return bool(self.header[place] == 0 and len(chosen) and np.all(np.diff(chosen) == 1))

    def ints(self, *packed: IntArray) -> IntArray:
        """The flat array, read-only; ``packed``: what was packed before, less its header."""
        largest = max(self._size, *self.header)
        if largest > _INT32_MAX:
            raise LimitError(
                f"a packed graph would hold {largest} numbers, but its offsets are 32-bit numbers",
                hint="build a smaller graph",
            )
        flat = np.concatenate([np.array(self.header, dtype=np.int32), *packed, *self._parts])
        flat.flags.writeable = False
        return flat
