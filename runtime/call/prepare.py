"""Preparation of a call: bound inputs → plan → built graphs → packed regions → text of the routine.

All that depends on topologies and kinds only; every step is remembered, so a call with known graphs repeats nothing.
"""

from __future__ import annotations

import math
import threading
import weakref
from collections import deque
from dataclasses import replace
from typing import Any

from arcgrad.compiler.emit import Emitted, emit
from arcgrad.compiler.frontend.ir import Program
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators import Size
from arcgrad.compiler.plan.chains import CHAINS, Meeting
from arcgrad.compiler.plan.plan import InputShape, Plan, RegionPlan, make_plan
from arcgrad.compiler.semirings import semiring
from arcgrad.compiler.types import Type
from arcgrad.grammar.errors import ArcgradError
from arcgrad.runtime.build.builder import SymbolicEvaluator
from arcgrad.runtime.build.built_graph import SymbolicGraph
from arcgrad.runtime.build.weights import Layout
from arcgrad.runtime.call.pack import CannotMeet, RegionPacker
from arcgrad.runtime.call.prepared import Prepared
from arcgrad.runtime.data.inputs import Bound, BoundDense, BoundGraph, BoundScore
from arcgrad.runtime.forks import when_forked
from arcgrad.runtime.jit.cache import cache
from arcgrad.runtime.kernels import FUNCTIONS, kernel_names
from arcgrad.runtime.lru import Lru, caches
from arcgrad.runtime.reference.columns import check_columns
from arcgrad.runtime.reference.interpreter import name_item
from arcgrad.runtime.regions.region import Region
from arcgrad.runtime.regions.store import RegionStore

__all__ = ["Preparer", "kinds_of", "shapes_of"]

# Bytes up to which the call prepared last is kept beside the cache.
_SMALL = 1 << 16
# About what a step takes in a plan, with its nodes, its notes and the text of its routine.
_BYTES_OF_A_STEP = 20_000


class Preparer:
    """Prepares calls of one program."""

    def __init__(self, program: Program, limits: Limits) -> None:
        self.program = program
        self.limits = limits
        self._plans = Lru[Plan]("plans", lambda plan: _BYTES_OF_A_STEP * (1 + len(plan.steps)), capacity=64)
        self._renew_lock()
        when_forked(self._renew_lock)
        self._compositions = [node for node in program.nodes if node.is_input or node.operator in CHAINS]
        # Sizes decide nothing but the order of compositions: one alone has none.
        self._orders = sum(not node.is_input for node in self._compositions) > 1
        # Prepared calls by the topologies' tokens. When a topology goes, nobody can ask for its calls any more: they go
        # with the first of their topologies.
        self._prepared = Lru[Prepared]("prepared calls", lambda prepared: prepared.nbytes, capacity=32)
        self._last: tuple[tuple[Any, ...], Prepared, int] | None = None
        self._watched: dict[tuple[Any, ...], list[weakref.ref[Topology]]] = {}
        self._gone: deque[tuple[Any, ...]] = deque()

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()
        self._forgetting = threading.RLock()

    def prepare(self, bound: Bound) -> Prepared:
        """Plan, build, pack and emit, or find again what was prepared for inputs of the same topologies.

        Raises:
            InputError: a score input that weights a graph's paths is +inf, a transducer for an acceptor, or a label for
                which a dense input has no column.
            LimitError: a graph or the workspace exceeds the budget.
        """
        topologies: list[Topology] = []
        key = _identity(bound, topologies)
        if self._gone:
            self._forget_gone()
        last = self._last  # mostly the one; the cache, with its lock, takes as long as a tenth of a small call
        if last is not None and last[0] == key and last[2] == caches.generation:
            known: Prepared | None = last[1]
        else:
            known = self._prepared.get(key)
            if known is not None and known.nbytes <= _SMALL:
                self._last = key, known, caches.generation
        if known is not None:
            cache.count("prepared calls reused")
            known.layout.check_graph_weights(bound)
            return known
        prepared = self._prepare(bound)
        if not any(graph.leaf is not None for graph in prepared.graphs):  # which would keep an input's topology
            self._watched[key] = [weakref.ref(topology, lambda _: self._gone.append(key)) for topology in topologies]
            self._prepared.put(key, prepared)
            for old in [k for k in list(self._watched) if k not in self._prepared] if len(self._watched) > 64 else ():
                self._watched.pop(old, None)
        return prepared

    def _forget_gone(self) -> None:
        with self._forgetting:
            while self._gone:
                self._forget(self._gone.popleft())

    def _forget(self, key: tuple[Any, ...]) -> None:
        if self._watched.pop(key, None) is None:  # another of its topologies went before
            return
        self._prepared.discard(key)
        if self._last is not None and self._last[0] == key:
            self._last = None

    def _prepare(self, bound: Bound) -> Prepared:
        check_columns(self._compositions, self.program, bound, self.limits)
        built: frozenset[str] = frozenset()
        while True:
            preparation = _Preparation(self, self.plan(bound, built), bound)
            try:
                return preparation.run()
            except CannotMeet as signal:
                built |= {signal.name}
            finally:
                preparation.release()

    def plan(self, bound: Bound, built: frozenset[str] = frozenset()) -> Plan:
        """The plan for inputs of these kinds and rough sizes.

        Args:
            bound: the inputs.
            built: dense inputs to be treated as graphs.
        """
        key = kinds_of(self.program, bound, built, self._orders)
        with self._lock:  # plans make nodes with the program's interner
            found_plan = self._plans.get(key)
            if found_plan is None:
                found_plan = make_plan(self.program, shapes_of(self.program, key))
                self._plans.put(key, found_plan)
            return found_plan


