"""The counts of `ag.cache`, and the map that builds each value once."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from arcgrad.runtime.jit.cache import CacheInfo, LeastRecentlyUsed, RoutineCache
from arcgrad.runtime.lru import caches


def test_importing_the_cache_loads_neither_numba_nor_numpy() -> None:
    script = "import sys, arcgrad.runtime.jit.cache; print([m for m in ('numba', 'numpy', 'lark') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "[]\n"


def test_the_least_recently_used_value_goes_first() -> None:
    removed: list[tuple[object, int]] = []
    squares = LeastRecentlyUsed[int](2, on_removal=lambda key, value: removed.append((key, value)))
    for number in (1, 2, 1, 3):
        squares.get_or_build(number, lambda number=number: number**2)  # type: ignore[misc]
    assert removed == [(2, 4)]
    assert squares.get_or_build(1, lambda: -1) == (1, False)
    squares.clear()
    assert len(squares) == 0
    assert sorted(removed) == [(1, 1), (2, 4), (3, 9)]


def test_threads_that_ask_for_the_same_value_build_it_once() -> None:
    built: list[int] = []
    values = LeastRecentlyUsed[int](4)

    def build() -> int:
        built.append(1)
        time.sleep(0.05)
        return 7

    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(values.get_or_build("k", build)[0])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (built, answers) == ([1], [7] * 8)


def test_a_failed_build_leaves_nothing_behind_and_the_next_one_tries_again() -> None:
    values = LeastRecentlyUsed[int](4)
    failing = threading.Event()

    def fail() -> int:
        failing.set()
        time.sleep(0.05)
        raise KeyboardInterrupt

    answers: list[int] = []

    def second() -> None:
        failing.wait()
        answers.append(values.get_or_build("k", lambda: 5)[0])

    waiting = threading.Thread(target=second)
    waiting.start()
    with pytest.raises(KeyboardInterrupt):
        values.get_or_build("k", fail)
    waiting.join(timeout=5)
    assert answers == [5]


def test_building_one_value_does_not_hold_up_another() -> None:
    values = LeastRecentlyUsed[int](4)
    assert values.get_or_build("outer", lambda: values.get_or_build("inner", lambda: 1)[0] + 1) == (2, True)


def test_info_counts_by_tier_and_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCGRAD_CACHE_DIR", str(tmp_path / "cache"))
    cache = RoutineCache()
    cache.routine("plan", "fused", lambda: len)
    assert cache.routine("plan", "fused", lambda: max) is len
    assert cache.routine("plan", "kernels", lambda: max) is max
    cache.count_compilation("fused", 0.25)
    cache.count_compilation("kernels", 0.5)
    cache.count_disk_hit("kernels")
    cache.count("symbolic hits", 3)
    cache.count("symbolic hits")
    info = cache.info()
    assert isinstance(info, CacheInfo)
    assert info.dir == cache.dir == tmp_path / "cache"
    assert (info.compilations, info.compile_seconds, info.disk_hits, info.memory_hits) == (2, 0.75, 1, 1)
    assert info.tiers["fused"].memory_hits == 1
    assert (info.routines, info.files, info.bytes) == (2, 0, 0)
    assert info.counters == {"symbolic hits": 4}
    assert "symbolic hits: 4" in str(info)
    cleared: list[bool] = []
    caches.when_cleared(lambda: cleared.append(True))
    cache.clear()
    assert cleared == [True]
    assert cache.info().routines == 0
