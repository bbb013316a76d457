"""What comes out, in the user's shapes: values, cotangents of their shape, and gradients of the inputs'.

Last step of a call. Gradients are found by any spelling of an input's name, and written into arrays of the user's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.frontend.ir import Node
from arcgrad.compiler.graphs.score_values import WHOLE
from arcgrad.compiler.types import Type
from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import kind_of, shown
from arcgrad.runtime.data.checks import as_array, describe, to_floats
from arcgrad.runtime.data.inputs import Bound, BoundDense, BoundGraph, BoundScore
from arcgrad.runtime.kinds import Kind, in_kind

__all__ = [
    "Gradients",
    "add_gradients",
    "check_cotangent",
    "check_out",
    "is_integral",
    "shape_gradients",
    "shape_kinds",
    "shape_values",
]


_INTEGRAL = ("count", *WHOLE)


class Gradients(dict[str, Any]):
    """Gradients by the plain names of the inputs; any other spelling of a name finds the same entry."""

    def __missing__(self, key: str) -> Any:
        from arcgrad.grammar import normalise_name

        plain = normalise_name(key)
        if plain != key and plain in self:
            return self[plain]
        raise KeyError(key)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Heat maps of those that are arrays, and the text, for notebooks."""
        from arcgrad.runtime.draw.heatmap import draw_gradients

        bundle = {"text/plain": repr(self)}
        drawing = draw_gradients(self)
        if drawing is not None:
            bundle["image/svg+xml"] = drawing.svg
        return bundle


def check_out(out: Any, bound: Bound, wrt: Sequence[str]) -> dict[str, NDArray[Any]]:
    """The arrays that take gradients, by plain name.

    Raises:
        InputError: one is for an input that is not in ``wrt`` or has no gradient in one array, or has not that's
            shape and dtype, or cannot be written in place, or shares memory with an input.
    """
    if not isinstance(out, Mapping):
        raise InputError(f"out is a mapping from names of inputs to arrays, not {kind_of(out)}")
    found: dict[str, NDArray[Any]] = {}
    for key, array in out.items():
        name = key if key in bound.inputs or not isinstance(key, str) else _plain_name(key)
        if name not in wrt:
            raise InputError(
                f"out has an array for {shown(key)}, but the gradient is taken by {', '.join(wrt) or 'nothing'}"
            )
        if name in found:
            raise InputError(f"out has two spellings of one input, {name}", hint="give one array")
        given = bound.inputs[name]
        if isinstance(given, BoundDense) and not given.as_list:
            shape, dtype = given.shape, given.frames.dtype
        elif isinstance(given, BoundGraph) and given.shared:
            shape, dtype = given.items[0].weight.shape, np.dtype(np.float64)
        else:
            raise InputError(
                f"out takes no gradient with respect to {name}, which is not one array",
                hint="give a dense batch as one array (B, T, C)",
            )
        if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype != dtype:
            has = describe(array) if isinstance(array, np.ndarray) else f"type {type(array).__name__}"
            raise InputError(f"out for {name} has {has}, but must be an array of shape {shape}, dtype {dtype}")
        if not array.flags.c_contiguous or not array.flags.writeable:
            raise InputError(f"out for {name} must be C-contiguous and writable")
        for other, value in bound.inputs.items():
            if isinstance(value, BoundDense) and np.may_share_memory(array, value.frames):
                raise InputError(f"out for {name} shares memory with input {other}")
        if any(np.may_share_memory(array, each) for each in found.values()):
            raise InputError(f"out for {name} shares memory with another array in out")
        found[name] = array
    return found


def _plain_name(name: str) -> str:
    from arcgrad.grammar import normalise_name
    from arcgrad.grammar.errors import EquationError

    try:
        return normalise_name(name)
    except EquationError:
        return name


