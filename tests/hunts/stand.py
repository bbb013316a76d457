"""Runs the kernels of a trellis on many draws at once, and marks those whose answer is not the reference's."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hunts.draws import Floats
from hunts.reference import Sums
from numpy.typing import NDArray

from arcgrad.compiler.graphs.selection import Selection
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.runtime.kernels.trellis import blocks, trellis_format, trellis_log
from arcgrad.runtime.regions import pack_trellis

__all__ = ["CALLS", "FORMATS", "Call", "Found", "Stand", "set_constant", "wrong"]

FORMATS = ["arc by arc", "diagonals", "full matrix"]
"""Formats of the inner loop, by their numbers."""

BASE, WORK0, IWORK0, BEHIND = 5, 3, 2, 9
"""Odd places to begin at, and numbers behind the workspace that nobody may write."""

VALUE = {"float64": 1e-9, "float32": 1e-6}
GRADIENT = {"float64": 1e-6, "float32": 1e-5}
POSTERIORS = {"float64": 1e-9, "float32": 1e-5}
"""Tolerances: of values, by how large their terms are; of gradients; of a frame's posteriors above 1."""

ROUNDING = 1e-12, 1e-15
"""What gradients and a frame's posteriors may be off besides, by how large terms are: seen where these are millions."""

Call = tuple[float, bool, bool]
"""What a backward call is told: the cotangent, and whether gradients with respect to arcs and to frames are wanted."""

CALLS: list[Call] = [(1.0, True, True), (-0.5, True, True), (1.0, True, False), (1.0, False, True)]


@dataclass
class Found:
    """What kernels gave for B draws: as `Sums`, and whether they wrote where they may not."""

    values: Floats
    arcs: Floats
    columns: Floats
    outside: bool


class Stand:
    """A packed region, and the calls of its kernels for many draws at once.

    A kernel's workspace holds NaN before the first draw and before another one, and otherwise what the last draw left.
    """

    def __init__(self, topology: Topology, n_columns: int, dtype: str) -> None:
        selection = Selection.identity(0, topology.n_arcs)
        region = pack_trellis(topology, selection, np.zeros(1, dtype=np.int64), "input", n_columns, "log")
        assert region is not None, "ε arcs form a cycle"
        self.region = region
        self.format = int(region.ints[trellis_format.INNER_LOOP])
        self.ints = np.concatenate([np.full(BASE, 3, dtype=np.int32), region.ints])
        suffix = "_float32" if dtype == "float32" else ""
        # What the kernels' wrappers call in the end: they cost as much again as the smallest trellises.
        self.forward: Callable[..., float] = getattr(trellis_log, "trellis_log_forward" + suffix).load()
        self.backward: Callable[..., None] = getattr(trellis_log, "trellis_log_backward" + suffix).load()

    def __call__(self, weights: Floats, frames: NDArray[Any], call: Call, afresh: int = 0) -> Found:
        """Run both kernels for weights (A, B) and frames (T, C, B); before draw ``afresh``, memory is NaN again."""
        (n_arcs, n_draws), (n_frames, n_columns, _) = weights.shape, frames.shape
        cotangent, want_arcs, want_frames = call
        room = _Room(*self.region.work(n_frames))
        work, iwork, region = room.work[WORK0:], room.iwork[IWORK0:], self.ints[BASE:]
        forward, backward = self.forward, self.backward
        own = np.ascontiguousarray(weights.T).reshape(-1)
        rows = np.full((n_draws * n_frames + 2, n_columns), np.nan, dtype=frames.dtype)
        rows[1:-1] = frames.transpose(2, 0, 1).reshape(n_draws * n_frames, n_columns)
        values, gradient, by_frame = np.empty(n_draws), np.zeros(len(own)), np.zeros_like(rows)
        outside = False
        for draw in range(n_draws):
            if draw in (0, afresh):
                outside |= draw > 0 and room.is_spoilt()
                room.clear()
            shift, own_rows = draw * n_arcs, slice(1 + draw * n_frames, 1 + (draw + 1) * n_frames)
            given = (region, (own, 0, shift), rows[own_rows], work, iwork, 1.0)
            values[draw] = forward(*given)
            backward(*given, cotangent, (gradient, 0, shift), by_frame[own_rows], want_arcs, want_frames)
        outside |= room.is_spoilt() or bool(by_frame[0].any() or by_frame[-1].any())
        columns = by_frame[1:-1].astype(np.float64).reshape(n_draws, n_frames, n_columns).transpose(1, 2, 0)
        return Found(values, gradient.reshape(n_draws, n_arcs).T / cotangent, columns / cotangent, outside)


class _Room:
    """A workspace, and what stands around it."""

    kept: Floats = np.empty(0)

    def __init__(self, floats: int, integers: int) -> None:
        size = WORK0 + floats + BEHIND
        if len(_Room.kept) < size:
            _Room.kept = np.empty(2 * size)  # made anew for each batch, it would take longer than most batches
        self.work, self.iwork = _Room.kept[:size], np.empty(IWORK0 + integers + BEHIND, dtype=np.int32)

    def clear(self) -> None:
        """Fill memory with what shows if it is read."""
        self.work.fill(np.nan)
        self.iwork.fill(-777_777)
        self.iwork[-1] = 0  # not to give up

    def is_spoilt(self) -> bool:
        """Whether anything was written outside."""
        around = [self.work[:WORK0], self.work[-BEHIND:]]
        others = [self.iwork[:IWORK0], self.iwork[-BEHIND:-1]]
        return (
            not all(np.isnan(a).all() for a in around)
            or any((a != -777_777).any() for a in others)
            or self.iwork[-1] != 0
        )


def set_constant(name: str, number: int) -> None:
    """Give a constant of blocks another value, for this process's kernels, none of which may have been loaded.

    What takes long trellises then happens in short ones.
    """
    having = [m for key, m in sys.modules.items() if key.startswith("arcgrad.") and hasattr(m, name)]
    assert blocks in having, f"{name} is not a constant of the module of blocks"
    for module in having:
        setattr(module, name, number)


def wrong(found: Found, right: Sums, dtype: str, call: Call) -> dict[str, NDArray[np.bool_]]:
    """Mark, for each kind of fault, the draws (B,) that have it."""
    arcs, columns = right.arcs * call[1], right.columns * call[2]
    nowhere = right.values == -np.inf
    none = np.isnan(found.values) | np.isnan(found.arcs).any(axis=0) | np.isnan(found.columns).any(axis=(0, 1))
    left = np.abs(found.arcs).sum(axis=0) + np.abs(found.columns).sum(axis=(0, 1))
    with np.errstate(invalid="ignore"):  # −inf − −inf, which is right
        off = np.abs(found.values - right.values) > VALUE[dtype] * np.maximum(1.0, right.scale)
    tolerance = GRADIENT[dtype] + ROUNDING[0] * right.scale
    most = 1.0 + POSTERIORS[dtype] + ROUNDING[1] * right.scale
    return {
        "NaN": none,
        "−inf": (found.values == -np.inf) != nowhere,
        "value": ~nowhere & off,
        "gradient where there is no path": nowhere & (left != 0.0),
        "gradient with respect to arcs": (np.abs(found.arcs - arcs) > tolerance).any(axis=0),
        "gradient with respect to frames": (np.abs(found.columns - columns) > tolerance).any(axis=(0, 1)),
        "posteriors": (found.columns.sum(axis=1) > most).any(axis=0) | (found.columns < 0.0).any(axis=(0, 1)),
    }
