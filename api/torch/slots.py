"""Inputs of an equation that hold tensors: how arrays of their numbers become what the equation takes, and back.

A slot is one input. Its tensors are a flat tuple, so that autograd sees each of them. A tensor that a batch shares has
a gradient for each item here, since upstream gradients of the items may differ: it is expanded, and autograd sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from arcgrad.compiler.types import Type
from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import kind_of
from arcgrad.runtime.data.checks import check_weights
from arcgrad.runtime.data.dense import Dense
from arcgrad.runtime.data.graph import Graph
from arcgrad.torch.tensors import LABELS, TensorError, check_tensor, describe, product
from arcgrad.torch.traced.handles import graphs_of, handle, is_handle

__all__ = ["Slot", "batch_of", "slot_of", "transposed"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Slot:
    """An input that holds tensors.

    Attributes:
        name: of the input.
        tensors: in order.
        batch: its number of items; None where it is one item, shared by a batch if there is one.
    """

    name: str
    tensors: tuple[Tensor, ...]
    batch: int | None

    def give(self, arrays: Sequence[Array]) -> Any:
        """What the equation takes, made of arrays that hold the tensors' numbers."""
        raise NotImplementedError

    def take(self, gradient: Any) -> Sequence[Any]:
        """A gradient with respect to the input, as one for each tensor."""
        return [gradient]

    def put(self, vectors: Sequence[Array]) -> Any:
        """The inverse of ``take``: one array for each tensor as what has the gradient's form."""
        return vectors[0]

    def scale(
        self, gradients: Sequence[Tensor | None], upstream: Tensor, tensors: Sequence[Tensor]
    ) -> list[Tensor | None]:
        """Gradients for ones times the upstream gradient of the value, () or (B,), each as its tensor is."""
        pairs = zip(gradients, tensors, strict=True)
        return [None if g is None else product(g, self._factor(upstream.to(g.dtype), g), t) for g, t in pairs]

    def _factor(self, upstream: Tensor, gradient: Tensor) -> Tensor:
        return upstream.reshape(upstream.shape + (1,) * (gradient.ndim - upstream.ndim))

    def operands(self, tensors: Sequence[Any]) -> tuple[str, list[Any]]:
        """The slot with these tensors as `traced.operands` has it: its piece of the layout, and its operands."""
        raise NotImplementedError

    def enters(self, size: int | None) -> bool:
        """Whether ``enter`` takes such inputs, expanded for that many items."""
        return size is None

    def enter(self, value: Any, array: Array, size: int | None) -> Any:
        """What the equation takes, of an input like this slot's, and the numbers of its one tensor.

        Args:
            value: the input as given.
            array: the numbers; of one item, where they are the same for all.
            size: number of these items.
        """
        return array

    def like(self) -> Slot:
        """The slot without what ``enter`` has no use for, to be kept."""
        return replace(self, tensors=())

    def for_items(self, count: int) -> Slot:
        """The slot with tensors that have an item for each of the batch, all the same."""
        return replace(self, tensors=tuple(t.expand(count, *t.shape) for t in self.tensors), batch=count)


@dataclass(frozen=True)
class _DenseSlot(Slot):
    """Scores (T, C) or (B, T, C); ``lengths`` None means all of them."""

    lengths: Any

    def give(self, arrays: Sequence[Array]) -> Any:
        if self.lengths is None:
            return arrays[0]
        lengths = self.lengths.detach().cpu().numpy() if isinstance(self.lengths, Tensor) else self.lengths
        return Dense.wrap(arrays[0], lengths, f"input {self.name}")

    def operands(self, tensors: Sequence[Any]) -> tuple[str, list[Any]]:
        if self.lengths is None:
            return "d", list(tensors)
        return "dl", [*tensors, torch.as_tensor(self.lengths)]

    def enter(self, value: Any, array: Array, size: int | None) -> Any:
        return array if self.lengths is None else replace(self, lengths=value[1]).give([array])

    def like(self) -> Slot:
        return replace(self, tensors=(), lengths=None if self.lengths is None else 0)

    def for_items(self, count: int) -> Slot:
        lengths = self.lengths
        if isinstance(lengths, Tensor):
            lengths = lengths.expand(count)
        elif lengths is not None:
            lengths = np.full(count, lengths)
        return replace(super().for_items(count), lengths=lengths)  # type: ignore[call-arg]


