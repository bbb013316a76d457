"""Kernels, helpers and generated routines within one process; between processes see test_routines_processes."""

from __future__ import annotations

import gc
import linecache
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from arcgrad.grammar.errors import InputError
from arcgrad.runtime.jit.cache import CacheInfo, cache
from arcgrad.runtime.jit.declare import helper, kernel
from arcgrad.runtime.jit.interrupts import wait_for_compilations
from arcgrad.runtime.jit.routine import load_routine, without_comments

# Closures hold no kernels here: the tests' kernels are module-level functions, as all must be.


@helper
def halve(x: float) -> float:
    """Half of x."""
    return 0.5 * x


@kernel("float64(const float64[::1], float64)")
def halved_sum(values: Any, start: float) -> float:
    result = start
    for value in values:
        result += halve(value)
    return result


@kernel("float64(const float64[::1], float64)")
def twice_halved_sum(values: Any, start: float) -> float:
    return halved_sum(values, halved_sum(values, start))


@kernel("float64(const float64[::1])", internal=True)
def inner_sum(values: Any) -> float:
    return halved_sum(values, 0.0) + halved_sum(values, 0.0)


@kernel("float64(const float64[::1])")
def outer_sum(values: Any) -> float:
    return inner_sum(values)


@kernel("void(const int32[::1], float64[:, ::1])")
def write_first(index: Any, table: Any) -> None:
    table[index[0], 0] = 7.0


@kernel("float64(float64, float64)")
def quotient(x: float, y: float) -> float:
    return x / y


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT raises KeyboardInterrupt, which it does not in what a shell started in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


ROUTINE = """
from test_routines import halve, halved_sum

def routine(values, start):
    return halve(halved_sum(values, start))  # LSE[A]
"""
SIGNATURE = "float64(const float64[::1], float64)"


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("ARCGRAD_CACHE_DIR", str(tmp_path / "cache"))
    cache.clear()
    yield tmp_path / "cache"
    cache.clear()


def compiled(before: CacheInfo) -> tuple[int, int, int]:
    """Kernels compiled, routines compiled, and functions loaded from disk since then."""
    now = cache.info()
    return (
        now.tiers["kernels"].compilations - before.tiers["kernels"].compilations,
        now.tiers["fused"].compilations - before.tiers["fused"].compilations,
        now.disk_hits - before.disk_hits,
    )


def test_a_kernel_is_compiled_once_and_then_comes_from_disk(fresh: Path) -> None:
    before = cache.info()
    assert halved_sum(np.array([1.0, 2.0]), 1.0) == 2.5
    assert halved_sum(np.array([3.0]), 1.0) == 2.5
    assert compiled(before) == (1, 0, 0)
    seconds = cache.info().compile_seconds - before.compile_seconds
    assert 0.01 < seconds < 20
    cache.clear(disk=False)
    assert halved_sum(np.array([1.0, 2.0]), 1.0) == 2.5
    assert compiled(before) == (1, 0, 1)
    cache.clear()
    assert not list(fresh.rglob("*.code"))
    assert halved_sum(np.array([1.0, 2.0]), 1.0) == 2.5
    assert compiled(before) == (2, 0, 1)


CALLING = """
from test_routines import halved_sum, twice_halved_sum

def routine(values, start):
    return twice_halved_sum(values, start) + halved_sum(values, start)
"""


@pytest.mark.parametrize("disk", [False, True])
def test_kernels_that_call_one_another_are_cleared_and_come_again(disk: bool) -> None:
    values = np.array([1.0, 2.0])
    before = cache.info()
    old = [load_routine(CALLING, signature=SIGNATURE, tier="fused"), twice_halved_sum.load(), halved_sum.load()]
    assert compiled(before) == (2, 1, 0)
    cache.clear(disk=disk)
    before = cache.info()
    assert halved_sum(values, 1.0) == 2.5  # one of them alone, then those that call it
    new = [load_routine(CALLING, signature=SIGNATURE, tier="fused"), twice_halved_sum.load(), halved_sum.load()]
    assert compiled(before) == ((2, 1, 0) if disk else (0, 0, 3))
    assert not set(map(id, old)) & set(map(id, new))
    # What was compiled before, and calls the old ones, runs on; so it does once nobody else holds these.
    for each, right in zip((*old, *new), (6.5, 4.0, 2.5) * 2, strict=True):
        assert each(values, 1.0) == right
    first = old[0]
    del old, new
    cache.clear(disk=disk)
    gc.collect()
    assert [first(values, float(k)) for k in range(3)] == [4.5, 6.5, 8.5]
    assert load_routine(CALLING, signature=SIGNATURE, tier="kernels")(values, 1.0) == 6.5


