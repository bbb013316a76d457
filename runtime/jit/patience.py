"""When a kernel is worth calling: at once where it is compiled or cached, else once numpy has taken long enough.

Stage: symbolic part; the operators of this folder ask it at each call.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from arcgrad.runtime.jit.declare import Kernel

__all__ = ["Patience"]


class Patience:
    """Seconds that numpy may take for some operator in this process before its kernels are compiled.

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

    def ends_for(self, *kernels: Kernel[..., Any], expected: float = 0.0) -> bool:
        """Whether to call these kernels, compiling them if need be.

        Args:
            kernels: what answers at once where all of it is compiled or cached.
            expected: seconds that numpy would take now.
        """
        if self.spent + expected <= self.seconds:
            for each in kernels:
                if not each.is_ready:
                    return False
        return True

    @contextmanager
    def tried(self) -> Iterator[None]:
        """Counts what numpy takes."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.spent += time.perf_counter() - began
