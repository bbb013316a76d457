"""Which scores of dense inputs are looked at, and when: decided here for every tier.

A score must be no NaN, not +inf, and not so large that sums overflow. `ag.dense` looks when it is made, and a call when
its inputs are bound; but a large batch of scores waits, and is looked at slice by slice, by the threads that read it
just after. What a region reads in full is not looked at even then: a bad score shows in the region's value.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.topology import LARGEST_WEIGHT
from arcgrad.runtime.data.checks import check_weights

__all__ = ["Waiting", "check_scores"]

# Scores from which on it pays to look at them slice by slice.
_MANY_SCORES = 1 << 20


class _Bound(Protocol):
    """What of `arcgrad.runtime.data.inputs.BoundDense`, which makes a `Waiting`, is needed here."""

    @property
    def frames(self) -> NDArray[Any]: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def counts(self) -> NDArray[np.int64]: ...
    @property
    def shared(self) -> bool: ...
    def scores(self, item: int) -> NDArray[Any]: ...


class Waiting:
    """Dense inputs of a call whose scores are still to be looked at, before any is used.

    Attributes:
        inputs: by name.
    """

    __slots__ = ("inputs",)

    def __init__(self) -> None:
        self.inputs: dict[str, _Bound] = {}

    def add(self, name: str, found: _Bound, may_wait: bool) -> None:
        """Check an input's scores now, or have a large batch of them wait.

        Raises:
            InputError: NaN, +inf or a score beyond the largest; so do the methods that follow.
        """
        if may_wait and not found.shared and found.frames.size >= _MANY_SCORES:
            self.inputs[name] = found
        else:
            _check(name, found)

    def check(self, but: Collection[str] = ()) -> None:
        """Check all inputs that wait, except those that only the regions of a routine read."""
        for name in [name for name in self.inputs if name not in but]:
            _check(name, self.inputs[name])
            del self.inputs[name]

    def check_items(self, first: int, end: int, shown: Collection[str]) -> None:
        """Check items before a routine reads them, except of inputs whose bad scores show in a value."""
        for name, found in self.inputs.items():
            if name not in shown:
                for item in range(first, end):
                    if not _are_legal(found.scores(item)):
                        self._name_first()

    def settle(self, failed: bool) -> None:
        """Forget what waits, after the routine; where an item failed, check first, since a bad score may be why."""
        if failed:
            self._name_first()
        self.inputs.clear()

    def _name_first(self) -> None:
        """Raise for the first bad score of the batch, whichever slice was the first to meet one."""
        for name, found in self.inputs.items():
            _check(name, found)


def _check(name: str, found: _Bound) -> None:
    check_scores(found.frames.reshape(found.shape), found.counts, f"input {name}")


def _are_legal(scores: NDArray[Any]) -> bool:
    """Whether all scores, past the lengths too, may weight arcs. One pass, and no temporary."""
    return scores.size == 0 or float(scores.max()) <= LARGEST_WEIGHT  # max() hands NaN on


def check_scores(scores: NDArray[Any], lengths: NDArray[np.int64], name: str) -> None:
    """Raise InputError where a score within the lengths is NaN, +inf, or too large.

    Args:
        scores: (T, C) or (B, T, C).
        lengths: (1,) or (B,).
        name: what the message calls the scores.
    """
    if _are_legal(scores):
        return
    if bool(np.all(lengths == scores.shape[-2])):
        check_weights(scores, name)
        return
    # Something is wrong, perhaps only past the lengths, where nothing matters.
    items = scores if scores.ndim == 3 else scores[np.newaxis]
    past = np.arange(items.shape[1]) >= lengths[:, np.newaxis]
    inside = np.where(past[:, :, np.newaxis], items.dtype.type(0), items)
    check_weights(inside.reshape(scores.shape), name)