def shape_values(values: list[Any], bound: Bound, result: Type, is_whole: bool, kinds: Mapping[str, Kind]) -> Any:
    """The values of all items as the user gets them, of an equation of that type.

    Args:
        values: of each item.
        bound: the inputs.
        result: the value's type.
        is_whole: see `is_integral`.
        kinds: of inputs that are arrays of other libraries'; the values of a batch are of the first one's.
    """
    if result is Type.GRAPH:
        return values[0] if bound.batch is None else values
    if is_whole:
        whole = [int(v) if v not in (np.inf, -np.inf) else v for v in values]
        if bound.batch is None:
            return whole[0]
        if all(isinstance(v, int) and abs(v) < 2**63 for v in whole):
            return np.array(whole, dtype=np.int64)
        exact = all(not isinstance(v, int) or abs(v) <= 2**53 for v in whole)
        return np.array(whole, dtype=np.float64 if exact else object)
    if bound.batch is None:
        return float(values[0])
    return in_kind(np.array(values, dtype=np.float64), next(iter(kinds.values()), None))


def shape_kinds(gradients: Mapping[str, Any], kinds: Mapping[str, Kind], but: Mapping[str, Any] = {}) -> Gradients:
    """Gradients, each of its input's kind, except those that the user gave arrays for."""
    if not kinds:
        return Gradients(gradients)
    return Gradients(
        {name: in_kind(each, None if name in but else kinds.get(name)) for name, each in gradients.items()}
    )


def is_integral(root: Node) -> bool:
    """Whether an equation's value is a whole number made of path counts."""
    if root.type is not Type.SCORE:
        return False
    found = False
    stack, seen = [root], set()
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.is_number:
            if not isinstance(node.parameters[0], int):
                return False
        elif node.operator not in _INTEGRAL:
            return False
        elif node.operator == "count":
            found = True
        else:
            stack.extend(node.operands)
    return found


def check_cotangent(cotangent: Any, bound: Bound, result: Type) -> Any:
    """The cotangent of values of that type as one entry an item, or None.

    Raises:
        InputError: its shape is not the value's, or an element is not finite.
    """
    if cotangent is None:
        return None
    if result is Type.GRAPH:
        items = [cotangent] if bound.batch is None else cotangent
        if bound.batch is not None and (not isinstance(items, (list, tuple)) or len(items) != bound.batch):
            raise InputError(f"cotangent must be a list of {bound.batch} arrays, one for each graph of the batch")
        return [_cotangent_numbers(item) for item in items]
    shape = () if bound.batch is None else (bound.batch,)
    array = _cotangent_numbers(cotangent)
    if array.shape not in ((), shape):
        raise InputError(
            f"cotangent has shape {array.shape}, but the value's is {shape}",
            hint="a number multiplies every item",
        )
    return np.broadcast_to(array, (bound.n_items,))


def _cotangent_numbers(value: Any) -> Any:
    array = as_array(value, "cotangent", "an array of real numbers")
    if array.dtype.kind not in "fiu":
        raise InputError(f"cotangent must hold real numbers, but has dtype {array.dtype}")
    array = to_floats(array, np.float64)
    if not np.all(np.isfinite(array)):
        raise InputError("cotangent holds a number that is not finite")
    return array


def shape_gradients(bound: Bound, parts: dict[str, list[Any]]) -> dict[str, Any]:
    """Gradients in the shapes of the inputs, from one an item: an array of a graph's arcs, or a score's number."""
    return {name: _shape_gradient(bound, name, found) for name, found in parts.items()}


def _shape_gradient(bound: Bound, name: str, parts: list[Any]) -> Any:
    found = bound.inputs[name]
    if isinstance(found, BoundScore):
        gradient = np.array(parts, dtype=np.float64)
        return found.collect(gradient.sum(keepdims=True) if found.shared else gradient)
    if isinstance(found, BoundGraph):
        if found.shared:
            zero = np.zeros(found.items[0].n_arcs)
            return found.collect([np.sum(parts, axis=0) if parts else zero])
        return found.collect(parts)
    rows = np.zeros(found.frames.shape)
    for item, part in enumerate(parts):
        b = 0 if found.shared else item
        here = slice(found.starts[b], found.starts[b] + found.counts[b])
        rows[here] += part.reshape(int(found.counts[b]), found.n_columns)
    with np.errstate(over="ignore"):  # float32 holds less
        return found.collect(rows.astype(found.frames.dtype))


def add_gradients(one: Any, other: Any) -> Any:
    """The sum of two gradients of one input, in its shape."""
    if isinstance(one, list):
        return [a + b for a, b in zip(one, other, strict=True)]
    return one + other
