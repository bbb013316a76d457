"""Our own threads: slices of a batch are spread over a pool; results do not depend on how many threads there are.

Compiled routines release the GIL. Numba's own threading layers kill forked children or abort when two Python threads
call them, so they are not used. Nor are futures and `threading.Thread`: they wait by conditions, which are Python
code, so that an interrupt may break into one and leave its lock taken for ever. Here is nothing but locks and a queue
in C.
"""

from __future__ import annotations

import _thread
import os
import queue
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from arcgrad.grammar.errors import InputError
from arcgrad.runtime.forks import when_forked

__all__ = ["n_cores", "n_threads", "run_slices", "start_thread", "threads_for"]

# Below this many arc-frames, waking threads costs more than they save.
PARALLEL_THRESHOLD = 200_000.0
# From here on work takes tenths of a second: too long to be deaf to Ctrl-C.
_LONG = 3e7

_jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
_n_started = 0
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
    job = _Job(calls)
    try:
        helped = _share(job, threads if waits else threads - 1)
        if not waits or not helped:
            job.work_through()
        else:
            job.ended.acquire()
        job.wait()
    except BaseException:
        job.waiting.clear()
        if stop is not None:
            stop()
        job.wait(regardless=True)  # they write into memory that the caller gives to others
        raise
    if job.errors:
        error = job.errors[0]
        job.errors.clear()
        raise error


class _Job:
    """Calls that several threads take one by one.

    Attributes:
        waiting: calls that nobody has taken.
        errors: what calls in other threads raised.
        ended: a lock, taken until the last call has ended or one has failed.
    """

    def __init__(self, calls: Sequence[Callable[[], Any]]) -> None:
        self.waiting = deque(calls)
        self.errors: list[BaseException] = []
        self.ended = threading.Lock()
        self.ended.acquire()
        self._n_ended, self._n_calls = deque[None](), len(calls)
        self._inside: list[threading.Lock] = []

    def work_through(self) -> None:
        """Take calls while there are any; an exception keeps all from taking another one."""
        while True:
            try:
                call = self.waiting.popleft()
            except IndexError:
                return
            try:
                call()
            except BaseException:
                self.waiting.clear()
                raise
            self._n_ended.append(None)

    def help(self) -> None:
        """Take calls in a thread of the pool."""
        inside = threading.Lock()
        inside.acquire()
        self._inside.append(inside)  # before a call is taken: whoever clears what waits finds all who took one
        try:
            self.work_through()
        except BaseException as error:
            self.errors.append(error)
        finally:
            inside.release()
            if (self.errors or len(self._n_ended) == self._n_calls) and self.ended.locked():
                with suppress(RuntimeError):  # another one was the last, too
                    self.ended.release()

    def wait(self, *, regardless: bool = False) -> None:
        """Wait for those who took calls, where none is left to take; `regardless` of interrupts."""
        while True:
            try:
                for inside in list(self._inside):
                    with inside:
                        pass
                return
            except BaseException:
                if not regardless:
                    raise


def _share(job: _Job, count: int) -> bool:
    """Have so many threads of the pool help, fewer where none can be started any more; whether any does."""
    global _n_started
    jobs = _jobs
    with _lock:
        while _n_started < count:
            if not start_thread(_serve, jobs):
                break
            _n_started += 1
        found = min(_n_started, count)
    for _ in range(found):
        jobs.put(job)
    return found > 0


def _serve(jobs: queue.SimpleQueue[_Job]) -> None:
    while True:
        job = jobs.get()
        job.help()
        del job  # and what its calls hold


def start_thread(work: Callable[..., None], *arguments: Any) -> bool:
    """Start a thread, for which the interpreter does not wait when it ends; whether there is one.

    There is none where the system gives no more, or while the interpreter shuts down.
    """
    try:
        _thread.start_new_thread(work, arguments)
    except RuntimeError:
        return False
    return True


def _forget_pool() -> None:
    global _jobs, _n_started, _lock
    _jobs, _n_started, _lock = queue.SimpleQueue(), 0, threading.Lock()


when_forked(_forget_pool)
