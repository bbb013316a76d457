"""Gradients as users meet them: found by any spelling of an input's name, and written into arrays of theirs.

Last step of a call that differentiates; `evaluate` asks here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.grammar.errors import InputError
from arcgrad.runtime.data.checks import describe
from arcgrad.runtime.data.inputs import Bound, BoundDense, BoundGraph

__all__ = ["Gradients", "check_out"]


class Gradients(dict[str, Any]):
    """Gradients by the plain names of the inputs; any other spelling of a name finds the same entry."""

    def __missing__(self, key: str) -> Any:
        from arcgrad.grammar import normalise_name

        plain = normalise_name(key)
        if plain != key and plain in self:
            return self[plain]
        raise KeyError(key)


def check_out(out: Any, bound: Bound, wrt: Sequence[str]) -> dict[str, NDArray[Any]]:
    """The arrays that take gradients, by plain name.

    Raises:
        InputError: one is for an input that is not differentiated by or has no gradient in one array, or has not the
            gradient's shape and dtype, or cannot be written in place, or shares memory with an input.
    """
    if not isinstance(out, Mapping):
        raise InputError(f"out is a mapping from names of inputs to arrays, not a {type(out).__name__}")
    found: dict[str, NDArray[Any]] = {}
    for key, array in out.items():
        name = key if key in bound.inputs or not isinstance(key, str) else _plain_name(key)
        if name not in wrt:
            raise InputError(
                f"out has an array for {key!r}, but the gradient is taken by {', '.join(wrt) or 'nothing'}"
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
                f"out takes no gradient by {name}, which is not one array",
                hint="give a dense batch as one array (B, T, C)",
            )
        if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype != dtype:
            shown = describe(array) if isinstance(array, np.ndarray) else f"type {type(array).__name__}"
            raise InputError(f"out for {name} has {shown}, but must be an array of shape {shape}, dtype {dtype}")
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
