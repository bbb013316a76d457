"""Arguments that are no arrays, checked: numbers, lists, names of files and the texts in these."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from arcgrad.grammar.errors import FormatError, InputError
from arcgrad.grammar.mistakes import shown

__all__ = [
    "TEXTS", "checked_path", "decoded", "encoded", "is_no_number", "listed", "read_utf8", "real_number", "whole_number",
]  # fmt: skip

# What Python reads as a number, and nobody means as one.
TEXTS = (str, bytes, bytearray, memoryview)
_NO_NUMBERS = (bool, np.bool_, np.ma.MaskedArray, *TEXTS)


def is_no_number(value: Any) -> bool:
    """Whether a value is of a kind that is never meant as a number, though Python or some numpy converts it to one."""
    return isinstance(value, _NO_NUMBERS) or (isinstance(value, np.ndarray) and value.ndim > 0)


def real_number(value: Any, name: str, expected: str, accepts: Callable[[float], bool]) -> float:
    """A real number that will do, as a float; NaN never does.

    Raises:
        InputError: it is none; ``expected`` says what would do.
    """
    try:
        number = math.nan if is_no_number(value) else float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        number = math.nan
    if number != number or not accepts(number):
        raise InputError(f"{name} is {shown(value)}, but must be {expected}")
    return number


def listed(values: Any, name: str, expected: str) -> list[Any]:
    """List the entries of an iterable that is not a text.

    Raises:
        InputError: it cannot.
    """
    try:
        if not isinstance(values, TEXTS):
            return list(values)
    except (TypeError, ValueError):  # numpy's and torch's numbers, whose iterators raise
        pass
    raise InputError(f"{name} is {shown(values)} ({type(values).__name__}), but must be {expected}")


def whole_number(value: Any, name: str, expected: str, low: int, high: int) -> int:
    """A whole number from ``low`` to ``high``.

    Raises:
        InputError: it is none; ``expected`` says what would do.
    """
    try:
        number = low - 1 if isinstance(value, (bool, np.bool_)) else int(operator.index(value))
    except (TypeError, ValueError):
        number = low - 1
    if not low <= number <= high:
        raise InputError(f"{name} is {shown(value)} ({type(value).__name__}), but must be {expected}")
    return number


def checked_path(path: Any) -> str:
    """The name of a file.

    Raises:
        InputError: it is none.
    """
    try:
        name = os.fspath(path)
        if isinstance(name, str) and "\0" not in name:
            os.fsencode(name)
            return name
    except (TypeError, UnicodeError):
        pass
    raise InputError(f"path is {shown(path)} ({type(path).__name__}), but must be the name of a file")


def decoded(data: bytes, file: str, hint: str | None = None) -> str:
    """The text of a file's bytes, UTF-8.

    Raises:
        FormatError: they are none; it names line and column.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        raise FormatError(
            f"not text: byte {data[error.start]:#04x} is not UTF-8",
            file=file,
            line=before.count(b"\n") + 1,
            column=error.start - (before.rfind(b"\n") + 1) + 1,
            hint=hint,
        ) from None


def encoded(text: str) -> bytes:
    """The bytes of a text, UTF-8.

    Raises:
        InputError: it has half a surrogate pair, which no file holds.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        character = text[error.start]
        raise InputError(
            f"the symbol with the character {shown(character)}, half a surrogate pair, cannot be written as UTF-8"
        ) from None


def read_utf8(file: str) -> str:
    """The text in a file, UTF-8; raises FormatError as ``decoded``, or OSError."""
    return decoded(Path(file).read_bytes(), file)
