"""Preparation of a call: bound inputs → plan → built graphs → packed regions → text of the routine.

All that depends on topologies and kinds only; every step is remembered, so that a call with known graphs repeats nothing.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from arcgrad.compiler.emit import Emitted, emit, signature
from arcgrad.compiler.ir import Node, Program
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators import Size
from arcgrad.compiler.plan import InputShape, Plan, RegionPlan, make_plan
from arcgrad.compiler.regions.base import Region
from arcgrad.compiler.regions.graph import pack_graph
from arcgrad.compiler.regions.trellis import pack_frames, pack_trellis
from arcgrad.compiler.types import Type
from arcgrad.grammar.errors import ArcgradError
from arcgrad.runtime import reference
from arcgrad.runtime.binding import Bound, BoundDense, BoundGraph, BoundScore
from arcgrad.runtime.cache import cache
from arcgrad.runtime.interpreter import Interpretation, name_item
from arcgrad.runtime.kernels import KERNELS, KernelNames
from arcgrad.runtime.kernels.scalar import __all__ as scalar_functions
from arcgrad.runtime.layout import FloatArray, Layout
from arcgrad.runtime.symbolic import SymbolicEvaluator, SymbolicGraph, raise_transducer

__all__ = ["Preparer", "Prepared"]


@dataclass(frozen=True, eq=False)
class Prepared:
    """Everything about a call that does not depend on weights (but for PATH, whose topology does).

    Attributes:
        plan: what the inputs' kinds ask for.
        layout: where leaf weights lie.
        regions: for each item, its packed regions.
        emitted: the routine's text; None where the plan has no step.
        dtypes: "float32" or "float64" of each dense input met in a region.
        graphs: for each item, the built graph of a graph-valued equation.
        frame_counts: for each item, the frames of each region (0 where it meets no dense input).
    """

    plan: Plan
    layout: Layout
    regions: list[tuple[Region, ...]]
    emitted: Emitted | None
    dtypes: dict[str, str]
    graphs: list[SymbolicGraph]
    frame_counts: list[list[int]]

    @property
    def signature(self) -> str:
        """Numba's signature of the routine."""
        return signature([self.dtypes[name] for name in self.plan.dense])

    @property
    def work(self) -> list[float]:
        """Arc-frames of each item's regions: what a routine's time is about proportional to."""
        return [
            sum(float(region.n_arcs) * max(1, n) for region, n in zip(packed, frames, strict=True))
            for packed, frames in zip(self.regions, self.frame_counts, strict=True)
        ]

    @property
    def kernels(self) -> list[KernelNames]:
        """The kernels of each region."""
        return [KERNELS[region.kind, region.semiring] for region in self.regions[0]] if self.regions else []


