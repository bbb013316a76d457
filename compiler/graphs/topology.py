"""A graph without its weights: the plain arrays that the symbolic half of every operator reads and writes.

Stands under plan and run: operators map topologies to topologies, and selections say where weights go.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from arcgrad.compiler.cached import cached_property

__all__ = ["EPSILON", "LARGEST_WEIGHT", "IntArray", "Topology"]

IntArray = NDArray[np.int32]

EPSILON = -1

LARGEST_WEIGHT = 1e300
"""The largest weight of an arc, in nats: sums over any path that fits into memory then stay below +inf."""

# Arrays of so few arcs are joined to be hashed at once; joining longer ones costs more than hashing them one by one.
_FEW_ARCS = 1000
# So few are counted in less time than numpy needs to begin.
_FEW_LABELS = 200


def _int_array(values: ArrayLike) -> IntArray:
    array = np.ascontiguousarray(values, dtype=np.int32)
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array


def _bytes_of(value: Any) -> int:
    """Bytes of the arrays in what is remembered: in dicts, lists and tuples, and of whatever says its own."""
    if isinstance(value, dict):
        return sum(map(_bytes_of, list(value.values())))
    if isinstance(value, (list, tuple)):
        return sum(map(_bytes_of, value))
    found = getattr(value, "nbytes", 0)
    return found if isinstance(found, int) else 0


@dataclass(frozen=True, eq=False, init=False)
class Topology:
    """States, arcs and labels of a graph, as read-only C-contiguous int32 arrays.

    Attributes:
        n_states: states are ``0 … n_states − 1``.
        src, dst: (n_arcs,) states at which each arc begins and ends.
        ilabel, olabel: (n_arcs,) labels, ε is −1. The same array object for acceptors built by operators that know it.
        start, accept: state numbers, sorted, each once.
        token: stands for this topology in keys that must not keep it alive. Not its id, which another one may get.

    The arrays are trusted: whoever makes a Topology from a user's data checks it first.
    """

    n_states: int
    src: IntArray
    dst: IntArray
    ilabel: IntArray
    olabel: IntArray
    start: IntArray
    accept: IntArray
    _memo: dict[str, Any] = field(init=False, repr=False)
    token: object = field(init=False, repr=False)

    def __init__(
        self,
        n_states: int,
        src: IntArray,
        dst: IntArray,
        ilabel: IntArray,
        olabel: IntArray,
        start: IntArray,
        accept: IntArray,
    ) -> None:
        # A frozen dataclass's own takes four times as long, and small graphs are made by the thousand.
        self.__dict__.update(
            n_states=n_states, src=src, dst=dst, ilabel=ilabel, olabel=olabel, start=start, accept=accept, _memo={},
            token=object(),
        )  # fmt: skip
        if ilabel is olabel:
            self.__dict__["is_acceptor"] = True  # what `cached_property` finds there it does not compute

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
        return bool(np.array_equal(self.ilabel, self.olabel))

    @cached_property
    def n_labels(self) -> int:
        """Number of distinct input labels, ε not counted."""
        if self.n_arcs <= _FEW_LABELS:
            return len({*self.ilabel.tolist(), EPSILON}) - 1
        most = int(self.ilabel.max(initial=EPSILON)) + 2
        if most > 32 * self.n_arcs + 1024:
            return int(np.count_nonzero(np.unique(self.ilabel) >= 0))
        occurs = np.zeros(most, dtype=np.bool_)
        occurs[self.ilabel] = True  # ε, −1, marks the last one, which no label does
        return int(np.count_nonzero(occurs[:-1]))

    @cached_property
    def fingerprint(self) -> bytes:
        """16 bytes that differ where anything in the topology differs; equal topologies have equal fingerprints."""
        sizes = np.array(
            [self.n_states, self.n_arcs, len(self.start), len(self.accept), self.is_acceptor], dtype=np.int64
        )
        outputs = () if self.is_acceptor else (self.olabel,)
        parts = (sizes, self.src, self.dst, self.ilabel, *outputs, self.start, self.accept)
        # Processors have instructions for SHA-256: faster than the hashes that are fast without.
        if self.n_arcs <= _FEW_ARCS:
            return hashlib.sha256(b"".join(parts)).digest()[:16]
        digest = hashlib.sha256()
        for part in parts:
            digest.update(part.data)
        return digest.digest()[:16]

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return 4 * (4 * len(self.src) + len(self.start) + len(self.accept))

    @property
    def held_bytes(self) -> int:
        """Bytes of its arrays and of what is remembered with it."""
        return self.nbytes + sum(_bytes_of(value) for value in list(self._memo.values()))

    def memo(self, name: str) -> dict[Any, Any]:
        """Scratch for derived data that depends on this topology alone (sorted arc orders, packed regions)."""
        return self._memo.setdefault(name, {})  # type: ignore[no-any-return]