@dataclass(frozen=True)
class _ScoreSlot(Slot):
    """A score, () or (B,)."""

    def give(self, arrays: Sequence[Array]) -> Any:
        return arrays[0]

    def operands(self, tensors: Sequence[Any]) -> tuple[str, list[Any]]:
        return "s", list(tensors)


@dataclass(frozen=True)
class _WeightSlot(Slot):
    """A graph whose weights are a tensor (n,), or (B, n) for a batch of graphs that differ in them alone.

    ``graphs`` is that graph, or one for each item; ``is_expanded``: all rows are one.
    """

    graphs: tuple[Graph, ...]
    is_expanded: bool = False

    def give(self, arrays: Sequence[Array]) -> Any:
        (weights,) = arrays
        check_weights(weights, self._described)
        if weights.ndim == 1:
            return _weighted(self.graphs[0], weights)
        if self.is_expanded and len(self.graphs) == 1:
            return [_weighted(self.graphs[0], weights[0])] * len(weights)
        graphs = self.graphs if len(self.graphs) == len(weights) else self.graphs * len(weights)
        return [_weighted(graph, row) for graph, row in zip(graphs, weights, strict=True)]

    def take(self, gradient: Any) -> Sequence[Any]:
        return [np.stack(gradient) if isinstance(gradient, list) else gradient]

    def put(self, vectors: Sequence[Array]) -> Any:
        return vectors[0] if vectors[0].ndim == 1 else list(vectors[0])

    def operands(self, tensors: Sequence[Any]) -> tuple[str, list[Any]]:
        graphs = handle(self.graphs[0] if len(self.graphs) == 1 else self.graphs)
        return "he" if self.is_expanded else "hw", [graphs, *tensors]

    def enters(self, size: int | None) -> bool:
        return True

    def enter(self, value: Any, array: Array, size: int | None) -> Any:
        check_weights(array, self._described)
        graph = value[0]
        if size is not None:
            return [_weighted(graph, array)] * size
        return _weighted(graph, array) if array.ndim == 1 else [_weighted(graph, row) for row in array]

    def like(self) -> Slot:
        return replace(self, tensors=(), graphs=())

    @cached_property
    def _described(self) -> str:
        return f"the weights of input {self.name}"

    def for_items(self, count: int) -> Slot:
        return replace(super().for_items(count), is_expanded=True)  # type: ignore[call-arg]


@dataclass(frozen=True)
class _ListSlot(Slot):
    """A batch given item by item: graphs some of whose weights are tensors, or tensors (T, C) of scores.

    ``graphs`` has a graph for each item, and None for scores; ``places`` the items that hold a tensor.
    """

    graphs: tuple[Graph | None, ...]
    places: tuple[int, ...]

    def give(self, arrays: Sequence[Array]) -> Any:
        items: list[Any] = list(self.graphs)
        for place, array in zip(self.places, arrays, strict=True):
            graph = self.graphs[place]
            if graph is not None:
                check_weights(array, f"the weights of item {place} of input {self.name}")
            items[place] = array if graph is None else _weighted(graph, array)
        return items

    def take(self, gradient: Any) -> Sequence[Any]:
        return [gradient[place] for place in self.places]

    def put(self, vectors: Sequence[Array]) -> Any:
        parts = [np.zeros(0) if graph is None else np.zeros(len(graph.weight)) for graph in self.graphs]
        for place, vector in zip(self.places, vectors, strict=True):
            parts[place] = vector
        return parts

    def operands(self, tensors: Sequence[Any]) -> tuple[str, list[Any]]:
        given = iter(tensors)
        pieces: list[str] = []
        found: list[Any] = []
        for place, graph in enumerate(self.graphs):
            if graph is not None:
                found.append(handle(graph))
            is_tensor = place in self.places
            if is_tensor:
                found.append(next(given))
            pieces.append("d" if graph is None else "h" + "w" * is_tensor)
        return f"[{','.join(pieces)}]", found

    def scale(
        self, gradients: Sequence[Tensor | None], upstream: Tensor, tensors: Sequence[Tensor]
    ) -> list[Tensor | None]:
        each = zip(self.places, gradients, tensors, strict=True)
        return [None if g is None else product(g, upstream[place].to(g.dtype), t) for place, g, t in each]


