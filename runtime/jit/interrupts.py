"""Ctrl-C during a compilation, or while numba is imported: held back until that is done.

An exception that breaks into llvmlite at the wrong moment leaves its lock taken, and every other thread that compiles
would wait for ever. A compilation takes a few seconds at most.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["interrupts_held_back"]


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """Within the block SIGINT waits; its handler runs (and so KeyboardInterrupt is raised) when the block ends.

    Only the main thread receives signals: in others nothing is done.
    """
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    received: list[tuple[int, Any]] = []
    signal.signal(signal.SIGINT, lambda number, frame: received.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if received:
            handler(*received[-1])
