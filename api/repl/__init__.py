"""The REPL, ``arcgrad``: type an equation, see its value, gradient and plan.

``ag.repl()`` starts it; this module is callable, since the name stands for both. ``Session`` holds what was loaded and
defined and answers one entry at a time; ``prompt`` reads entries, ``completion`` completes them, ``commands`` and
``inspecting`` have what starts with a colon, and ``printing`` shows results as text.

Example:
    >>> import io
    >>> import arcgrad as ag
    >>> ag.repl(io.StringIO("LSE[A]\\n:grad\\n:quit\\n"), A=ag.linear("ab", weight=[0.5, -1.0]))
    arcgrad> -0.5
    arcgrad> gradient of LSE[A] with respect to A:
      arc  from  to  label  weight  gradient
        0     0   1     97     0.5         1
        1     1   2     98      -1         1
    arcgrad>
"""

from __future__ import annotations

import sys
import types
from typing import Any

from arcgrad.repl.loop import PROMPT, run_repl
from arcgrad.repl.session import Session

__all__ = ["PROMPT", "Session", "run_repl"]


class _Callable(types.ModuleType):
    """A module that may be called, as ``ag.repl()``."""

    def __call__(self, *args: Any, **inputs: Any) -> None:
        """Read entries and print their answers; see ``run_repl``."""
        run_repl(*args, **inputs)


sys.modules[__name__].__class__ = _Callable
