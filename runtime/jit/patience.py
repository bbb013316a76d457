"""When code is worth compiling, and who compiles it: the one clock of all that runs more slowly without.

Stage: beside run; the engine and the operators and packers of the symbolic part ask it at each call. Code that is in
memory or on disk is called. Other code is compiled once what runs in its place has taken long enough: by the process
beside this one, which takes no time here, or where there is none, at once. A call that would take longer without than
the compiler does waits for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from arcgrad.runtime.jit.background.process import background
from arcgrad.runtime.jit.background.waiting import is_plain
from arcgrad.runtime.jit.declare import Code

__all__ = ["LONGER_THAN_COMPILING", "Patience"]

LONGER_THAN_COMPILING = 10.0
"""Seconds without code beyond which waiting for it is the shorter wait."""


class Patience:
    """Seconds that something slower may take in this process before it is worth compiling what does the same.

    Example:
        >>> patience = Patience(1.0)
        >>> with patience.tried():
        ...     _ = sum(range(10))
        >>> patience.spent < 1.0
        True
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.spent = 0.0

    def ends_for(self, *code: Code, expected: float = 0.0, also: Callable[[], Iterable[Code]] = tuple) -> bool:
        """Whether to call this code now, which compiles it here where nobody else does.

        Args:
            code: kernels, or a routine.
            expected: seconds that this call would take without.
            also: gives code that is wanted with it.
        """
        if is_plain():
            return False
        if all(each.is_ready for each in code):
            return True
        if self.spent + expected <= self.seconds:
            return False
        if not background.takes(*code, also=also):
            return True
        if expected <= LONGER_THAN_COMPILING:
            return False
        background.wait(*code)
        return True

    @contextmanager
    def tried(self) -> Iterator[None]:
        """Count what the slower one takes."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.spent += time.perf_counter() - began