def kinds_of(
    program: Program, bound: Bound, built: frozenset[str] = frozenset(), with_sizes: bool = True
) -> tuple[Any, ...]:
    """The kinds of a program's inputs, some of them followed by a rough size; dense ones in ``built`` are graphs."""
    kinds: list[Any] = []
    for name, type_ in program.inputs.items():
        if type_ is Type.MAPPING:
            kinds.append("mapping")
            continue
        found = bound.inputs[name]
        kinds.append("graph" if name in built else _KINDS.get(type(found), "dense"))
        if with_sizes and not isinstance(found, BoundScore):
            kinds.append(_rough_size(found))
    return tuple(kinds)


def _identity(bound: Bound, topologies: list[Topology]) -> tuple[Any, ...]:
    """What a prepared call depends on; the topologies that it names by their tokens are appended to ``topologies``."""
    key: list[Any] = [bound.batch]
    for found in bound.inputs.values():
        if isinstance(found, BoundGraph):
            key.append(found.shared)
            for graph in found.items:
                topology = graph.topology
                topologies.append(topology)
                key.append(topology.token)
        elif isinstance(found, BoundDense):
            key += (found.shared, found.counts.tobytes(), found.n_columns, found.frames.dtype.char)
        else:
            key.append(found.shared)
    for mapping in bound.mappings.values():
        key.append(mapping.fingerprint)
    return tuple(key)


_DTYPES = {"f": "float32", "d": "float64"}

_KINDS = {BoundGraph: "graph", BoundDense: "dense", BoundScore: "score"}

# Numbers of states, arcs and labels, as exponents of four.
_Rough = tuple[int, int, int]


def _rough_size(found: BoundGraph | BoundDense) -> _Rough:
    """An input's size rounded to powers of four, so that inputs of like sizes share their plans."""
    if isinstance(found, BoundDense):
        steps = int(found.counts.max()) if len(found.counts) else 0
        return _near(steps + 1), _near(steps * found.n_columns), _near(found.n_columns)
    if not found.items:
        return -1, -1, -1
    topology = found.items[0].topology
    memo = topology.memo("plan")
    if "size" not in memo:
        memo["size"] = _near(topology.n_states), _near(topology.n_arcs), _near(topology.n_labels)
    size: _Rough = memo["size"]
    return size


