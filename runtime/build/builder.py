"""The symbolic half of an evaluation: topologies and selections of graph expressions, without weights.

Bound inputs → (topology, selection) of every graph node that the numeric half needs. Results are remembered by the
fingerprints of the leaves, so that training on the same graphs repeats nothing, and what a batch shares is built once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NoReturn

import numpy as np

from arcgrad.compiler.frontend.ir import INPUT, Node, topological
from arcgrad.compiler.graphs.mapping import LabelMapping
from arcgrad.compiler.graphs.selection import Selection, compose_selections, join_selections
from arcgrad.compiler.graphs.topology import IntArray, Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators import Built, Joined, Operator
from arcgrad.compiler.plan.plan import Plan
from arcgrad.compiler.types import Type
from arcgrad.grammar.errors import ArcgradError, InputError, Place
from arcgrad.runtime.build.built_graph import SHARED_CACHE, SymbolicGraph
from arcgrad.runtime.build.operators import BUILDS
from arcgrad.runtime.build.origins import arc_words, label_words
from arcgrad.runtime.data.inputs import Bound, BoundDense, BoundGraph
from arcgrad.runtime.jit.cache import cache

__all__ = [
    "SymbolicEvaluator",
    "build_node",
    "depends_on_shared_inputs",
    "raise_transducer",
]


def build_node(
    node: Node,
    topologies: Sequence[Topology],
    mappings: Mapping[str, LabelMapping],
    limits: Limits,
    place: Place | None,
    origin: Callable[[int, int], str],
) -> Built:
    """Apply a literal or structural operator to topologies, with its checks.

    Args:
        node: the operation.
        topologies: one an operand that is a graph or a score (for a score: an empty one).
        mappings: label mappings by input name.
        limits: budget.
        place: where the node stands in the equation, for errors.
        origin: words for an arc, by its number, of the operand at a position.

    Raises:
        InputError: a transducer where an acceptor is required.
        LimitError: the result exceeds the budget.
    """
    entry = node.definition
    assert entry.build is not None
    for position, topology in enumerate(topologies):
        if entry.needs_acceptor(position) and not topology.is_acceptor:
            side = ("left", "right")[position] if len(node.operands) == 2 else "only"
            raise_transducer(entry, f"its {side}", topology, place, partial(origin, position))
    parameters = node.parameters
    for operand in node.operands:
        if operand.type is Type.MAPPING:
            parameters = (mappings[str(operand.parameters[0])], *parameters)
    try:
        return BUILDS.get(entry.name, entry.build)(topologies, parameters, limits)
    except ArcgradError as error:
        if error.place is None:
            error.place = place
        raise


def raise_transducer(
    entry: Operator, which: str, topology: Topology, place: Place | None, origin: Callable[[int], str]
) -> NoReturn:
    """The error for a transducer where an acceptor is required; names the first arc that makes it one."""
    arc = int(np.flatnonzero(topology.ilabel != topology.olabel)[0])
    labels = label_words(topology, arc).split(":")
    raise InputError(
        f"{entry.spelling} needs acceptors, but {which} operand is a transducer: "
        f"{origin(arc)} has input label {labels[0]} and output label {labels[-1]}",
        place=place,
        hint="compose transducers with ∘, or take one side with in[…] or out[…]",
    )


# Bytes of intermediate graphs that an evaluation keeps; beyond it, those that nothing needs any more go.
_HELD_BYTES = 256 << 20

# Leaf and arc number of each entry, and what composing selections holds beside them.
_BYTES_PER_ENTRY = 64

_FEWER = "let fewer copies of one graph meet in a path"

EMPTY_TOPOLOGY = Topology.make(0, [], [], [])


class SymbolicEvaluator:
    """Builds the graphs of one call.

    Args:
        bound: the call's inputs.
        plan: whose graphs to build.
        limits: budget.
    """

    def __init__(self, bound: Bound, plan: Plan, limits: Limits) -> None:
        self._bound = bound
        self._plan = plan
        self._leaves = plan.leaf_numbers
        self._limits = limits
        self._budget = repr(limits).encode()  # what one caller's budget allowed is no answer to another's
        self._places = plan.places
        self._shared: dict[Node, SymbolicGraph] = {}
        self._is_shared: dict[Node, bool] = {}
        self._operations: dict[Node, bytes] = {}
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
        if all(operand.is_input for operand in root.operands):  # most of what a batch builds an item
            built = self._shared.get(root)
            if built is None:
                graphs = [self._input(operand, item) for operand in root.operands if operand.type is Type.GRAPH]
                built = self._evaluate_one(root, graphs, item)
                if self.is_shared(root):
                    self._shared[root] = built
            return built
        building = self._plan.building(root)
        done: dict[Node, SymbolicGraph] = {}
        finished: set[Node] = set()
        stack = [root]
        while stack:
            node = stack[-1]
            if node in finished:
                stack.pop()
                continue
            known = self._shared.get(node)
            if known is None and node in building.kept:
                known = SHARED_CACHE.get(node.digest + self._budget)
            if known is not None:
                done[node] = known
                finished.add(node)
                continue
            operands = building.chains.get(node, node.operands)
            missing = [o for o in operands if o.type is Type.GRAPH and o not in done]
            if missing:
                stack.extend(reversed(missing))
                continue
            stack.pop()
            graphs = [done[o] for o in operands if o.type is Type.GRAPH]
            if node in building.constants:
                self._is_shared[node] = True
                built = self._constant(node, graphs, kept=node in building.kept)
            else:
                built = self._evaluate_one(node, graphs, item)
                if self.is_shared(node):
                    self._shared[node] = built
            done[node] = built
            finished.add(node)
            self._held += built.nbytes
            if self._held > self._allowed:
                self._release(root, done, finished)
        return done[root]

    def _release(self, root: Node, done: dict[Node, SymbolicGraph], finished: set[Node]) -> None:
        """Forget what nothing still to be built needs: n compositions, one inside the other, make n graphs."""
        needed, chains = {root}, self._plan.building(root).chains
        for node in topological(root):
            if node not in finished:
                needed.update(chains.get(node, node.operands))
        for node in [n for n in done if n not in needed]:
            del done[node]
            self._shared.pop(node, None)
        self._held = sum(graph.nbytes for graph in done.values())
        self._allowed = max(_HELD_BYTES, 2 * self._held)

    def _evaluate_one(self, node: Node, operands: list[SymbolicGraph], item: int) -> SymbolicGraph:
        if node.operator == INPUT:
            return self._input(node, item)
        key = self._key(node, operands)
        if key is not None:
            found = SHARED_CACHE.get(key)
            if found is not None:
                cache.count("symbolic hits")
                return found
        result = self._build(node, operands, key)
        cache.count("symbolic built")
        if key is not None:
            SHARED_CACHE.put(key, result)
        return result

    def _input(self, node: Node, item: int) -> SymbolicGraph:
        bound = self._bound.inputs[str(node.parameters[0])]
        assert isinstance(bound, (BoundGraph, BoundDense))
        # Not kept with the topology, which it refers to: what refers to itself waits for Python's garbage collection.
        try:
            return SymbolicGraph(bound.topology(item, self._limits), leaf=self._leaves[node])
        except ArcgradError as error:
            error.place = self._places.get(node)
            raise

    def _key(self, node: Node, operands: list[SymbolicGraph]) -> bytes | None:
        operation = self._operations.get(node)
        if operation is None:
            operation = self._operations[node] = repr((node.operator, node.parameters)).encode() + self._budget
        parts = [operation]
        of_leaves = True
        for graph in operands:
            key = graph.key
            if key is None:
                return None
            if graph.leaf is None:
                of_leaves = False
                key = len(key).to_bytes(4, "little") + key
            parts.append(key)
        for operand in node.operands:
            if operand.type is Type.SCORE:
                parts.append(b"score" + self._leaves[operand].to_bytes(4, "little"))
            elif operand.type is Type.MAPPING:
                parts.append(self._bound.mappings[str(operand.parameters[0])].fingerprint)
        whole = b"".join(parts)
        return whole if of_leaves else hashlib.sha256(whole).digest()[:16]

    def _constant(self, node: Node, operands: list[SymbolicGraph], *, kept: bool) -> SymbolicGraph:
        """Build what no weight enters; of thousands of literals, only the whole that they make is remembered."""
        built = self._apply(node, operands)
        key = node.digest + self._budget
        made = SymbolicGraph(built.topology, built_key=key)
        cache.count("symbolic built")
        if kept:
            SHARED_CACHE.put(key, made)
        return made

    def _apply(self, node: Node, entering: list[SymbolicGraph]) -> Built | Joined:
        """Apply an operator; where there are more operands than it has, the whole chain of it at once."""
        place = self._places.get(node)
        topologies = [graph.topology for graph in entering]
        if len(topologies) <= len(node.operands):
            operands = [operand for operand in node.operands if operand.type is not Type.MAPPING]

            def origin(position: int, arc: int) -> str:
                return self.origin(operands[position], entering[position], arc)

            return build_node(node, topologies, self._bound.mappings, self._limits, place, origin)
        assert node.definition.join is not None
        try:
            return node.definition.join(topologies, self._limits)
        except ArcgradError as error:
            error.place = place
            raise

    def _build(self, node: Node, operands: list[SymbolicGraph], key: bytes | None) -> SymbolicGraph:
        entering = operands
        if len(operands) < len(node.operands):
            graphs = iter(operands)
            entering = []
            for operand in node.operands:
                if operand.type is Type.GRAPH:
                    entering.append(next(graphs))
                elif operand.type is Type.SCORE:
                    leaf = self._leaves[operand]
                    entering.append(SymbolicGraph(EMPTY_TOPOLOGY, Selection.identity(leaf, 1), leaf=leaf))
        built = self._apply(node, entering)
        n_arcs = built.topology.n_arcs
        if isinstance(built, Joined):
            selections = [graph.selection for graph in entering]
            entries = sum(len(selection.arc) for selection in selections)
            self._check_entries(node, entries, lambda: entries)
            return SymbolicGraph(built.topology, join_selections(n_arcs, built.begins, selections), built_key=key)
        local = built.selections[: len(entering)]
        leaves = [graph.leaf for graph in entering if graph.leaf is not None]
        if len(leaves) == len(entering):
            taken = tuple(zip(leaves, local, strict=True))
            self._check_entries(node, len(taken) * n_arcs, lambda: _entries_of_leaves(local))
            return SymbolicGraph(built.topology, taken=taken, built_key=key)
        parts = [(arcs, graph.selection) for arcs, graph in zip(local, entering, strict=True)]
        entries = sum(_entries(arcs, selection) for arcs, selection in parts)
        self._check_entries(node, entries, lambda: entries)
        return SymbolicGraph(built.topology, compose_selections(n_arcs, parts), built_key=key)

    def origin(self, node: Node, graph: SymbolicGraph, arc: int) -> str:
        """Words for an arc of the graph that was built for a node: the arcs of inputs that it takes its weight from."""
        named, selection = {number: leaf for leaf, number in self._leaves.items()}, graph.make_selection()
        taken = slice(*selection.offsets[arc : arc + 2].tolist())
        parts = [
            (named[n], k) for n, k in zip(selection.leaf[taken].tolist(), selection.arc[taken].tolist(), strict=True)
        ]
        return arc_words(parts or [(node, arc)], self._bound)

    def _check_entries(self, node: Node, at_most: int, exactly: Callable[[], int]) -> None:
        """A small graph may sum many weights on each arc: A ∘ A, composed with itself forty times over."""
        if _BYTES_PER_ENTRY * at_most <= self._limits.bytes:
            return
        try:
            self._limits.check("the origin of the arcs' weights", bytes=_BYTES_PER_ENTRY * exactly(), smaller=_FEWER)
        except ArcgradError as error:
            error.place = self._places.get(node)
            raise


def _entries_of_leaves(local: Sequence[IntArray]) -> int:
    return sum(int(np.count_nonzero(arcs >= 0)) for arcs in local)


def _entries(local: IntArray, selection: Selection) -> int:
    """How many entries arcs have that take those of ``selection`` which ``local`` names."""
    return int(np.diff(selection.offsets)[local[local >= 0]].sum()) if selection.n_arcs else 0


def depends_on_shared_inputs(graph: Node, bound: Bound) -> bool:
    """Whether a graph's topology is the same for all items, since no graph of one's own enters it."""
    return bound.batch is None or all(
        bound.inputs[str(node.parameters[0])].shared
        for node in topological(graph)
        if node.is_input and node.type is Type.GRAPH
    )
