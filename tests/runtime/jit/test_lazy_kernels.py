"""Kernels that are compiled or loaded when compiled code calls them, not with their callers."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arcgrad.grammar.errors import InputError
from arcgrad.runtime.jit.cache import cache
from arcgrad.runtime.jit.declare import kernel
from arcgrad.runtime.jit.link import load_lazy

pytestmark = pytest.mark.slow


@kernel("float64(const float64[::1], int64)", internal=True, lazy=True)
def product_of(values: Any, first: int) -> float:
    result = 1.0
    for k in range(first, len(values)):
        result *= values[k]
    return result


@kernel("float64(const float64[::1])", lazy=True)
def product_without_first(values: Any) -> float:
    return product_of(values, 1)


@kernel("float64(const float64[::1], boolean)")
def sum_or_product(values: Any, multiplies: bool) -> float:
    if multiplies:
        return product_without_first(values)
    result = 0.0
    for value in values:
        result += value
    return result


@kernel("float64(const float64[::1])")
def all_three(values: Any) -> float:
    return sum_or_product(values, False) + product_without_first(values) + product_of(values, 0)


KERNELS = [product_of, product_without_first, sum_or_product, all_three]
VALUES = np.array([5.0, 2.0, 4.0])


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("ARCGRAD_CACHE_DIR", str(tmp_path / "cache"))
    cache.clear()
    yield tmp_path / "cache"
    cache.clear()


# What a process compiles or loads it does once: each of these runs in a process of its own.
PROLOGUE = """
import sys, threading
sys.path.insert(0, {folder!r})
import numpy as np
from arcgrad.runtime.jit.cache import cache
from test_lazy_kernels import *
def counts():
    now = cache.info()
    return now.tiers["kernels"].compilations, now.disk_hits
"""


def run(text: str, fresh: Path) -> str:
    script = PROLOGUE.format(folder=str(Path(__file__).parent)) + text
    environment = {**os.environ, "ARCGRAD_CACHE_DIR": str(fresh)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


ONE_BY_ONE = """
print(sum_or_product(VALUES, False), counts())
print(sum_or_product(VALUES, True), counts())
print(sum_or_product(VALUES, True), counts())
print(all_three(VALUES), counts())
"""


def test_each_comes_when_it_is_called_first_from_the_compiler_or_from_disk(fresh: Path) -> None:
    first = run(ONE_BY_ONE, fresh).splitlines()
    assert first == ["11.0 (1, 0)", "8.0 (3, 0)", "8.0 (3, 0)", "59.0 (4, 0)"]
    second = run(ONE_BY_ONE, fresh).splitlines()
    assert second == ["11.0 (0, 1)", "8.0 (0, 3)", "8.0 (0, 3)", "59.0 (0, 4)"]


def test_one_that_is_loaded_already_is_called(fresh: Path) -> None:
    text = "print(product_without_first(VALUES), counts())\nprint(sum_or_product(VALUES, True), counts())"
    assert run(text, fresh).splitlines() == ["8.0 (2, 0)", "8.0 (3, 0)"]


def test_all_can_be_had_beforehand(fresh: Path) -> None:
    text = """
sum_or_product(VALUES, False)
load_lazy()
print(counts())
print(sum_or_product(VALUES, True), counts())
"""
    assert run(text, fresh).splitlines() == ["(3, 0)", "8.0 (3, 0)"]


def test_an_edit_of_one_rebuilds_its_callers(fresh: Path, tmp_path: Path) -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    text = "print(sum_or_product(VALUES, True))"
    results = []
    for edit in ("result = 1.0", "result = 10.0"):
        (tmp_path / "test_lazy_kernels.py").write_text(source.replace("result = 1.0", edit), encoding="utf-8")
        script = PROLOGUE.format(folder=str(tmp_path)) + text
        environment = {**os.environ, "ARCGRAD_CACHE_DIR": str(fresh)}
        done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
        results.append(done.stdout.strip() or done.stderr)
    assert results == ["8.0", "80.0"]


def test_threads_that_need_one_at_once(fresh: Path) -> None:
    text = """
found = []
sum_or_product(VALUES, False)
threads = [threading.Thread(target=lambda: found.append(sum_or_product(VALUES, True))) for _ in range(8)]
for each in threads: each.start()
for each in threads: each.join()
print(found == [8.0] * 8, counts())
"""
    assert run(text, fresh).splitlines() == ["True (3, 0)"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, InputError])
def test_what_stops_the_loading_is_raised_and_the_next_call_tries_again(
    error: type[BaseException], fresh: Path
) -> None:
    text = f"""
