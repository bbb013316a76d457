"""Checks of the arrays that users give: everything that enters a Graph or a Dense input passes through here.

Stands at the very start of a run: what comes out is an owned, read-only, C-contiguous array of the one dtype that
the rest of the runtime expects, or an InputError that says which argument, which entry, and what was expected.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.topology import EPSILON, LARGEST_WEIGHT, IntArray
from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import shown
from arcgrad.runtime.buffers import empty_floats
from arcgrad.runtime.data.arguments import TEXTS, is_no_number, listed, whole_number
from arcgrad.runtime.kinds import shared_array

__all__ = [
    "LARGEST",
    "arc_arrays",
    "arc_columns",
    "as_array",
    "check_weights",
    "describe",
    "freeze",
    "labels_array",
    "states_array",
    "states_count",
    "tie_array",
    "to_floats",
    "weights_array",
]

LARGEST = 2**31 - 1
"""The largest label and the largest number of states."""

FloatArray = NDArray[Any]


def describe(array: NDArray[Any]) -> str:
    """Shape and dtype of an array, for messages: ``shape (3, 2), dtype float64``."""
    return f"shape {array.shape}, dtype {array.dtype}"


def freeze(array: NDArray[Any]) -> NDArray[Any]:
    """The same array, marked read-only."""
    array.flags.writeable = False
    return array


def as_array(value: Any, name: str, expected: str) -> NDArray[Any]:
    """Whatever numpy can make an array of; an InputError that names the argument where it cannot."""
    if isinstance(value, np.ma.MaskedArray):
        raise InputError(
            f"{name} is a masked array, but must be {expected}",
            hint="say what the masked entries are: array.filled(-numpy.inf)",
        )
    if isinstance(value, np.ndarray) and value.dtype.kind != "V":
        return value
    value = _from_bfloat16(shared_array(value, name))
    if isinstance(value, (set, frozenset)):
        value = list(value)
    elif value is None or isinstance(value, (str, bytes, dict)):
        raise InputError(f"{name} is {shown(value)} ({type(value).__name__}), but must be {expected}")
    elif not hasattr(value, "__array__") and hasattr(value, "__iter__") and not hasattr(value, "__len__"):
        value = list(value)
    try:
        return np.asarray(value)
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:
        # Ragged lists, tensors that require a gradient or live on another device, and the like.
        hint = None
        if getattr(value, "requires_grad", False) is True:
            hint = "equations made by ag.torch.compile take tensors, and hand gradients on to torch"
        raise InputError(f"{name} must be {expected}; numpy cannot make an array of it: {error}", hint=hint) from None


def _from_bfloat16(value: Any) -> Any:
    """Brain floats, which numpy does not know, as float32."""
    if str(getattr(value, "dtype", "")).endswith("bfloat16"):
        return value.float() if hasattr(value, "float") else value.astype(np.float32)
    return value


def _vector(value: Any, name: str, expected: str, kinds: str, length: int | None) -> NDArray[Any]:
    array = as_array(value, name, expected)
    if array.ndim != 1:
        raise InputError(f"{name} has {describe(array)}, but must be {expected}")
    if array.size and array.dtype.kind not in kinds:
        hint = None
        if array.dtype.kind == "O":
            odd = next((i for i, entry in enumerate(array) if not _is_small_integer(entry)), 0)
            hint = f"{name}[{odd}] is {shown(array[odd])} ({type(array[odd]).__name__})"
        elif array.dtype.kind == "f":
            hint = "whole numbers held as floats are not converted silently: use array.astype(int)"
        raise InputError(f"{name} has {describe(array)}, but must be {expected}", hint=hint)
    if length is not None and len(array) != length:
        raise InputError(f"{name} has {len(array)} entries ({describe(array)}), but must be {expected}")
    return array


def _is_small_integer(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and abs(int(value)) < 2**63


def _int32(array: NDArray[Any], name: str, low: int, high: int, meaning: str) -> IntArray:
    """A fresh read-only int32 copy, once every entry is known to lie in [low, high]."""
    if array.size and not _within(array, low, high):
        bad = int(np.argmax((array < low) | (array > high)))
        raise InputError(f"{name}[{bad}] is {array[bad]} ({describe(array)}), but {meaning}")
    return freeze(np.array(array, dtype=np.int32, order="C"))


def _within(array: NDArray[Any], low: int, high: int) -> bool:
    """Whether all entries lie in [low, high], in one pass where it can be had: making small graphs is mostly this."""
    if array.dtype == np.int32 or array.dtype == np.int64:
        # Counted from low, as unsigned numbers, those below low are the largest.
        counted = array if low == 0 else array - low
        return int(np.maximum.reduce(counted.view(f"u{array.itemsize}"))) <= high - low
    return bool(array.min() >= low and array.max() <= high)


def arc_arrays(src: Any, dst: Any, ilabel: Any, n_states: int | None) -> tuple[IntArray, IntArray, IntArray, int]:
    """Sources, destinations and input labels as read-only int32 arrays, and the largest state among them; −1: none.

    Raises:
        InputError: as ``states_array`` and ``labels_array``.
    """
    found = _plain_arcs(src, dst, ilabel, LARGEST if n_states is None else n_states)
    if found is not None:
        return found
    sources = states_array(src, "src", n_states)
    destinations = states_array(dst, "dst", n_states, length=len(sources))
    inputs = labels_array(ilabel, "ilabel", len(sources))
    return sources, destinations, inputs, max(int(sources.max(initial=-1)), int(destinations.max(initial=-1)))


def _plain_arcs(src: Any, dst: Any, ilabel: Any, bound: int) -> tuple[IntArray, IntArray, IntArray, int] | None:
    """The same for arrays of whole numbers in which nothing is wrong, in one pass; None for any others."""
    given = (src, dst, ilabel)
    shape: Any = src.shape if type(src) is np.ndarray else ()
    wide = False
    for array in given:
        if type(array) is not np.ndarray or array.dtype.kind != "i" or array.shape != shape:
            return None
        wide = wide or array.dtype.itemsize > 4
    if len(shape) != 1 or not shape[0]:
        return None
    rows = np.empty((3, shape[0]), dtype=np.int64 if wide else np.int32)
    rows[0], rows[1] = src, dst
    np.add(ilabel, 1, out=rows[2], dtype=rows.dtype)  # what overflows becomes negative, and as such is refused
    # As unsigned numbers, negative ones are the largest.
    largest_src, largest_dst, largest_label = np.maximum.reduce(rows.view(f"u{rows.itemsize}"), axis=1).tolist()
    largest = max(largest_src, largest_dst)
    if largest >= bound or largest_label > LARGEST + 1:
        return None
    rows[2] -= 1
    narrow = freeze(rows.astype(np.int32, copy=False))
    return narrow[0], narrow[1], narrow[2], largest


_FIRST: IntArray = freeze(np.zeros(1, dtype=np.int32))


def _few_states(value: Any, bound: int) -> IntArray | None:
    """Distinct states in order, where these are given as a few of Python's own numbers and exist; None for others."""
    if type(value) not in (tuple, list) or not 0 < len(value) <= 16 or set(map(type, value)) != {int}:
        return None
    states = sorted(set(value))
    return freeze(np.array(states, dtype=np.int32)) if states[0] >= 0 and states[-1] < bound else None


