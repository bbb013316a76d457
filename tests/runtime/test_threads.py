"""Threads: bitwise the same results for any number, several callers at once, and life after a fork."""

from __future__ import annotations

import _thread
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import arcgrad as ag
from arcgrad.grammar.errors import InputError
from arcgrad.runtime import threads
from arcgrad.runtime.call import execute as executor

rng = np.random.default_rng(0)
GRAPH = ag.Graph(
    [0, 0, 1, 1, 2, 2], [0, 1, 1, 2, 2, 0], [0, 1, 0, 2, 0, 3], weight=rng.normal(size=6) - 1, start=[0], accept=[1, 2]
)
SCORES = [rng.normal(size=(t, 4)) for t in rng.integers(800, 1400, size=40)]  # some 260,000 arc-frames
TEXT = "LSE[A ∘ X]"


def evaluate() -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    value, gradient = ag.compile(TEXT, mode="fused").value_and_grad(A=GRAPH, X=SCORES)
    return value, gradient["A"], gradient["X"]


def same(
    one: tuple[np.ndarray, np.ndarray, list[np.ndarray]], other: tuple[np.ndarray, np.ndarray, list[np.ndarray]]
) -> bool:
    return all(np.array_equal(np.concatenate([np.ravel(x) for x in a]), np.concatenate([np.ravel(x) for x in b]))
               for a, b in zip(one, other, strict=True))  # fmt: skip


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many threads ran slices, of each call of ``run_slices``."""
    seen: list[int] = []
    original = threads.run_slices

    def counting(slices: list, work: float, **options: Any) -> None:
        names: set[int] = set()
        original([lambda c=c: (names.add(threading.get_ident()), c()) for c in slices], work, **options)
        seen.append(len(slices))

    monkeypatch.setattr(executor, "run_slices", counting)
    return seen


def test_results_are_bitwise_the_same_for_any_number_of_threads(
    monkeypatch: pytest.MonkeyPatch, calls: list[int]
) -> None:
    found = []
    for count in (1, 2, 3, 8):
        monkeypatch.setenv("ARCGRAD_THREADS", str(count))
        found.append(evaluate())
    assert min(calls) > 1  # the batch was cut
    assert all(same(found[0], other) for other in found[1:])
    expected = ag.compile(TEXT, mode="kernels").value_and_grad(A=GRAPH, X=SCORES)
    np.testing.assert_allclose(found[0][0], expected[0], rtol=1e-12)
    np.testing.assert_allclose(found[0][1], expected[1]["A"], rtol=1e-10)


def test_several_python_threads_call_one_equation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCGRAD_THREADS", "2")
    expected = evaluate()
    with ThreadPoolExecutor(4) as pool:
        results = [future.result() for future in [pool.submit(evaluate) for _ in range(12)]]
    assert all(same(expected, result) for result in results)


def test_small_work_stays_in_one_thread() -> None:
    ran: list[int] = []
    threads.run_slices([lambda: ran.append(threading.get_ident())] * 5, threads.PARALLEL_THRESHOLD - 1)
    assert ran == [threading.get_ident()] * 5


def test_slices_run_once_each_and_errors_pass_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCGRAD_THREADS", "3")
    ran: list[int] = []
    barrier = threading.Barrier(3, timeout=20)

    def work(k: int) -> None:
        if k < 3:
            barrier.wait()  # passes only where three threads are at work
        ran.append(k)

    threads.run_slices([lambda k=k: work(k) for k in range(20)], 1e9)
    assert sorted(ran) == list(range(20))

    def fail() -> None:
        raise ValueError("slice")

    with pytest.raises(ValueError, match="slice"):
        threads.run_slices([fail, *[lambda: None] * 5], 1e9)
    threads.run_slices([lambda: ran.append(-1)] * 2, 1e9)
    assert ran[-2:] == [-1, -1]


def test_the_number_of_threads_is_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCGRAD_THREADS", "5")
    assert threads.n_threads() == 5
    monkeypatch.delenv("ARCGRAD_THREADS")
    assert threads.n_threads() >= 1
    for bad in ("0", "-1", "two", "1.5", ""):
        monkeypatch.setenv("ARCGRAD_THREADS", bad)
        with pytest.raises(InputError, match="must be a positive whole number"):
            threads.n_threads()


FORK = """
import os, sys
sys.path.insert(0, {folder!r})
os.environ["ARCGRAD_THREADS"] = "2"
from test_threads import evaluate, same
expected = evaluate()
children = []
for _ in range(2):
    child = os.fork()
    if child == 0:
        os._exit(0 if same(evaluate(), expected) else 1)
    children.append(child)
