"""A call of one item, as numbers that compiled code can make it from: all but weights, scores and where they lie.

Stage: run, beside `execute`, which makes the same call from Python. For handlers of other libraries' calls
(`arcgrad.runtime.jit.foreign`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.runtime.call.evaluator import Evaluator
from arcgrad.runtime.call.execute import load
from arcgrad.runtime.call.prepared import Prepared
from arcgrad.runtime.call.tier import choose_tier
from arcgrad.runtime.data.inputs import Bound, BoundDense, BoundGraph
from arcgrad.runtime.jit.foreign import layout as L
from arcgrad.runtime.jit.foreign.link import code_of, load_what_is_ready

__all__ = ["freeze"]

_MOST_DENSE = 3
# Longer vectors of weights, copied for each call, are Python's to share.
_MOST_WEIGHTS = 1 << 22


def freeze(
    evaluator: Evaluator, given: Mapping[str, Any], slots: list[str], results: Mapping[str, int]
) -> tuple[NDArray[np.int64], tuple[Any, ...]] | None:
    """A record without its key, and what is to live as long; None where only Python can make such calls.

    Args:
        evaluator: of the equation.
        given: the inputs of one item.
        slots: those that a call has operands for, in order.
        results: for those that the call differentiates with respect to, the number of the result.
    """
    engine = evaluator.engine
    if evaluator.stages or engine.is_interpreted or evaluator.mode in ("interpret", "kernels"):
        return None
    bound = evaluator.bind(dict(given))
    prepared = engine.preparer.prepare(bound)
    plan, layout = prepared.plan, prepared.layout
    if prepared.emitted is None or plan.graph is not None or not prepared.may_be_fused:
        return None
    if len(plan.dense) > _MOST_DENSE or layout.size > _MOST_WEIGHTS:
        return None
    if evaluator.mode == "auto" and choose_tier(prepared, engine.patience) != "fused":
        return None
    code = code_of(load(prepared, "fused"))
    if code is None:
        return None
    dispatcher, address, types = code
    load_what_is_ready()
    arguments = _arguments(prepared, bound, results)
    words, places = _words(arguments, types)
    record = np.zeros(L.RECORD_LENGTH, dtype=np.int64)
    weights = layout.weights(bound)
    rows = _rows(prepared, bound, slots, results)
    record[[L.FUNCTION, L.N_DENSE, L.N_WORDS, L.WORDS]] = address, len(plan.dense), len(words), words.ctypes.data
    record[[L.N_FLOATS, L.N_NUMBERS]] = prepared.workspace[0], prepared.workspace[2]
    record[[L.N_WEIGHTS, L.WEIGHTS]] = layout.size, weights.ctypes.data
    record[L.N_GRADIENT] = layout.size if results else 0
    record[[L.WORK, L.SLOTS, L.N_PARAMETERS]] = int(prepared.work), rows.ctypes.data, int(rows[:, L.PARAMETERS].max())
    for place, name in zip(
        (L.W_WEIGHTS, L.W_VALUES, L.W_GRADIENT, L.W_WORK, L.W_NUMBERS, L.W_STATUS),
        (5, 9, 11, 13, 15, 17),
        strict=True,
    ):
        record[place] = places[name]
    for k in range(len(plan.dense)):
        record[L.W_FRAMES + 2 * k] = places[_ALONE + 6 * k]
        record[L.W_FRAMES + 2 * k + 1] = places[_ALONE + 6 * k + 3]
    arrays = [words, weights, rows, *(graph.tie for graph in _graphs(bound)), *arguments]
    return record, (dispatcher, *(each for each in arrays if isinstance(each, np.ndarray)))


# Arguments of a routine before those of its dense inputs.
_ALONE = 19


def _graphs(bound: Bound) -> list[Any]:
    return [found.items[0] for found in bound.inputs.values() if isinstance(found, BoundGraph)]


def _arguments(prepared: Prepared, bound: Bound, results: Mapping[str, int]) -> list[Any]:
    """What `execute` calls the routine with, for its only item; arrays that the handler has of its own are empty."""
    layout, plan = prepared.layout, prepared.plan
    ints, bases = prepared.packed
    floats, float_places, numbers, number_places = prepared.workspace
    size = layout.size
    found: list[Any] = [
        0, 1, int(bool(results)), ints, bases, _Room(size), layout.n_shared, layout.shifts, prepared.entries,
        _Room(1, 1), np.ones((1, 1)), _Room(size if results else 0), prepared.gradient_shifts,
        _Room(floats), float_places, _Room(numbers, width=4), number_places, _Room(1),
        prepared.wants(tuple(results)),
    ]  # fmt: skip
    for name in plan.dense:
        dense = bound.inputs[name]
        assert isinstance(dense, BoundDense)
        steps, columns, width = len(dense.frames), dense.n_columns, dense.frames.dtype.itemsize
        is_wanted = name in results
        found += [
            _Room(steps, columns, width=width), dense.starts, dense.counts,
            _Room(steps if is_wanted else 0, columns, width=width), dense.starts, int(is_wanted),
        ]  # fmt: skip
    return found


class _Room:
    """An array of which the handler says where it lies."""

    def __init__(self, *shape: int, width: int = 8) -> None:
        self.shape, self.itemsize = shape, width


def _words(arguments: list[Any], types: tuple[Any, ...]) -> tuple[NDArray[np.int64], list[int]]:
    """Arguments as numba hands them on, and for each where in them its number or its address stands."""
    words = [0, 0]  # the result and the exception
    places = []
    for argument, type_ in zip(arguments, types, strict=True):
        if isinstance(argument, int):
            places.append(len(words))
            words.append(argument)
            continue
        shape, width = argument.shape, argument.itemsize
        assert type_.ndim == len(shape)
        places.append(len(words) + 4)
        address = 0 if isinstance(argument, _Room) else argument.ctypes.data
        strides = [width] if len(shape) == 1 else [width * shape[1], width]
        words += [0, 0, int(np.prod(shape)), width, address, *shape, *strides]
    return np.array(words, dtype=np.int64), places


def _rows(prepared: Prepared, bound: Bound, slots: list[str], results: Mapping[str, int]) -> NDArray[np.int64]:
    """For each input, where its weights lie, and where its gradient goes."""
    rows = np.zeros((len(slots), L.ROW), dtype=np.int64)
    layout, dense = prepared.layout, list(prepared.plan.dense)
    for row, name in zip(rows, slots, strict=True):
        found = bound.inputs[name]
        row[L.LEAF] = layout.begin(name)
        row[L.ROUTINE_DENSE] = dense.index(name) if name in dense else -1
        row[L.RESULT] = results.get(name, 0)
        if isinstance(found, BoundGraph):
            graph = found.items[0]
            row[[L.N_LEAF, L.PARAMETERS]] = graph.n_arcs, len(graph.weight)
            row[L.TIE] = 0 if graph.tie is None else graph.tie.ctypes.data
        else:
            row[L.N_LEAF] = int(found.counts[0]) * found.n_columns if isinstance(found, BoundDense) else 1
    return rows