def _weighted(graph: Graph, weights: Array) -> Graph:
    """The graph with other weights, which are checked already and not copied: it lives as long as one call."""
    return Graph.from_topology(graph.topology, weights.view(), graph.tie)


def batch_of(value: Any) -> int | None:
    """The number of items of an input without tensors; None where it is one item."""
    if isinstance(value, Dense):
        return value.batch
    if isinstance(value, (list, tuple)):
        return len(value)
    return len(value) if getattr(value, "ndim", 0) in (1, 3) else None


def slot_of(name: str, value: Any, type_: Type) -> Slot | None:
    """The slot of an input that holds tensors; None where it holds none.

    Raises:
        InputError: a tensor of the wrong shape or dtype, or where none can be.
    """
    if isinstance(value, Tensor):
        if type_ is Type.GRAPH:
            return _dense(name, value, None)
        if type_ is Type.SCORE:
            return _score(name, value)
        raise InputError(f"input {name} is a label mapping in this equation, but a tensor was given")
    if type_ is not Type.GRAPH or not isinstance(value, (list, tuple)):
        return None
    if isinstance(value, tuple) and len(value) == 2:
        first, second = value
        if isinstance(first, Graph) and isinstance(second, Tensor):
            return _weights(name, first, second)
        if is_handle(first) and isinstance(second, Tensor):
            return _weights(name, graphs_of(first, f"input {name}"), second)
        if isinstance(first, Tensor) and (second is None or not _is_item(second)):
            return _dense(name, first, second)
    return _list(name, value)


def _is_item(value: Any) -> bool:
    """Whether an entry is an item of a batch, and no lengths."""
    return isinstance(value, Tensor) and value.ndim >= 2


def _dense(name: str, scores: Tensor, lengths: Any) -> Slot:
    check_tensor(scores, f"input {name}", LABELS)
    if scores.ndim not in (2, 3):
        raise TensorError(
            f"input {name} is a graph in this equation, so that a tensor must have shape (T, C) or (B, T, C), steps by "
            f"columns, but it has {describe(scores)}",
            hint=f"(graph, weights) gives a graph's weights; `0 + {name}` in the equation would make it a score",
        )
    if scores.ndim == 3 and len(scores) != scores.shape[1] == _count(lengths):
        raise TensorError(
            f"input {name} has {len(scores)} items ({describe(scores)}), but {_count(lengths)} lengths",
            hint=transposed(name),
        )
    return _DenseSlot(name, (scores,), _size(name, scores) if scores.ndim == 3 else None, lengths)


def _count(lengths: Any) -> int | None:
    if isinstance(lengths, (list, tuple)):
        return len(lengths)
    return len(lengths) if getattr(lengths, "ndim", 0) == 1 else None


def transposed(name: str) -> str:
    """A hint for scores in the layout of torch's own loss."""
    return f"dense inputs are (B, T, C): of torch's (T, N, C), give {name}.transpose(0, 1)"


def _score(name: str, value: Tensor) -> Slot:
    check_tensor(value, f"input {name}, a score in this equation,")
    if value.ndim > 1:
        raise TensorError(
            f"input {name}, a score in this equation, has {describe(value)}, but must have shape (), or (B,)"
        )
    return _ScoreSlot(name, (value,), _size(name, value) if value.ndim else None)


