"""The numeric half: fills in weights and workspaces, runs the emitted routine over the batch, collects gradients.

Prepared call → values and gradients, in the tiers "kernels" (the routine as plain Python over compiled kernels) and
"fused" (compiled as a whole). What fails inside a routine for some item (divergence, an undefined operation, a count
beyond 2^53) is evaluated again by the interpreter, whose verdict stands: a value or an error that says where.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.frontend.ir import Program
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.types import Type
from arcgrad.grammar.errors import ArcgradError
from arcgrad.runtime.buffers import Kept, aligned_floats, empty_array, zero_array, zero_floats
from arcgrad.runtime.call.carry import of_built
from arcgrad.runtime.call.prepared import Prepared
from arcgrad.runtime.data.graph import Graph
from arcgrad.runtime.data.inputs import Bound, BoundDense, BoundGraph, BoundScore
from arcgrad.runtime.jit.background.waiting import compiling, may_compile
from arcgrad.runtime.jit.routine import load_routine
from arcgrad.runtime.reference.interpreter import Interpretation, graph_cotangent, name_item
from arcgrad.runtime.threads import run_slices, threads_for

__all__ = ["Execution", "load"]

FloatArray = NDArray[np.float64]


# Memory fresh from the system costs a page fault every 4 kB, which is much beside what a routine does with it.
_MOST_KEPT = 1 << 23
# Arc-frames, a tenth of a second's at most, that may run in one go, without a chance for Ctrl-C between slices.
_MOST_AT_ONCE = 1e7
_kept = Kept[FloatArray]()


def _take_workspace(size: int) -> FloatArray:
    """An uninitialised array of at least ``size`` floats; the one of this thread's last slice if it is long enough."""
    kept = _kept.take()
    return kept if kept is not None and len(kept) >= size else aligned_floats(size)


def load(prepared: Prepared, tier: str) -> Callable[..., Any]:
    """The routine of a prepared call: from memory, from disk, or compiled now."""
    routine = prepared.loaded(tier)
    if routine is None:
        assert prepared.emitted is not None
        routine = load_routine(
            prepared.emitted.source, signature=prepared.signature, tier="fused" if tier == "fused" else "kernels"
        )
        prepared.keep(tier, routine)
    return routine


