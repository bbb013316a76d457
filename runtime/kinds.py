"""Arrays of other libraries, by DLPack and without importing any: taken in place, and made of ours again.

Where inputs enter a call, `shared_array` shows numpy what lies on the CPU; where values and gradients leave it,
`in_kind` makes arrays of the library that the input came from, in the same memory where that library can.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.grammar.errors import InputError

__all__ = ["Kind", "in_kind", "is_shareable", "kind_of", "kinds_of", "shared_array"]

Kind = Callable[[NDArray[Any]], Any]
"""Makes an array of another library's of one of numpy's."""

# Of DLPack's devices, those whose memory the CPU reads: its own, and what is pinned for another one or managed.
_ON_CPU = (1, 3, 11, 13)


def is_shareable(value: Any) -> bool:
    """Whether numpy can make an array of it as it is."""
    return hasattr(value, "__array__") or hasattr(value, "__dlpack__")


def _is_foreign(value: Any) -> bool:
    return hasattr(value, "__dlpack__") and not isinstance(value, (np.ndarray, np.generic))


def shared_array(value: Any, name: str) -> Any:
    """What numpy can look at in place: of another library's array that it does not know an array, all else as it is.

    Raises:
        InputError: it lies on another device than the CPU.
    """
    if not _is_foreign(value):
        return value
    try:
        device = int(value.__dlpack_device__()[0])
    except Exception:  # one that shows no memory, of which numpy says what it lacks
        return value
    if device not in _ON_CPU:
        raise InputError(
            f"{name} lies on another device than the CPU (DLPack's device {device}), where equations are evaluated",
            hint="copy it to the CPU first",
        )
    return value if hasattr(value, "__array__") else np.from_dlpack(value)


def kind_of(value: Any) -> Kind | None:
    """What makes arrays like this one; None for numpy's, and where its library does not say how.

    By ``from_dlpack`` of the array API's namespace, or of the module that defines the array's type.
    """
    if not _is_foreign(value):
        return None
    try:
        namespace = value.__array_namespace__()
    except (AttributeError, TypeError):
        namespace = sys.modules.get(type(value).__module__.partition(".")[0])
    found: Kind | None = getattr(namespace, "from_dlpack", None)
    return found


def kinds_of(given: Mapping[str, Any]) -> dict[str, Kind]:
    """By name, the kinds of inputs that are arrays of other libraries', lists of such, or dense inputs made of one."""
    found = {}
    for name, value in given.items():
        first = value[0] if isinstance(value, (list, tuple)) and value else value
        kind = kind_of(first) if _is_foreign(first) else getattr(first, "kind", None)
        if callable(kind):
            found[name] = kind
    return found


def in_kind(value: Any, kind: Kind | None) -> Any:
    """An array, or each one of a list, in a kind; what is no array of real numbers as it is."""
    if kind is None:
        return value
    if isinstance(value, list):
        return [in_kind(each, kind) for each in value]
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        return value
    return kind(value if value.flags.writeable else value.copy())
