"""Ctrl-C during a compilation, which goes on in another thread, or while numba is imported, which is waited for.

An exception that breaks into llvmlite at the wrong moment leaves its lock taken, and every other thread that compiles
would wait for ever. Only the main thread hears of Ctrl-C, and only between Python's instructions: so another one
compiles, which takes ten seconds at times, and the main thread waits, which ends at once. What was being compiled is
kept; a later call that needs it waits for it.
"""

from __future__ import annotations

import atexit
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from arcgrad.runtime.forks import when_forked
from arcgrad.runtime.jit.background.waiting import compiling, may_compile, progress
from arcgrad.runtime.threads import start_thread

__all__ = ["apart", "interrupts_held_back", "wait_for_compilations"]

T = TypeVar("T")

# Locks of compilations that go on: LLVM cannot be left in the middle of one when the process ends.
_at_work: set[threading.Lock] = set()


@atexit.register
def wait_for_compilations() -> None:
    """Wait for what goes on without those who asked for it."""
    for done in list(_at_work):
        done.acquire()
        done.release()


when_forked(_at_work.clear)


def apart(compile_or_load: Callable[[], T]) -> T:
    """Have another thread compile or load, where this is the main one: Ctrl-C ends the wait, not the compilation.

    For loading, too: an interrupt in the moment in which numba's lock is taken would leave it taken.
    """
    holds_lock = getattr(sys.modules.get("arcgrad.runtime.jit.compat"), "holds_compiler_lock", None)
    if not _hears_interrupts() or (holds_lock is not None and holds_lock()):
        return compile_or_load()
    allowed = may_compile()
    done = threading.Lock()  # an interrupt within the methods of Event, which are Python, may leave its lock taken
    done.acquire()
    results: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        _at_work.add(done)
        try:
            with compiling(allowed):
                results.append(compile_or_load())
        except BaseException as error:
            errors.append(error)
        finally:
            done.release()
            _at_work.discard(done)

    if not start_thread(work):
        return compile_or_load()
    try:
        done.acquire()
    except BaseException:
        progress.hush()
        raise
    if errors:
        raise errors[0]
    return results[0]


def _hears_interrupts() -> bool:
    return threading.current_thread() is threading.main_thread() and callable(signal.getsignal(signal.SIGINT))


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """Within the block SIGINT waits; its handler runs (and so KeyboardInterrupt is raised) when the block ends.

    Only the main thread receives signals: in others nothing is done.
    """
    handler = signal.getsignal(signal.SIGINT)
    if not _hears_interrupts() or not callable(handler):
        yield
        return
    received: list[tuple[int, Any]] = []
    signal.signal(signal.SIGINT, lambda number, frame: received.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if received:
            handler(*received[-1])
