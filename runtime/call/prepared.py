"""A prepared call: everything about it that does not depend on weights, laid out as its routine takes it.

Made by ``prepare``, used by ``executor``. A call on graphs of known topology finds its Prepared again and only fills in
weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.cached import cached_property
from arcgrad.compiler.emit import Emitted, signature
from arcgrad.compiler.frontend.ir import topological
from arcgrad.compiler.plan.plan import Plan
from arcgrad.compiler.semirings import semiring
from arcgrad.compiler.types import Type
from arcgrad.runtime.build.built_graph import SymbolicGraph
from arcgrad.runtime.build.operators import KERNELS
from arcgrad.runtime.build.weights import Layout
from arcgrad.runtime.jit.cache import cache
from arcgrad.runtime.jit.declare import Kernel
from arcgrad.runtime.jit.routine import Routine
from arcgrad.runtime.kernels import KernelNames, kernel_names
from arcgrad.runtime.kernels.cyclic.elimination_order import order_elimination
from arcgrad.runtime.kernels.graphs.selections import join_arcs, sum_weights
from arcgrad.runtime.kernels.packing.pack_trellis import pack_trellis_ints
from arcgrad.runtime.regions.region import Region
from arcgrad.runtime.regions.store import RegionStore

__all__ = ["Prepared"]

# A batch that is worth threads is cut into at most this many slices, whatever the number of threads, so that sums over
# the batch are the same for any number of them.
MAX_SLICES = 16
# Arc-frames below which a batch stays in one slice.
SLICING_THRESHOLD = 100_000.0
# Floats of shared gradient, one copy a slice, that a batch may cost.
SHARED_GRADIENT_BUDGET = 1 << 25

# Steps beyond which a routine runs as plain Python over compiled kernels, in mode "fused", too: numba's time grows
# faster than a routine does (74 steps 7 s, 149 steps 14 s, 199 steps 70 s and 1.6 GB, 299 steps a RecursionError).
MAX_COMPILED_STEPS = 100


@dataclass(frozen=True, eq=False)
class Prepared:
    """The symbolic part of a call (of one that meets PATH, also the best paths).

    Attributes:
        plan: what the inputs' kinds ask for.
        layout: where leaf weights lie.
        regions: for each item, its packed regions.
        emitted: the routine's text; None for a graph without scores.
        dtypes: "float32" or "float64" of each dense input met in a region.
        graphs: for each item, the built graph of a graph-valued equation.
        frame_counts: for each item, the frames of each region (0 where it meets no dense input).
        widths: columns of the dense input that each region meets (0: none).
        store: holds what was packed for this call, and all regions once the routine asks for them.
        memo: what calls with the same routine share: it, and what they wished.
    """

    plan: Plan
    layout: Layout
    regions: list[tuple[Region, ...]]
    emitted: Emitted | None
    dtypes: dict[str, str]
    graphs: list[SymbolicGraph]
    frame_counts: list[list[int]]
    widths: list[int]
    store: RegionStore
    memo: dict[Any, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def nbytes(self) -> int:
        """Bytes of what is packed, in the store and where it came from, and of what is laid out."""
        distinct = {id(region): region.nbytes for packed in self.regions for region in packed}
        return 2 * sum(distinct.values()) + 200 * self.n_items + sum(graph.held_bytes for graph in self.graphs) + 4000

    @property
    def n_items(self) -> int:
        """Number of items of the batch."""
        return len(self.frame_counts)

    @property
    def may_be_fused(self) -> bool:
        """Whether its routine is short enough to be compiled as a whole."""
        return len(self.plan.steps) <= MAX_COMPILED_STEPS

    @property
    def signature(self) -> str:
        """Numba's signature of the routine."""
        if "signature" not in self.memo:
            writes = any(step in self.plan.leaf_numbers for step in self.plan.steps)
            dtypes = [self.dtypes[name] for name in self.plan.dense]
            self.memo["signature"] = signature(dtypes, writes_weights=writes)
        return str(self.memo["signature"])

    @property
    def routine(self) -> Routine:
        """The routine as a whole."""
        if "routine" not in self.memo:
            assert self.emitted is not None
            self.memo["routine"] = Routine(self.emitted.source, self.signature)
        found: Routine = self.memo["routine"]
        return found

    @property
    def symbolic_kernels(self) -> list[Kernel[..., object]]:
        """The kernels that preparing a call of this kind may use, whether or not this one did."""
        plan = self.plan
        found: list[Kernel[..., object]] = []
        graphs = [graph for region in plan.regions for graph in region.graphs]
        graphs += [plan.graph] if plan.graph is not None else []
        for node in {node: None for graph in graphs for node in topological(graph)}:
            found += KERNELS.get(node.operator, ())
            if sum(operand.type is Type.GRAPH for operand in node.operands) == 2:
                found += join_arcs, sum_weights
        if any(region.meeting is not None and region.graph is not None for region in plan.regions):
            found.append(pack_trellis_ints)
        if any(
            region.kind == "cyclic" and semiring(region.semiring).cyclic_apart
            for packed in self.regions
            for region in packed
        ):
            found.append(order_elimination)
        return list(dict.fromkeys(found))

    def loaded(self, tier: str) -> Callable[..., Any] | None:
        """The routine of that tier, where a call had it loaded since the cache was cleared last."""
        found = self.memo.get(tier)
        return None if found is None or found[0] != cache.generation else found[1]

    def keep(self, tier: str, routine: Callable[..., Any]) -> None:
        """Remember the routine of a tier."""
        self.memo[tier] = cache.generation, routine

    @cached_property
    def work(self) -> float:
        """Arc-frames of all regions and items: what a routine's time is about proportional to."""
        total = 0
        for packed, frames in zip(self.regions, self.frame_counts, strict=True):
            for number, region in enumerate(packed):
                total += (region.operations or self.widths[number]) * (frames[number] or 1)
        return float(total)

    @cached_property
    def shown(self) -> frozenset[str]:
        """Names of the dense inputs of which a region reads every score, so that its value tells if one is none."""
        return frozenset(
            str(region.meeting.dense.parameters[0])
            for region in self.plan.regions
            if region.meeting is not None and region.graph is None and semiring(region.semiring).shows_nan
        )

    @cached_property
    def met(self) -> frozenset[str]:
        """Dense inputs that the routine reads in regions, and that nothing else reads."""
        if self.emitted is None:
            return frozenset()
        return frozenset(name for name in self.plan.dense if name not in self.layout)

    @property
    def kernels(self) -> list[KernelNames]:
        """The kernels of each region."""
        return [kernel_names(region.kind, region.semiring) for region in self.regions[0]] if self.regions else []

    @cached_property
    def slices(self) -> list[int]:
        """Bounds of the slices of the batch: slice k has items ``slices[k]`` to ``slices[k + 1]``."""
        n = 1
        if self.work >= SLICING_THRESHOLD:
            shared = SHARED_GRADIENT_BUDGET // max(1, self.layout.n_shared)
            n = max(1, min(self.n_items, MAX_SLICES, shared))
        return [round(self.n_items * k / n) for k in range(n + 1)]

    @cached_property
    def packed(self) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """All packed regions in one array, each once, and (B, n_regions) where they begin."""
        begins = [self.store.place(region) for packed in self.regions for region in packed]
        bases = np.array(begins, dtype=np.int64).reshape(self.n_items, len(self.plan.regions))
        return self.store.ints, bases

    @cached_property
    def workspace(self) -> tuple[int, NDArray[np.int64], int, NDArray[np.int64]]:
        """Floats of workspace of a slice, and where each region's begin; the same for integers."""
        floats, numbers = [0], [0]
        for number in range(len(self.plan.regions)):
            most_floats = most_numbers = 0
            for packed, frames in zip(self.regions, self.frame_counts, strict=True):
                needed = packed[number].work(frames[number])
                most_floats, most_numbers = max(most_floats, needed[0]), max(most_numbers, needed[1])
            floats.append(floats[-1] + most_floats)
            numbers.append(numbers[-1] + most_numbers)
        float_places, number_places = np.array([floats[:-1], numbers[:-1]], dtype=np.int64)
        return floats[-1], float_places, numbers[-1] + 1, number_places  # the last says whether to give up

    @cached_property
    def entries(self) -> NDArray[np.int64]:
        """Leaf entries of the scores that arithmetic reads or writes, as the routine takes them."""
        assert self.emitted is not None
        return np.array([self.layout.entry(node) for node in self.emitted.entries], dtype=np.int64)

    @cached_property
    def gradient_shifts(self) -> NDArray[np.int64]:
        """As the layout's shifts, for the gradient, which holds a copy of the shared part for each slice.

        They count from the slice's copy.
        """
        following = len(self.slices) - 2 - np.arange(len(self.slices) - 1)
        return self.layout.shifts + np.repeat(following, np.diff(self.slices)) * self.layout.n_shared

    def wants(self, wrt: Sequence[str]) -> NDArray[np.bool_]:
        """(n_regions, 3): whether gradients are asked for with respect to a region's leaf weights, frames, and values.

        Args:
            wrt: names of the inputs to differentiate with respect to.
        """
        key = ("wants", *wrt)
        if key not in self.memo:
            rows = []
            for region in self.plan.regions:
                below = {leaf for graph in region.graphs for leaf in self.plan.leaves_below(graph)}
                weights = any(not n.is_number and (not n.is_input or n.parameters[0] in wrt) for n in below)
                frames = [meeting.dense.parameters[0] in wrt for meeting in region.meetings]
                rows.append((weights, *frames, False, False)[:3])
            self.memo[key] = np.array(rows, dtype=np.bool_).reshape(-1, 3)
        found: NDArray[np.bool_] = self.memo[key]
        return found
