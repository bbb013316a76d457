"""Orders of a graph's states for the packers: by compiled kernels where that pays, else by the compiler's own Python.

Stage: symbolic part. Either way the results are the same numbers; kernels take about a hundredth of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs import orders as plain
from arcgrad.compiler.graphs.topology import IntArray
from arcgrad.runtime.jit.declare import Kernel
from arcgrad.runtime.jit.patience import Patience
from arcgrad.runtime.kernels.graphs.order import ON_ACCEPTING_PATHS, components_ints, order_ints, trim_ints

__all__ = ["ORDERS", "components", "patience", "topological_order", "trim"]

Result = TypeVar("Result")

patience = Patience(1.0)
# Python's seconds a state or arc.
_PLAIN = 1e-6
# States and arcs up to which loading a kernel from disk takes longer than Python does.
_SMALL = 3000


def trim(n_states: int, src: IntArray, dst: IntArray, start: IntArray, accept: IntArray) -> NDArray[np.bool_]:
    """As `arcgrad.compiler.graphs.orders.trim`."""

    def compiled() -> NDArray[np.bool_]:
        marks, stack = np.empty((2, n_states), dtype=np.int32)
        trim_ints(src, dst, start, accept, marks, *_rows(n_states, len(src)), stack)
        return marks == ON_ACCEPTING_PATHS  # type: ignore[no-any-return]

    return _choose(trim_ints, n_states + len(src), compiled, lambda: plain.trim(n_states, src, dst, start, accept))


def topological_order(n_states: int, src: IntArray, dst: IntArray) -> IntArray | None:
    """As `arcgrad.compiler.graphs.orders.topological_order`."""

    def compiled() -> IntArray | None:
        order = np.empty(n_states, dtype=np.int32)
        waiting, ready = np.empty((2, n_states), dtype=np.int32)
        done = order_ints(src, dst, src, n_states, order, *_rows(n_states, len(src)), waiting, ready)
        return order if done == n_states else None

    return _choose(order_ints, n_states + len(src), compiled, lambda: plain.topological_order(n_states, src, dst))


def components(n_states: int, src: IntArray, dst: IntArray) -> tuple[IntArray, IntArray]:
    """As `arcgrad.compiler.graphs.orders.components`."""

    def compiled() -> tuple[IntArray, IntArray]:
        order = np.empty(n_states, dtype=np.int32)
        begins = np.empty(n_states + 1, dtype=np.int32)
        workspace = np.empty((7, n_states), dtype=np.int32)
        found = components_ints(src, dst, order, begins, *_rows(n_states, len(src)), *workspace)
        return order, begins[: found + 1].copy()

    return _choose(components_ints, n_states + len(src), compiled, lambda: plain.components(n_states, src, dst))


ORDERS = plain.Orders(trim, topological_order, components)
"""These functions, as the packers take them."""


def _rows(n_states: int, n_arcs: int) -> tuple[IntArray, IntArray]:
    """Space for lists of successors: where each state's begin, and the successors."""
    return np.empty(n_states + 1, dtype=np.int32), np.empty(n_arcs, dtype=np.int32)


def _choose(
    kernel: Kernel[..., int], size: int, compiled: Callable[[], Result], python: Callable[[], Result]
) -> Result:
    if size > _SMALL and patience.ends_for(kernel, expected=_PLAIN * size):
        return compiled()
    with patience.tried():
        return python()
