"""A graph without its weights: the plain arrays that the symbolic half of every operator reads and writes.

Stands under plan and run: operators map topologies to topologies, and selections say where weights go.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["EPSILON", "LARGEST_WEIGHT", "IntArray", "Topology"]

IntArray = NDArray[np.int32]

EPSILON = -1

LARGEST_WEIGHT = 1e300
"""The largest weight of an arc, in nats: sums over any path that fits into memory then stay below +inf."""


def _int_array(values: ArrayLike) -> IntArray:
    array = np.ascontiguousarray(values, dtype=np.int32)
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array


@dataclass(frozen=True, eq=False)
class Topology:
    """States, arcs and labels of a graph, as read-only C-contiguous int32 arrays.

    Attributes:
        n_states: states are ``0 … n_states − 1``.
        src, dst: (n_arcs,) states at which each arc begins and ends.
        ilabel, olabel: (n_arcs,) labels, ε is −1. The same array object for acceptors built by operators that know it.
        start, accept: state numbers, sorted, each once.

    The arrays are trusted: whoever makes a Topology from a user's data checks it first.
    """

    n_states: int
    src: IntArray
    dst: IntArray
    ilabel: IntArray
    olabel: IntArray
    start: IntArray
    accept: IntArray
    _memo: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def make(
        cls,
        n_states: int,
        src: ArrayLike,
        dst: ArrayLike,
        ilabel: ArrayLike,
        olabel: ArrayLike | None = None,
        start: ArrayLike = (),
        accept: ArrayLike = (),
    ) -> Topology:
        """A topology from anything array-like; ``olabel`` None makes an acceptor. Arrays are frozen, not copied."""
        inputs = _int_array(ilabel)
        outputs = inputs if olabel is None else _int_array(olabel)
        return cls(
            int(n_states), _int_array(src), _int_array(dst), inputs, outputs, _int_array(start), _int_array(accept)
        )

    @classmethod
    def from_arcs(cls, n_states: int, arcs: Iterable[tuple[int, ...]], start: ArrayLike, accept: ArrayLike) -> Topology:
        """From ``(src, dst, label)`` or ``(src, dst, ilabel, olabel)`` tuples; for tests and literals."""
        rows = [(a[0], a[1], a[2], a[-1]) for a in arcs]
        columns = np.array(rows, dtype=np.int32).reshape(-1, 4).T
        return cls.make(n_states, columns[0], columns[1], columns[2], columns[3], start, accept)

    @property
    def n_arcs(self) -> int:
        """Number of arcs."""
        return len(self.src)

    @cached_property
    def is_acceptor(self) -> bool:
        """Whether input and output labels agree on every arc."""
        return self.ilabel is self.olabel or bool(np.array_equal(self.ilabel, self.olabel))

    @cached_property
    def n_labels(self) -> int:
        """Number of distinct input labels, ε not counted."""
        largest = int(self.ilabel.max(initial=EPSILON))
        if largest > 4 * self.n_arcs + 1000:
            return int(np.count_nonzero(np.unique(self.ilabel) >= 0))
        occurs = np.zeros(largest + 2, dtype=np.bool_)
        occurs[self.ilabel] = True  # ε, which is −1, marks the last place
        return int(np.count_nonzero(occurs[:-1]))

    @cached_property
    def fingerprint(self) -> bytes:
        """16 bytes that differ where anything in the topology differs; equal topologies have equal fingerprints."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(
            np.array([self.n_states, self.n_arcs, len(self.start), len(self.accept)], dtype=np.int64).tobytes()
        )
        for array in (self.src, self.dst, self.ilabel, self.olabel, self.start, self.accept):
            digest.update(array.data)
        return digest.digest()

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(a.nbytes for a in (self.src, self.dst, self.ilabel, self.olabel, self.start, self.accept))

    def memo(self, name: str) -> dict[Any, Any]:
        """Scratch for derived data that depends on this topology alone (sorted arc orders, packed regions)."""
        return self._memo.setdefault(name, {})  # type: ignore[no-any-return]
