"""The symbolic half of an evaluation: topologies and selections of graph expressions, without weights.

Bound inputs → (topology, selection) of every graph node that the numeric half needs. Results are remembered by the
fingerprints of the leaves, so that training on the same graphs repeats nothing, and what a batch shares is built once.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn

import numpy as np

from arcgrad.compiler.ir import INPUT, Node, topological
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.mapping import LabelMapping
from arcgrad.compiler.operators import Built, Category, Operator
from arcgrad.compiler.selection import Selection, compose_selections
from arcgrad.compiler.topology import IntArray, Topology
from arcgrad.compiler.types import Type
from arcgrad.grammar.errors import ArcgradError, InputError, Place, UnsupportedError
from arcgrad.runtime.binding import Bound, BoundDense, BoundGraph
from arcgrad.runtime.cache import cache

__all__ = [
    "SymbolicCache",
    "SymbolicEvaluator",
    "SymbolicGraph",
    "build_node",
    "depends_on_shared_inputs",
    "not_there_yet",
    "path_topology",
    "raise_transducer",
]


@dataclass(frozen=True, eq=False)
class SymbolicGraph:
    """A built graph without weights.

    Attributes:
        topology: its states, arcs and labels.
        selection: which leaf entries each arc's weight sums.
        built_key: ``key`` of what an operator built.
        leaf: number of the leaf that the graph is; None where an operator built it.
    """

    topology: Topology
    selection: Selection
    built_key: bytes | None = None
    leaf: int | None = None

    @cached_property
    def key(self) -> bytes | None:
        """Names how it was built from which topologies; None where it also depends on weights (PATH)."""
        if self.leaf is None:
            return self.built_key
        return self.leaf.to_bytes(4, "little") + self.topology.fingerprint

    @property
    def selection_key(self) -> int | bytes | None:
        """As ``key``, among graphs of one topology object only: of a leaf, it takes no fingerprint."""
        return self.built_key if self.leaf is None else self.leaf

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        s = self.selection
        return self.topology.nbytes + s.offsets.nbytes + s.leaf.nbytes + s.arc.nbytes


class SymbolicCache:
    """Least recently used symbolic graphs within a budget of bytes; safe for threads."""

    def __init__(self, budget: int = 256 << 20) -> None:
        self._budget = budget
        self._entries: OrderedDict[bytes, SymbolicGraph] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: bytes) -> SymbolicGraph | None:
        """The graph of that key, or None."""
        with self._lock:
            found = self._entries.get(key)
            if found is not None:
                self._entries.move_to_end(key)
            return found

    def put(self, key: bytes, graph: SymbolicGraph) -> None:
        """Keep a graph; the least recently used ones leave."""
        with self._lock:
            if key in self._entries or graph.nbytes > self._budget // 4:
                return
            self._entries[key] = graph
            self._bytes += graph.nbytes
            while self._bytes > self._budget:
                _, oldest = self._entries.popitem(last=False)
                self._bytes -= oldest.nbytes

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._bytes = 0


SHARED_CACHE = SymbolicCache()
cache.when_cleared(SHARED_CACHE.clear)


def build_node(
    node: Node,
    topologies: Sequence[Topology],
    mappings: Mapping[str, LabelMapping],
    limits: Limits,
    place: Place | None,
) -> Built:
    """Apply a literal or structural operator to topologies, with its checks.

    Args:
        node: the operation.
        topologies: one an operand that is a graph or a score (for a score: an empty one).
        mappings: label mappings by input name.
        limits: budget.
        place: where the node stands in the equation, for errors.

    Raises:
        InputError: a transducer where an acceptor is required.
        LimitError: the result exceeds the budget.
        UnsupportedError: the operator comes in a later version.
    """
    entry = node.definition
    if entry.build is None:
        raise not_there_yet(node, place)
    for position, topology in enumerate(topologies):
        if entry.needs_acceptor(position) and not topology.is_acceptor:
            side = ("left", "right")[position] if len(node.operands) == 2 else "only"
            raise_transducer(entry, f"its {side}", topology, place)
    parameters = node.parameters
    for operand in node.operands:
        if operand.type is Type.MAPPING:
            parameters = (mappings[str(operand.parameters[0])], *parameters)
    try:
        return entry.build(topologies, parameters, limits)
    except ArcgradError as error:
        if error.place is None:
            error.place = place
        raise


def not_there_yet(node: Node, place: Place | None) -> UnsupportedError:
    """The error for an operator that a later version evaluates."""
    return UnsupportedError(
        f"{node.definition.spelling} is not there yet: this version parses and type-checks it, but cannot evaluate it",
        place=place,
    )


def raise_transducer(entry: Operator, which: str, topology: Topology, place: Place | None) -> NoReturn:
    """The error for a transducer where an acceptor is required; names the first arc that makes it one."""
    arc = int(np.flatnonzero(topology.ilabel != topology.olabel)[0])
    raise InputError(
        f"{entry.spelling} needs acceptors, but {which} operand is a transducer: "
        f"arc {arc} has input label {topology.ilabel[arc]} and output label {topology.olabel[arc]}",
        place=place,
        hint="compose transducers with ∘, or take one side with in[…] or out[…]",
    )


# Bytes of intermediate graphs that an evaluation keeps at hand; beyond it, those that nothing needs any more go.
_HELD_BYTES = 256 << 20

# Leaf and arc number of each entry, and what composing selections holds beside them.
_BYTES_PER_ENTRY = 64

EMPTY_TOPOLOGY = Topology.make(0, [], [], [])


class SymbolicEvaluator:
    """Builds the graphs of one call.

    Args:
        bound: the call's inputs.
        leaves: leaf numbers of graph inputs and of scores that weight graphs.
        limits: budget.
        places: where nodes stand in the text.
        best_arcs: for a PATH node's operand, (node, its built graph, item) → the arcs of its best path, or None.
    """

    def __init__(
        self,
        bound: Bound,
        leaves: Mapping[Node, int],
        limits: Limits,
        places: Mapping[Node, Place],
        best_arcs: Callable[[Node, SymbolicGraph, int], Sequence[int] | IntArray | None],
    ) -> None:
        self._bound = bound
        self._leaves = leaves
        self._limits = limits
        self._budget = repr(limits).encode()  # what one caller's budget allowed is no answer to another's
        self._places = places
        self._best_arcs = best_arcs
        self._shared: dict[Node, SymbolicGraph] = {}
        self._is_shared: dict[Node, bool] = {}
        self._held = 0
        self._allowed = _HELD_BYTES

    def is_shared(self, node: Node) -> bool:
        """Whether the graph's topology is the same for all items of the batch because only shared inputs enter."""
        found = self._is_shared.get(node)
        if found is None:
            # What is known of the operands mostly settles it: looking through all below at each node is quadratic.
            known = [self._is_shared.get(o) for o in node.operands]
            if False in known:
                found = False
            elif not known or None in known:
                found = depends_on_shared_inputs(node, self._bound)
            else:
                found = True
            self._is_shared[node] = found
        return found

    def evaluate(self, root: Node, item: int) -> SymbolicGraph:
        """The built graph of ``root`` for one item of the batch."""
        if root.is_input:
            return self._input(root, item)
        done: dict[Node, SymbolicGraph] = {}
        finished: set[Node] = set()
        stack = [root]
        while stack:
            node = stack[-1]
            if node in finished:
                stack.pop()
                continue
            if node in self._shared:
                done[node] = self._shared[node]
                finished.add(node)
                continue
            missing = [o for o in node.operands if o.type is Type.GRAPH and o not in done]
            if missing:
                stack.extend(reversed(missing))
                continue
            stack.pop()
            built = self._evaluate_one(node, [done[o] for o in node.operands if o.type is Type.GRAPH], item)
            done[node] = built
            finished.add(node)
            if self.is_shared(node):
                self._shared[node] = built
            self._held += built.nbytes
            if self._held > self._allowed:
                self._release(root, done, finished)
        return done[root]

    def _release(self, root: Node, done: dict[Node, SymbolicGraph], finished: set[Node]) -> None:
        """Forget what nothing still to be built needs: a chain of n unions makes n graphs of up to n arcs."""
        needed = {root}
        for node in topological(root):
            if node not in finished:
                needed.update(node.operands)
        for node in [n for n in done if n not in needed]:
            del done[node]
            self._shared.pop(node, None)
        self._held = sum(graph.nbytes for graph in done.values())
        self._allowed = max(_HELD_BYTES, 2 * self._held)

    def _evaluate_one(self, node: Node, operands: list[SymbolicGraph], item: int) -> SymbolicGraph:
        if node.operator == INPUT:
            return self._input(node, item)
        if node.definition.category is Category.PATHS and node.operator == "path":
            try:
                return _path(operands[0], self._best_arcs(node, operands[0], item))
            except ArcgradError as error:
                if error.place is None:
                    error.place = self._places.get(node)
                raise
        key = self._key(node, operands)
        if key is not None:
            found = SHARED_CACHE.get(key)
            if found is not None:
                cache.count("symbolic hits")
                return found
        built = self._build(node, operands)
        cache.count("symbolic built")
        result = SymbolicGraph(built[0], built[1], key)
        if key is not None:
            SHARED_CACHE.put(key, result)
        return result

    def _input(self, node: Node, item: int) -> SymbolicGraph:
        bound = self._bound.inputs[str(node.parameters[0])]
        assert isinstance(bound, (BoundGraph, BoundDense))
        leaf = self._leaves[node]
        topology = bound.topology(item)
        memo = topology.memo("identity")
        found = memo.get(leaf)
        if found is None:
            found = SymbolicGraph(topology, Selection.identity(leaf, topology.n_arcs), leaf=leaf)
            memo[leaf] = found
        assert isinstance(found, SymbolicGraph)
        return found

    def _key(self, node: Node, operands: list[SymbolicGraph]) -> bytes | None:
        digest = hashlib.blake2b(repr((node.operator, node.parameters)).encode() + self._budget, digest_size=16)
        graphs = iter(operands)
        for operand in node.operands:
            if operand.type is Type.GRAPH:
                key = next(graphs).key
                if key is None:
                    return None
                digest.update(key)
            elif operand.type is Type.SCORE:
                digest.update(b"score" + self._leaves[operand].to_bytes(4, "little"))
            else:
                digest.update(self._bound.mappings[str(operand.parameters[0])].fingerprint)
        return digest.digest()

    def _build(self, node: Node, operands: list[SymbolicGraph]) -> tuple[Topology, Selection]:
        graphs = iter(operands)
        topologies: list[Topology] = []
        selections: list[Selection] = []
        for operand in node.operands:
            if operand.type is Type.GRAPH:
                graph = next(graphs)
                topologies.append(graph.topology)
                selections.append(graph.selection)
            elif operand.type is Type.SCORE:
                topologies.append(EMPTY_TOPOLOGY)
                selections.append(Selection.identity(self._leaves[operand], 1))
        built = build_node(node, topologies, self._bound.mappings, self._limits, self._places.get(node))
        parts = list(zip(built.selections[: len(selections)], selections, strict=True))
        self._check_selection(node, parts)
        return built.topology, compose_selections(built.topology.n_arcs, parts)

    def _check_selection(self, node: Node, parts: Sequence[tuple[IntArray, Selection]]) -> None:
        """A small graph may sum many weights on each arc: A ∘ A, composed with itself forty times over."""
        entries = 0
        for local, selection in parts:
            if selection.n_arcs:
                entries += int(np.diff(selection.offsets)[local[local >= 0]].sum())
        try:
            self._limits.check("the origin of the arcs' weights", bytes=_BYTES_PER_ENTRY * entries)
        except ArcgradError as error:
            error.place = self._places.get(node)
            raise


