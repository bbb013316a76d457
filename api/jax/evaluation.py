"""What a program asks of an equation while it runs: arrays of numbers in, arrays of numbers out, without JAX.

Operands have the items' axes before their own. Where there are none, the equation gets one item, else a batch in
which no item shares anything, so that gradients are each item's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.equation import Equation
from arcgrad.grammar.errors import InputError
from arcgrad.jax.handles import find
from arcgrad.runtime.data.checks import check_weights
from arcgrad.runtime.data.dense import Dense
from arcgrad.runtime.data.graph import Graph

__all__ = ["Call", "Slot", "Task", "inputs_of", "run"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Slot:
    """An input and the operands that hold it.

    Attributes:
        name: of the input.
        kind: "dense": scores (T, C); "score": a number; "graph": a handle.
        has_more: a dense input's lengths, or a graph's weights (n,), are an operand, too.
        is_exact: the weights are exactly those of the graph, not some and padding.
    """

    name: str
    kind: str
    has_more: bool = False
    is_exact: bool = True

    @property
    def ranks(self) -> tuple[int, ...]:
        """How many axes of their own its operands have."""
        first = 2 if self.kind == "dense" else 0
        return (first, 1 if self.kind == "graph" else 0) if self.has_more else (first,)

    @property
    def differentiable(self) -> int | None:
        """Which of its operands has a gradient, if any."""
        if self.kind == "graph":
            return 1 if self.has_more else None
        return 0


@dataclass(frozen=True, eq=False)
class Call:
    """An equation, and in what its inputs lie.

    Attributes:
        equation: what is evaluated.
        slots: all inputs that are operands.
        mappings: the others, by name.
    """

    equation: Equation
    slots: tuple[Slot, ...]
    mappings: dict[str, Any]

    def __post_init__(self) -> None:
        ranks: list[int] = []
        places: dict[str, int] = {}
        at = 0
        for slot in self.slots:
            if slot.differentiable is not None:
                places[slot.name] = at + slot.differentiable
            ranks += slot.ranks
            at += len(slot.ranks)
        object.__setattr__(self, "ranks", tuple(ranks))
        object.__setattr__(self, "places", places)

    ranks: tuple[int, ...] = ()
    places: Any = None  # the operand of each input that has a gradient


@dataclass(frozen=True)
class Task:
    """What is asked of a call.

    Attributes:
        call: of what.
        kind: "value"; "gradient": value and gradients; "product": the Hessian times vectors, which are operands behind
            the call's own.
        wrt: with respect to which inputs.
    """

    call: Call
    kind: str
    wrt: tuple[str, ...] = ()


def run(task: Task, operands: Sequence[Array], dtype: Any) -> list[Array]:
    """The results, of which all have the items' axes before their own.

    Args:
        task: what is asked.
        operands: float64 or float32, and int32 for handles and lengths.
        dtype: of the value.

    Raises:
        ArcgradError: as the equation.
    """
    call = task.call
    items = operands[0].shape[: operands[0].ndim - call.ranks[0]] if operands else ()
    given = inputs_of(call, operands, items)
    equation = call.equation
    if task.kind == "value":
        return [_as_float(equation(given), items, dtype)] if 0 not in items else [np.zeros(items, dtype)]
    likes = [operands[call.places[name]] for name in task.wrt]
    if 0 in items:
        return [np.zeros(items, dtype)][: task.kind == "gradient"] + [np.zeros_like(like) for like in likes]
    if task.kind == "gradient":
        value, found = equation.value_and_grad(given, wrt=task.wrt)
        shaped = [_back(found[name], like) for name, like in zip(task.wrt, likes, strict=True)]
        return [_as_float(value, items, dtype), *shaped]
    vectors = operands[len(call.ranks) :]
    if not all(np.isfinite(vector).all() for vector in vectors):  # no direction, so that nothing is known along it
        return [np.full_like(like, np.nan) for like in likes]
    graphs = {slot.name for slot in call.slots if slot.kind == "graph"}
    put = {
        name: _put(vector, items, given[name] if name in graphs else None)
        for name, vector in zip(task.wrt, vectors, strict=True)
    }
    product = equation.hvp(put, given, wrt=task.wrt)
    return [_back(product[name], like) for name, like in zip(task.wrt, likes, strict=True)]


def inputs_of(call: Call, operands: Sequence[Array], items: tuple[int, ...]) -> dict[str, Any]:
    """What the equation takes."""
    given = dict(call.mappings)
    at = 0
    for slot in call.slots:
        parts = operands[at : at + len(slot.ranks)]
        at += len(slot.ranks)
        first = _flat(parts[0], items)
        if slot.kind == "graph":
            given[slot.name] = _graphs(slot, first, _flat(parts[1], items) if slot.has_more else None, bool(items))
        elif slot.has_more:
            given[slot.name] = Dense.wrap(first, _flat(parts[1], items), f"input {slot.name}")
        else:
            given[slot.name] = first
    return given


def _flat(array: Array, items: tuple[int, ...]) -> Array:
    """The items' axes as one."""
    array = np.ascontiguousarray(array) if array.ndim else array
    return array.reshape(-1, *array.shape[len(items) :]) if len(items) > 1 else array


def _graphs(slot: Slot, handles: Array, weights: Array | None, is_batch: bool) -> Any:
    whats = [f"item {k} of input {slot.name}" for k in range(len(handles))] if is_batch else [f"input {slot.name}"]
    found = [find(handle, what) for handle, what in zip(handles.reshape(-1).tolist(), whats, strict=True)]
    if weights is not None:
        rows = weights if is_batch else weights[None]
        found = [_weighted(slot, *each) for each in zip(found, rows, whats, strict=True)]
    return found if is_batch else found[0]


def _weighted(slot: Slot, graph: Graph, weights: Array, what: str) -> Graph:
    """The graph with other weights, which are not copied where that can be: it lives as long as one call."""
    n = len(graph.weight)
    if len(weights) < n or (slot.is_exact and len(weights) != n):
        kind = "arc" if graph.tie is None else "parameter"
        raise InputError(
            f"the weights of {what} have {len(weights)} entries, but its graph has {n}, one for each {kind}"
        )
    row = weights[:n].astype(np.float64, copy=False)
    check_weights(row, f"the weights of {what}")
    return Graph.from_topology(graph.topology, row.view(), graph.tie)


def _as_float(value: Any, items: tuple[int, ...], dtype: Any) -> Array:
    with np.errstate(over="ignore"):  # float32 holds less
        return np.asarray(value, dtype=np.float64).reshape(items).astype(dtype)


def _back(gradient: Any, like: Array) -> Array:
    """A gradient of the shape and the dtype of the operand that it belongs to; padding has none."""
    with np.errstate(over="ignore"):
        if not isinstance(gradient, list):
            array = np.asarray(gradient)
            if array.size == like.size:
                return array.reshape(like.shape).astype(like.dtype, copy=False)
            gradient = [array]
        found = np.zeros_like(like)
        for row, part in zip(found.reshape(-1, like.shape[-1]), gradient, strict=True):
            row[: len(part)] = part
        return found


def _put(vector: Array, items: tuple[int, ...], graphs: Any) -> Any:
    """A vector in the form of the gradient that the equation gives."""
    flat = _flat(vector, items)
    if graphs is None:
        return flat
    if not items:
        return flat[: len(graphs.weight)]
    return [row[: len(graph.weight)] for row, graph in zip(flat, graphs, strict=True)]