def states_array(
    value: Any, name: str, n_states: int | None, *, length: int | None = None, unique: bool = False
) -> IntArray:
    """State numbers as a read-only int32 array that shares no memory with the caller's.

    Args:
        value: what the user gave; with ``unique`` a single integer is accepted as well.
        name: the argument's name, for messages.
        n_states: states must be below it; None where that is not known yet.
        length: how many there must be (one per arc), or None for any number.
        unique: sort them and drop repetitions.

    Raises:
        InputError: a wrong shape or dtype, or a state that cannot exist.
    """
    if unique:
        if type(value) is tuple and len(value) == 1 and type(value[0]) is int and value[0] == 0 and n_states != 0:
            return _FIRST  # as most graphs have
        few = _few_states(value, LARGEST if n_states is None else n_states)
        if few is not None:
            return few
    expected = "a one-dimensional sequence of state numbers (integers)"
    if length is not None:
        expected += f", one for each of the {length} arcs"
    if unique and isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        value = [value]
    array = _vector(value, name, expected, "iu", length)
    if n_states is None:
        meaning = f"state numbers go from 0 to {LARGEST - 1}"
        result = _int32(array, name, 0, LARGEST - 1, meaning)
    else:
        exist = f"the states are 0 … {n_states - 1}" if n_states else "there are no states"
        result = _int32(array, name, 0, n_states - 1, f"{exist} (n_states = {n_states})")
    if not unique or len(result) < 2 or bool(np.all(result[1:] > result[:-1])):
        return result
    return freeze(np.unique(result))


