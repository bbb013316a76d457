"""Children forked while other threads hold the locks of this package."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import arcgrad as ag
from arcgrad.compiler.cached import cached_property
from arcgrad.compiler.plan.plan import make_plan
from arcgrad.runtime.call import prepare
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
            signal.alarm(10)  # a child that hangs must not hang the tests
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


def test_an_object_may_go_before_a_fork() -> None:
    class Owner:
        def renew(self) -> None:
            raise AssertionError

    owner = Owner()
    when_forked(owner.renew)
    del owner
    assert status_of_child(lambda: True) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX only")
def test_a_child_plans_and_computes_properties_while_another_thread_did(monkeypatch: pytest.MonkeyPatch) -> None:
    held, done = threading.Event(), threading.Event()

    def stop_in_threads() -> None:
        if threading.current_thread() is not threading.main_thread():
            held.set()
            done.wait()

    class Owner:
        @cached_property
        def value(self) -> int:
            stop_in_threads()
            return 1

    def plan(*arguments: Any) -> Any:
        stop_in_threads()
        return make_plan(*arguments)

    monkeypatch.setattr(prepare, "make_plan", plan)
    equation = ag.compile("COUNT[A] + 41.5", mode="kernels")
    line = ag.linear([1])
    for ask in (lambda: equation.explain(A=line).tier == "kernels", lambda: Owner().value == 1):
        held.clear()
        done.clear()
        thread = threading.Thread(target=ask)
        thread.start()
        held.wait()
        try:
            assert status_of_child(ask) == 0
        finally:
            done.set()
            thread.join()


BUSY = """
import faulthandler, os, signal, sys, threading, time, warnings
import numpy as np
import arcgrad as ag
faulthandler.register(signal.SIGALRM, chain=True)  # a child that hangs shows where
warnings.simplefilter("ignore")
done = threading.Event()

def target(n):
    return ag.Graph(np.arange(n), np.arange(n) + 1, np.arange(n) % 4 + 1, start=[0], accept=[n])

def work(k):
    equation = ag.compile(f"LSE[X] - LSE[X ∘ (Y + {'Y ' * (k % 9 + 1)})] + {k}", mode="interpret")
    ag.compile(f"COUNT[(Y + Z) Y*] - {k % 50}", mode="kernels").explain(Y=target(5), Z=target(3))
    ag.compile("LSE[X] - LSE[X ∘ Y]", mode="kernels").value_and_grad(X=scores, Y=[target(4), target(9)])
    equation(X=scores, Y=[target(4), target(9)])

def keep_on(k):
    while not done.is_set():
        work(k)
        k += 1

scores = np.random.default_rng(0).normal(size=(2, 12, 5))
work(0)  # what it imports is imported
threads = [threading.Thread(target=keep_on, args=(1000 * k,)) for k in range(1, 4)]
for thread in threads:
    thread.start()
ended = []
for k in range(int(sys.argv[1])):
    time.sleep(0.01)
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        work(k)
        os._exit(0)
    ended.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
done.set()
print([status for status in ended if status != 0])
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX only")
def test_no_child_of_a_busy_process_hangs() -> None:
    """Threads of it are inside calls, preparing and compiling equations, whenever it forks."""
    count = "1000" if "ARCGRAD_SOAK" in os.environ else "100"
    found = subprocess.run([sys.executable, "-c", BUSY, count], capture_output=True, text=True, timeout=1800)
    assert (found.stdout, found.stderr) == ("[]\n", "")


def test_threads_that_compile_one_text_get_one_equation() -> None:
    together = threading.Barrier(4)

    def compile_it(_: int) -> ag.Equation:
        together.wait()
        return ag.compile("LSE[A] - 123.25 MAX[A]")

    with ThreadPoolExecutor(4) as pool:
        assert len({id(equation) for equation in pool.map(compile_it, range(4))}) == 1


@pytest.mark.parametrize(
    "use", ["ag.linear([1])", "ag.graphs.string_map([('a', 'b')])", "ag.compile('LSE[A]')(A=ag.linear([1]))"]
)
def test_a_process_that_registered_locks_ends_without_a_word(use: str) -> None:
    """Python's weak references to methods complained at its end."""
    ran = subprocess.run([sys.executable, "-c", f"import arcgrad as ag; {use}"], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