def test_an_internal_kernel_is_compiled_for_its_callers_only() -> None:
    values = np.array([1.0, 2.0])
    before = cache.info()
    assert inner_sum(values) == 3.0  # as plain Python, which calls the other kernel
    assert compiled(before) == (1, 0, 0)
    assert outer_sum(values) == 3.0
    assert compiled(before) == (3, 0, 0)
    cache.clear(disk=False)
    before = cache.info()
    assert outer_sum(values) == inner_sum(values) == 3.0
    assert compiled(before) == (0, 0, 2)  # the inner one is still there, under its symbol


def test_arguments_are_those_of_the_signature() -> None:
    values = np.array([1.0, 2.0])
    values.flags.writeable = False
    assert halved_sum(values, 1) == 2.5
    assert halved_sum(values, np.float32(1)) == 2.5
    table = np.zeros((2, 2))
    index = np.array([1], dtype=np.int32)
    index.flags.writeable = False
    for _ in range(2):
        assert write_first(index, table) is None
    assert table[1, 0] == 7.0
    table.flags.writeable = False
    with pytest.raises(TypeError, match="No matching definition"):
        write_first(index, table)
    for wrong in (values.astype(np.float32), np.arange(4.0)[::2], np.arange(2), [1.0, 2.0], np.zeros((1, 1))):
        with pytest.raises(TypeError, match="No matching definition"):
            halved_sum(wrong, 1.0)


@kernel("void(const float64[::1])")
def write_an_input(values: Any) -> None:
    values[0] = 1.0


def test_a_kernel_that_writes_an_input_is_not_compiled() -> None:
    with pytest.raises(Exception, match="readonly array"):
        write_an_input.load()


@pytest.mark.parametrize(
    ("line", "const", "writes"),
    [("work[0] = weights[0]", "const ", False), ("weights[0] = seeds[0, 0]", "", True)],
)
def test_of_a_routine_what_it_does_not_write_may_be_read_only(line: str, const: str, writes: bool) -> None:
    source = f"def routine(weights, work, seeds):\n    {line}\n"
    signature = f"void({const}float64[::1], float64[::1], const float64[:, ::1])"
    routine = load_routine(source, signature=signature, tier="fused")
    arguments = [np.ones(1), np.ones(1), np.ones((1, 1))]
    arguments[2].flags.writeable = False
    routine(*arguments)
    arguments[0].flags.writeable = False
    if writes:
        with pytest.raises(TypeError, match="No matching definition"):
            routine(*arguments)
    else:
        routine(*arguments)


def test_division_by_zero_follows_the_floating_point_rules() -> None:
    assert quotient(1.0, 0.0) == math.inf


def test_helpers_and_kernels_are_plain_python_too() -> None:
    assert halve(3.0) == 1.5
    assert halve.__doc__ == "Half of x."
    assert halved_sum.python(np.array([1.0]), 1.0) == 1.5
    assert repr(halved_sum).endswith("test_routines.halved_sum: float64(const float64[::1], float64)>")


def test_both_tiers_of_a_routine_agree(fresh: Path) -> None:
    before = cache.info()
    values = np.array([1.0, 2.0])
    fused = load_routine(ROUTINE, signature=SIGNATURE, tier="fused")
    plain = load_routine(ROUTINE, tier="kernels")
    assert fused(values, 1.0) == plain(values, 1.0) == 1.25
    assert compiled(before) == (1, 1, 0)
    assert len(list(fresh.rglob("*.code"))) == 2
    assert len(list(fresh.rglob("*.py"))) == 1


def test_routines_that_differ_in_comments_only_are_one(fresh: Path) -> None:
    before = cache.info()
    first = load_routine(ROUTINE, signature=SIGNATURE, tier="fused")
    other = ROUTINE.replace("LSE[A]", "LSE[B # '''").replace("    return", "\n    # more\n    return")
    assert load_routine(other, signature=SIGNATURE, tier="fused") is first
    assert cache.info().tiers["fused"].memory_hits - before.tiers["fused"].memory_hits == 1
    cache.clear(disk=False)
    again = load_routine(other, signature=SIGNATURE, tier="fused")
    assert again is not first
    assert again(np.array([1.0, 2.0]), 1.0) == 1.25
    assert compiled(before) == (1, 1, 1)
    (kept,) = fresh.rglob("*.py")
    assert kept.read_text() == ROUTINE
    assert linecache.getline(str(kept), 5).strip().endswith("# LSE[A]")