class _CannotMeet(Exception):  # noqa: N818 - a signal within this module
    """A dense input whose partner has a cycle of ε arcs: the composition has to be built."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Preparer:
    """Prepares calls of one program."""

    def __init__(self, program: Program, limits: Limits) -> None:
        self.program = program
        self.limits = limits
        self._plans: OrderedDict[tuple[Any, ...], Plan] = OrderedDict()
        self._lock = threading.Lock()

    def prepare(self, bound: Bound) -> Prepared:
        """Plan, build, pack and emit."""
        built: frozenset[str] = frozenset()
        while True:
            try:
                return _Preparation(self, self.plan(bound, built), bound).run()
            except _CannotMeet as signal:
                built |= {signal.name}

    def plan(self, bound: Bound, built: frozenset[str] = frozenset()) -> Plan:
        """The plan for inputs of these kinds and rough sizes.

        Args:
            bound: the inputs.
            built: dense inputs to be treated as graphs.
        """
        shapes: dict[str, InputShape] = {}
        for name, type_ in self.program.inputs.items():
            shapes[name] = InputShape("mapping") if type_ is Type.MAPPING else _shape(bound.inputs[name], name in built)
        key = tuple((name, shape.kind, shape.size) for name, shape in shapes.items())
        with self._lock:  # plans make nodes with the program's interner
            found = self._plans.get(key)
            if found is None:
                found = self._plans[key] = make_plan(self.program, shapes)
                if len(self._plans) > 64:
                    self._plans.popitem(last=False)
            return found


def _shape(found: BoundGraph | BoundDense | BoundScore, built: bool) -> InputShape:
    if isinstance(found, BoundScore):
        return InputShape("score")
    if isinstance(found, BoundDense):
        steps = float(found.counts.max()) if len(found.counts) else 0.0
        size = _rough(steps + 1, steps * found.n_columns, found.n_columns)
        return InputShape("graph" if built else "dense", size)
    if not found.items:
        return InputShape("graph", Size(0.0, 0.0, 0.0))
    topology = found.items[0].topology
    return InputShape("graph", _rough(topology.n_states, topology.n_arcs, topology.n_labels))


def _rough(states: float, arcs: float, labels: float) -> Size:
    """A size rounded to powers of four, so that inputs of like sizes share their plans."""

    def near(count: float) -> float:
        return float(4 ** round(float(np.log2(count + 1)) / 2))

    return Size(near(states), near(arcs), near(labels))


class _Preparation:
    """One run of the steps that follow planning."""

    def __init__(self, owner: Preparer, plan: Plan, bound: Bound) -> None:
        self._owner = owner
        self._plan = plan
        self._bound = bound
        self._layout = Layout(plan, bound)
        self._weights: FloatArray | None = None
        self._symbolic = SymbolicEvaluator(bound, plan.leaf_numbers, owner.limits, plan.places, self._best_arcs)

    def run(self) -> Prepared:
        plan, bound = self._plan, self._bound
        self._layout.check_graph_weights(plan.weighting)
        regions: list[tuple[Region, ...]] = []
        graphs: list[SymbolicGraph] = []
        for item in range(bound.n_items):
            try:
                if plan.graph is not None:
                    graphs.append(self._symbolic.evaluate(plan.graph, item))
                regions.append(tuple(self._pack(region, item, as_cyclic=False) for region in plan.regions))
            except ArcgradError as error:
                name_item(error, bound, item)
                raise
        for number, region in enumerate(plan.regions):
            if len({packed[number].kind for packed in regions}) > 1:  # one routine for lattices and cyclic graphs
                for item, packed in enumerate(regions):
                    closed = self._pack(region, item, as_cyclic=True)
                    regions[item] = (*packed[:number], closed, *packed[number + 1 :])
        dtypes = {name: str(self._dense(name).frames.dtype) for name in plan.dense}
        emitted = self._emit(regions, dtypes) if plan.steps else None
        frame_counts = [self._frame_counts(item) for item in range(bound.n_items)]
        return Prepared(plan, self._layout, regions, emitted, dtypes, graphs, frame_counts)

    def _frame_counts(self, item: int) -> list[int]:
        counts = []
        for region in self._plan.regions:
            if region.meeting is None:
                counts.append(0)
            else:
                dense = self._dense(str(region.meeting.dense.parameters[0]))
                counts.append(int(dense.counts[0 if dense.shared else item]))
        return counts

    def _pack(self, region: RegionPlan, item: int, as_cyclic: bool) -> Region:
        if region.graph is None:
            return pack_frames(region.semiring)
        graph = self._symbolic.evaluate(region.graph, item)
        offsets = self._layout.leaf_offsets(item)
        meeting = region.meeting
        columns = -1
        if meeting is not None:
            columns = self._dense(str(meeting.dense.parameters[0])).n_columns
            if meeting.acceptors and not graph.topology.is_acceptor:
                operand = region.node.operands[0]
                raise_transducer("intersect", "one", graph.topology, self._plan.places.get(operand))
        memo = graph.topology.memo("packed")
        key = (region.semiring, meeting and meeting.side, columns, as_cyclic, graph.key, offsets.tobytes())
        found = memo.get(key) if graph.key is not None else None
        if found is not None:
            cache.count("regions reused")
            return found  # type: ignore[no-any-return]
        cache.count("regions packed")
        if meeting is None:
            packed = pack_graph(graph.topology, graph.selection, offsets, region.semiring, as_cyclic=as_cyclic)
        else:
            met = pack_trellis(graph.topology, graph.selection, offsets, meeting.side, columns, region.semiring)
            if met is None:
                raise _CannotMeet(str(meeting.dense.parameters[0]))
            packed = met
        if len(memo) >= 16:
            memo.clear()
        memo[key] = packed
        return packed

    def _dense(self, name: str) -> BoundDense:
        found = self._bound.inputs[name]
        assert isinstance(found, BoundDense)
        return found

    def _emit(self, regions: list[tuple[Region, ...]], dtypes: dict[str, str]) -> Emitted:
        if regions:
            kinds = tuple((r.kind, r.semiring) for r in regions[0])
        else:
            kinds = tuple((_expected_kind(r), r.semiring) for r in self._plan.regions)
        key = (kinds, tuple(dtypes.items()))
        found = self._plan.memo.get(key)
        if found is None:
            found = emit(self._plan, [KERNELS[kind] for kind in kinds], dtypes, scalar_functions)
            self._plan.memo[key] = found
        return found  # type: ignore[no-any-return]

    def _best_arcs(self, node: Node, graph: SymbolicGraph, item: int) -> Sequence[int] | None:
        """The best path of a graph that stands under PATH, at the present weights."""
        if self._weights is None:
            self._weights = self._layout.weights()
        weights, offsets = self._weights, self._layout.flat_offsets(item)
        for number in np.unique(graph.selection.leaf).tolist():
            leaf = self._plan.leaves[number]
            if not leaf.is_input and not leaf.is_number:
                weights[offsets[number]] = self._score(leaf, item)
        _, arcs = reference.best_path(graph.topology, graph.selection.weights(weights, offsets))
        return arcs

    def _score(self, node: Node, item: int) -> float:
        """A score that weights a graph below PATH, by the interpreter."""
        part = replace(self._owner.program, result=node, places=dict(self._plan.places))
        return Interpretation(part, self._bound, item, self._owner.limits).forward(want_gradient=False).number


def _expected_kind(region: RegionPlan) -> str:
    """A region's shape where an empty batch gives no graph to look at."""
    if region.meeting is None:
        return "lattice"
    return "frames" if region.graph is None else "trellis"
