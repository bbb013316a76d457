"""Whether this thread may wait for the compiler, and the line on a terminal that says so while it does.

Stage: beside run. Where a thread may not wait, loading code that is not on disk raises `NotCompiled`; within
`plain_python` it does without compiled code, and so without numba.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from typing import Any

__all__ = ["NotCompiled", "Progress", "compiling", "is_plain", "may_compile", "plain_python", "progress"]


class NotCompiled(Exception):  # noqa: N818 - a signal to whoever may not wait
    """Code is not on disk, and this thread may not compile it.

    Attributes:
        code: the kernel or routine.
    """

    code: Any = None


class _Local(threading.local):
    allowed = True
    plain = False


_local = _Local()


def may_compile() -> bool:
    """Whether this thread compiles what it loads and is not on disk."""
    return _local.allowed


class compiling:  # noqa: N801 - used as the functions of contextlib are
    """Within the block this thread compiles what it needs, or raises `NotCompiled`.

    Example:
        >>> with compiling(False):
        ...     may_compile()
        False
    """

    def __init__(self, allowed: bool) -> None:
        self._allowed = allowed

    def __enter__(self) -> None:
        self._before, _local.allowed = _local.allowed, self._allowed

    def __exit__(self, *_: object) -> None:
        _local.allowed = self._before


def is_plain() -> bool:
    """Whether this thread does without compiled code."""
    return _local.plain


class plain_python:  # noqa: N801 - used as the functions of contextlib are
    """Within the block this thread neither loads nor compiles code: kernels run as the Python that they are written in.

    So numba, whose import takes longer than small evaluations and which is not to be had everywhere, stays unimported.

    Example:
        >>> with plain_python():
        ...     is_plain()
        True
    """

    def __enter__(self) -> None:
        self._before, _local.plain = _local.plain, True

    def __exit__(self, *_: object) -> None:
        _local.plain = self._before


class Progress:
    """One line on a terminal's stderr that says what is compiled; nothing elsewhere, or where ARCGRAD_QUIET is set.

    Used as a context around whatever may compile, nested as it comes: the line goes when the outermost is left.
    """

    _WIDTH = 79

    def __init__(self) -> None:
        self._depth = 0
        self._count = 0
        self._name = ""
        self._began: float | None = None
        self._hushed = False

    def __enter__(self) -> Progress:
        self._depth += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._clear()
            self._hushed = False

    def hush(self) -> None:
        """Nobody waits any more: show nothing until the outermost is left."""
        self._hushed = self._depth > 0
        self._clear()

    def _clear(self) -> None:
        if self._began is not None:
            self._write("")
            self._began, self._count, self._name = None, 0, ""

    def show(self, name: str) -> None:
        """Say that a function is compiled now, or still."""
        if self._hushed or not self._is_wanted():
            return
        if self._began is None:
            self._began = time.monotonic()
        self._count += name != self._name
        self._name = name
        self._write(f"arcgrad: compiling {name} ({self._count} so far, {time.monotonic() - self._began:.0f} s)")

    def _is_wanted(self) -> bool:
        quiet = os.environ.get("ARCGRAD_QUIET", "0") not in ("", "0")
        return not quiet and sys.stderr is not None and sys.stderr.isatty()

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # a terminal that went
            sys.stderr.write("\r" + text[: self._WIDTH].ljust(self._WIDTH) + ("" if text else "\r"))
            sys.stderr.flush()


progress = Progress()