from arcgrad.grammar.errors import InputError
sum_or_product(VALUES, False)
loading = type(product_of).load
def load(kernel):
    if kernel is product_of:
        raise {error.__name__}("no")
    return loading(kernel)
type(product_of).load = load
for _ in range(2):
    try:
        sum_or_product(VALUES, True)
    except BaseException as error:
        print(type(error).__name__, str(error))
print(sum_or_product(VALUES, False))
type(product_of).load = loading
print(sum_or_product(VALUES, True))
"""
    assert run(text, fresh).splitlines() == [f"{error.__name__} no"] * 2 + ["11.0", "8.0"]


def test_from_python_they_are_kernels_like_others() -> None:
    assert product_of(VALUES, 0) == 40.0
    assert product_without_first(VALUES) == 8.0
    assert all_three(VALUES) == 59.0
    assert all_three.python(VALUES) == 59.0
    load_lazy()  # nothing is left to do
    assert product_of._compiled is not None


def test_the_log_domain_and_other_formats_come_when_they_are_needed(fresh: Path) -> None:
    text = """
import arcgrad as ag
equation, reference = (ag.compile("LSE[X ∘ A]", mode=mode) for mode in ("fused", "interpret"))
scores = np.random.default_rng(0).normal(size=(20, 5))
states = np.arange(12)
target = ag.Graph([*states, *states[:-1]], [*states, *states[1:]], [*(states % 5), *(states[1:] % 5)], accept=[11])
loop = ag.Graph([0, 1, 0], [1, 0, 0], [1, 2, 3], accept=[0])
for factor, graph in ((1.0, target), (1.0, loop), (1e4, target), (1.0, target)):
    right = reference.value_and_grad(X=factor * scores, A=graph)
    value, gradients = equation.value_and_grad(X=factor * scores, A=graph)
    close = np.isclose(value, right[0], rtol=1e-12) and np.allclose(gradients["X"], right[1]["X"], atol=1e-12)
    print(bool(close), counts()[0])
"""
    lines = [line.split() for line in run(text, fresh).splitlines()]
    assert [line[0] for line in lines] == ["True"] * 4
    strips, arcs, log_domain, again = (int(line[1]) for line in lines)
    assert strips < arcs < log_domain == again


@kernel("float64(const float64[::1], int64)")
def product_after_a_while(values: Any, rounds: int) -> float:
    total = 0.0
    for k in range(rounds):
        total += math.sin(total + k)
    return product_of(values, 0) + 0.0 * total


@pytest.mark.skipif(os.name != "posix", reason="POSIX only")
def test_an_interrupt_that_waits_for_compiled_code_to_load_one_is_an_interrupt(fresh: Path) -> None:
    """It is raised where the loading begins, on behalf of code that cannot hand it on."""
    text = """
import os, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
product_after_a_while.load()
rounds, found = 1 << 22, []
while not found:  # until the signal comes while the loop runs, and not before or after
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        product_after_a_while(VALUES, rounds)
        rounds *= 4
        timer.join()
        threading.Event().wait(1)
    except BaseException as error:
        found.append(type(error).__name__)
    timer.join()
print(*found)
print(product_after_a_while(VALUES, 1))
"""
    lines = run(text, fresh).splitlines()
    assert lines[-2:] == ["KeyboardInterrupt", "40.0"]


def test_what_stops_the_loading_in_one_thread_is_raised_there_and_nowhere_else(fresh: Path) -> None:
    text = """
sum_or_product(VALUES, False)
loading = type(product_of).load
def load(kernel):
    if kernel is product_of:
        both.wait()
        raise ValueError(threading.current_thread().name)
    return loading(kernel)
def call():
    for _ in range(20):
        try:
            sum_or_product(VALUES, True)
        except BaseException as error:
            found.append((type(error).__name__, str(error) == threading.current_thread().name))
both, found = threading.Barrier(4), []
type(product_of).load = load
threads = [threading.Thread(target=call, name=f"number {k}") for k in range(4)]
for each in threads: each.start()
for each in threads: each.join()
print(len(found), set(found))
"""
    assert run(text, fresh).splitlines() == ["80 {('ValueError', True)}"]
