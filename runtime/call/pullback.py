"""The value of a program now, and its gradients for cotangents that come later: one forward pass for all of them.

Between `evaluator` and `engine`. A score's gradient is its cotangent times that for 1, which is taken at once. Where
items of a batch share inputs, each item's own gradient is kept, since their cotangents may differ.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from arcgrad.compiler.types import Type
from arcgrad.runtime.buffers import empty_array
from arcgrad.runtime.call.engine import Engine
from arcgrad.runtime.data.inputs import Bound, BoundDense, BoundGraph, BoundInput, BoundScore

__all__ = ["PullBack", "pullback"]

PullBack = Callable[..., dict[str, Any]]


def pullback(engine: Engine, bound: Bound, wrt: tuple[str, ...]) -> tuple[list[Any], Callable[[Any], dict[str, Any]]]:
    """Values of every item, and a function from one cotangent an item (None: ones) to the gradients."""
    if engine.program.result.type is Type.GRAPH:
        values, _ = engine.run(bound, (), None, {})

        def pull_graph(cotangent: Any) -> dict[str, Any]:
            _, gradients = engine.run(bound, wrt, cotangent, {})
            return gradients

        return values, pull_graph
    apart = bound
    if bound.batch is not None and any(bound.inputs[name].shared for name in wrt):
        inputs = {name: _apart(found, bound.batch) if name in wrt else found for name, found in bound.inputs.items()}
        apart = Bound(bound.batch, inputs, bound.mappings)
    values, kept = engine.run(apart, wrt, None, {})

    def pull(cotangent: Any) -> dict[str, Any]:
        scales = np.ones(bound.n_items) if cotangent is None else np.asarray(cotangent, dtype=np.float64)
        return {name: _scaled(kept[name], scales, bound.inputs[name], bound.batch) for name in wrt}

    return values, pull


def _apart(found: BoundInput, n_items: int) -> BoundInput:
    """An input that the batch shares, as one an item."""
    if not found.shared:
        return found
    if isinstance(found, BoundGraph):
        return BoundGraph(found.items * n_items, shared=False)
    if isinstance(found, BoundScore):
        return BoundScore(np.repeat(found.values, n_items), shared=False)
    scores = found.scores(0)
    frames = np.ascontiguousarray(np.broadcast_to(scores, (n_items, *scores.shape)).reshape(-1, found.n_columns))
    starts = np.arange(n_items, dtype=np.int64) * len(scores)
    counts = np.full(n_items, len(scores), dtype=np.int64)
    return BoundDense(frames, starts, counts, shared=False, as_list=False, shape=(n_items, *scores.shape))


def _scaled(gradient: Any, scales: Any, found: BoundInput, batch: int | None) -> Any:
    """A gradient for ones, for these cotangents; summed where the batch shares the input."""
    if batch is None:
        if isinstance(gradient, list):
            return [part * scales[0] for part in gradient]
        return gradient * scales.astype(getattr(gradient, "dtype", np.float64))[0]
    if not found.shared:
        if isinstance(gradient, list):
            return [part * part.dtype.type(scale) for part, scale in zip(gradient, scales, strict=True)]
        by_item = scales.astype(gradient.dtype).reshape(-1, *(1,) * (gradient.ndim - 1))
        return np.multiply(gradient, by_item, out=empty_array(gradient.shape, gradient.dtype))
    if isinstance(found, BoundScore):
        return float(gradient @ scales)
    if isinstance(found, BoundGraph):
        total = np.zeros(len(found.items[0].weight))
        for part, scale in zip(gradient, scales, strict=True):
            total += part * scale
        return total
    summed = np.tensordot(scales, gradient.astype(np.float64, copy=False), axes=1)
    whole = np.zeros(found.shape)
    whole[: len(summed)] = summed
    return whole.astype(found.frames.dtype)
