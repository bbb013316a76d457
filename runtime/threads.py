"""Our own threads: slices of a batch are spread over a pool; results do not depend on how many threads there are.

Compiled routines release the GIL. Numba's own threading layers kill forked children or abort when two Python threads
call them, so they are not used.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from arcgrad.grammar.errors import InputError
from arcgrad.runtime.forks import when_forked

__all__ = ["n_threads", "run_slices", "threads_for"]

# Below this many arc-frames, waking threads costs more than they save.
PARALLEL_THRESHOLD = 200_000.0

_pool: ThreadPoolExecutor | None = None
_pool_size = 0
_lock = threading.Lock()


def n_threads() -> int:
    """How many threads evaluations use: ``ARCGRAD_THREADS``, else torch's setting where it is loaded, else the cores.

    Raises:
        InputError: ``ARCGRAD_THREADS`` is not a positive whole number.
    """
    given = os.environ.get("ARCGRAD_THREADS")
    if given is not None:
        if not given.isdecimal() or int(given) < 1:
            raise InputError(f"ARCGRAD_THREADS={given!r} must be a positive whole number")
        return int(given)
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_num_threads"):
        return int(torch.get_num_threads())
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_for(work: float) -> int:
    """How many threads so much work, in arc-frames, is worth, were it cut into slices enough."""
    return n_threads() if work >= PARALLEL_THRESHOLD else 1


def run_slices(calls: list[Callable[[], Any]], work: float) -> None:
    """Run every call; in parallel where ``work`` (in arc-frames) is worth it. The first exception raised passes on."""
    threads = min(threads_for(work), len(calls))
    if threads == 1:
        for call in calls:
            call()
        return
    waiting = iter(calls)
    take = threading.Lock()

    def work_through() -> None:
        while True:
            with take:
                call = next(waiting, None)
            if call is None:
                return
            call()

    pool = _threads(threads)
    futures = [pool.submit(work_through) for _ in range(threads - 1)]
    try:
        work_through()
    finally:
        for future in futures:
            future.result()


def _threads(count: int) -> ThreadPoolExecutor:
    global _pool, _pool_size
    with _lock:
        if _pool is None or _pool_size < count:
            # An older pool's threads end when its last work is done.
            _pool, _pool_size = ThreadPoolExecutor(count, thread_name_prefix="arcgrad"), count
        return _pool


def _forget_pool() -> None:
    global _pool, _pool_size, _lock
    _pool, _pool_size, _lock = None, 0, threading.Lock()


when_forked(_forget_pool)
