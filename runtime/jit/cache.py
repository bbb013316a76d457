"""What is compiled and remembered, counted: the object behind `ag.cache`, and the routines kept in memory.

Stage: beside run. The executor asks `cache.routine` for the routine of a plan key; `arcgrad.runtime.jit.routine` and
`arcgrad.runtime.jit.compile` report here what they loaded and compiled. Standard library only, so that
`import arcgrad` stays cheap.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from arcgrad.runtime.forks import when_forked
from arcgrad.runtime.jit.directory import CacheDirectory, default_directory
from arcgrad.runtime.lru import Lru, caches

__all__ = ["TIERS", "CacheInfo", "RoutineCache", "Tier", "TierInfo", "cache"]

Tier = Literal["kernels", "fused"]
TIERS: tuple[Tier, ...] = ("kernels", "fused")

# About what a routine keeps in memory: its machine code, and what numba knows of it.
_BYTES_OF_A_ROUTINE = 100_000


@dataclass(frozen=True, slots=True)
class TierInfo:
    """Counts of one tier since the process began.

    Attributes:
        compilations: functions that numba compiled: kernels, or fused routines.
        compile_seconds: CPU seconds that took, helpers included.
        disk_hits: functions whose machine code came from disk instead.
        memory_hits: routines that were found in memory by their plan key or source.
    """

    compilations: int = 0
    compile_seconds: float = 0.0
    disk_hits: int = 0
    memory_hits: int = 0


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """A snapshot of `cache.info()`.

    Attributes:
        dir: the directory on disk.
        tiers: the counts of each tier, "kernels" and "fused".
        routines: routines in memory now.
        files: files on disk now.
        bytes: their total size.
        counters: what other parts counted, such as hits and misses of the symbolic cache, by name.
        memory: for each kind of cache that holds anything in memory, by name: values and their bytes.
        memory_budget: bytes that all of these may keep together; ``ARCGRAD_CACHE_BYTES`` sets it.
    """

    dir: Path
    tiers: Mapping[str, TierInfo]
    routines: int
    files: int
    bytes: int
    counters: Mapping[str, int]
    memory: Mapping[str, tuple[int, int]]
    memory_budget: int

    @property
    def memory_bytes(self) -> int:
        """Bytes that caches keep in memory now, as they weigh them."""
        return sum(size for _, size in self.memory.values())

    @property
    def compilations(self) -> int:
        """Functions that numba compiled, in all tiers."""
        return sum(tier.compilations for tier in self.tiers.values())

    @property
    def compile_seconds(self) -> float:
        """CPU seconds spent compiling, in all tiers."""
        return sum(tier.compile_seconds for tier in self.tiers.values())

    @property
    def disk_hits(self) -> int:
        """Functions loaded from disk, in all tiers."""
        return sum(tier.disk_hits for tier in self.tiers.values())

    @property
    def memory_hits(self) -> int:
        """Routines found in memory, in all tiers."""
        return sum(tier.memory_hits for tier in self.tiers.values())

    def __str__(self) -> str:
        lines = [f"{'tier':<10}{'compiled':>10}{'CPU s':>10}{'from disk':>12}{'from memory':>14}"]
        lines += [
            f"{name:<10}{tier.compilations:>10}{tier.compile_seconds:>10.2f}{tier.disk_hits:>12}{tier.memory_hits:>14}"
            for name, tier in self.tiers.items()
        ]
        lines.append(f"{self.routines} routines in memory; {self.files} files, {self.bytes / 1e6:.1f} MB in {self.dir}")
        lines.append(f"{self.memory_bytes / 1e6:.1f} of {self.memory_budget / 1e6:.0f} MB of caches in memory")
        lines += [f"  {name}: {n}, {size / 1e6:.1f} MB" for name, (n, size) in sorted(self.memory.items())]
        lines += [f"{name}: {number}" for name, number in sorted(self.counters.items())]
        return "\n".join(lines)


class RoutineCache:
    """Routines in memory and on disk, and the counts of what was compiled; one object, `ag.cache`.

    All methods may be called from any thread, and in forked children. Users need ``ag.cache.info()``,
    ``ag.cache.clear()`` and ``ag.cache.dir``; the rest is for the stages that fill it.

    Example:
        >>> import arcgrad as ag
        >>> ag.cache.info().dir == ag.cache.dir
        True
        >>> from arcgrad.runtime.jit.cache import RoutineCache
        >>> cache = RoutineCache()
        >>> negate = cache.routine(("plan", 1), "kernels", lambda: lambda x: -x)
        >>> cache.routine(("plan", 1), "kernels", lambda: None) is negate
        True
        >>> cache.count("symbolic hits"); cache.info().counters["symbolic hits"]
        1
    """

    generation: int
    """How often this was cleared: who keeps a routine elsewhere asks again when it changes."""

    def __init__(self, capacity: int = 1024) -> None:
        self._routines = Lru[Callable[..., Any]](
            "routines", lambda routine: _BYTES_OF_A_ROUTINE, capacity=capacity, on_removal=self._tell_removed
        )
        self.generation = 0
        self._when_removed: list[Callable[[object], None]] = []
        self._counts: Counter[tuple[Tier | None, str]] = Counter()
        self._seconds: dict[Tier, float] = dict.fromkeys(TIERS, 0.0)
        self._lock = threading.Lock()
        self._directory: CacheDirectory | None = None

    @property
    def dir(self) -> Path:
        """Where compiled code is kept: ``$ARCGRAD_CACHE_DIR``, else the user's cache directory; read anew each time."""
        return default_directory()

    @property
    def directory(self) -> CacheDirectory:
        """The same directory, to read and write."""
        path, directory = self.dir, self._directory
        if directory is None or directory.path != path:
            self._directory = directory = CacheDirectory(path)
        return directory

    def routine(self, key: Hashable, tier: Tier, build: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
        """The routine of a key; `build` is called where it is not in memory, once for all threads.

        Args:
            key: anything hashable that decides what the routine does.
            tier: for which tier; routines of two tiers do not meet.
            build: makes the routine. What it raises passes through, and nothing is kept.
        """
        value, built = self._routines.get_or_build((tier, key), build)
        if not built:
            self._count(tier, "memory_hits", 1)
        return value

    def has_routine(self, key: Hashable, tier: Tier) -> bool:
        """Whether the routine of a key is in memory."""
        return (tier, key) in self._routines

    def when_removed(self, forget: Callable[[object], None]) -> None:
        """Have this called with the key of every routine that leaves the memory."""
        self._when_removed.append(forget)

    def _tell_removed(self, key: Any, routine: Callable[..., Any]) -> None:
        for forget in self._when_removed:
            forget(key[1])

    def count(self, name: str, n: int = 1) -> None:
        """Add n to a counter shown by `info().counters`, such as "symbolic hits"."""
        self._count(None, name, n)

    def count_disk_hit(self, tier: Tier) -> None:
        """One function's machine code came from disk."""
        self._count(tier, "disk_hits", 1)

    def count_compilation(self, tier: Tier, seconds: float) -> None:
        """One function was compiled by numba, in so many CPU seconds."""
        with self._lock:
            self._counts[tier, "compilations"] += 1
            self._seconds[tier] += seconds

    def _count(self, tier: Tier | None, name: str, n: int) -> None:
        with self._lock:
            self._counts[tier, name] += n

    def info(self) -> CacheInfo:
        """Counts since the process began, and what is in memory and on disk now.

        Example:
            >>> from arcgrad.runtime.jit.cache import RoutineCache
            >>> RoutineCache().info().compilations
            0
        """
        with self._lock:
            counts, seconds = dict(self._counts), dict(self._seconds)
        tiers: dict[str, TierInfo] = {
            tier: TierInfo(
                compilations=counts.get((tier, "compilations"), 0),
                compile_seconds=seconds[tier],
                disk_hits=counts.get((tier, "disk_hits"), 0),
                memory_hits=counts.get((tier, "memory_hits"), 0),
            )
            for tier in TIERS
        }
        files, size = self.directory.usage()
        return CacheInfo(
            dir=self.dir,
            tiers=tiers,
            routines=len(self._routines),
            files=files,
            bytes=size,
            counters={name: number for (tier, name), number in counts.items() if tier is None},
            memory=caches.usage(),
            memory_budget=caches.budget,
        )

    def clear(self, disk: bool = True) -> None:
        """Forget all routines and compiled kernels, so that they are loaded or compiled anew; the counts stay.

        Args:
            disk: also delete the files on disk (only arcgrad's own).

        Raises:
            InputError: the directory can be written by, or belongs to, other users; see `dir`.
        """
        self.generation += 1
        caches.clear()
        if disk:
            self.directory.clear()

    def reset_after_fork(self) -> None:
        """In a forked child: the threads that held locks do not exist here."""
        self._lock = threading.Lock()


cache = RoutineCache()
when_forked(cache.reset_after_fork)