@pytest.mark.parametrize(
    "change",
    [
        {"source": ROUTINE.replace("halve(halved_sum", "(halved_sum")},
        {"signature": "float64(const float64[::1], float32)"},
        {"fastmath": {"reassoc"}},
    ],
)
def test_whatever_else_differs_makes_another_routine(change: dict[str, Any]) -> None:
    options: dict[str, Any] = {"source": ROUTINE, "signature": SIGNATURE, "tier": "fused"}
    load_routine(**options)
    before = cache.info()
    load_routine(**options | change)
    assert compiled(before) == (0, 1, 0)


def test_without_comments_keeps_what_the_code_says() -> None:
    assert without_comments("def f(x):\n  # a\n  return x  # b\n") == without_comments("def f(x):\n\n    return x\n")
    for other in (
        "def f(x):\n    return '# b'\n",
        "def f(x):\n    return x\n    return x\n",
        "def f(y):\n    return y\n",
    ):
        assert without_comments(other) != without_comments("def f(x):\n    return x\n")


def test_a_damaged_source_file_is_rebuilt(fresh: Path) -> None:
    load_routine(ROUTINE, signature=SIGNATURE, tier="fused")
    (kept,) = fresh.rglob("*.py")
    for damage in (b"def routine(values, start):\n    return 666.0\n", b"(((", b"\xff\xfe", b"", b"  x\n x\n"):
        kept.write_bytes(damage)
        cache.clear(disk=False)
        before = cache.info()
        routine = load_routine(ROUTINE, signature=SIGNATURE, tier="fused")
        assert routine(np.array([1.0, 2.0]), 1.0) == 1.25
        assert compiled(before) == (0, 0, 1)
        assert kept.read_text() == ROUTINE


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "foreign pickle", "other content"])
def test_damaged_machine_code_is_rebuilt(fresh: Path, damage: str) -> None:
    load_routine(ROUTINE, signature=SIGNATURE, tier="fused")
    files = list(fresh.rglob("*.code"))
    for path in files:
        data = path.read_bytes()
        name = str(path.relative_to(fresh))
        if damage == "foreign pickle":  # whole, but not what it should be
            cache.directory.write_code(name, b"\x80\x04N.")
        elif damage == "other content":
            cache.directory.write_code(name, b"no pickle")
        else:
            cut = {"truncated": data[: len(data) // 2], "flipped": data[:-1] + bytes([data[-1] ^ 1]), "empty": b""}
            path.write_bytes(cut[damage])
    cache.clear(disk=False)
    before = cache.info()
    routine = load_routine(ROUTINE, signature=SIGNATURE, tier="fused")
    assert routine(np.array([1.0, 2.0]), 1.0) == 1.25
    assert compiled(before) == (1, 1, 0)
    cache.clear(disk=False)
    load_routine(ROUTINE, signature=SIGNATURE, tier="fused")
    assert compiled(before) == (1, 1, 1)


def test_threads_that_load_the_same_routine_compile_it_once() -> None:
    before = cache.info()
    answers: list[float] = []

    def load() -> None:
        routine = load_routine(ROUTINE, signature=SIGNATURE, tier="fused")
        answers.append(routine(np.array([1.0, 2.0]), 1.0) + halved_sum(np.array([1.0]), 0.0))

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [1.75] * 4
    assert compiled(before) == (1, 1, 0)


def test_a_plain_routine_does_not_wait_for_a_compilation() -> None:
    from arcgrad.runtime.jit.compat import global_compiler_lock

    loaded = threading.Event()

    def load() -> None:
        load_routine("def routine(x):\n    return x\n", tier="kernels")
        loaded.set()

    with global_compiler_lock:
        threading.Thread(target=load).start()
        assert loaded.wait(timeout=5)


def test_a_source_that_fails_leaves_nothing_behind() -> None:
    before = set(sys.modules)
    with pytest.raises(ZeroDivisionError):
        load_routine("1 / 0\n", tier="kernels")
    with pytest.raises(KeyError):
        load_routine("def other(x):\n    return x\n", tier="kernels")
    with pytest.raises(Exception, match=r"Untyped global name|is not defined"):
        load_routine("def routine(x):\n    return y\n", signature="float64(float64)", tier="fused")
    assert not [name for name in set(sys.modules) - before if "generated" in name]


def test_a_fused_routine_needs_a_signature() -> None:
    with pytest.raises(InputError, match="needs a signature"):
        load_routine(ROUTINE, tier="fused")


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="POSIX only")
@pytest.mark.parametrize("delay", [0.01, 0.03, 0.06])
@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_compilation_can_be_repeated(fresh: Path, delay: float) -> None:
    halved_sum(np.array([1.0]), 0.0)  # so that numba is loaded
    cache.clear()
    timer = threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        timer.start()
        while True:  # the signal comes in the first or, on a fast machine, a later compilation
            load_routine(ROUTINE, signature=SIGNATURE, tier="fused")
            cache.clear()
    wait_for_compilations()  # which go on, though nobody waits for them
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert not list(fresh.rglob("*.tmp"))
    cache.clear()
    before = cache.info()
    routine = load_routine(ROUTINE, signature=SIGNATURE, tier="fused")
    assert routine(np.array([1.0, 2.0]), 1.0) == 1.25
    assert compiled(before) == (1, 1, 0)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="POSIX only")