class Execution:
    """One call of a prepared plan.

    Args:
        program: the equation, for the interpreter.
        limits: budget.
        prepared: the symbolic part.
        bound: the inputs.
        tier: "kernels", or "fused", which a routine too long to compile as a whole is not.
        out: for some dense inputs, arrays that take their gradients.
    """

    def __init__(
        self,
        program: Program,
        limits: Limits,
        prepared: Prepared,
        bound: Bound,
        tier: str,
        out: Mapping[str, NDArray[Any]],
    ) -> None:
        self._program = program
        self._limits = limits
        self._prepared = prepared
        self._bound = bound
        self._tier = tier if prepared.may_be_fused else "kernels"
        self._out = out
        self._n_items = bound.n_items
        self._n_slices = len(prepared.slices) - 1
        self._weights = prepared.layout.weights(bound)

    def _dense(self, name: str) -> BoundDense:
        found = self._bound.inputs[name]
        assert isinstance(found, BoundDense)
        return found

    def run(self, wrt: Sequence[str], cotangent: Any) -> tuple[list[Any], dict[str, Any]]:
        """Values of every item, and gradients with respect to the inputs in ``wrt``, in their shapes."""
        if self._prepared.plan.graph is not None:
            return self._run_graph(wrt, cotangent)
        seeds = np.empty((self._n_items, 1))
        seeds[:, 0] = 1.0 if cotangent is None else cotangent
        gradient = self._new_gradient() if self._differentiates_leaves(wrt) else np.zeros(0)
        frames_gradients = self._run_routine(seeds, gradient, wrt)
        values: list[Any] = self._values[:, 0].tolist()
        failed = np.count_nonzero(self._status)
        if not wrt and not failed:
            return values, {}
        again = np.flatnonzero(self._status).tolist() if failed else []
        for name, rows in frames_gradients.items():
            found = self._dense(name)
            for item in again if not self._adds_up(found) else ():  # what was written before the item failed
                rows[found.starts[item] : found.starts[item] + found.counts[item]] = 0.0
        gradients: dict[str, Any] = {}
        if frames_gradients and not again:
            # A dense input that is met in regions only, as most are, has its gradient where it belongs.
            plain = [name for name in frames_gradients if name not in self._prepared.layout]
            gradients = {name: self._dense(name).collect(frames_gradients[name]) for name in plain}
        collected = {n: self._collect(n, gradient, frames_gradients) for n in wrt if n not in gradients}
        for item in again:
            values[item] = self._interpret(item, collected, seeds[item, 0])
        gradients.update((name, self._shaped(name, parts, frames_gradients)) for name, parts in collected.items())
        return values, {name: gradients[name] for name in wrt}

    # -- graph-valued equations ---------------------------------------------------------------------------------------

    def _run_graph(self, wrt: Sequence[str], cotangent: Any) -> tuple[list[Any], dict[str, Any]]:
        prepared, layout = self._prepared, self._prepared.layout
        seeds = np.zeros((self._n_items, len(prepared.plan.outputs)))
        if prepared.plan.steps:
            self._run_routine(seeds, np.zeros(0), ())
            for item in np.flatnonzero(self._status).tolist():
                self._interpret(item, {}, None)  # raises: a score that weights a graph has no finite value
        values: list[Any] = []
        gradient = self._new_gradient() if wrt else np.zeros(0)
        before = (self._n_slices - 1) * layout.n_shared
        for item, graph in enumerate(prepared.graphs):
            offsets = layout.flat_offsets(item)
            weights = graph.selection.weights(self._weights, offsets)
            attributes = of_built(graph, prepared.plan, self._bound, item)
            values.append(Graph.from_topology(graph.topology, weights, None, attributes))
            if wrt:
                bars = self._graph_cotangent(cotangent, item, graph.topology.n_arcs)
                flat = graph.selection.scatter(bars, offsets, layout.size)
                gradient[: layout.n_shared] += flat[: layout.n_shared]
                gradient[before + layout.n_shared :] += flat[layout.n_shared :]
        # Slots of scores that weight the graph hold their gradient now; the routine hands it down.
        frames_gradients = self._run_routine(seeds, gradient, wrt) if wrt and prepared.plan.steps else {}
        collected = {name: self._collect(name, gradient, frames_gradients) for name in wrt}
        return values, {name: self._shaped(name, parts, frames_gradients) for name, parts in collected.items()}

    def _graph_cotangent(self, cotangent: Any, item: int, n_arcs: int) -> FloatArray:
        try:
            return graph_cotangent(None if cotangent is None else cotangent[item], n_arcs)
        except ArcgradError as error:
            name_item(error, self._bound, item)
            raise

    # -- the routine --------------------------------------------------------------------------------------------------

    def _differentiates_leaves(self, wrt: Sequence[str]) -> bool:
        """Whether the routine writes the leaf weights' gradient: it adds to those of graphs only where asked."""
        for name in wrt:
            if name in self._prepared.layout:
                return True
        return bool(wrt) and any(leaf.type is not Type.GRAPH for leaf in self._prepared.plan.leaves)

    def _new_gradient(self) -> FloatArray:
        layout = self._prepared.layout
        return zero_floats(layout.size + (self._n_slices - 1) * layout.n_shared)

    def _run_routine(self, seeds: FloatArray, gradient: FloatArray, wrt: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Run all slices; fills values, status, slots and ``gradient``; gives the gradients with respect to frames."""
        prepared, layout, plan = self._prepared, self._prepared.layout, self._prepared.plan
        assert prepared.emitted is not None
        self._values = np.zeros((self._n_items, len(plan.outputs)))
        self._status = np.zeros(self._n_items, dtype=np.int64)
        routine = load(prepared, self._tier)
        ints, bases = prepared.packed
        floats, float_places, numbers, number_places = prepared.workspace
        frames_gradients = {name: self._frames_gradient(name, name in wrt) for name in plan.dense}
        bounds = prepared.slices
        dense: list[Any] = []
        for name in plan.dense:
            dense += self._dense_arguments(name, frames_gradients[name], bounds)

        wants, with_gradient = prepared.wants(wrt), int(bool(wrt))

        waiting, shown = self._bound.waiting, prepared.shown

        running: list[NDArray[np.int32]] = []  # workspaces of slices that have begun

        def call(k: int, end: int) -> None:
            if waiting.inputs:
                waiting.check_items(bounds[k], bounds[end], shown)
            work, iwork = _take_workspace(floats), np.zeros(numbers, dtype=np.int32)
            running.append(iwork)
            routine(
                bounds[k], bounds[end], with_gradient, ints, bases, self._weights, layout.n_shared, layout.shifts,
                prepared.entries, self._values, seeds, gradient[k * layout.n_shared :], prepared.gradient_shifts,
                work, float_places, iwork, number_places,
                self._status, wants, *dense,
            )  # fmt: skip
            if floats <= _MOST_KEPT:
                _kept.keep(work)

        fused = self._tier == "fused"
        if fused and self._may_run_at_once():
            call(0, self._n_slices)
        else:
            may_wait = may_compile()  # this thread, for which others run slices

            def call_anywhere(k: int) -> None:
                # As plain Python a routine's scalars are numpy's, which warn of 0 × inf.
                with compiling(may_wait), nullcontext() if fused else np.errstate(all="ignore"):
                    call(k, k + 1)

            def stop() -> None:
                for iwork in running:
                    iwork[-1] = 1

            calls = [partial(call_anywhere, k) for k in range(self._n_slices)]
            run_slices(calls, prepared.work, stop=stop, in_order=not fused)
        if waiting.inputs:
            waiting.settle(failed=bool(self._status.any()))
        return {name: self._sum_slices(name, rows) for name, rows in frames_gradients.items() if name in wrt}

    def _may_run_at_once(self) -> bool:
        """Whether one call does for all slices: soon done, and where there are several, one thread and no sums."""
        prepared = self._prepared
        return prepared.work < _MOST_AT_ONCE and (
            self._n_slices == 1
            or (
                prepared.layout.n_shared == 0
                and not any(self._dense(name).shared for name in prepared.plan.dense)
                and threads_for(prepared.work) == 1
            )
        )

    def _frames_gradient(self, name: str, wanted: bool) -> NDArray[Any]:
        """Memory for the gradient with respect to a dense input, of the shape of its frames, which the routine writes.

        Zeros where items of a batch share the input, one copy a slice: there they add to one another's.
        """
        found = self._dense(name)
        if not wanted:
            return np.empty((0, found.n_columns), dtype=found.frames.dtype)
        if self._adds_up(found):
            return zero_array((len(found.frames) * self._n_slices, found.n_columns), found.frames.dtype)
        rows = self._rows(name, found)
        if int(found.counts.sum()) < len(rows):
            for item, (begin, count) in enumerate(zip(found.starts, found.counts, strict=True)):
                rows[begin + count : found.starts[item + 1] if item + 1 < len(found.starts) else len(rows)] = 0.0
        return rows

    def _rows(self, name: str, found: BoundDense) -> NDArray[Any]:
        """Memory of the shape of a dense input's frames: the user's, or some that an earlier gradient left."""
        given = self._out.get(name)
        return (
            empty_array(found.frames.shape, found.frames.dtype) if given is None else given.reshape(found.frames.shape)
        )

    def _adds_up(self, found: BoundDense) -> bool:
        """Whether the gradient with respect to a dense input is a sum over items."""
        return found.shared and self._n_items != 1

    def _dense_arguments(self, name: str, gradient: NDArray[Any], bounds: list[int]) -> tuple[Any, ...]:
        found = self._dense(name)
        if not self._adds_up(found):
            return found.frames, found.starts, found.counts, gradient, found.starts, int(len(gradient) > 0)
        starts = np.zeros(self._n_items, dtype=np.int64)
        for k in range(self._n_slices):
            starts[bounds[k] : bounds[k + 1]] = k * len(found.frames)
        return (
            found.frames,
            np.broadcast_to(found.starts, (self._n_items,)).copy(),
            np.broadcast_to(found.counts, (self._n_items,)).copy(),
            gradient,
            starts,
            0,
        )

    def _sum_slices(self, name: str, rows: NDArray[Any]) -> NDArray[Any]:
        found = self._dense(name)
        if not self._adds_up(found) or self._n_slices == 1:
            return rows
        copies = rows.reshape(self._n_slices, *found.frames.shape)
        total: NDArray[Any] = copies.sum(axis=0, dtype=np.float64).astype(found.frames.dtype)
        return total

    # -- gradients ----------------------------------------------------------------------------------------------------

    def _collect(self, name: str, gradient: FloatArray, frames: Mapping[str, NDArray[Any]]) -> list[FloatArray]:
        """An input's gradient: one array for a shared input, else one an item."""
        found = self._bound.inputs[name]
        parts = self._prepared.layout.collect(name, gradient, self._n_slices)
        n_parts = 1 if found.shared else self._n_items
        if parts is None and name in frames:
            assert isinstance(found, BoundDense)
            return [frames[name][s : s + n].reshape(-1) for s, n in zip(found.starts, found.counts, strict=True)]
        if parts is None:
            parts = [np.zeros(_size(found, item)) for item in range(n_parts)]
        elif name in frames:
            assert isinstance(found, BoundDense)
            for item in range(n_parts):
                rows = frames[name][found.starts[item] : found.starts[item] + found.counts[item]]
                parts[item] = parts[item] + rows.reshape(-1)
        return parts

    def _interpret(self, item: int, collected: dict[str, list[FloatArray]], seed: float | None) -> Any:
        """Evaluate one item by the interpreter and add its gradients."""
        run = Interpretation(self._program, self._bound, item, self._limits)
        try:
            result = run.forward(want_gradient=bool(collected))
        except ArcgradError as error:
            name_item(error, self._bound, item)
            raise
        if collected and seed is not None:
            run.backward(seed)
            for name, parts in collected.items():
                found = run.values[self._program.input_node(name)]
                bars = found.bars if found.is_graph else np.array([found.bar])
                where = 0 if self._bound.inputs[name].shared else item
                parts[where] = parts[where] + bars
        return result.number

    def _shaped(self, name: str, parts: list[FloatArray], frames: Mapping[str, NDArray[Any]]) -> Any:
        found = self._bound.inputs[name]
        if isinstance(found, BoundScore):
            return found.collect(np.concatenate(parts) if parts else np.zeros(0))
        if isinstance(found, BoundGraph):
            return found.collect(parts)
        gradient = frames.get(name)
        if gradient is None:
            gradient = self._rows(name, found)
            gradient[:] = 0.0
        for start, count, part in zip(found.starts, found.counts, parts, strict=True):
            rows = gradient[start : start + count]
            if not np.may_share_memory(rows, part):
                rows[:] = part.reshape(rows.shape)
        return found.collect(gradient)


def _size(found: BoundGraph | BoundDense | BoundScore, item: int) -> int:
    if isinstance(found, BoundScore):
        return 1
    if isinstance(found, BoundGraph):
        return found.items[item].n_arcs
    return int(found.counts[item]) * found.n_columns
