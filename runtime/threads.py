"""Our own threads: slices of a batch are spread over a pool; results do not depend on how many threads there are.

Compiled routines release the GIL. Numba's own threading layers kill forked children or abort when two Python threads
call them, so they are not used.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from arcgrad.grammar.errors import InputError
from arcgrad.runtime.forks import when_forked

__all__ = ["n_cores", "n_threads", "run_slices", "threads_for"]

# Below this many arc-frames, waking threads costs more than they save.
PARALLEL_THRESHOLD = 200_000.0
# From here on work takes tenths of a second: too long to be deaf to Ctrl-C.
_LONG = 3e7

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
        if not (given.isascii() and given.isdigit() and len(given) <= 6 and int(given) >= 1):
            raise InputError(f"ARCGRAD_THREADS={given[:40]!r} must be a positive whole number (of threads)")
        return int(given)
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_num_threads"):
        return int(torch.get_num_threads())
    return n_cores()


def n_cores() -> int:
    """How many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_for(work: float) -> int:
    """How many threads so much work, in arc-frames, is worth, were it cut into slices enough."""
    return n_threads() if work >= PARALLEL_THRESHOLD else 1


def run_slices(
    calls: Sequence[Callable[[], Any]], work: float, *, stop: Callable[[], None] | None = None, in_order: bool = False
) -> None:
    """Run every call; in parallel where ``work`` (in arc-frames) is worth it.

    The first exception raised passes on, and with it Ctrl-C, when the calls that run have ended; no other call begins.

    Args:
        calls: what to run.
        work: arc-frames of all of them.
        stop: has calls that run end soon. Where there is much work, the main thread, which alone hears of Ctrl-C, and
            only between Python's instructions, leaves it to others and waits.
        in_order: one after the other, all the same.
    """
    threads = 1 if in_order else min(threads_for(work), max(len(calls), 1))
    waits = stop is not None and work >= _LONG and threading.current_thread() is threading.main_thread()
    if threads == 1 and not waits:
        for call in calls:
            call()
        return
    waiting = deque(calls)

    def work_through() -> None:
        while True:
            try:
                call = waiting.popleft()
            except IndexError:
                return
            try:
                call()
            except BaseException:
                waiting.clear()
                raise

    futures = _submit(work_through, threads if waits else threads - 1)
    try:
        if not waits or not futures:
            work_through()
        for future in futures:
            future.result()
    except BaseException:
        waiting.clear()
        if stop is not None:
            stop()
        wait(futures)
        raise


def _submit(work: Callable[[], None], count: int) -> list[Future[None]]:
    """Have threads of the pool do the work; fewer than that many where no threads can be started any more."""
    futures: list[Future[None]] = []
    try:
        pool = _threads(count)
        for _ in range(count):
            futures.append(pool.submit(work))
    except RuntimeError:  # the interpreter shuts down, or the system gives no more threads: this one does it all
        pass
    return futures


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
