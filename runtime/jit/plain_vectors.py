"""The vectors of ``kernels.math.vectors`` by numba's public means: tuples of numbers, and a loop unrolled over them.

Stage: source → run; used by `arcgrad.runtime.jit.plain`. Each operation is the text of a function in numba's language,
written for the kind of vector that its arguments ask for.
"""

from __future__ import annotations

import operator
from collections import namedtuple
from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import types as _types
from numba.extending import overload

__all__ = ["OPERATIONS"]

# numba is typed in part only.
types: Any = _types
_njit: Any = numba.njit
_overload: Any = overload

LANES = 8
_fields = [f"v{k}" for k in range(2 * LANES)]
_namedtuple: Any = namedtuple  # of fields that no checker can count
Vector: Any = _namedtuple("Vector", _fields[:LANES])
ShortVector: Any = _namedtuple("ShortVector", _fields)


class _Kind(NamedTuple):
    """A kind of vector: what makes one, of how many numbers, and what makes such a number."""

    maker: str
    lanes: int
    number: str


_LONG = _Kind("Vector", LANES, "np.float64")
_SHORT = _Kind("ShortVector", 2 * LANES, "np.float32")


def _more(a: Any, b: Any) -> Any:
    return a if a > b else b


def _less(a: Any, b: Any) -> Any:
    return a if a < b else b


def _power_of_two(exponent: Any) -> Any:
    if not exponent > -1e299:
        return 0.0
    whole = np.int64(max(min(exponent, 1023.0), -1022.0))
    return np.int64((whole + 1023) << 52).view(np.float64)


def _power_of_rounded(rounded: Any) -> Any:
    return np.int64((np.float64(rounded).view(np.int64) << 52) + (1023 << 52)).view(np.float64)


def _power_of_rounded_float32(rounded: Any) -> Any:
    bits = np.int64(np.float32(rounded).view(np.int32))
    return np.int32(((bits + 127) & 255) << 23).view(np.float32)


def _exponent(number: Any) -> Any:
    return np.float64((np.float64(number).view(np.int64) >> 52) - 1023)


_OF_NUMBERS = {
    each.__name__: _njit(each)
    for each in (_more, _less, _power_of_two, _power_of_rounded, _power_of_rounded_float32, _exponent)
}
"""What the lines below call."""


def _made(kind: _Kind, number: str) -> str:
    """Answer a vector; "@" in the expression of each number stands for its place."""
    return f"return {kind.maker}({', '.join(number.replace('@', str(k)) for k in range(kind.lanes))})"


def _done(kind: _Kind, statement: str) -> str:
    """Do something for each place."""
    return "\n    ".join(statement.replace("@", str(k)) for k in range(kind.lanes))


def _folded(kind: _Kind, step: str) -> str:
    """One number of all: the two halves of a vector, those of what comes out, and so on."""
    found = [f"vector[{k}]" for k in range(kind.lanes)]
    while len(found) > 1:
        half = len(found) // 2
        found = [step.format(a, b) for a, b in zip(found[:half], found[half:], strict=True)]
    return f"return np.float64({found[0]})"


def _power(kind: _Kind) -> str:
    return "_power_of_rounded" if kind is _LONG else "_power_of_rounded_float32"