def depends_on_shared_inputs(graph: Node, bound: Bound) -> bool:
    """Whether a graph's topology is the same for all items, since no input of one's own enters it.

    Scores enter topologies only through best paths.
    """
    below = topological(graph)
    has_paths = any(node.operator == "path" for node in below)
    return bound.batch is None or all(
        bound.inputs[str(node.parameters[0])].shared
        for node in below
        if node.is_input and (node.type is Type.GRAPH or (node.type is Type.SCORE and has_paths))
    )


def path_topology(topology: Topology, arcs: Sequence[int] | IntArray | None) -> tuple[Topology, IntArray]:
    """The linear graph of a path that keeps its labels, and (n,) the arcs it takes; ∅ where ``arcs`` is None."""
    if arcs is None:
        return EMPTY_TOPOLOGY, np.empty(0, dtype=np.int32)
    chosen = np.asarray(arcs, dtype=np.int32)
    states = np.arange(len(chosen) + 1, dtype=np.int32)
    ilabel = topology.ilabel[chosen]
    olabel = None if topology.is_acceptor else topology.olabel[chosen]
    line = Topology.make(len(states), states[:-1], states[1:], ilabel, olabel, [0], [len(chosen)])
    return line, chosen


def _path(operand: SymbolicGraph, arcs: Sequence[int] | IntArray | None) -> SymbolicGraph:
    topology, chosen = path_topology(operand.topology, arcs)
    return SymbolicGraph(topology, operand.selection.take(chosen), None)
