"""Memory of large arrays, used again: what comes fresh from the system costs a page fault every few kilobytes.

Training makes an array of weights and one of gradients at every step and drops them soon after. The system takes as
long to hand out their memory and to take it back as a kernel does to fill it.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections import deque
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from arcgrad.runtime.lru import caches

__all__ = ["Kept", "aligned_floats", "empty_array", "empty_floats", "zero_array", "zero_floats"]

FloatArray = NDArray[np.float64]

# Bytes below which an allocation is cheap, since the C library has memory of that size ready.
_SMALL = 1 << 19
# Bytes that may lie idle: what a step of training drops while the next one holds as much.
_MOST_IDLE = 1 << 28

_Block = NDArray[np.uint8]

# Blocks that no array lies in, the newest last. A deque, whose methods are atomic: a lock could be taken twice by one
# thread, since a block comes back whenever the last array in it goes.
_idle: deque[_Block] = deque()
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
    """A block that an array lies in: it and its views keep this object, and once they are gone the block is idle."""

    def __init__(self, block: _Block, array: NDArray[Any]) -> None:
        self._block = block
        self.__array_interface__: dict[str, Any] = array.__array_interface__

    # What Python clears at its end stands among the arguments.
    def __del__(self, idle: deque[_Block] = _idle, most: int = _MOST_IDLE, suppress: Any = contextlib.suppress) -> None:
        idle.append(self._block)
        while sum(len(block) for block in list(idle)) > most:
            with suppress(IndexError):  # another thread dropped it
                idle.popleft()


def empty_array(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """An array of any content, in memory that was used before where it is large.

    Example:
        >>> empty_array((2, 3), np.float32).shape
        (2, 3)
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size < _SMALL:
        return np.empty(shape, dtype)
    block = _take(size)
    return _lend(np.empty(size, dtype=np.uint8) if block is None else block, size, shape, dtype)


def zero_array(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """An array of zeros, likewise."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size < _SMALL:
        return np.zeros(shape, dtype)
    block = _take(size)
    if block is None:
        return _lend(np.zeros(size, dtype=np.uint8), size, shape, dtype)
    block[:size] = 0
    return _lend(block, size, shape, dtype)


def empty_floats(size: int) -> FloatArray:
    """(size,) floats of any content.

    Example:
        >>> empty_floats(3).shape
        (3,)
    """
    return empty_array((size,), np.float64)


def zero_floats(size: int) -> FloatArray:
    """(size,) zeros.

    Example:
        >>> zero_floats(3)
        array([0., 0., 0.])
    """
    return zero_array((size,), np.float64)


def _take(size: int) -> _Block | None:
    """An idle block that suffices and is not much too large, or None."""
    for _ in range(len(_idle)):
        with contextlib.suppress(IndexError):  # another thread took the last one
            block = _idle.popleft()
            if size <= len(block) <= 2 * size:
                return block
            _idle.append(block)
    return None


def _lend(block: _Block, size: int, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    return np.asarray(_Loan(block, block[:size].view(dtype).reshape(shape)))
