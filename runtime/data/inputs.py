"""Binding: what the user gives becomes checked inputs with one idea of the batch; gradients take the way back.

First step of a call: inputs → bound inputs → symbolic part → numeric part.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.mapping import LabelMapping
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators import named_operators
from arcgrad.compiler.types import Type
from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import described, kind_of, look_alike, nearest, shown
from arcgrad.runtime.data.checks import as_array, describe, to_floats
from arcgrad.runtime.data.dense import Dense, limited_topology
from arcgrad.runtime.data.graph import Graph
from arcgrad.runtime.data.score_checks import Waiting
from arcgrad.runtime.kinds import is_shareable, shared_array

__all__ = ["Bound", "BoundDense", "BoundGraph", "BoundInput", "BoundScore", "bind", "resolve_names"]

FloatArray = NDArray[np.float64]

_NOTHING_WAITS = Waiting()


@dataclass(eq=False, slots=True)
class BoundGraph:
    """A graph input: one graph for the whole batch (``shared``), or one an item."""

    items: tuple[Graph, ...]
    shared: bool

    def topology(self, item: int, limits: Limits) -> Topology:
        """The topology of that item, as large as it came."""
        return self.items[0 if self.shared else item].topology

    def weights(self, item: int) -> FloatArray:
        """(n_arcs,) arc weights of that item."""
        return self.items[0 if self.shared else item].arc_weight

    def gradient(self, item: int, arcs: FloatArray) -> FloatArray:
        """The gradient with respect to the weight array, from that of the arcs: tied arcs are summed."""
        graph = self.items[0 if self.shared else item]
        if graph.tie is None:
            return arcs
        return np.bincount(graph.tie, weights=arcs, minlength=len(graph.weight)).astype(np.float64)

    def zero(self) -> FloatArray | list[FloatArray]:
        """A gradient of zeros in the shape in which the input came."""
        zeros = [np.zeros(len(graph.weight)) for graph in self.items]
        return zeros[0] if self.shared else zeros

    def collect(self, parts: list[FloatArray]) -> FloatArray | list[FloatArray]:
        """Gradients in the shape in which the input came."""
        if self.shared:
            return self.gradient(0, parts[0])
        return [self.gradient(b, part) for b, part in enumerate(parts)]


@dataclass(frozen=True, eq=False)
class BoundDense:
    """A dense input, as rows of one matrix: item b has rows ``starts[b] : starts[b] + counts[b]`` of ``frames``.

    ``as_list`` means that the user gave a list of dense inputs, ``shape`` the shape of a single array, and
    ``is_checked`` that its scores were looked at.
    """

    frames: NDArray[Any]
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]
    shared: bool
    as_list: bool
    shape: tuple[int, ...]
    is_checked: bool = True

    @property
    def n_columns(self) -> int:
        """Number of columns, which are the labels."""
        return int(self.frames.shape[1])

    def scores(self, item: int) -> NDArray[Any]:
        """(T, C) scores of that item, cut to its length."""
        b = 0 if self.shared else item
        rows: NDArray[Any] = self.frames[self.starts[b] : self.starts[b] + self.counts[b]]
        return rows

    def topology(self, item: int, limits: Limits) -> Topology:
        """The chain that the item stands for.

        Raises:
            LimitError: it exceeds the budget.
        """
        return limited_topology(int(self.counts[0 if self.shared else item]), self.n_columns, limits)

    def weights(self, item: int) -> FloatArray:
        """(T · C,) arc weights of the chain."""
        return np.ascontiguousarray(self.scores(item), dtype=np.float64).reshape(-1)

    def zero(self) -> NDArray[Any] | list[NDArray[Any]]:
        """A gradient of zeros in the shape in which the input came."""
        return self.collect(np.zeros_like(self.frames))

    def collect(self, frames_gradient: NDArray[Any]) -> NDArray[Any] | list[NDArray[Any]]:
        """A gradient of the shape of ``frames``, in the shape in which the input came."""
        if self.as_list:
            return [frames_gradient[s : s + n] for s, n in zip(self.starts, self.counts, strict=True)]
        return frames_gradient.reshape(self.shape)


@dataclass(frozen=True, eq=False)
class BoundScore:
    """A score input: (1,) where it is shared by the batch, else (B,)."""

    values: FloatArray
    shared: bool

    def zero(self) -> float | FloatArray:
        """A gradient of zeros in the shape in which the input came."""
        return self.collect(np.zeros(len(self.values)))

    def collect(self, gradient: FloatArray) -> float | FloatArray:
        """The gradient in the shape in which the input came."""
        return float(gradient[0]) if self.shared else gradient


BoundInput = BoundGraph | BoundDense | BoundScore


@dataclass(eq=False, slots=True)
class Bound:
    """All inputs of a call.

    Attributes:
        batch: None where no input is batched: then there is one item.
        inputs: by name.
        mappings: label mappings by name.
        waiting: dense inputs whose scores are still to be looked at, before any is used.
    """

    batch: int | None
    inputs: dict[str, BoundInput]
    mappings: dict[str, LabelMapping]
    waiting: Waiting = _NOTHING_WAITS

    @property
    def n_items(self) -> int:
        """Number of items to evaluate."""
        return 1 if self.batch is None else self.batch


def resolve_names(known: Mapping[str, Type], given: Mapping[str, Any], text: str) -> dict[str, Any]:
    """The given inputs by their plain names, in the equation's order.

    Raises:
        InputError: an input is missing, unknown, or given in two spellings.
    """
    if given.keys() == known.keys():
        return {name: given[name] for name in known}
    from arcgrad.grammar import normalise_name
    from arcgrad.grammar.errors import EquationError

    found: dict[str, Any] = {}
    spellings: dict[str, str] = {}
    for key, value in given.items():
        if not isinstance(key, str):
            raise InputError(f"inputs are given by name, but {shown(key)} is {kind_of(key)}")
        try:
            name = key if key in known else normalise_name(key)
        except EquationError:
            name = key
        if name not in known:
            inputs = ", ".join(known) or "none"
            raise InputError(
                f"{_shown(key)} is not an input of the equation; its inputs are: {inputs}", hint=_near(name, known)
            )
        if name in found:
            raise InputError(f"{spellings[name]} and {key} are two spellings of one input, {name}", hint="give it once")
        found[name], spellings[name] = value, key
    missing = [name for name in known if name not in found]
    if missing:
        hint = None
        for name in missing:
            near = look_alike(name, [*known, *given])
            if near is not None:
                hint = f"the equation's {name} is not {described(near, name, near)}"
            elif name in named_operators():
                hint = f"with brackets, {name}[…], it would be the operator"
        raise InputError(
            f"missing input{'s' * (len(missing) > 1)}: "
            + ", ".join(f"{n} (a {known[n]})" for n in missing)
            + f"; the equation {text.strip()[:80]!r} takes {', '.join(known)}",
            hint=hint,
        )
    return {name: found[name] for name in known}


def _shown(key: str) -> str:
    return key if key.isidentifier() else repr(key)


def _near(name: str, known: Mapping[str, Type]) -> str | None:
    near = nearest(name, known)
    return None if near is None else f"did you mean {described(near, name, near)}?"


def bind(types: Mapping[str, Type], values: Mapping[str, Any], *, defer: bool = False) -> Bound:
    """Check the values of all inputs and settle the batch.

    Args:
        types: the equation's inputs.
        values: by plain name.
        defer: large batches of scores may wait to be looked at; the caller sees to ``Bound.waiting``.

    Raises:
        InputError: a wrong kind, shape or dtype, NaN or +inf, or batches of different sizes.
    """
    inputs: dict[str, BoundInput] = {}
    mappings: dict[str, LabelMapping] = {}
    sizes: dict[str, int] = {}  # of the batches
    waiting = _NOTHING_WAITS
    for name, type_ in types.items():
        value = values[name]
        if type_ is Type.MAPPING:
            mappings[name] = value if isinstance(value, LabelMapping) else LabelMapping.make(value, name)
            continue
        bound = _BINDERS[type_](name, value)
        inputs[name] = bound
        if isinstance(bound, BoundDense) and not bound.is_checked:
            waiting = Waiting() if waiting is _NOTHING_WAITS else waiting
            waiting.add(name, bound, defer)
        if not bound.shared:
            sizes[name] = _size(bound)
    if len(sizes) > 1 and len(set(sizes.values())) > 1:
        described = ", ".join(f"{name} has {size} items" for name, size in sizes.items())
        raise InputError(
            f"the inputs' batch sizes differ: {described}",
            hint="a single graph, dense input or number beside a batch is shared by all items",
        )
    return Bound(next(iter(sizes.values()), None), inputs, mappings, waiting)


def _size(bound: BoundInput) -> int:
    match bound:
        case BoundGraph():
            return len(bound.items)
        case BoundDense():
            return len(bound.counts)
        case BoundScore():
            return len(bound.values)


def _bind_graph(name: str, value: Any) -> BoundInput:
    if isinstance(value, Graph):
        return BoundGraph((value,), shared=True)
    if isinstance(value, Dense):
        return _from_dense(value)
    if isinstance(value, (list, tuple)):
        return _bind_list(name, value)
    value = shared_array(value, f"input {name}")
    if isinstance(value, (int, float)) or _dimensions(value) < 2:
        raise InputError(
            f"input {name} is a graph in this equation, but {_kind(value)} was given", hint=_graph_hint(name, value)
        )
    return _from_dense(Dense.wrap(value, name=f"input {name}", check=False), is_checked=False)


def _dimensions(value: Any) -> int:
    """Number of axes; 2 for what numpy cannot look at, so that the conversion that follows says why."""
    try:
        return int(np.ndim(value))
    except (ValueError, TypeError, RuntimeError):
        return 2


def _graph_hint(name: str, value: Any) -> str:
    """How to make a graph of what was given."""
    if isinstance(value, str):
        if os.path.splitext(value)[1]:
            return f"ag.load({shown(value)}) reads a file, ag.linear({shown(value)}) is the chain of these characters"
        return f"ag.linear({shown(value)}) is the chain of its characters; with symbols=table, of their labels there"
    hint = f"give ag.Graph(…), ag.linear(…) or ag.dense(…); `0 + {name}` in the equation would make it a score"
    if isinstance(value, int):
        hint += ", and a repetition count is a literal, as in A{3}"
    return hint


def _kind(value: Any) -> str:
    try:
        return f"{kind_of(value)} of shape {tuple(value.shape)}"
    except (AttributeError, TypeError, ValueError):
        return kind_of(value)


def _from_dense(value: Dense, is_checked: bool = True) -> BoundDense:
    scores = value.scores
    shape = scores.shape
    steps, columns = shape[-2:]
    n_items = shape[0] if len(shape) == 3 else 1
    return BoundDense(
        frames=scores.reshape((n_items * steps, columns)),
        starts=np.arange(0, n_items * steps, steps, dtype=np.int64) if steps else np.zeros(n_items, dtype=np.int64),
        counts=value.lengths,
        shared=len(shape) == 2,
        as_list=False,
        shape=shape,
        is_checked=is_checked,
    )


def _bind_list(name: str, values: Sequence[Any]) -> BoundInput:
    if set(map(type, values)) == {Graph}:
        return BoundGraph(tuple(values), shared=False)
    items: list[Any] = []
    for index, value in enumerate(values):
        if isinstance(value, (Graph, Dense)):
            items.append(value)
        elif is_shareable(value) and _dimensions(shared_array(value, f"item {index} of input {name}")) == 2:
            items.append(Dense.wrap(value, name=f"item {index} of input {name}"))
        else:
            raise InputError(
                f"item {index} of input {name} is {_kind(value)}, but a batch is a list of graphs or of dense inputs",
                hint=f"scores in lists are given as an array: {name}=np.array({name})"
                if isinstance(value, list)
                else _list_hint(values),
            )
    if all(isinstance(item, Graph) for item in items):
        return BoundGraph(tuple(items), shared=False)
    for index, item in enumerate(items):
        if isinstance(item, Graph):
            raise InputError(f"input {name} mixes graphs and dense inputs (item {index} is a graph)")
        if item.is_batch:
            raise InputError(f"item {index} of input {name} is itself a batch (scores of shape {item.scores.shape})")
    columns = {item.n_columns for item in items}
    if len(columns) > 1:
        index = next(i for i, item in enumerate(items) if item.n_columns != items[0].n_columns)
        raise InputError(
            f"item {index} of input {name} has {items[index].n_columns} columns, but item 0 has {items[0].n_columns}"
        )
    counts = np.array([int(item.lengths[0]) for item in items], dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    dtype = np.result_type(*(item.dtype for item in items))
    frames = np.concatenate([item.scores[:n] for item, n in zip(items, counts, strict=True)])
    frames = np.ascontiguousarray(frames, dtype=dtype)
    return BoundDense(frames, starts, counts, shared=False, as_list=True, shape=frames.shape)


def _list_hint(values: Sequence[Any]) -> str:
    if all(isinstance(value, str) for value in values):
        return f"ag.linear({shown(list(values))}, symbols=table) is the chain of these symbols' labels in a table"
    if all(isinstance(value, int) for value in values):
        return f"ag.linear({shown(list(values))}) is the chain of these labels"
    return "make graphs with ag.Graph(…), ag.linear(…) or ag.dense(…)"


def _bind_score(name: str, value: Any) -> BoundScore:
    if isinstance(value, (Graph, Dense)):
        raise InputError(
            f"input {name} is a score in this equation, but {kind_of(value)} was given",
            hint=f"LSE[{name}] or MAX[{name}] makes a score of a graph",
        )
    expected = "a real number, or an array of them of shape (B,)"
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            value = float(value)  # numpy makes no number of what exceeds 64 bits
        except OverflowError:
            raise InputError(f"input {name} is a whole number beyond the range of float64") from None
    array = as_array(value, f"input {name}, a score in this equation,", expected)
    if array.ndim > 1 or (array.size and array.dtype.kind not in "fiu"):
        raise InputError(
            f"input {name}, a score in this equation, is {kind_of(value)} ({describe(array)}), but must be {expected}"
        )
    values = np.atleast_1d(to_floats(array, np.float64))
    bad = np.flatnonzero(np.isnan(values))
    if len(bad):
        where = f" at item {bad[0]}" if array.ndim else ""
        raise InputError(f"input {name} is NaN{where}")
    return BoundScore(values, shared=array.ndim == 0)


_BINDERS: dict[Type, Callable[[str, Any], BoundInput]] = {Type.GRAPH: _bind_graph, Type.SCORE: _bind_score}
