"""Scaling curves of CTC: seconds and peak memory against frames, states, items of the batch, and threads."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np

import arcgrad as ag
from benchmarks.graphs import ctc_target, log_softmax
from benchmarks.machine import peak_memory

__all__ = ["CURVES", "measure_scaling", "slope"]

# name → (frames, labels, items, threads) of each point, and which of the four varies
CURVES: dict[str, tuple[int, list[tuple[int, int, int, int]]]] = {
    "frames": (0, [(1000 * 4**k, 100, 1, 1) for k in range(4)]),
    "states": (1, [(2000, 50 * 2**k, 1, 1) for k in range(5)]),
    "items": (2, [(500, 50, 4**k, 1) for k in range(4)]),
    "threads": (3, [(1000, 100, 16, 2**k) for k in range(3)]),
}


def measure_scaling(quick: bool = False) -> list[dict[str, Any]]:
    """Each curve as a dict: its name, its points (size, seconds, bytes), the slope of log seconds over log size."""
    random = np.random.default_rng(0)
    equation = ag.compile("LSE[X] - LSE[X ∘ Y]", mode="fused")
    before = os.environ.get("ARCGRAD_THREADS")
    curves = []
    try:
        for name, (varies, sizes) in CURVES.items():
            points = []
            for given in sizes:
                frames, labels, items, threads = given
                if threads > (os.cpu_count() or 1):
                    continue
                if quick:
                    frames //= 50
                os.environ["ARCGRAD_THREADS"] = str(threads)
                scores = log_softmax(random.normal(size=(items, frames, 64)).astype(np.float32))
                graphs = [ctc_target(random.integers(1, 64, min(labels, frames // 3))) for _ in range(items)]

                def call(scores: Any = scores, graphs: Any = graphs) -> Any:
                    return equation.value_and_grad(X=scores, Y=graphs, wrt="X")

                _, grown = peak_memory(call)
                seconds = []
                # Threads share the work but not processor time: the wall clock, and the quickest of several.
                for _ in range(3 if quick else 7):
                    begin = time.perf_counter()
                    call()
                    seconds.append(time.perf_counter() - begin)
                points.append({"size": given[varies], "seconds": min(seconds), "bytes": grown})
            curves.append({"name": name, "points": points, "slope": slope(points)})
    finally:
        if before is None:
            os.environ.pop("ARCGRAD_THREADS", None)
        else:
            os.environ["ARCGRAD_THREADS"] = before
    return curves


def slope(points: list[dict[str, Any]]) -> float | None:
    """Exponent of the power of the size with which time grows, by the upper half of the points; None of one point."""
    upper = points[-max(2, len(points) // 2 + 1) :]
    if len(upper) < 2:
        return None
    sizes, seconds = (np.log([point[key] for point in upper]) for key in ("size", "seconds"))
    return float(np.polyfit(sizes, seconds, 1)[0])