def _weights(name: str, given: Graph | list[Graph], weights: Tensor) -> Slot:
    check_tensor(weights, f"the weights of input {name}")
    graphs = (given,) if isinstance(given, Graph) else tuple(given)
    sizes = [len(graph.weight) for graph in graphs]
    if len(set(sizes)) > 1:
        raise TensorError(
            f"the weights of input {name} are one tensor, but its graphs have {', '.join(map(str, sizes))} of them",
            hint=f"give a list of (graph, weights) for {name}",
        )
    n = sizes[0]
    if isinstance(given, list):
        if weights.ndim == 1:
            weights = weights.expand(len(given), *weights.shape)
        elif weights.ndim == 2 and len(weights) != len(given):
            raise TensorError(
                f"the weights of input {name} have {describe(weights)}, but there are {len(given)} graphs"
            )
    if weights.ndim not in (1, 2) or weights.shape[-1] != n:
        what = "arc" if graphs[0].tie is None else "parameter"
        raise TensorError(
            f"the weights of input {name} have {describe(weights)}, but must have shape ({n},), one for each {what} of "
            f"the graph, or (B, {n}) for a batch"
        )
    return _WeightSlot(name, (weights,), _size(name, weights) if weights.ndim == 2 else None, graphs)


def _list(name: str, values: Sequence[Any]) -> Slot | None:
    graphs: list[Graph | None] = []
    tensors: list[Tensor] = []
    places: list[int] = []
    for place, value in enumerate(values):
        graph, tensor = value if isinstance(value, tuple) and len(value) == 2 else (value, None)
        what = f"item {place} of input {name}"
        if isinstance(graph, Tensor) and tensor is None:
            check_tensor(graph, what)
            if graph.ndim != 2:
                raise TensorError(f"{what} has {describe(graph)}, but must have shape (T, C), steps by columns")
            graph, tensor = None, graph
        elif isinstance(graph, Graph) and isinstance(tensor, Tensor):
            check_tensor(tensor, f"the weights of {what}")
            if tuple(tensor.shape) != graph.weight.shape:
                raise TensorError(
                    f"the weights of {what} have {describe(tensor)}, but must have shape {graph.weight.shape}"
                )
        elif not isinstance(graph, Graph) or tensor is not None:
            if any(isinstance(each, Tensor) for each in (graph, tensor)) or tensors:
                raise InputError(
                    f"{what} is {kind_of(value)}, but a batch is a list of graphs, of (graph, weights), or of tensors "
                    f"(T, C)"
                )
            _check_item(what, value)
            return None
        graphs.append(graph)
        if tensor is not None:
            tensors.append(tensor)
            places.append(place)
    if not tensors:
        return None
    if any(graph is None for graph in graphs) and any(graph is not None for graph in graphs):
        raise InputError(f"input {name} mixes graphs and tensors of scores")
    if len({tensor.dtype for tensor in tensors}) > 1:
        dtypes = ", ".join(sorted({str(tensor.dtype) for tensor in tensors}))
        raise TensorError(f"the tensors of input {name} have different dtypes: {dtypes}")
    return _ListSlot(name, tuple(tensors), len(values), tuple(graphs), tuple(places))


def _check_item(what: str, value: Any) -> None:
    """Refuse labels where a batch of graphs is asked for.

    Raises:
        InputError: the item is a label, or a sequence of them.
    """
    labels = value if isinstance(value, (list, tuple)) else [value]
    if labels and all(type(label) is int for label in labels):
        raise InputError(f"{what} holds labels ({kind_of(value)}), but must be a graph", hint=LABELS)


def _size(name: str, tensor: Tensor) -> int:
    if tensor.shape[0] == 0:
        raise TensorError(f"input {name} is an empty batch ({describe(tensor)}), but a batch has one item or more")
    return int(tensor.shape[0])