assert same(evaluate(), expected)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
print(codes)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_forked_children_evaluate_too() -> None:
    code = FORK.format(folder=os.path.dirname(__file__))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[0, 0]"


@pytest.mark.parametrize("given", ["9" * 5000, "0", "-1", "²", "two", "", "1.5"])
def test_a_number_of_threads_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("ARCGRAD_THREADS", given)
    with pytest.raises(InputError, match=r"ARCGRAD_THREADS='.{0,40}' must be a positive whole number") as raised:
        threads.n_threads()
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize("fails_in", ["caller", "worker"])
def test_after_an_exception_no_other_slice_begins(monkeypatch: pytest.MonkeyPatch, fails_in: str) -> None:
    monkeypatch.setenv("ARCGRAD_THREADS", "3")
    main = threading.get_ident()
    began: list[int] = []
    failed = threading.Event()

    def call() -> None:
        began.append(1)
        if (threading.get_ident() == main) == (fails_in == "caller") and not failed.is_set():
            failed.set()
            raise KeyboardInterrupt
        failed.wait(5)

    with pytest.raises(KeyboardInterrupt):
        threads.run_slices([call] * 100, threads.PARALLEL_THRESHOLD)
    assert len(began) <= 6


def test_slices_run_where_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after the main thread has ended: a thread that is still there evaluates alone."""
    monkeypatch.setenv("ARCGRAD_THREADS", "4")

    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, "start_new_thread", refuse)
    monkeypatch.setattr(threads, "_n_started", 0)
    ran: list[int] = []
    threads.run_slices([lambda: ran.append(1)] * 5, threads.PARALLEL_THRESHOLD)
    assert ran == [1] * 5


@pytest.fixture
def interrupts() -> Iterator[None]:
    """SIGINT raises KeyboardInterrupt, whatever whoever started the tests made of it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
@pytest.mark.parametrize("count", [1, 5])
def test_the_main_thread_hears_ctrl_c_while_others_work(count: int) -> None:
    stopped = threading.Event()
    began: list[bool] = []

    def call() -> None:
        began.append(threading.current_thread() is threading.main_thread())
        assert stopped.wait(10)

    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        threads.run_slices([call] * count, 1e9, stop=stopped.set)
    assert stopped.is_set()
    assert not any(began)
    assert len(began) <= threads.n_threads()


LARGE = """
import os, signal, sys, threading, time
import numpy as np, arcgrad as ag
signal.signal(signal.SIGINT, signal.default_int_handler)
rng = np.random.default_rng(0)
x, n = rng.normal(size=(9000, 50)).astype(np.float32), 2000
src, dst, labels = np.repeat(np.arange(n), 8), rng.integers(0, n, 8 * n), rng.integers(0, 50, 8 * n)
a = ag.Graph(src, dst, labels, weight=rng.normal(size=8 * n), start=[0], accept=list(range(n)))
n, width = 12000, 30
src = np.repeat(np.arange(n), width)
dst = src + rng.integers(-60, 61, n * width)
inside = (dst >= 0) & (dst < n)
src, dst, log_probability = src[inside], dst[inside], -np.log(2.0 * width)
b = ag.Graph(src, dst, src % 7, weight=np.full(len(src), log_probability), start=[0], accept=[n - 1])
equation = ag.compile(sys.argv[1], mode="fused")
given = {"X": x, "A": a} if "X" in equation.inputs else {"B": b}
small = {"X": x[:50], "A": a} if "X" in given else given
ag.warmup(equation, small)
begin = time.perf_counter()
value, _ = equation.value_and_grad(given)
whole = time.perf_counter() - begin
for part in (0.2, 0.6, 0.9):
    sent = []
    def interrupt():
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)
    timer, ended = threading.Timer(part * whole, interrupt), False
    timer.start()
    try:
        equation.value_and_grad(given)
        ended = True
        timer.join()  # a call faster than the first has ended already: the interrupt must not meet the next one
        time.sleep(1)
    except KeyboardInterrupt:
        print("not interrupted" if ended else time.perf_counter() - sent[0])
assert equation.value_and_grad(given)[0] == value
print(sys.argv[1], whole, file=sys.stderr)
"""


@pytest.mark.slow
@pytest.mark.parametrize("text", ["LSE[X ∘ A]", "MAX[X ∘ A]", "LSE[B]"])
def test_one_large_region_ends_soon_after_ctrl_c(text: str) -> None:
    """Trellises look between blocks of frames, eliminations between pivots; before, they went on to their end."""
    ran = subprocess.run([sys.executable, "-c", LARGE, text], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-2000:]
    waited = [float(line) for line in ran.stdout.splitlines() if line != "not interrupted"]
    assert waited
    assert max(waited) < 1
