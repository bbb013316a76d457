"""Options that several builders take, checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from arcgrad.compiler.limits import DEFAULT_LIMITS, Limits
from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import shown

__all__ = ["checked_flag", "checked_limits"]


def checked_flag(value: Any, name: str) -> bool:
    """What is either True or False.

    Raises:
        InputError: it is neither.
    """
    if not isinstance(value, (bool, np.bool_)):
        raise InputError(f"{name} is {shown(value)}, but must be True or False")
    return bool(value)


def checked_limits(limits: Any) -> Limits:
    """The limits given, or those that hold by default.

    Raises:
        InputError: something else was given.
    """
    if limits is None:
        return DEFAULT_LIMITS
    if not isinstance(limits, Limits):
        raise InputError(f"limits is {shown(limits)}, but limits are ag.Limits(…)")
    return limits
