"""Label mappings: what ``relabel[A, m]`` is given as ``m``, checked once and made hashable.

An input of an equation becomes a LabelMapping when it is bound; the relabelling operators read it as a parameter.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from arcgrad.compiler.cached import cached_property
from arcgrad.compiler.graphs.topology import EPSILON, IntArray
from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import shown

__all__ = ["LabelMapping", "label_array"]

_LARGEST_LABEL = 2**31 - 1


class LabelMapping:
    """A map from labels to labels. Labels it does not mention stay as they are; so does ε, unless −1 is mentioned.

    Attributes:
        labels: (n,) the labels that are mapped, rising, int32.
        targets: (n,) what each becomes; −1 makes ε.

    Example:
        >>> from arcgrad.compiler.graphs.mapping import LabelMapping
        >>> import numpy as np
        >>> LabelMapping.make({3: 30, 4: -1}).apply(np.array([3, 4, 5, -1])).tolist()
        [30, -1, 5, -1]
    """

    def __init__(self, labels: IntArray, targets: IntArray) -> None:
        self.labels, self.targets = labels.copy(), targets.copy()
        self.labels.flags.writeable = False
        self.targets.flags.writeable = False

    @classmethod
    def make(cls, value: object, name: str = "the label mapping") -> LabelMapping:
        """From a user's dict, or 1-D array or sequence of whole numbers in which entry i is what label i becomes.

        Args:
            value: dict, array, sequence, or a LabelMapping (returned as it is).
            name: what messages call it.

        Raises:
            InputError: it is none of these, or a label is not a whole number from −1 (ε) to 2³¹ − 1.
        """
        if isinstance(value, LabelMapping):
            return value
        if isinstance(value, Mapping):
            labels = [_label(key, name, "maps") for key in value]
            targets = [_label(target, name, "maps a label to") for target in value.values()]
            order = np.argsort(np.array(labels, dtype=np.int64), kind="stable")
            return cls(np.array(labels, dtype=np.int32)[order], np.array(targets, dtype=np.int32)[order])
        try:
            array = np.asarray(value)
        except (ValueError, TypeError, RuntimeError):  # ragged sequences, tensors on another device
            raise _wrong_kind(name, type(value).__name__) from None
        if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
            raise _wrong_kind(name, f"{type(value).__name__}, shape {array.shape} and dtype {array.dtype}")
        outside = array[(array < EPSILON) | (array > _LARGEST_LABEL)] if array.size else array
        if outside.size:
            raise _out_of_range(name, "maps a label to", int(outside[0]))
        return cls(np.arange(len(array), dtype=np.int32), array.astype(np.int32))

    def apply(self, labels: IntArray) -> IntArray:
        """(n,) what these labels become."""
        if not len(self.labels):
            return labels
        position = np.minimum(np.searchsorted(self.labels, labels), len(self.labels) - 1)
        result: IntArray = np.where(self.labels[position] == labels, self.targets[position], labels).astype(np.int32)
        return result

    @cached_property
    def fingerprint(self) -> bytes:
        """16 bytes that differ where the mapping differs."""
        digest = hashlib.blake2b(len(self.labels).to_bytes(8, "little"), digest_size=16)
        digest.update(self.labels.data)
        digest.update(self.targets.data)
        return digest.digest()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LabelMapping):
            return NotImplemented
        return self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        shown = ", ".join(f"{a}: {b}" for a, b in zip(self.labels[:8].tolist(), self.targets[:8].tolist(), strict=True))
        return f"LabelMapping.make({{{shown}{', …' if len(self.labels) > 8 else ''}}})"

    def __reduce__(self) -> tuple[Any, ...]:
        return LabelMapping, (self.labels, self.targets)


def label_array(labels: Sequence[Hashable], what: str) -> IntArray:
    """(n,) int32 labels of a literal.

    Raises:
        InputError: one of them is not a whole number from 0 to 2³¹ − 1.
    """
    for label in labels:
        if not isinstance(label, int) or isinstance(label, bool) or not 0 <= label <= _LARGEST_LABEL:
            raise InputError(f"{what} has the label {label!r}, but labels are whole numbers from 0 to 2³¹ − 1")
    return np.array(labels, dtype=np.int32)


def _label(value: object, name: str, verb: str) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        label = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise InputError(
            f"{name} {verb} {shown(value)} of type {type(value).__name__}, but labels are whole numbers"
        ) from None
    if not EPSILON <= label <= _LARGEST_LABEL:
        raise _out_of_range(name, verb, label)
    return label


def _out_of_range(name: str, verb: str, label: int) -> InputError:
    return InputError(f"{name} {verb} {shown(label)}, but labels are whole numbers from 0 to 2³¹ − 1, or −1 for ε")


def _wrong_kind(name: str, found: str) -> InputError:
    return InputError(
        f"{name} is of type {found}, but a label mapping was expected",
        hint="give a dict {label: new label}, or a 1-D array of whole numbers whose entry i is what label i becomes",
    )
