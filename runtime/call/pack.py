"""Packs a plan's regions, item by item, and remembers with each topology how it was packed.

Stage: symbolic part, called by `prepare`. Trellises are packed by a kernel where that is compiled or cached, else by
the packer in numpy: both give the same numbers, and the kernel takes a tenth of the time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.frontend.ir import Node
from arcgrad.compiler.graphs.topology import IntArray, Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators import operator
from arcgrad.compiler.plan.plan import RegionPlan
from arcgrad.compiler.semirings import semiring
from arcgrad.grammar.errors import Place
from arcgrad.runtime.buffers import Kept
from arcgrad.runtime.build.builder import SymbolicEvaluator, raise_transducer
from arcgrad.runtime.build.built_graph import SymbolicGraph
from arcgrad.runtime.build.same_topology import check_topologies, same_states_and_arcs
from arcgrad.runtime.build.weights import Layout
from arcgrad.runtime.data.inputs import BoundDense
from arcgrad.runtime.jit.patience import Patience
from arcgrad.runtime.kernels import kernel_names
from arcgrad.runtime.kernels.packing.pack_trellis import pack_trellis_ints, sizes
from arcgrad.runtime.regions.graph import pack_graph
from arcgrad.runtime.regions.orders import ORDERS
from arcgrad.runtime.regions.out_arcs import OutArcs, out_arcs
from arcgrad.runtime.regions.region import Region
from arcgrad.runtime.regions.store import RegionStore
from arcgrad.runtime.regions.trellis import pack_frames, trellis_region
from arcgrad.runtime.regions.trellis import pack_trellis as pack_by_numpy
from arcgrad.runtime.regions.values import with_values

__all__ = ["CannotMeet", "RegionPacker", "pack_by_kernel", "pack_out_arcs", "pack_trellis", "patience"]

# The kernel takes about five seconds to compile.
patience = Patience(0.5)
# The kernel looks at each column, and fills in 32-bit numbers: beyond these sizes numpy's packer decides.
_MOST_COLUMNS = 1 << 22
_MOST_NUMBERS = 2**31 - 1
# Numbers of workspace that a thread keeps for the next region: fresh memory costs much beside what the kernel does.
_MOST_KEPT = 1 << 22
# Ways to pack one graph that are remembered with it.
_MOST_WAYS = 16

_NO_LEAVES: NDArray[np.int64] = np.zeros(0, dtype=np.int64)

_kept = Kept[IntArray]()


class CannotMeet(Exception):  # noqa: N818 - a signal to the caller, who plans anew
    """A dense input whose partner has a cycle of ε arcs: the composition has to be built."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class RegionPacker:
    """Packs one region of a plan for the items of one call.

    Args:
        region: what the plan says of it.
        symbolic: builds its graphs.
        layout: where leaves lie.
        met: the dense inputs that its graphs meet.
        places: where nodes stand in the text.
        store: gets the regions.
        limits: budget.

    Attributes:
        n_packed: regions packed so far.
        n_reused: regions that were known.
    """

    def __init__(
        self,
        region: RegionPlan,
        symbolic: SymbolicEvaluator,
        layout: Layout,
        met: Sequence[BoundDense],
        places: Mapping[Node, Place],
        store: RegionStore,
        limits: Limits,
    ) -> None:
        n_columns = met[0].n_columns if met else -1
        self._region = region
        self._met = met
        self._limits = limits
        self._symbolic = symbolic
        self._layout = layout
        self._places = places
        self._store = store
        # Regions that need values, or other workspace, are packed as of the log semiring first.
        self._packed_as = "log" if semiring(region.semiring).cyclic_apart else region.semiring
        self._key = (self._packed_as, region.meeting and region.meeting.side, n_columns)
        self._n_columns = n_columns
        self.n_packed = 0
        self.n_reused = 0

    def pack(self, item: int, as_cyclic: bool = False) -> Region:
        """The region of that item.

        Args:
            item: of the batch.
            as_cyclic: pack a graph without cycles as if it had some.

        Raises:
            CannotMeet: it cannot be met with the dense input without building it.
            NoKernelError: the reduction has none for such a graph.
            InputError: a transducer where an acceptor is required.
            LimitError: it does not fit 32-bit offsets, or building the graph, or what elimination fills, exceeds the
                budget.
        """
        region = self._region
        if self._met:
            self._check_frames(item)
        if region.graph is None:
            return _pack_frames(self._packed_as, region.semiring)
        built = region.graph
        graph = self._symbolic.evaluate(built, item)
        meeting = region.meeting
        if meeting is not None and meeting.acceptors and not graph.topology.is_acceptor:
            place = self._places.get(region.node.operands[0])

            def origin(arc: int) -> str:
                return self._symbolic.origin(built, graph, arc)

            raise_transducer(operator("intersect"), "one", graph.topology, place, origin)
        values = [self._values(position, graph, item) for position in range(1, 1 + len(region.values))]
        offsets = self._layout.leaf_offsets(item)
        places = offsets.tobytes()
        memo = graph.topology.memo("packed")
        named = [each.selection_key for each in (graph, *values)]
        key = (self._key, as_cyclic, named[0], places)
        whole_key = (*key, region.semiring, *named[1:])
        known: Region | None = memo.get(whole_key) if None not in named else None
        if known is not None:
            self.n_reused += 1
            return known
        self.n_packed += 1
        if len(memo) >= _MOST_WAYS:
            memo.clear()
        base: Region | None = memo.get(key) if named[0] is not None else None
        if base is None:
            base = memo[key] = self._pack(graph, offsets, as_cyclic)
        kernel_names(base.kind, region.semiring)
        if self._packed_as == region.semiring:
            return base
        selections = [each.make_selection() for each in values]
        whole: Region = with_values(base, region.semiring, selections, offsets)
        memo[whole_key] = whole
        return whole

    def _pack(self, graph: SymbolicGraph, offsets: NDArray[np.int64], as_cyclic: bool) -> Region:
        """Pack the first graph."""
        meeting = self._region.meeting
        if meeting is None:
            return pack_graph(
                graph.topology, graph.make_selection(), offsets, self._packed_as,
                as_cyclic=as_cyclic, orders=ORDERS, limits=self._limits,
            )  # fmt: skip
        packed = pack_trellis(graph, offsets, meeting.side, self._n_columns, self._packed_as, self._store)
        if packed is None:
            raise CannotMeet(str(meeting.dense.parameters[0]))
        return packed

    def _values(self, position: int, first: SymbolicGraph, item: int) -> SymbolicGraph:
        """A further graph of the reduction, whose arcs are those of the first one.

        Raises:
            CannotMeet: it differs from it, but not so clearly that both compositions with a dense input must.
            InputError: it differs from it.
        """
        region = self._region
        built = region.values[position - 1].graph
        assert built is not None
        graph = self._symbolic.evaluate(built, item)
        meeting = region.meeting
        if meeting is None:
            place = self._places.get(region.node)
            check_topologies(region.node, position, first.topology, graph.topology, place)
            return graph
        one, other = first.topology, graph.topology
        if one is not other:
            labels, others = (t.ilabel if meeting.side == "input" else t.olabel for t in (one, other))
            if not (same_states_and_arcs(one, other) and np.array_equal(labels, others)):
                raise CannotMeet(str(meeting.dense.parameters[0]))
        return graph

    def _check_frames(self, item: int) -> None:
        """Raise CannotMeet where the dense inputs differ in size: the graphs that they stand for are then compared."""
        first, *others = self._met
        for other in others:
            same = other.frames.dtype == first.frames.dtype and other.n_columns == first.n_columns
            if not same or _n_frames(other, item) != _n_frames(first, item):
                meeting = self._region.meeting
                assert meeting is not None
                raise CannotMeet(str(meeting.dense.parameters[0]))


