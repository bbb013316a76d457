"""One trellis that is drawn or made by hand: what is wrong with it, as text to be run again, and smaller."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from hunts.draws import Floats
from hunts.reference import Reference
from hunts.stand import CALLS, Stand, wrong
from numpy.typing import NDArray

from arcgrad.compiler.graphs.topology import Topology

__all__ = ["Case", "problems", "shrink"]


@dataclass(frozen=True)
class Case:
    """One draw: weights (A,), and frames (T, C) whose type says which kernels are meant."""

    topology: Topology
    weights: Floats
    frames: NDArray[Any]

    @classmethod
    def make(
        cls,
        n_states: int,
        arcs: Sequence[tuple[int, int, int]],
        start: Sequence[int],
        accept: Sequence[int],
        weights: Sequence[float],
        n_columns: int,
        frames: Sequence[Sequence[float]],
        dtype: str = "float64",
    ) -> Case:
        """Make a case from lists; arcs are (source, destination, label)."""
        scores = np.array(frames, dtype=dtype).reshape(-1, n_columns)
        return cls(Topology.from_arcs(n_states, arcs, start, accept), np.array(weights, dtype=np.float64), scores)

    @cached_property
    def format(self) -> int:
        """The format of the inner loop."""
        return Stand(self.topology, self.frames.shape[1], str(self.frames.dtype)).format

    def text(self) -> str:
        """Write Python that makes this case again and looks for what is wrong with it."""
        t, weights = self.topology, (self.weights + 0.0).tolist()  # −0.0 becomes 0.0
        arcs = list(zip(t.src.tolist(), t.dst.tolist(), t.ilabel.tolist(), strict=True))
        given = f"[{weights[0]}] * {len(weights)}" if len({*weights}) == 1 else f"{weights}"
        return (
            "from math import inf\nfrom hunts.trellises import Case, problems\n"
            f"case = Case.make({t.n_states}, {arcs},\n"
            f"    start={t.start.tolist()}, accept={t.accept.tolist()}, weights={given},\n"
            f"    n_columns={self.frames.shape[1]}, dtype={str(self.frames.dtype)!r},\n"
            f"    frames={(self.frames + 0.0).tolist()})\nprint(case.format, problems(case))"
        )


def problems(case: Case) -> list[str]:
    """Say what is wrong with the kernels' answer, whatever gradients are wanted; nothing where all is right."""
    dtype = str(case.frames.dtype)
    stand = Stand(case.topology, case.frames.shape[1], dtype)
    weights, frames = case.weights[:, None], case.frames[:, :, None]
    right = Reference(case.topology, case.frames.shape[1])(weights, frames.astype(np.float64))
    said = {}
    for call in CALLS:
        found = stand(weights, frames, call)
        faults = [name for name, draws in wrong(found, right, dtype, call).items() if draws[0]]
        faults += ["written outside"] * found.outside
        said.update({name: f"{name} (value {found.values[0]}, right {right.values[0]})" for name in faults})
    return list(said.values())


def shrink(case: Case, seconds: float = 5.0) -> Case:
    """Make a wrong case smaller while it stays wrong in the same format, for at most so long."""
    end = time.monotonic() + seconds
    position = last = 0  # where the last change was that kept it wrong: a whole round without one is the end
    while time.monotonic() < end:
        smaller = _smaller(case, position)
        if smaller is None:
            if last == 0:
                break
            position = last = 0
        elif smaller.format == case.format and problems(smaller):
            case, last = smaller, position + 1
        else:
            position += 1
    return case


def _smaller(case: Case, position: int) -> Case | None:
    """Make change number ``position`` of all that could be tried, None where there are no more."""
    t, n_frames, n_columns = case.topology, *case.frames.shape
    spans = [(k, size) for size in (32, 8, 1) for k in range(0, n_frames - size + 1, size)]
    if position < len(spans):
        first, size = spans[position]
        return replace(case, frames=np.delete(case.frames, np.s_[first : first + size], axis=0))
    position -= len(spans)
    if position < t.n_states - 1:
        return _without(case, (t.src != position) & (t.dst != position), position)
    position -= max(0, t.n_states - 1)
    if position < t.n_arcs:
        return _without(case, np.arange(t.n_arcs) != position)
    position -= t.n_arcs
    unused = [c for c in range(n_columns - 1, -1, -1) if n_columns > 1 and not (t.ilabel == c).any()]
    if position < len(unused):
        column = unused[position]
        labels = t.ilabel - (t.ilabel > column)
        graph = Topology.make(t.n_states, t.src, t.dst, labels, None, t.start, t.accept)
        return replace(case, topology=graph, frames=np.delete(case.frames, column, axis=1))
    position -= len(unused)
    plainer = _plainer(case.weights)
    if position < len(plainer):
        return replace(case, weights=_changed(case.weights, *plainer[position]))
    position -= len(plainer)
    plainer = _plainer(case.frames.reshape(-1))
    if position < len(plainer):
        return replace(case, frames=_changed(case.frames.reshape(-1), *plainer[position]).reshape(case.frames.shape))
    return None


def _without(case: Case, kept: NDArray[np.bool_], state: int | None = None) -> Case:
    """Leave out arcs, and at times a state that has none of the others."""
    t = case.topology
    src, dst, start, accept = t.src[kept], t.dst[kept], t.start, t.accept
    if state is not None:
        src, dst, start, accept = (a[a != state] - (a[a != state] > state) for a in (src, dst, start, accept))
    graph = Topology.make(t.n_states - (state is not None), src, dst, t.ilabel[kept], None, start, accept)
    return replace(case, topology=graph, weights=case.weights[kept])


def _plainer(numbers: NDArray[Any]) -> list[tuple[int, float]]:
    """List numbers that could be 0, or at least whole."""
    return [(k, new) for k, x in enumerate(numbers.tolist()) for new in (0.0, np.round(x)) if x not in (0.0, new)]


def _changed(numbers: NDArray[Any], place: int, new: float) -> NDArray[Any]:
    """Put one number in place of another."""
    numbers = numbers.copy()
    numbers[place] = new
    return numbers
