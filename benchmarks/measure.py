"""Checks a case's sides against the truth, then times them in turn: arcgrad, peer, arcgrad, peer, …"""

from __future__ import annotations

import gc
import itertools
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.case import Case, Contender
from benchmarks.machine import peak_memory

__all__ = ["Disagreement", "Side", "measure"]

# A repetition of a short call is a loop of at least this many seconds.
SHORTEST = 2e-3
# A peer that takes longer than this is timed once, by its second call.
SLOWEST = 5.0


class Disagreement(Exception):  # noqa: N818 - the sides do not compute the same
    """arcgrad's result is not the truth; nothing is timed."""


@dataclass(frozen=True)
class Side:
    """One side's figures.

    Attributes:
        wall: seconds of each repetition.
        cpu: seconds of processor time of each repetition, all threads together.
        value_error: largest relative error of a value.
        gradient_error: largest error of a gradient, relative to its largest entry.
        memory: bytes by which the process grew during the first call; None where that cannot be known.
    """

    wall: list[float]
    cpu: list[float]
    value_error: float | None
    gradient_error: float | None
    memory: int | None

    def seconds(self, clock: str) -> float:
        """The median by that clock, "wall" or "cpu"."""
        return float(np.median(self.cpu if clock == "cpu" else self.wall))


def measure(case: Case, budget: float, least: int = 3) -> tuple[dict[str, Side], list[str]]:
    """Check and time all sides of a case.

    Args:
        case: the case.
        budget: seconds for the timed repetitions of all sides together, as far as ``least`` allows.
        least: the fewest repetitions.

    Returns:
        the sides, "arcgrad" first; and remarks on peers that were left out because they failed or computed something
        else, or whose gradients are inexact.

    Raises:
        Disagreement: arcgrad computes something else than the reference.
    """
    truth = case.truth() if case.truth is not None else None
    sides: dict[str, Contender] = {}
    checked: dict[str, tuple[float | None, float | None, int | None]] = {}
    remarks: list[str] = []
    raw, memory = peak_memory(lambda: case.arcgrad.call(0))
    result = case.arcgrad.outcome(raw)
    if truth is not None:
        errors = result.difference(truth)
        # Written so that NaN fails.
        if not (errors[0] <= case.arcgrad.tolerance[0] and errors[1] <= case.arcgrad.tolerance[1]):
            raise Disagreement(f"arcgrad's values are off by {errors[0]:.2g}, its gradients by {errors[1]:.2g}")
    sides["arcgrad"] = case.arcgrad
    checked["arcgrad"] = (*(errors if truth is not None else (None, None)), memory)
    for name, peer in case.peers.items():
        try:
            raw, memory = peak_memory(lambda peer=peer: peer.call(0))  # type: ignore[misc]
            errors = peer.outcome(raw).difference(result if truth is None else truth)
        except Exception as error:  # a peer of another version must not stop the others
            remarks.append(f"{name} failed: {type(error).__name__}: {error}")
            continue
        if not errors[0] <= peer.tolerance[0]:
            remarks.append(f"{name} computes something else: its values are off by {errors[0]:.2g}")
            if truth is None:
                raise Disagreement(remarks[-1])
            continue
        if not errors[1] <= peer.tolerance[1]:
            remarks.append(f"{name}'s gradient is off by {errors[1]:.2g} of its largest entry")
        sides[name] = peer
        checked[name] = (*errors, memory)
    del raw, result, truth
    times = _alternate(sides, budget, least, case.repetitions)
    measured = {
        name: Side(*times[name], value_error=value, gradient_error=gradient, memory=memory)
        for name, (value, gradient, memory) in checked.items()
    }
    return measured, remarks


def _alternate(
    sides: Mapping[str, Contender], budget: float, least: int, most: int
) -> dict[str, tuple[list[float], list[float]]]:
    """Seconds of wall and processor time a call, of every side and repetition."""
    # Each side counts its own calls: no two get the same inputs where inputs are to be new.
    steps = {name: itertools.count(1) for name in sides}
    times: dict[str, tuple[list[float], list[float]]] = {}
    loops: dict[str, int] = {}
    total = 0.0
    for name, side in sides.items():
        once, cpu = _timed(side, steps[name], 1)
        if once > SLOWEST and name != "arcgrad":
            times[name] = [once], [cpu]
            continue
        if once < SHORTEST:
            once, cpu = _timed(side, steps[name], 10)
        times[name] = [], []
        loops[name] = max(1, round(SHORTEST / max(once, 1e-7)))
        total += once * loops[name]
    repetitions = int(np.clip(budget / total, least, max(most, least)))
    collecting = gc.isenabled()
    try:
        for _ in range(repetitions):
            gc.collect()
            gc.disable()
            for name, count in loops.items():
                wall, cpu = _timed(sides[name], steps[name], count)
                times[name][0].append(wall)
                times[name][1].append(cpu)
            gc.enable()
    finally:
        if collecting:
            gc.enable()
    return times


def _timed(side: Contender, steps: Iterator[int], loops: int) -> tuple[float, float]:
    call = side.call
    result: Any = None
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(loops):
        result = call(next(steps))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    del result  # giving the memory back is not timed, for any side
    return wall / loops, cpu / loops
