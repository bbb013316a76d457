"""Memory of large arrays, used again: what comes fresh from the system costs a page fault every few kilobytes.

Training makes an array of weights and one of gradients at every step and drops them soon after. Of a graph of a million
arcs, the system takes as long to hand out their 16 MB and to take them back as a kernel does to read them.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from arcgrad.runtime.lru import caches

__all__ = ["Kept", "aligned_floats", "empty_floats", "zero_floats"]

FloatArray = NDArray[np.float64]

# Floats below which an allocation is cheap, since the C library has memory of that size ready.
_SMALL = 1 << 16
# Floats that may lie idle.
_MOST_IDLE = 1 << 23

# Blocks that no array lies in. A deque, whose methods are atomic: a lock could be taken twice by one thread, since a
# block comes back whenever the last array in it goes.
_idle: deque[FloatArray] = deque()
caches.when_cleared(_idle.clear)


T = TypeVar("T")


class Kept(Generic[T]):
    """What each thread keeps from one call to the next, until caches are cleared: workspaces of its own.

    Example:
        >>> kept = Kept[list]()
        >>> kept.keep([1]); kept.take(), kept.take()
        ([1], None)
    """

    def __init__(self) -> None:
        self._local = threading.local()
        caches.when_cleared(lambda: self._local.__dict__.clear())  # of this thread; others notice the generation

    def take(self) -> T | None:
        """What was kept, which is then the caller's: whoever runs within the call, as a finaliser may, gets None."""
        kept: tuple[int, T] | None = self._local.__dict__.pop("kept", None)
        return None if kept is None or kept[0] != caches.generation else kept[1]

    def keep(self, value: T) -> None:
        """Keep a value for the next call of this thread."""
        self._local.kept = caches.generation, value


def aligned_floats(size: int) -> FloatArray:
    """(≥ size,) floats of any content that begin where a line of the processor's cache does."""
    whole = np.empty(size + 8)
    return whole[-whole.ctypes.data // 8 % 8 :]


class _Loan:
    """A block that arrays lie in: they keep this object, and once they are gone the block is idle."""

    def __init__(self, block: FloatArray, size: int) -> None:
        self._block = block
        self.__array_interface__: dict[str, Any] = block[:size].__array_interface__

    def __del__(self, idle: deque[FloatArray] = _idle) -> None:
        if len(self._block) + sum(len(block) for block in list(idle)) <= _MOST_IDLE:
            idle.append(self._block)


def empty_floats(size: int) -> FloatArray:
    """(size,) floats of any content.

    Example:
        >>> empty_floats(3).shape
        (3,)
    """
    if size < _SMALL:
        return np.empty(size)
    block = _take(size)
    return _lend(np.empty(size) if block is None else block, size)


def zero_floats(size: int) -> FloatArray:
    """(size,) zeros.

    Example:
        >>> zero_floats(3)
        array([0., 0., 0.])
    """
    if size < _SMALL:
        return np.zeros(size)
    block = _take(size)
    if block is None:
        return _lend(np.zeros(size), size)
    block[:size] = 0.0
    return _lend(block, size)


def _take(size: int) -> FloatArray | None:
    """An idle block that suffices and is not much too large, or None."""
    for _ in range(len(_idle)):
        with contextlib.suppress(IndexError):  # another thread took the last one
            block = _idle.popleft()
            if size <= len(block) <= 2 * size:
                return block
            _idle.append(block)
    return None


def _lend(block: FloatArray, size: int) -> FloatArray:
    return np.asarray(_Loan(block, size))