@cache
def _pack_frames(packed_as: str, semiring: str) -> Region:
    packed = pack_frames(packed_as)
    return packed if packed_as == semiring else with_values(packed, semiring, (), _NO_LEAVES)


def _n_frames(dense: BoundDense, item: int) -> int:
    return int(dense.counts[0 if dense.shared else item])


def pack_trellis(
    graph: SymbolicGraph,
    leaf_offsets: NDArray[np.int64],
    side: str,
    n_columns: int,
    semiring: str,
    store: RegionStore,
) -> Region | None:
    """As `arcgrad.runtime.regions.pack_trellis`, which says what the arguments are, what comes back, and what raises.

    What is packed may be in the store afterwards.

    Example:
        >>> from arcgrad.compiler.graphs.topology import Topology
        >>> topology = Topology.from_arcs(2, [(0, 0, 0), (0, 1, 2)], [0], [1])
        >>> graph = SymbolicGraph(topology, leaf=0)
        >>> pack_trellis(graph, np.zeros(1, dtype=np.int64), "input", 3, "log", RegionStore(1)).n_arcs
        2
    """
    if patience.ends_for(pack_trellis_ints):
        packed = pack_by_kernel(graph, leaf_offsets, side, n_columns, semiring, store)
        if packed is not None:
            return packed
    with patience.tried():
        return pack_by_numpy(graph.topology, graph.make_selection(), leaf_offsets, side, n_columns, semiring)


def pack_out_arcs(topology: Topology, side: str, n_columns: int) -> OutArcs | None:
    """The arcs of a graph that is composed with a dense input, by source; None where ε arcs make a cycle.

    They are remembered with the topology.
    """
    memo = topology.memo("out arcs")
    key = side, n_columns
    if key not in memo:
        graph = SymbolicGraph(topology, leaf=0)
        packed = pack_trellis(graph, np.zeros(1, dtype=np.int64), side, n_columns, "max", RegionStore(1))
        if len(memo) >= _MOST_WAYS:
            memo.clear()
        memo[key] = None if packed is None else out_arcs(packed, topology, side)
    found: OutArcs | None = memo[key]
    return found


def pack_by_kernel(
    graph: SymbolicGraph,
    leaf_offsets: NDArray[np.int64],
    side: str,
    n_columns: int,
    semiring: str,
    store: RegionStore,
) -> Region | None:
    """The same region by the kernel; None where numpy's has to decide: a cycle of ε arcs, too large numbers."""
    topology = graph.topology
    n_states = topology.n_states
    pointers, parts, arcs, others = graph.entries()
    # Without pointers an arc has two entries at most.
    most, scratch = sizes(n_states, len(topology.src), max(len(arcs), 2 * len(topology.src)), n_columns)
    if n_columns > _MOST_COLUMNS or most > _MOST_NUMBERS:
        return None
    out, room = store.room(most), _take_room(scratch)
    length = pack_trellis_ints(
        n_states, n_columns, topology.ilabel if side == "input" else topology.olabel, topology.src, topology.dst,
        topology.start, topology.accept, pointers, parts, arcs, others, leaf_offsets, semiring == "log", out, room,
    )  # fmt: skip
    region = None
    if length >= 0:
        ints = out[:length]
        ints.flags.writeable = False
        region = trellis_region(ints, semiring)
        store.add(region)
    if len(room) <= _MOST_KEPT:
        _kept.keep(room)
    return region


def _take_room(size: int) -> IntArray:
    """An uninitialised array of at least that length; the one of this thread's last call if it is long enough."""
    room = _kept.take()
    if room is not None and len(room) >= size:
        return room
    return np.empty(size, dtype=np.int32)
