"""What a function of arrays is given, input by input: checked, and taken apart into operands that JAX traces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from arcgrad.compiler.types import Type
from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import kind_of
from arcgrad.jax.evaluation import Slot
from arcgrad.jax.handles import Graphs, handles_of
from arcgrad.runtime.data.dense import Dense
from arcgrad.runtime.data.graph import Graph

__all__ = ["Given", "given_as"]


class Given(NamedTuple):
    """An input's slot, its operands, and its number of items; None where it is one item.

    ``handles`` are those that are known while the function is traced.
    """

    slot: Slot
    operands: tuple[Any, ...]
    batch: int | None
    handles: Any = None


def describe(array: Any) -> str:
    """Shape and dtype, for messages."""
    return f"shape {tuple(array.shape)}, dtype {array.dtype}"


def given_as(name: str, value: Any, type_: Type) -> Given:
    """An input that is a graph or a score, as operands.

    Raises:
        InputError: a wrong kind, shape or dtype.
    """
    found = _score(name, value) if type_ is Type.SCORE else _graph(name, value)
    if found.batch == 0:
        raise InputError(f"input {name} is an empty batch, but a batch has one item or more")
    return found


def _score(name: str, value: Any) -> Given:
    what = f"input {name}, a score in this equation,"
    if isinstance(value, (Graph, Graphs, Dense)):
        raise InputError(
            f"input {name} is a score in this equation, but {kind_of(value)} was given",
            hint=f"LSE[{name}] or MAX[{name}] makes a score of a graph",
        )
    if isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    array = _array(value, what)
    if array.ndim > 1:
        raise InputError(f"{what} has {describe(array)}, but must have shape (), or (B,)")
    return Given(Slot(name, "score"), (array,), array.shape[0] if array.ndim else None)


def _graph(name: str, value: Any) -> Given:
    if isinstance(value, tuple) and len(value) == 2 and not all(isinstance(each, Graph) for each in value):
        first, second = value
        graphs = _handles(name, first)
        if graphs is not None:
            return _weighted(name, first, graphs, second)
        if not isinstance(first, Dense) and _rank(first) != 1:
            return _dense(name, first, second)
    graphs = _handles(name, value)
    if graphs is not None:
        return Given(Slot(name, "graph"), (graphs,), graphs.shape[0] if graphs.ndim else None, _known(graphs))
    if isinstance(value, Dense):
        whole = value.lengths.tolist() == [value.n_steps] * len(value.lengths)
        return _dense(name, value.scores, None if whole else value.lengths if value.is_batch else value.lengths[0])
    if isinstance(value, (list, tuple)):
        raise InputError(
            f"input {name} is a list, which here holds graphs, but its first item is "
            f"{kind_of(value[0]) if value else 'missing'}",
            hint="give scores as one array (B, T, C), with (scores, lengths) where items differ in length; weights of "
            "a batch as (graphs, weights) with weights (B, n)",
        )
    return _dense(name, value, None)


def _handles(name: str, value: Any) -> Any:
    """An array of handles, or None where these are no graphs."""
    if isinstance(value, Graph):
        return handles_of([value])[0]
    if isinstance(value, Graphs):
        handles = value.handles
        if getattr(handles, "ndim", 2) > 1:
            raise InputError(
                f"input {name} holds graphs of shape {tuple(handles.shape)}, but takes one, (), or a batch, (B,)",
                hint="jax.vmap goes over further axes",
            )
        if not jnp.issubdtype(handles.dtype, jnp.int32):
            raise InputError(f"input {name} holds handles with {describe(handles)}, but they are int32")
        return handles
    if isinstance(value, (list, tuple)) and value and all(isinstance(each, Graph) for each in value):
        return handles_of(value)
    return None


def _known(handles: Any) -> Any:
    return None if isinstance(handles, jax.core.Tracer) else handles


def _rank(value: Any) -> int:
    return int(getattr(value, "ndim", -1))


def _weighted(name: str, graphs: Any, handles: Any, weights: Any) -> Given:
    what = f"the weights of input {name}"
    array = _array(weights, what)
    if array.ndim not in (1, 2) or (array.ndim == 1 and handles.ndim == 1):
        needed = "(n,), one for each arc, or (B, n)" if not handles.ndim else f"({handles.shape[0]}, n), a row a graph"
        raise InputError(f"{what} have {describe(array)}, but must have shape {needed}")
    if isinstance(graphs, Graph) and array.shape[-1] != len(graphs.weight):
        n, kind = len(graphs.weight), "arc" if graphs.tie is None else "parameter"
        raise InputError(
            f"{what} have {describe(array)}, but must have shape ({n},), one for each {kind} of the graph, or (B, {n}) "
            f"for a batch"
        )
    if handles.ndim and array.shape[0] != handles.shape[0]:
        raise InputError(f"{what} have {describe(array)}, but there are {handles.shape[0]} graphs")
    batch = handles.shape[0] if handles.ndim else array.shape[0] if array.ndim == 2 else None
    slot = Slot(name, "graph", has_more=True, is_exact=isinstance(graphs, Graph))
    return Given(slot, (handles, array), batch, _known(handles))


def _dense(name: str, scores: Any, lengths: Any) -> Given:
    what = f"input {name}"
    if isinstance(scores, (str, bytes, dict, int, float)) or scores is None:
        raise InputError(
            f"input {name} is a graph in this equation, but {kind_of(scores)} was given",
            hint=f"give a graph, ag.jax.graphs(…), or scores; `0 + {name}` in the equation would make it a score",
        )
    array = _array(scores, what)
    if array.ndim not in (2, 3):
        raise InputError(
            f"input {name} is a graph in this equation, so that an array must have shape (T, C) or (B, T, C), steps by "
            f"columns, but it has {describe(array)}",
            hint=f"(graph, weights) gives a graph's weights; `0 + {name}` in the equation would make it a score",
        )
    batch = array.shape[0] if array.ndim == 3 else None
    if lengths is None:
        return Given(Slot(name, "dense"), (array,), batch)
    many = jnp.asarray(lengths)
    if not jnp.issubdtype(many.dtype, jnp.integer) or many.shape != array.shape[:-2]:
        needed = f"({batch},), one for each item" if batch is not None else "(), since the scores are no batch"
        raise InputError(f"input {name}'s lengths have {describe(many)}, but must be integers of shape {needed}")
    return Given(Slot(name, "dense", has_more=True), (array, many.astype(jnp.int32)), batch)


_DTYPES = (jnp.float64, jnp.float32, jnp.bfloat16, jnp.float16)


def _array(value: Any, what: str) -> Any:
    """An array of real numbers, traced or not.

    Raises:
        InputError: it is none.
    """
    if not isinstance(value, (jax.Array, np.ndarray)):
        try:
            value = jnp.asarray(value)
        except (TypeError, ValueError, RuntimeError, OverflowError) as error:
            raise InputError(f"{what} must be an array of real numbers; JAX cannot make one of it: {error}") from None
    if not any(value.dtype == dtype for dtype in _DTYPES):
        hint = None
        if jnp.issubdtype(value.dtype, jnp.integer):
            hint = "whole numbers are not converted silently: use x.astype(jnp.float32)"
            if value.ndim < 2:
                hint += "; handles of graphs are given as ag.jax.graphs(…) made them"
        raise InputError(f"{what} has {describe(value)}, but must be float64, float32, bfloat16 or float16", hint=hint)
    return value


def several(given: Sequence[Given]) -> int | None:
    """The number of items of a batch; None where no input is one.

    Raises:
        InputError: two inputs differ in it.
    """
    sizes = {each.slot.name: each.batch for each in given if each.batch is not None}
    if len(set(sizes.values())) > 1:
        described = ", ".join(f"{name} has {size} items" for name, size in sizes.items())
        raise InputError(
            f"the inputs' batch sizes differ: {described}",
            hint="a single graph, dense input or number beside a batch is shared by all items",
        )
    return next(iter(sizes.values()), None)
