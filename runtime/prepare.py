"""Preparation of a call: bound inputs → plan → built graphs → packed regions → text of the routine.

All that depends on topologies and kinds only; every step is remembered, so a call with known graphs repeats nothing.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from arcgrad.compiler.chains import Meeting
from arcgrad.compiler.emit import Emitted, emit
from arcgrad.compiler.ir import Node, Program
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators import Size
from arcgrad.compiler.plan import InputShape, Plan, RegionPlan, make_plan
from arcgrad.compiler.regions.base import Region
from arcgrad.compiler.topology import Topology
from arcgrad.compiler.types import Type
from arcgrad.grammar.errors import ArcgradError
from arcgrad.runtime.best_paths import best_arcs
from arcgrad.runtime.binding import Bound, BoundDense, BoundGraph, BoundScore
from arcgrad.runtime.cache import cache
from arcgrad.runtime.interpreter import Interpretation, name_item
from arcgrad.runtime.kernels import KERNELS
from arcgrad.runtime.kernels.scalar import __all__ as scalar_functions
from arcgrad.runtime.layout import FloatArray, Layout
from arcgrad.runtime.packing import CannotMeet, RegionPacker
from arcgrad.runtime.prepared import Prepared
from arcgrad.runtime.symbolic import SymbolicEvaluator
from arcgrad.runtime.symbolic_graph import SymbolicGraph

__all__ = ["Preparer"]


class Preparer:
    """Prepares calls of one program."""

    def __init__(self, program: Program, limits: Limits) -> None:
        self.program = program
        self.limits = limits
        self._plans: OrderedDict[tuple[Any, ...], Plan] = OrderedDict()
        self._lock = threading.Lock()
        self._meets_paths = any(not n.is_input and not n.is_number and n.operator == "path" for n in program.nodes)
        # Prepared calls by the topologies' identities; the topologies are kept with them, so that these stay theirs.
        self._prepared: OrderedDict[tuple[Any, ...], tuple[list[Topology], Prepared]] = OrderedDict()

    def prepare(self, bound: Bound) -> Prepared:
        """Plan, build, pack and emit, or find again what was prepared for inputs of the same topologies.

        Raises:
            InputError: a score input that weights a graph's paths is +inf, or a transducer for an acceptor.
            LimitError: a graph or the workspace exceeds the budget.
        """
        topologies: list[Topology] = []
        key = _identity(bound, topologies)
        with self._lock:
            known = self._prepared.get(key)
            if known is not None:
                self._prepared.move_to_end(key)
        if known is not None:
            cache.count("prepared calls reused")
            known[1].layout.check_graph_weights(bound)
            return known[1]
        prepared = self._prepare(bound)
        if not self._meets_paths:  # best paths depend on weights
            with self._lock:
                self._prepared[key] = topologies, prepared
                if len(self._prepared) > 32:
                    self._prepared.popitem(last=False)
        return prepared

    def _prepare(self, bound: Bound) -> Prepared:
        built: frozenset[str] = frozenset()
        while True:
            try:
                return _Preparation(self, self.plan(bound, built), bound).run()
            except CannotMeet as signal:
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


def _identity(bound: Bound, topologies: list[Topology]) -> tuple[Any, ...]:
    """What a prepared call depends on; the topologies that it names by their ids are appended to ``topologies``."""
    key: list[Any] = [bound.batch]
    for found in bound.inputs.values():
        if isinstance(found, BoundGraph):
            key.append(found.shared)
            for graph in found.items:
                topology = graph.topology
                topologies.append(topology)
                key.append(id(topology))
        elif isinstance(found, BoundDense):
            key += (found.shared, found.counts.tobytes(), found.n_columns, found.frames.dtype.char)
        else:
            key.append(found.shared)
    for mapping in bound.mappings.values():
        key.append(mapping.fingerprint)
    return tuple(key)


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
    memo = topology.memo("plan")
    if "shape" not in memo:
        memo["shape"] = InputShape("graph", _rough(topology.n_states, topology.n_arcs, topology.n_labels))
    shape: InputShape = memo["shape"]
    return shape


def _rough(states: float, arcs: float, labels: float) -> Size:
    """A size rounded to powers of four, so that inputs of like sizes share their plans."""

    def near(count: float) -> float:
        return float(4 ** round(math.log2(count + 1) / 2))

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
        self._layout.check_graph_weights(bound)
        packers = [self._packer(region) for region in plan.regions]
        regions: list[tuple[Region, ...]] = []
        graphs: list[SymbolicGraph] = []
        for item in range(bound.n_items):
            try:
                if plan.graph is not None:
                    graphs.append(self._symbolic.evaluate(plan.graph, item))
                regions.append(tuple([packer.pack(item) for packer in packers]))
            except ArcgradError as error:
                name_item(error, bound, item)
                raise
        for number, region in enumerate(plan.regions):
            # One routine serves a batch of lattices and cyclic graphs; other semirings' kernels take both as they are.
            if region.semiring == "log" and len({packed[number].kind for packed in regions}) > 1:
                for item, packed in enumerate(regions):
                    closed = packers[number].pack(item, as_cyclic=True)
                    regions[item] = (*packed[:number], closed, *packed[number + 1 :])
        for counted, n in (
            ("regions packed", sum(packer.n_packed for packer in packers)),
            ("regions reused", sum(packer.n_reused for packer in packers)),
        ):
            if n:
                cache.count(counted, n)
        dtypes = {name: str(self._dense(name).frames.dtype) for name in plan.dense}
        emitted = self._emit(regions, dtypes) if plan.steps or plan.graph is None else None
        widths = [0 if r.meeting is None else self._met(r.meeting).n_columns for r in plan.regions]
        prepared = Prepared(plan, self._layout, regions, emitted, dtypes, graphs, self._frame_counts(), widths)
        floats, _, numbers, _ = prepared.workspace
        self._owner.limits.check("the workspace of the routine", bytes=8 * floats + 4 * numbers)
        return prepared

    def _packer(self, region: RegionPlan) -> RegionPacker:
        n_columns = -1 if region.meeting is None else self._met(region.meeting).n_columns
        return RegionPacker(region, self._symbolic, self._layout, n_columns, self._plan.places)

    def _frame_counts(self) -> list[list[int]]:
        """For each item, the frames of each region."""
        n_items = self._bound.n_items
        columns: list[list[int]] = []
        for region in self._plan.regions:
            counts = [0]
            if region.meeting is not None:
                counts = self._met(region.meeting).counts.tolist()
            columns.append(counts if len(counts) == n_items else counts * n_items)
        return [[column[item] for column in columns] for item in range(n_items)]

    def _met(self, meeting: Meeting) -> BoundDense:
        return self._dense(str(meeting.dense.parameters[0]))

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
        if key not in self._plan.memo:
            self._plan.memo[key] = emit(self._plan, [KERNELS[kind] for kind in kinds], dtypes, scalar_functions)
        emitted: Emitted = self._plan.memo[key]
        return emitted

    def _best_arcs(self, node: Node, graph: SymbolicGraph, item: int) -> Sequence[int] | None:
        """The best path of a graph that stands under PATH, at the present weights."""
        if self._weights is None:
            self._weights = self._layout.weights(self._bound)
        weights, offsets = self._weights, self._layout.flat_offsets(item)
        for number in np.unique(graph.selection.leaf).tolist():
            leaf = self._plan.leaves[number]
            if not leaf.is_input and not leaf.is_number:
                weights[offsets[number]] = self._score(leaf, item)
        return best_arcs(graph.topology, graph.selection.weights(weights, offsets))

    def _score(self, node: Node, item: int) -> float:
        """A score that weights a graph below PATH, by the interpreter."""
        part = replace(self._owner.program, result=node, places=dict(self._plan.places))
        return Interpretation(part, self._bound, item, self._owner.limits).forward(want_gradient=False).number


def _expected_kind(region: RegionPlan) -> str:
    """A region's shape where an empty batch gives no graph to look at."""
    if region.meeting is None:
        return "lattice"
    return "frames" if region.graph is None else "trellis"
