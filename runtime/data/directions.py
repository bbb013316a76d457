"""Directions: a vector of the shape of a gradient → for each input, one of the same form with that for its weights.

What `hvp` takes beside the inputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import kind_of, shown
from arcgrad.runtime.data.checks import as_array, describe, to_floats
from arcgrad.runtime.data.graph import Graph
from arcgrad.runtime.data.inputs import Bound, BoundDense, BoundGraph, BoundInput, BoundScore

__all__ = ["bind_direction", "directions_by_name"]


def directions_by_name(vector: Any, wrt: Sequence[str], is_one: bool) -> dict[str, Any]:
    """The vector's part for each input.

    Args:
        vector: one part where ``is_one``, else a mapping from names to parts, or the part of the only name.
        wrt: names of inputs.
        is_one: whether one name was asked for, by itself.

    Raises:
        InputError: it is not a mapping of these names, of which there are several.
    """
    if is_one:
        return {wrt[0]: vector}
    names = ", ".join(wrt) or "none"
    if not isinstance(vector, Mapping) and len(wrt) == 1:
        return {wrt[0]: vector}
    if not isinstance(vector, Mapping):
        raise InputError(
            f"vector is {kind_of(vector)}, but with several inputs in wrt it is a mapping from their names: {names}",
            hint=f"give vector={{{', '.join(f'{name!r}: …' for name in wrt)}}}, or name one input, as in wrt={wrt[0]!r}"
            if wrt
            else None,
        )
    found: dict[str, Any] = {}
    for key, part in vector.items():
        name = _plain_name(key) if isinstance(key, str) and key not in wrt else key
        if name not in wrt:
            raise InputError(f"vector has a part for {shown(key)}, but the inputs in wrt are {names}")
        if name in found:
            raise InputError(f"vector has two spellings of one input, {name}", hint="give one part")
        found[name] = part
    for name in wrt:
        if name not in found:
            raise InputError(f"vector has no part for input {name}", hint="give zeros, or leave the input out of wrt")
    return {name: found[name] for name in wrt}


def _plain_name(name: str) -> str:
    from arcgrad.grammar import normalise_name
    from arcgrad.grammar.errors import EquationError

    try:
        return normalise_name(name)
    except EquationError:
        return name


def bind_direction(name: str, part: Any, bound: Bound) -> BoundInput:
    """An input's direction, of the form that the input has.

    Raises:
        InputError: its shape is not that of the gradient with respect to the input, or it holds what is not a finite
            real number.
    """
    found = bound.inputs[name]
    what = f"vector for {name}"
    if isinstance(found, BoundScore):
        shape = () if found.shared else (len(found.values),)
        return BoundScore(np.atleast_1d(_numbers(part, what, shape)), found.shared)
    if isinstance(found, BoundGraph):
        parts = [part] if found.shared else _listed(part, what, len(found.items))
        items = []
        for item, (graph, each) in enumerate(zip(found.items, parts, strict=True)):
            where = what if found.shared else f"item {item} of {what}"
            numbers = _numbers(each, where, graph.weight.shape)
            items.append(Graph.from_topology(graph.topology, numbers, graph.tie))
        return BoundGraph(tuple(items), found.shared)
    return _bind_dense(part, what, found)


def _bind_dense(part: Any, what: str, found: BoundDense) -> BoundDense:
    frames: NDArray[Any] = np.zeros(found.frames.shape, dtype=found.frames.dtype)
    if found.as_list:
        parts = _listed(part, what, len(found.counts))
        for item, each in enumerate(parts):
            shape = int(found.counts[item]), found.n_columns
            rows = frames[found.starts[item] : found.starts[item] + shape[0]]
            rows[...] = _numbers(each, f"item {item} of {what}", shape)
    else:
        given = _numbers(part, what, found.shape, finite=False).reshape(frames.shape)
        for start, count in zip(found.starts, found.counts, strict=True):
            rows = given[start : start + count]
            if not np.all(np.isfinite(rows)):
                raise InputError(f"{what} holds a number that is not finite")
            frames[start : start + count] = rows
    if not np.all(np.isfinite(frames)):
        raise InputError(f"{what} holds a number that is beyond {frames.dtype}")
    return BoundDense(frames, found.starts, found.counts, found.shared, found.as_list, found.shape)


def _listed(part: Any, what: str, count: int) -> Sequence[Any]:
    if not isinstance(part, (list, tuple)) or len(part) != count:
        has = f"a {type(part).__name__} of {len(part)}" if isinstance(part, (list, tuple)) else kind_of(part)
        raise InputError(f"{what} is {has}, but must be a list of {count} arrays, one for each item of the batch")
    return part


def _numbers(value: Any, what: str, shape: tuple[int, ...], *, finite: bool = True) -> NDArray[np.float64]:
    array = as_array(value, what, f"real numbers of shape {shape}, that of the gradient")
    if array.shape != shape or (array.size and array.dtype.kind not in "fiu"):
        raise InputError(f"{what} has {describe(array)}, but must be real numbers of shape {shape}, as the gradient is")
    numbers: NDArray[np.float64] = to_floats(array, np.float64)
    if finite and not np.all(np.isfinite(numbers)):
        raise InputError(f"{what} holds a number that is not finite")
    return numbers