def _near(count: int) -> int:
    return round(math.log2(count + 1) / 2)


def shapes_of(program: Program, kinds: tuple[Any, ...]) -> dict[str, InputShape]:
    """What the planner is told, from the kinds of the program's inputs."""
    shapes: list[InputShape] = []
    for entry in kinds:
        if isinstance(entry, str):
            shapes.append(InputShape(entry))
        else:
            states, arcs, labels = (0.0 if n < 0 else 4.0**n for n in entry)
            shapes[-1] = replace(shapes[-1], size=Size(states, arcs, labels))
    return dict(zip(program.inputs, shapes, strict=True))


class _Preparation:
    """One run of the steps that follow planning."""

    def __init__(self, owner: Preparer, plan: Plan, bound: Bound) -> None:
        self._owner = owner
        self._plan = plan
        self._bound = bound
        self._layout = Layout(plan, bound)
        self._symbolic = SymbolicEvaluator(bound, plan, owner.limits)

    def run(self) -> Prepared:
        plan, bound = self._plan, self._bound
        self._layout.check_graph_weights(bound)
        store = RegionStore(bound.n_items)
        packers = [self._packer(region, store) for region in plan.regions]
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
            if semiring(region.semiring).cyclic_apart and len({packed[number].kind for packed in regions}) > 1:
                for item, packed in enumerate(regions):
                    closed = packers[number].pack(item, as_cyclic=True)
                    regions[item] = (*packed[:number], closed, *packed[number + 1 :])
        for counted, n in (
            ("regions packed", sum(packer.n_packed for packer in packers)),
            ("regions reused", sum(packer.n_reused for packer in packers)),
        ):
            if n:
                cache.count(counted, n)
        dtypes = {name: _DTYPES[self._dense(name).frames.dtype.char] for name in plan.dense}
        emitted, memo = self._emit(regions, dtypes) if plan.steps or plan.graph is None else (None, {})
        widths = [0 if r.meeting is None else self._met(r.meeting).n_columns for r in plan.regions]
        prepared = Prepared(
            plan, self._layout, regions, emitted, dtypes, graphs, self._frame_counts(), widths, store, memo
        )
        floats, _, numbers, _ = prepared.workspace
        self._owner.limits.check(
            "the workspace of the routine", bytes=8 * floats + 4 * numbers, smaller="give fewer frames at once"
        )
        return prepared

    def release(self) -> None:
        """Break a ring of references, which would keep the call's weights until the next garbage collection."""
        del self._symbolic

    def _packer(self, region: RegionPlan, store: RegionStore) -> RegionPacker:
        met = [self._met(meeting) for meeting in region.meetings]
        return RegionPacker(region, self._symbolic, self._layout, met, self._plan.places, store, self._owner.limits)

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

    def _emit(self, regions: list[tuple[Region, ...]], dtypes: dict[str, str]) -> tuple[Emitted, dict[Any, Any]]:
        """The routine's text, and a memo that all calls share which have this text."""
        if regions:
            kinds = tuple((r.kind, r.semiring) for r in regions[0])
        else:
            kinds = tuple((_expected_kind(r), r.semiring) for r in self._plan.regions)
        key = (kinds, tuple(dtypes.items()))
        if key not in self._plan.memo:
            emitted = emit(self._plan, [kernel_names(*kind) for kind in kinds], dtypes, FUNCTIONS)
            self._plan.memo[key] = emitted, {}
        found: tuple[Emitted, dict[Any, Any]] = self._plan.memo[key]
        return found


def _expected_kind(region: RegionPlan) -> str:
    """A region's shape where an empty batch gives no graph to look at."""
    if region.meeting is None:
        return "lattice"
    return "frames" if region.graph is None else "trellis"