def labels_array(value: Any, name: str, length: int | None = None) -> IntArray:
    """Labels as a read-only int32 array: −1 is ε, all others from 0 to 2³¹ − 1.

    Raises:
        InputError: a wrong shape or dtype, or a label out of range.
    """
    expected = "a one-dimensional sequence of labels (integers)"
    if length is not None:
        expected += f", one for each of the {length} arcs"
    array = _vector(value, name, expected, "iu", length)
    return _int32(array, name, EPSILON, LARGEST, f"labels go from 0 to {LARGEST}, and −1 is ε")


def tie_array(value: Any, n_arcs: int, n_parameters: int | None) -> IntArray:
    """The weight entry of each arc, as a read-only (n_arcs,) int32 array.

    Raises:
        InputError: a wrong shape or dtype, or an entry that the weights do not have.
    """
    expected = f"a one-dimensional sequence of entries of weight (integers), one for each of the {n_arcs} arcs"
    array = _vector(value, "tie", expected, "iu", n_arcs)
    if n_parameters is None:
        return _int32(array, "tie", 0, LARGEST - 1, f"entries go from 0 to {LARGEST - 1}")
    return _int32(array, "tie", 0, n_parameters - 1, f"weight has {n_parameters} entries, numbered from 0")


def weights_array(value: Any, name: str, length: int | None, counted: str) -> NDArray[np.float64]:
    """Weights in nats as a read-only float64 copy; −inf is legal, NaN and +inf are not.

    Args:
        value: what the user gave.
        name: the argument's name, for messages.
        length: how many there must be, or None for any number.
        counted: what there is one weight for, for messages ("arcs").

    Raises:
        InputError: a wrong shape or dtype, NaN or +inf.
    """
    expected = "a one-dimensional sequence of real numbers"
    if length is not None:
        expected += f", one for each of the {length} {counted}"
    given = _vector(value, name, expected, "fiu", length)
    array = empty_floats(len(given))
    with np.errstate(over="ignore"):  # what is too large for a float becomes infinite, and is found below
        array[:] = given
    check_weights(array, name)
    return freeze(array)


def to_floats(array: NDArray[Any], dtype: type[np.floating[Any]], *, copy: bool = True) -> NDArray[Any]:
    """The array as C-contiguous floats; what is too large for them becomes infinite in silence, to be found later."""
    if array.dtype == dtype:
        return np.array(array, order="C") if copy else np.ascontiguousarray(array)
    with np.errstate(over="ignore"):
        return np.array(array, dtype=dtype, order="C") if copy else np.ascontiguousarray(array, dtype=dtype)


def check_weights(array: NDArray[Any], name: str) -> None:
    """Raise InputError where a float array of any shape holds NaN, +inf or a weight so large that sums overflow.

    One pass, and no temporary where all is well.
    """
    # max() hands NaN on, so one reduction sees both NaN and +inf.
    if array.size == 0 or float(array.max()) <= LARGEST_WEIGHT:
        return
    bad = np.unravel_index(int(np.argmax(~(array.astype(np.float64) <= LARGEST_WEIGHT))), array.shape)
    index = ", ".join(str(int(i)) for i in bad)
    raise InputError(
        f"{name}[{index}] is {array[bad]} ({describe(array)}), but weights must be real numbers up to "
        f"{LARGEST_WEIGHT:g} or −inf, never NaN or +inf"
    )


