"""Targets: sequences of labels, one or a batch, in every shape that losses take them in, as one flat array."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import counted, shown
from arcgrad.runtime.data.arguments import TEXTS, whole_number
from arcgrad.runtime.data.checks import LARGEST, as_array, describe

__all__ = ["Targets", "read_targets"]

_EXPECTED = "a sequence of labels (integers), or a batch of these: a list of sequences, or an array (B, U)"


@dataclass(frozen=True, slots=True)
class Targets:
    """The labels of all targets, one after the other.

    Attributes:
        labels: all of them.
        counts: (B,) how many each target has.
        is_batch: whether a batch was given, or a single target.
        name: ``name(item, position)`` is what the user calls a label.
    """

    labels: NDArray[Any]
    counts: NDArray[np.int64]
    is_batch: bool
    name: Callable[[int, int], str]

    def refuse(self, flat: int, why: str, hint: str | None = None) -> None:
        """Raise InputError for a label that has this place in the flat array."""
        ends = np.cumsum(self.counts)
        item = int(np.searchsorted(ends, flat, side="right"))
        place = self.name(item, flat - int(ends[item] - self.counts[item]))
        raise InputError(f"{place} is {self.labels[flat]}, but {why}", hint=hint)


def read_targets(targets: Any, lengths: Any, blank: int | None, n_labels: int | None) -> Targets:
    """Targets as the user gave them.

    Args:
        targets: one sequence of labels; a list of sequences; (B, U), padded where ``lengths`` says so; or, with
            ``lengths``, all targets one after the other.
        lengths: (B,) how many labels each target has; None: all.
        blank: what no target may hold; None: nothing.
        n_labels: labels are below it; None: they may be any.

    Raises:
        InputError: a wrong shape or dtype, or a label out of range.
    """
    if n_labels is not None:
        n_labels = whole_number(n_labels, "n_labels", f"an integer from 1 to {LARGEST}", 1, LARGEST)
    if blank is not None:
        most = LARGEST if n_labels is None else n_labels - 1
        expected = f"None or an integer from 0 to {most}, one of the labels"
        whole_number(blank, "blank", expected, 0, most)
    found = _read(targets, lengths)
    labels = found.labels
    high = LARGEST if n_labels is None else n_labels - 1
    bad = (labels < 0) | (labels > high)
    if bad.any():
        hint = "padding is left out by lengths=" if getattr(targets, "ndim", 0) == 2 and lengths is None else None
        found.refuse(int(np.argmax(bad)), f"labels go from 0 to {high}", hint)
    if blank is not None:
        is_blank = labels == blank
        if is_blank.any():
            found.refuse(
                int(np.argmax(is_blank)),
                f"that is the blank (blank={blank}), which no target holds",
                "targets are what is left when blanks are dropped; blank= says which label is the blank",
            )
    return Targets(labels.astype(np.int32, copy=False), found.counts, found.is_batch, found.name)


def _read(targets: Any, lengths: Any) -> Targets:
    if lengths is None and isinstance(targets, (list, tuple)) and any(map(_is_sequence, targets)):
        return _listed(targets)
    if isinstance(targets, (set, frozenset, *TEXTS)):
        hint = "symbols become labels by ag.SymbolTable(…).encode" if isinstance(targets, TEXTS) else None
        raise InputError(f"targets is {shown(targets)}, but must be {_EXPECTED}", hint=hint)
    array = _integers(targets, "targets")
    if array.ndim == 1 and lengths is None:
        return Targets(array, np.array([len(array)]), False, lambda _, k: f"targets[{k}]")
    if array.ndim not in (1, 2):
        raise InputError(f"targets has {describe(array)}, but must be {_EXPECTED}")
    if lengths is None:
        counts = np.full(len(array), array.shape[1])
        return Targets(array.reshape(-1), counts, True, lambda b, k: f"targets[{b}][{k}]")
    counts = as_array(lengths, "lengths", "integers, one for each target")
    if counts.ndim != 1 or (counts.size and counts.dtype.kind not in "iu"):
        raise InputError(f"lengths has {describe(counts)}, but must be integers, one for each target")
    counts = counts.astype(np.int64)
    if counts.size and counts.min() < 0:
        b = int(np.argmin(counts))
        raise InputError(f"lengths[{b}] is {counts[b]}, but a target has 0 labels or more")
    if array.ndim == 1:
        if int(counts.sum()) != len(array):
            raise InputError(
                f"lengths sum up to {int(counts.sum())}, but the targets, one after the other, have "
                f"{counted(len(array), 'label')}"
            )
        begins = np.cumsum(counts) - counts
        return Targets(array, counts, True, lambda b, k: f"targets[{begins[b] + k}]")
    if len(counts) != len(array):
        raise InputError(f"lengths has {len(counts)} entries, but there are {len(array)} targets ({describe(array)})")
    odd = counts > array.shape[1]
    if odd.any():
        b = int(np.argmax(odd))
        raise InputError(
            f"lengths[{b}] is {counts[b]}, but targets of shape {array.shape} have 0 to {array.shape[1]} labels"
        )
    kept = np.arange(array.shape[1]) < counts[:, None]
    return Targets(array[kept], counts, True, lambda b, k: f"targets[{b}][{k}]")


def _is_sequence(value: Any) -> bool:
    return isinstance(value, (list, tuple, str, bytes, range)) or getattr(value, "ndim", 0) > 0


def _listed(targets: Any) -> Targets:
    """Targets of different lengths: lists of Python's own integers are the usual case, and taken at once."""
    counts = None
    if set(map(type, targets)) <= {list, tuple}:
        flat = list(chain.from_iterable(targets))
        if set(map(type, flat)) <= {int}:
            try:
                array = np.array(flat, dtype=np.int64)
                counts = np.fromiter(map(len, targets), dtype=np.int64, count=len(targets))
            except OverflowError:
                counts = None
    if counts is None:
        items = []
        for b, target in enumerate(targets):
            if isinstance(target, TEXTS):
                raise InputError(
                    f"targets[{b}] is {shown(target)}, but must be a sequence of labels (integers)",
                    hint="symbols become labels by ag.SymbolTable(…).encode",
                )
            item = _integers(target, f"targets[{b}]")
            if item.ndim != 1:
                raise InputError(f"targets[{b}] has {describe(item)}, but must be a sequence of labels (integers)")
            items.append(item)
        counts = np.array([len(item) for item in items], dtype=np.int64)
        array = np.concatenate(items)
    return Targets(array, counts, True, lambda b, k: f"targets[{b}][{k}]")


def _integers(value: Any, name: str) -> NDArray[Any]:
    array = as_array(value, name, "a sequence of labels (integers)" if "[" in name else _EXPECTED)
    if array.size and array.dtype.kind not in "iu":
        hint = "whole numbers held as floats are not converted silently: use array.astype(int)"
        raise InputError(
            f"{name} has {describe(array)}, but labels are integers", hint=hint if array.dtype.kind == "f" else None
        )
    return array.astype(np.int64) if array.size and array.dtype.kind == "i" else _from_unsigned(array)


def _from_unsigned(array: NDArray[Any]) -> NDArray[np.int64]:
    """Unsigned numbers as signed ones; what does not fit becomes the largest, which is no label."""
    if not array.size:
        return np.zeros(array.shape, dtype=np.int64)
    return np.minimum(array.astype(np.uint64), np.uint64(2**63 - 1)).astype(np.int64)