@pytest.mark.usefixtures("interruptible")
def test_a_long_compilation_is_not_waited_for_after_ctrl_c(fresh: Path) -> None:
    """It goes on, and the next call has its result."""
    halved_sum(np.array([1.0]), 0.0)
    lines = [f"    result += halved_sum(values, {k}.5) * math.sin(result - {k})\n" for k in range(200)]
    source = ROUTINE.split("    return")[0].replace("start", "result") + "".join(lines) + "    return result\n"
    source = "import math\n" + source
    begin = time.perf_counter()
    sent: list[float] = []

    def interrupt() -> None:
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Timer(0.3, interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        load_routine(source, signature=SIGNATURE, tier="fused")
    waited = time.perf_counter() - sent[0]
    before = cache.info()
    routine = load_routine(source, signature=SIGNATURE, tier="fused")
    assert time.perf_counter() - begin > 1 + waited  # it was long
    assert waited < 0.5
    assert sum(compiled(before)[:2]) <= 1  # by the thread that began with it
    assert math.isfinite(routine(np.array([1.0, 2.0]), 1.0))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX only")
@pytest.mark.usefixtures("interruptible")
def test_code_is_compiled_by_whoever_holds_the_lock(fresh: Path) -> None:
    """numba holds it while it compiles a caller of the user's; another thread would wait for ever."""
    halved_sum(np.array([1.0]), 0.0)
    cache.clear()
    from arcgrad.runtime.jit import compat  # which imports numba

    with compat.global_compiler_lock:
        assert load_routine(ROUTINE, signature=SIGNATURE, tier="fused")(np.array([1.0, 2.0]), 1.0) == 1.25


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="POSIX only")
@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_during_a_compilation_leaves_no_lock_behind(fresh: Path) -> None:
    """llvmlite's lock stays taken where an exception breaks in at the wrong moment: a later compilation would hang."""
    halved_sum(np.array([1.0]), 0.0)
    for delay in np.linspace(0.002, 0.05, 12):
        cache.clear()
        timer = threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012
            timer.start()
            load_routine(ROUTINE, signature=SIGNATURE, tier="fused")
            timer.join()
            time.sleep(0.1)
        elsewhere = threading.Thread(
            target=lambda: load_routine(ROUTINE, signature=SIGNATURE, tier="fused"), daemon=True
        )
        elsewhere.start()
        elsewhere.join(timeout=60)
        assert not elsewhere.is_alive()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX only")
def test_a_child_forked_during_a_compilation_works() -> None:
    halved_sum(np.array([1.0]), 0.0)
    compiling = threading.Thread(target=lambda: load_routine(ROUTINE, signature=SIGNATURE, tier="fused"))
    compiling.start()
    time.sleep(0.02)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(30)  # a child that hangs must not hang the tests
            routine = load_routine(ROUTINE, signature=SIGNATURE, tier="fused")
            other = load_routine(ROUTINE, signature=SIGNATURE, tier="fused", fastmath={"reassoc"})
            values = np.array([1.0, 2.0])
            status = 0 if routine(values, 1.0) == other(values, 1.0) == 1.25 else 2
        finally:
            os._exit(status)
    compiling.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