def states_count(n_states: Any) -> int:
    """The argument ``n_states``, checked.

    Raises:
        InputError: it is no integer from 0 to 2³¹ − 1.
    """
    return whole_number(n_states, "n_states", f"an integer from 0 to {LARGEST}", 0, LARGEST)


def arc_columns(arcs: Any) -> tuple[list[Any], Sequence[float] | NDArray[np.float64] | None]:
    """Sources, destinations, input labels and, where any differ from these, output labels of arc tuples; their weights.

    Ranges are not checked. Weights are None where no arc has one.

    Raises:
        InputError: an entry that is no tuple of three to five numbers; the message shows it and says which it is.
    """
    rows = listed(arcs, "arcs", "a list of tuples")
    return _plain_columns(rows) or _parsed_columns(rows)


def _plain_columns(rows: list[Any]) -> tuple[list[Any], NDArray[np.float64] | None] | None:
    """The columns of tuples that are all of one length, of Python's own ints and floats; None for any others."""
    if not set(map(type, rows)) <= {tuple, list}:
        return None
    lengths = set(map(len, rows))
    if len(lengths) != 1 or not lengths <= {3, 4, 5}:
        return None
    columns = list(zip(*rows, strict=True))
    reals = columns.pop() if len(columns) > 3 else None
    if any(set(map(type, column)) != {int} for column in columns):
        return None
    if reals is not None and not set(map(type, reals)) <= {int, float}:
        return None
    if len(columns) == 4 and columns[2] == columns[3]:
        columns.pop()
    try:
        weights = None if reals is None else np.array(reals, dtype=np.float64)
        return [np.array(column, dtype=np.int64) for column in columns], weights
    except OverflowError:
        return None


def _parsed_columns(rows: list[Any]) -> tuple[list[Any], list[float]]:
    """The columns of any arcs, one arc at a time."""
    columns: list[Any] = [[], [], [], []]
    weights: list[float] = []
    for number, arc in enumerate(rows):
        parsed, weight = _parse_arc(number, arc)
        for column, value in zip(columns, parsed, strict=True):
            column.append(value)
        weights.append(weight)
    return columns[:3] if columns[2] == columns[3] else columns, weights


def _parse_arc(number: int, arc: Any) -> tuple[tuple[int, int, int, int], float]:
    """State, state, input label, output label; and the weight. Ranges are the constructor's to check."""
    forms = "(src, dst, label), (src, dst, label, weight) or (src, dst, ilabel, olabel, weight)"
    try:
        entries = () if isinstance(arc, TEXTS) else tuple(arc)
    except (TypeError, ValueError):
        entries = ()
    if not 3 <= len(entries) <= 5:
        raise InputError(f"arcs[{number}] is {shown(arc)}, but must be {forms}")
    n_labels = 2 if len(entries) == 5 else 1
    numbers = []
    for value in entries[: 2 + n_labels]:
        try:
            if isinstance(value, (bool, np.bool_)):
                raise TypeError
            numbers.append(operator.index(value))
        except TypeError:
            raise InputError(
                f"arcs[{number}] is {shown(arc)}, whose states and labels must be integers, but {shown(value)} is not; "
                f"an arc is {forms}"
            ) from None
    weight = entries[-1] if len(entries) > 3 else 0.0
    try:
        if is_no_number(weight):
            raise TypeError
        real = float(weight)
    except (TypeError, ValueError, OverflowError):
        raise InputError(
            f"arcs[{number}] is {shown(arc)}, whose weight {shown(weight)} is no real number; an arc is {forms}"
        ) from None
    src, dst, ilabel, olabel = (*numbers, numbers[-1])[:4]
    return (src, dst, ilabel, olabel), real
