"""Scores of the alignments of a batch of targets, and their gradients, by two compiled calls: pack, and evaluate.

What `LSE[X ∘ Y]` computes of `ag.graphs.alignments`, for losses: without graphs between targets and packed regions,
from frames that lie anywhere in memory, with cotangents that are known beforehand. The kernels' steps are those of any
trellis; what this spares is what Python does for each target, and copies of frames and gradients.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.limits import DEFAULT_LIMITS
from arcgrad.runtime.buffers import Kept, aligned_floats
from arcgrad.runtime.jit.background.waiting import compiling, may_compile
from arcgrad.runtime.jit.declare import Kernel
from arcgrad.runtime.jit.patience import Patience
from arcgrad.runtime.kernels.packing.pack_alignments import NEEDS, alignment_sizes, pack_alignments
from arcgrad.runtime.kernels.trellis.batch_log import (
    FILLED_BY_EXPONENTIALS,
    FILLED_BY_NOTHING,
    FILLED_BY_SHARES,
    batch_log,
    batch_log_float32,
)
from arcgrad.runtime.kernels.trellis.rescaling import spread_over_arcs, spread_over_diagonals
from arcgrad.runtime.kernels.trellis.steps import arcs_back, arcs_forward, diagonals_back, diagonals_forward
from arcgrad.runtime.threads import run_slices, threads_for

__all__ = [
    "FILLED_BY_EXPONENTIALS",
    "FILLED_BY_NOTHING",
    "FILLED_BY_SHARES",
    "Alignments",
    "Rows",
    "kernels",
    "kernels_called_late",
    "patience",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int32]

patience = Patience(0.25)
"""With the general way, where the kernels are not compiled."""

# Floats of the columns of items that are read together.
_MOST_TOGETHER = 1 << 22
# Arc-frames, a tenth of a second's at most, that may run in one go, without a chance for Ctrl-C between calls.
_MOST_AT_ONCE = 1e7
# Floats of workspace, and numbers of a batch's packed regions, that a thread keeps for the next call.
_MOST_KEPT = 1 << 23
_workspaces = Kept[FloatArray]()
_rooms = Kept[IntArray]()

_ZERO = np.zeros(1, dtype=np.int64)
_NO_ROWS = {char: np.zeros((0, 1), dtype=char) for char in "fd"}
# The kernels fill in 32-bit numbers.
_MOST_NUMBERS = 2**31 - 1


def kernels_called_late() -> list[Kernel[..., Any]]:
    """The kernels that these load when they call them, for most targets."""
    return [diagonals_forward, diagonals_back, spread_over_diagonals, arcs_forward, arcs_back, spread_over_arcs]


def kernels(dtype: str) -> tuple[Kernel[..., Any], Kernel[..., Any]]:
    """The kernels that pack and evaluate, for frames of that dtype: "f" or "d", as numpy has it."""
    return pack_alignments, batch_log_float32 if dtype == "f" else batch_log


class Rows(NamedTuple):
    """Where the steps of a batch lie: step t of item b is row ``first[b] + t · step`` of a matrix, from column 0 on.

    Attributes:
        matrix: as wide as rows are apart, which may be more than there are columns.
        first: (B,) rows.
        step: rows between an item's steps.
        n_steps, n_columns: T and C.
    """

    matrix: NDArray[Any]
    first: NDArray[np.int64]
    step: int
    n_steps: int
    n_columns: int

    @classmethod
    def of(cls, scores: NDArray[Any]) -> Rows | None:
        """The rows of an array (B, T, C) of any strides; None where columns are apart, or rows overlap in parts.

        Example:
            >>> found = Rows.of(np.zeros((7, 2, 5)).transpose(1, 0, 2))
            >>> found.matrix.shape, found.first.tolist(), found.step
            ((14, 5), [0, 1], 2)
        """
        n_items, n_steps, n_columns = scores.shape
        size = scores.itemsize
        by_item, by_step, by_column = scores.strides
        by_item, by_step = by_item if n_items > 1 else 0, by_step if n_steps > 1 else 0
        pitch = math.gcd(by_item, by_step) or n_columns * size
        if not scores.size or (by_column != size and n_columns > 1) or pitch < n_columns * size or pitch % size:
            return None
        n_rows = ((n_items - 1) * by_item + (n_steps - 1) * by_step) // pitch + 1
        matrix = np.lib.stride_tricks.as_strided(scores, (n_rows, pitch // size), (pitch, size))
        first = np.arange(n_items, dtype=np.int64) * (by_item // pitch)
        return cls(matrix, first, by_step // pitch, n_steps, n_columns)


class Alignments(NamedTuple):
    """The targets of a batch, whose alignments are to be scored.

    Attributes:
        labels: of all targets, one after the other, or in rows.
        row: length of the rows, of which a target may be the first part; −1: there are none.
        counts: (B,) how many labels each target has.
        widest: no target has more.
        steps: (B,) how many steps of each item count.
        blank: the blank's label.
    """

    labels: NDArray[np.int64]
    row: int
    counts: NDArray[np.int64]
    widest: int
    steps: NDArray[np.int64]
    blank: int

    def evaluate(
        self,
        frames: Rows,
        gradient: Rows | None = None,
        fill: int = FILLED_BY_NOTHING,
        *,
        is_mean: bool = False,
    ) -> tuple[FloatArray, FloatArray] | None:
        """The score of each target's alignments, and their gradients with respect to the frames.

        Args:
            frames: scores of each item's steps, float64 or float32.
            gradient: where the gradient of minus the scores goes, written over: 0 where a score is infinite and at
                steps that do not count. None: no gradient.
            fill: `FILLED_BY_NOTHING`: each column's gradient is minus its posterior. `FILLED_BY_EXPONENTIALS`: its
                exponential is added. `FILLED_BY_SHARES`: log Σ exp(scores) of each frame is taken off the score, and
                the gradient is accordingly.
            is_mean: the gradient is that of the mean over items of what each label takes.

        Returns:
            (B,) scores in nats, and the share of each in the mean, or 1. A score is −inf where a target has no
            alignment; NaN where a frame's score that counts is NaN, +inf or beyond the largest, or, if it is to be
            exponentiated, so large that this could overflow. None where a count or a label is out of range, or the
            packed graphs or the workspace need more than is allowed.
        """
        n_items, n_columns, steps = len(self.counts), frames.n_columns, self.steps
        most, scratch = alignment_sizes(self.widest, n_columns)
        total = most * n_items
        if total > _MOST_NUMBERS or scratch > _MOST_NUMBERS:
            return None
        room = _take(_rooms, total + scratch, _ints)
        bases, needs = np.empty(n_items, dtype=np.int64), np.empty(NEEDS, dtype=np.int64)
        scores, shares = np.empty(n_items), np.empty(n_items)
        pack, run = kernels(frames.matrix.dtype.char)
        if not pack(
            self.labels, self.row, self.counts, steps, frames.n_steps, self.blank, n_columns, _ZERO,
            room[:total], bases, room[total:], needs, is_mean, shares,
        ):  # fmt: skip
            return None
        ints, floats, part, work = needs.tolist()
        floats = (floats + 7) // 8 * 8
        if 8 * floats > DEFAULT_LIMITS.bytes:
            return None
        threads = min(threads_for(work), n_items)
        # Items that lie between one another's steps are read together.
        together = max(1, _MOST_TOGETHER // max(part, 1)) if frames.step > 1 else 1
        pieces = max(1 if threads == 1 else 2 * threads, math.ceil(work / _MOST_AT_ONCE))
        size = -(-n_items // pieces)
        together = min(together, size)
        part = part if together > 1 else 0
        target = frames if gradient is None else gradient
        arguments = (
            gradient is not None, fill, room[:ints], bases, _zeros(6 * self.widest + 6),
            frames.matrix, frames.first, frames.step, steps, n_columns, shares,
            _NO_ROWS[frames.matrix.dtype.char] if gradient is None else gradient.matrix, target.first, target.step,
            frames.n_steps, scores,
        )  # fmt: skip
        numbers = 17 + frames.n_steps
        running: list[IntArray] = []
        may_wait = may_compile()

        def call(low: int) -> None:
            space = _take(_workspaces, floats + together * part, aligned_floats)
            iwork = np.zeros(numbers, dtype=np.int32)
            running.append(iwork)
            with compiling(may_wait):
                run(low, min(low + size, n_items), together, *arguments, space, floats, part, iwork)
            if len(space) <= _MOST_KEPT:
                _workspaces.keep(space)

        def stop() -> None:
            for iwork in running:
                iwork[-1] = 1

        if size >= n_items:
            call(0)
        else:
            run_slices([partial(call, low) for low in range(0, n_items, size)], work, stop=stop)
        if len(room) <= _MOST_KEPT:
            _rooms.keep(room)
        return scores, shares


def _take(kept: Kept[Any], size: int, make: Callable[[int], Any]) -> Any:
    """An uninitialised array of at least that length; the one of this thread's last call if it is long enough."""
    found = kept.take()
    return found if found is not None and len(found) >= size else make(size)


def _ints(size: int) -> IntArray:
    return np.empty(size, dtype=np.int32)


@lru_cache(maxsize=16)
def _zeros(size: int) -> FloatArray:
    """The weights of that many arcs."""
    return np.zeros(size)
