"""What this machine can do at most, on one thread: multiply-adds and bytes a second; its processor, load and memory."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["Machine", "load", "measure_machine", "peak_memory"]


@dataclass(frozen=True)
class Machine:
    """A machine and its limits.

    Attributes:
        processor: the model's name.
        cores: cores that this process may use.
        multiply_adds: float64 multiply-adds a second of a vectorised loop over arrays in the first-level cache.
        bandwidth: bytes a second read and written by ``a = b + s · c`` over arrays far larger than the caches.
    """

    processor: str
    cores: int
    multiply_adds: float
    bandwidth: float


def _add_multiples(total: Any, factor: Any, times: int) -> None:
    for k in range(times):
        scale = 1e-9 * k
        for i in range(len(total)):
            total[i] += scale * factor[i]


def _add_arrays(a: Any, b: Any, c: Any, scale: float) -> None:
    for i in range(len(a)):
        a[i] = b[i] + scale * c[i]


_multiply_add: Any = numba.njit(fastmath=True)(_add_multiples)
_triad: Any = numba.njit(fastmath=True)(_add_arrays)


def _best(call: Callable[[], Any], times: int) -> float:
    """Least CPU seconds of a call: a limit is what the machine does when nothing disturbs it."""
    call()
    seconds = []
    for _ in range(times):
        begin = time.process_time()
        call()
        seconds.append(time.process_time() - begin)
    return min(seconds)


def measure_machine(quick: bool = False) -> Machine:
    """Measure the limits; takes about a second."""
    times = 20_000
    total, factor = _aligned(1024), _aligned(1024)
    arithmetic = _best(lambda: _multiply_add(total, factor, times), 5 if quick else 100)
    size = 1_000_000 if quick else 16_000_000
    a, b, c = np.zeros(size), np.ones(size), np.ones(size)
    memory = _best(lambda: _triad(a, b, c, 2.0), 3 if quick else 10)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(_processor(), cores, 1024 * times / arithmetic, 24 * size / memory)


def _aligned(size: int) -> NDArray[np.float64]:
    """Zeros that begin a cache line: astride two of them, a vector takes longer, by chance of where memory was free."""
    room = np.zeros(size + 8)
    begin = -room.ctypes.data // 8 % 8
    return room[begin : begin + size]


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def load() -> float | None:
    """Mean number of runnable processes of the last minute, this one included; None where unknown."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def peak_memory(call: Callable[[], Any]) -> tuple[Any, int | None]:
    """Run a call; its result, and by how many bytes the process grew at most meanwhile (Linux; else None)."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # forgets the peak so far
        before = _status("VmRSS")
    except (OSError, KeyError):
        return call(), None
    result = call()
    return result, max(0, _status("VmHWM") - before)


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(field + ":"):
            return 1024 * int(line.split()[1])
    raise KeyError(field)