# For each operation its parameters, and its lines for the kind of vector that its arguments ask for.
_CODE: dict[str, tuple[str, Callable[[_Kind], str]]] = {
    "load": ("work, at", lambda kind: _made(_LONG, "work[at + @]")),
    "store": ("work, at, vector", lambda kind: _done(_LONG, "work[at + @] = vector[@]")),
    "number": ("work, at", lambda kind: "return work[at]"),
    "put": ("work, at, value", lambda kind: "work[at] = value"),
    "entry": ("ints, at", lambda kind: "return np.int64(ints[at])"),
    "load_row": ("rows, row, at", lambda kind: _made(kind, "rows[row, at + @]")),
    "store_row": ("rows, row, at, vector", lambda kind: _done(kind, "rows[row, at + @] = vector[@]")),
    "load_rest": (
        "rows, row, at, count, other",
        lambda kind: _made(kind, f"rows[row, at + @] if @ < count else {kind.number}(other)"),
    ),
    "store_rest": (
        "rows, row, at, count, vector",
        lambda kind: _done(kind, "if @ < count: rows[row, at + @] = vector[@]"),
    ),
    "picked": ("rows, row, ints, at", lambda kind: _made(_LONG, "np.float64(rows[row, ints[at + @]])")),
    "add_picked": (
        "rows, row, ints, at, vector",
        lambda kind: _done(_LONG, f"rows[row, ints[at + @]] += {kind.number}(vector[@])"),
    ),
    "broadcast": ("number", lambda kind: _made(_LONG, "np.float64(number)")),
    "broadcast_like": ("rows, number", lambda kind: _made(kind, f"{kind.number}(number)")),
    "is_short": ("vector", lambda kind: f"return {kind is _SHORT}"),
    "add_up": (
        "total, vector",
        lambda kind: _made(
            _LONG, "total[@] + vector[@]" if kind is _LONG else f"(total[@] + vector[@]) + vector[@ + {LANES}]"
        ),
    ),
    "sum_of": ("vector", lambda kind: _folded(kind, "({} + {})")),
    "greatest_of": ("vector", lambda kind: _folded(kind, "_more({}, {})")),
    "least_of": ("vector", lambda kind: _folded(kind, "_less({}, {})")),
    "greater": ("vector, other", lambda kind: _made(kind, "_more(vector[@], other[@])")),
    "lesser": ("vector, other", lambda kind: _made(kind, "_less(vector[@], other[@])")),
    "at_least": ("vector, number", lambda kind: _made(kind, f"_more({kind.number}(number), vector[@])")),
    "divide": ("vector, other", lambda kind: _made(kind, "vector[@] / other[@]")),
    "where_greater": (
        "vector, other, yes, no",
        lambda kind: _made(kind, "yes[@] if vector[@] > other[@] else no[@]"),
    ),
    "powers_of_two": ("vector", lambda kind: _made(kind, "_power_of_two(vector[@])")),
    "powers_of_rounded": ("vector", lambda kind: _made(kind, f"{_power(kind)}(vector[@])")),
    "exponents": ("vector", lambda kind: _made(kind, "_exponent(vector[@])")),
}


def _kind_of_vector(type_: Any) -> _Kind | None:
    if isinstance(type_, types.NamedUniTuple):
        return {Vector: _LONG, ShortVector: _SHORT}.get(type_.instance_class)
    return None


def _kind(arguments: tuple[Any, ...]) -> _Kind:
    """The kind of vector that arguments ask for: by a matrix, or one of the short kind among them."""
    for each in arguments:
        if isinstance(each, types.Array) and each.ndim == 2:
            return _SHORT if each.dtype == types.float32 else _LONG
    return _SHORT if any(_kind_of_vector(each) is _SHORT for each in arguments) else _LONG


def _function(name: str, takes: str, lines: str) -> Any:
    """The Python function of this name, with these parameters and lines."""
    scope = {**globals(), **_OF_NUMBERS}
    exec(f"def {name}({takes}):\n    {lines}\n", scope)
    return scope[name]


def _operation(name: str) -> Any:
    """A dispatcher that compiles an operation for whatever kinds of vectors it meets."""
    takes, lines = _CODE[name]
    # Places may be unsigned, and numba makes floats of sums of these and signed numbers.
    places = [each for each in takes.split(", ") if each in ("at", "row")]
    casts = "".join(f"{each} = np.int64({each})\n    " for each in places)

    def stands_for_it(*arguments: Any) -> None:
        """What numba's overload is for."""

    def typed(*arguments: Any) -> Any:
        return _function(name, takes, casts + lines(_kind(arguments)))

    scope = {"typed": typed, "stands_for_it": stands_for_it}
    exec(
        f"def choose({takes}):\n    return typed({takes})\n\ndef {name}({takes}):\n    return stands_for_it({takes})\n",
        scope,
    )
    _overload(stands_for_it, strict=False)(scope["choose"])
    return _njit(nogil=True, error_model="numpy")(scope[name])


def _declare(sign: Any, text: str) -> None:
    """Let vectors add, subtract or multiply, with one another and with numbers."""

    def typed(a: Any, b: Any) -> Any:
        kinds = [_kind_of_vector(each) for each in (a, b)]
        found = [each for each in kinds if each is not None]
        if (
            not found
            or len(set(found)) > 1
            or not all(each or isinstance(t, types.Number) for each, t in zip(kinds, (a, b), strict=True))
        ):
            return None
        sides = [f"{name}[@]" if each else f"{found[0].number}({name})" for name, each in zip("ab", kinds, strict=True)]
        return _function("arithmetic", "a, b", _made(found[0], f" {text} ".join(sides)))

    _overload(sign, strict=False)(typed)


OPERATIONS: dict[str, Any] = {name: _operation(name) for name in _CODE}
"""By the names of ``kernels.math.vectors``, what numba compiles for them."""

for _sign, _text in ((operator.add, "+"), (operator.sub, "-"), (operator.mul, "*")):
    _declare(_sign, _text)
