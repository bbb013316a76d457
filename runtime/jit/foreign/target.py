"""The function that XLA gets, and the table of records behind it.

Records are published by one store of their address, after they are whole, and taken out by another. What was taken out
is freed once no call is active that may have seen it. The most records are kept; of others, those that were not used
since they were last looked at go first.
"""

from __future__ import annotations

import ctypes
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from arcgrad.runtime.forks import when_forked
from arcgrad.runtime.jit.foreign import layout as L
from arcgrad.runtime.jit.foreign.handler import handle
from arcgrad.runtime.lru import caches

__all__ = ["Record", "Target", "is_possible"]

_LONG = ctypes.c_int64
_PYTHON = ctypes.CFUNCTYPE(_LONG, _LONG)
_cfunc: Any = numba.cfunc
_int64: Any = numba.types.int64
_MOST = 1 << 13
_PLACES = 4 * _MOST
_MOST_BYTES = 256 << 20


def is_possible() -> bool:
    """Whether this is a system whose C library and calls are as the handler takes them."""
    return sys.platform in ("linux", "darwin") and ctypes.sizeof(ctypes.c_void_p) == 8 and sys.byteorder == "little"


class Record:
    """What a handler needs for one key, and what of Python's objects lives as long.

    Attributes:
        numbers: as `arcgrad.runtime.jit.foreign.layout` says.
        key: the key's words.
        kept: whatever the numbers are addresses in.
        nbytes: what it takes.
    """

    def __init__(self, numbers: NDArray[np.int64], key: tuple[int, ...], kept: tuple[Any, ...]) -> None:
        words = np.array(key, dtype=np.int64)
        numbers[L.KEY_LENGTH], numbers[L.KEY] = len(key), words.ctypes.data
        self.numbers, self.key, self.kept = numbers, key, (words, *kept)
        self.nbytes = 500 + numbers.nbytes + sum(each.nbytes for each in self.kept if isinstance(each, np.ndarray))


class Target:
    """A function for XLA, and what it knows.

    Args:
        python: what does a call that the handler leaves, given the frame's address; the address of an error, or 0.
        minor: the version of XLA's structs.
        most_work: arc-frames from which on threads are worth Python.
    """

    def __init__(self, python: Callable[[int], int], minor: int, most_work: int) -> None:
        library = ctypes.CDLL(None)
        self._python = _PYTHON(python)
        self._state = np.zeros(L.STATE_LENGTH, dtype=np.int64)
        addresses: Any = [ctypes.cast(f, ctypes.c_void_p).value for f in (self._python, library.malloc, library.free)]
        self._state[[L.PYTHON, L.ALLOCATE, L.RELEASE]] = addresses
        self._state[[L.MINOR, L.MOST_WORK]] = minor, most_work
        self._table = self._new_table()
        self._state[L.TABLE] = self._table.ctypes.data
        self._records: OrderedDict[tuple[int, ...], Record] = OrderedDict()
        self._bytes = 0
        self._old: list[Any] = []
        self._renew_lock()
        when_forked(self._renew_lock)
        caches.when_cleared(self.clear)
        state, run = int(self._state.ctypes.data), handle
        run.load()

        def entry(frame: int) -> int:
            return run(frame, state)  # type: ignore[no-any-return]

        self._entry = _cfunc(_int64(_int64), nogil=True)(entry)

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()

    @staticmethod
    def _new_table() -> NDArray[np.int64]:
        table = np.zeros(1 + _PLACES, dtype=np.int64)
        table[0] = _PLACES - 1
        return table

    @property
    def address(self) -> int:
        """Of the function, of which XLA is told."""
        return int(self._entry.address)

    @property
    def counts(self) -> tuple[int, int]:
        """Calls that compiled code did, and calls that Python did."""
        return int(self._state[L.ANSWERED]), int(self._state[L.HANDED_ON])

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, key: tuple[int, ...]) -> bool:
        return key in self._records

    def add(self, record: Record) -> None:
        """Let the handler find a record."""
        with self._lock:
            self._free()
            if record.key in self._records:
                return
            if record.nbytes > _MOST_BYTES // 4:
                return
            if len(self._records) >= _MOST or self._bytes + record.nbytes > _MOST_BYTES:
                self._make_room()
            self._records[record.key] = record
            self._bytes += record.nbytes
            self._publish(self._table, record)

    def _publish(self, table: NDArray[np.int64], record: Record) -> None:
        place = L.place_of(list(record.key), _PLACES - 1)
        while table[1 + place] > 1:
            place = (place + 1) & (_PLACES - 1)
        table[1 + place] = record.numbers.ctypes.data

    def _make_room(self) -> None:
        """Drop half of the records, unused ones first, and begin a new table without marks of what was there."""
        ordered = sorted(self._records.values(), key=lambda record: int(record.numbers[L.USED]))
        gone = []
        for record in ordered:
            if len(self._records) <= _MOST // 2 and self._bytes <= _MOST_BYTES // 2:
                break
            del self._records[record.key]
            self._bytes -= record.nbytes
            gone.append(record)
        table = self._new_table()
        for record in self._records.values():
            record.numbers[L.USED] = 0
            self._publish(table, record)
        self._retire(table, gone)

    def _retire(self, table: NDArray[np.int64], gone: list[Record]) -> None:
        self._old += [self._table, *gone]
        self._table = table
        self._state[L.TABLE] = table.ctypes.data

    def _free(self) -> None:
        """Drop what was taken out the last times, if no call is active, which could still read it.

        Called before anything else is taken out: by now every thread sees the new table.
        """
        if self._old and self._state[L.ACTIVE] == 0:
            self._old.clear()

    def clear(self) -> None:
        """Forget all records."""
        with self._lock:
            self._free()
            if self._records:
                gone = list(self._records.values())
                self._records.clear()
                self._bytes = 0
                self._retire(self._new_table(), gone)
