"""Children forked while other threads hold the locks of this package."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from collections.abc import Callable

import pytest

from arcgrad.runtime.forks import when_forked
from arcgrad.runtime.jit.cache import cache


def status_of_child(work: Callable[[], bool]) -> int:
    """Fork, have the child do something, and give its exit status: 0 where that was true."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Python 3.12 on, about forking beside threads
        child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(20)  # a child that hangs must not hang the tests
            status = 0 if work() else 2
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX only")
def test_a_child_counts_and_builds_while_another_thread_held_the_cache() -> None:
    held, done = threading.Event(), threading.Event()

    def build() -> Callable[..., object]:
        with cache._lock, cache._routines._lock:
            held.set()
            done.wait()
        return len

    thread = threading.Thread(target=lambda: cache.routine("held by a test", "kernels", build))
    thread.start()
    held.wait()

    def work() -> bool:
        cache.count("forks of a test")
        return cache.routine("held by a test", "kernels", lambda: max) is max

    try:
        assert status_of_child(work) == 0
    finally:
        done.set()
        thread.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX only")
def test_what_was_registered_is_called_in_the_child_alone_and_once() -> None:
    calls: list[int] = []
    callback = lambda: calls.append(os.getpid())  # noqa: E731
    when_forked(callback)
    when_forked(callback)
    assert status_of_child(lambda: calls == [os.getpid()]) == 0
    assert calls == []
