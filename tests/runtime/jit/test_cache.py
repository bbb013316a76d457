"""The counts of `ag.cache`, and the one class of caches: what is kept, built once each, and weighed."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from arcgrad.runtime.jit.cache import CacheInfo, RoutineCache
from arcgrad.runtime.lru import ONCE, Lru, Registry, caches


def numbers(capacity: int, on_removal: Callable[[object, int], None] | None = None) -> Lru[int]:
    return Lru[int]("numbers", lambda number: 8, capacity=capacity, on_removal=on_removal)


def test_importing_the_cache_loads_neither_numba_nor_numpy() -> None:
    script = "import sys, arcgrad.runtime.jit.cache; print([m for m in ('numba', 'numpy', 'lark') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "[]\n"


def test_the_least_recently_used_value_goes_first() -> None:
    removed: list[tuple[object, int]] = []
    squares = numbers(2, on_removal=lambda key, value: removed.append((key, value)))
    for number in (1, 2, 1, 3):
        squares.get_or_build(number, lambda number=number: number**2)  # type: ignore[misc]
    assert removed == [(2, 4)]
    assert squares.get_or_build(1, lambda: -1) == (1, False)
    squares.clear()
    assert len(squares) == 0
    assert sorted(removed) == [(1, 1), (2, 4), (3, 9)]


def test_threads_that_ask_for_the_same_value_build_it_once() -> None:
    built: list[int] = []
    values = numbers(4)

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
    values = numbers(4)
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
    values = numbers(4)
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


class Weighed:
    """A value whose weight is known, and may grow."""

    def __init__(self, size: int) -> None:
        self.size = size


@pytest.fixture
def budgeted(monkeypatch: pytest.MonkeyPatch) -> tuple[Registry, Lru[Weighed]]:
    monkeypatch.delenv("ARCGRAD_CACHE_BYTES", raising=False)
    registry = Registry()
    registry._budget = 8 * ONCE
    return registry, Lru[Weighed]("weighed", lambda value: value.size, registry=registry)


def test_what_never_comes_again_takes_no_more_than_its_part(budgeted: tuple[Registry, Lru[Weighed]]) -> None:
    registry, values = budgeted
    for number in range(100):
        values.put(number, Weighed(ONCE // 10))
        assert values.get(number) is not None  # by the same call
    assert len(values) == 10
    assert ONCE - ONCE // 10 < registry.bytes <= ONCE
    assert registry.usage() == {"weighed": (10, registry.bytes)}


@pytest.mark.parametrize("part", [20, 3, 1, 0.5])
def test_what_comes_again_is_kept_beside_a_stream_that_does_not(
    budgeted: tuple[Registry, Lru[Weighed]], part: float
) -> None:
    """Parts of what is for values that come once: two of half of it or more are not kept until they come again."""
    registry, values = budgeted
    found = []
    for step in range(50):
        for name in ("numerator", "denominator"):
            found.append(values.get(name) is not None)
            if not found[-1]:
                values.put(name, Weighed(int(ONCE / part)))
        values.put(step, Weighed(ONCE // 10))
    assert all(found[4:]), found
    assert registry.bytes <= registry.budget


def test_large_values_that_come_once_do_not_push_out_small_ones(budgeted: tuple[Registry, Lru[Weighed]]) -> None:
    registry, values = budgeted
    values.put("equation", Weighed(20_000))
    for number in range(40):
        values.put(number, Weighed(ONCE // 3))
    assert "equation" in values
    assert registry.bytes <= ONCE


def test_evicting_looks_at_few_values(budgeted: tuple[Registry, Lru[Weighed]]) -> None:
    """Each eviction went through all values smaller than the mean: with 27,000 of them, evaluations took eight times as
    long."""
    registry, values = budgeted

    class Counted(OrderedDict[Any, None]):
        looks = 0

        def __iter__(self) -> Iterator[Any]:
            for key in super().__iter__():
                Counted.looks += 1
                yield key

    registry._once.entries = Counted()
    for number in range(20_000):
        values.put(number, Weighed(ONCE // 10_000 * (3 if number % 7 == 0 else 1)))
    assert len(values) < 10_000
    assert Counted.looks <= 2 * 20_000


def test_values_grow_while_they_are_kept(budgeted: tuple[Registry, Lru[Weighed]]) -> None:
    registry, values = budgeted
    for number in range(60):
        value = Weighed(10)
        values.put(number, value)
        value.size = ONCE // 4
    assert registry.bytes <= 2 * ONCE
    assert len(values) <= 10


@pytest.mark.parametrize("bytes_", ["0", "100000000"])
def test_the_environment_bounds_all_of_it(
    budgeted: tuple[Registry, Lru[Weighed]], monkeypatch: pytest.MonkeyPatch, bytes_: str
) -> None:
    registry, values = budgeted
    monkeypatch.setenv("ARCGRAD_CACHE_BYTES", bytes_)
    for number in [*range(30)] * 4:
        if values.get(number) is None:
            values.put(number, Weighed(10**7))
    assert registry.bytes <= int(bytes_)


def test_a_cache_that_goes_takes_its_bytes_with_it(budgeted: tuple[Registry, Lru[Weighed]]) -> None:
    registry, values = budgeted
    other = Lru[Weighed]("other", lambda value: value.size, registry=registry)
    other.put(1, Weighed(100))
    del other
    gc.collect()
    values.put(1, Weighed(10))
    assert registry.usage() == {"weighed": (1, 10)}
    assert registry.bytes == 10
