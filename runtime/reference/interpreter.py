"""The reference interpreter: define-by-run over explicit graphs, as the textbook describes it.

Every node of the unrewritten equation gets its value (a graph with weights, or a number), in order; the backward pass
visits them in reverse and gives every node its gradient. The slowest tier, the oracle of the others, and ``eq.trace``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.frontend.ir import Node, Program, describe
from arcgrad.compiler.graphs.score_values import as_float
from arcgrad.compiler.graphs.topology import LARGEST_WEIGHT, IntArray, Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators import Built, Category
from arcgrad.compiler.types import Type
from arcgrad.grammar.errors import ArcgradError, DivergenceError, InputError, LimitError, Place, UndefinedError
from arcgrad.runtime.build.builder import EMPTY_TOPOLOGY, build_node
from arcgrad.runtime.build.columns import Meets, find_arc_without_column, find_meetings, without_column
from arcgrad.runtime.build.origins import arc_parts, arc_words, cycle_words
from arcgrad.runtime.build.same_topology import check_topologies
from arcgrad.runtime.build.weights import too_heavy
from arcgrad.runtime.data.graph import Graph
from arcgrad.runtime.data.inputs import Bound, BoundDense, BoundScore
from arcgrad.runtime.kernels.math.scalar import in_range, scaled
from arcgrad.runtime.reference.carry import later_attributes
from arcgrad.runtime.reference.draws import TRANSFORMS
from arcgrad.runtime.reference.exact_weights import Units, has_large, in_units
from arcgrad.runtime.reference.record import Trace, TraceNode
from arcgrad.runtime.reference.reductions import REDUCTIONS
from arcgrad.runtime.reference.several import SEVERAL

__all__ = ["Interpretation", "Trace", "TraceNode", "graph_cotangent", "interpret", "name_item", "trace"]

FloatArray = NDArray[np.float64]

# What a weight in units takes, as a Python integer of up to 2,100 bits; ordinary ones take half of it.
_BYTES_OF_UNITS = 300

_NO_ARCS = np.zeros(0)
_SUMMED = (
    "; {0} adds up the weights of all paths unless MAX is around it, as in MAX[{0}[A]]; of strings without weights, "
    'support[A] makes the smallest deterministic acceptor, which re"…" is already'
)


@dataclass(eq=False)
class _Chain:
    """A dense input of one item, as a graph: built when its arcs are asked for, which counting them does not."""

    bound: BoundDense
    item: int
    limits: Limits
    place: Place | None

    @property
    def n_paths(self) -> int:
        n_steps, n_columns = self.bound.scores(self.item).shape
        count: int = int(n_columns) ** int(n_steps)
        return count

    def build(self) -> Topology:
        try:
            return self.bound.topology(self.item, self.limits)
        except LimitError as error:
            error.place = self.place
            raise


@dataclass(eq=False)
class _Value:
    """Value and gradient of a node during one evaluation of one item.

    ``chain`` is what a dense input is made of. ``exact`` are a built graph's weights in units, where they may be sums
    that floats round too much.
    """

    built: Topology | None = None
    held: FloatArray = field(default_factory=lambda: _NO_ARCS)
    chain: _Chain | None = None
    exact: Units | None = None
    number: float = 0.0
    selections: tuple[IntArray, ...] = ()
    pull_back: Callable[[FloatArray], FloatArray] | None = None
    arc_gradients: Sequence[FloatArray] = ()
    bar: float = 0.0
    bars: FloatArray = field(default_factory=lambda: _NO_ARCS)

    @property
    def is_graph(self) -> bool:
        """Whether it is no number."""
        return self.built is not None or self.chain is not None

    @property
    def topology(self) -> Topology | None:
        """The graph without weights; None of a number."""
        if self.built is None and self.chain is not None:
            self.built = self.chain.build()
        return self.built

    @property
    def weights(self) -> FloatArray:
        """(n_arcs,) arc weights."""
        return self.held if self.chain is None else self.chain.bound.weights(self.chain.item)

    @property
    def nbytes(self) -> int:
        """Bytes of a built graph: what the inputs hold is not counted."""
        if self.built is None or not self.selections:
            return 0
        floats = self.held.nbytes + (0 if self.exact is None else _BYTES_OF_UNITS * len(self.exact))
        return self.built.nbytes + floats + sum(s.nbytes for s in self.selections)


@dataclass(eq=False)
class Interpretation:
    """One item's evaluation; ``backward`` may be called once."""

    program: Program
    bound: Bound
    item: int
    limits: Limits
    values: dict[Node, _Value] = field(default_factory=dict)
    _meetings: dict[Node, list[Meets]] = field(default_factory=dict)

    def forward(self, want_gradient: bool) -> _Value:
        """Evaluate every node, operands first; the result's value."""
        held, nodes = 0, self.program.nodes
        for meeting in find_meetings(nodes, self.bound):
            self._meetings.setdefault(meeting.node, []).append(meeting)
        for node in nodes:
            if node.type is not Type.MAPPING:
                value = self.values[node] = self._evaluate(node, want_gradient)
                held += value.nbytes
                if held > self.limits.bytes:
                    self._too_much(node, held)
        result = self.values[self.program.result]
        _ = result.topology  # a dense input alone is built now
        return result

    def _too_much(self, node: Node, held: int) -> None:
        """Raise LimitError: unlike the other tiers, this one keeps every graph that it builds."""
        done = sum(value.nbytes > 0 for value in self.values.values())
        graphs = sum(n.type is Type.GRAPH and not n.is_input for n in self.program.nodes)
        try:
            self.limits.check(
                "the interpreter's intermediate graphs",
                bytes=held,
                at_least=True,
                usual={"bytes": held * (graphs / max(done, 1)) ** 2},  # a chain of n unions holds n graphs of n parts
                smaller='compile with mode="auto", whose tiers keep fewer graphs',
            )
        except LimitError as error:
            error.place = self.program.places.get(node)
            raise

    def _evaluate(self, node: Node, want_gradient: bool) -> _Value:
        if node.is_number:
            value = node.parameters[0]
            assert isinstance(value, (int, float))
            return _Value(number=value)
        if node.is_input:
            return self._input(node)
        operands = [self.values[o] for o in node.operands if o.type is not Type.MAPPING]
        place = self.program.places.get(node)
        try:
            match node.definition.category:
                case Category.LITERAL | Category.STRUCTURAL:
                    return self._structural(node, operands)
                case Category.TRANSFORM:
                    return self._transform(node, operands)
                case Category.REDUCTION if node.definition.semiring in SEVERAL:
                    return self._reduce_several(node, operands)
                case Category.REDUCTION:
                    return _reduce(node, operands[0], want_gradient)
                case Category.ARITHMETIC:
                    return self._arithmetic(node, operands)
        except ArcgradError as error:
            if error.place is None:
                error.place = place
            if isinstance(error, DivergenceError):
                self._name_cycle(error, node.operands[0])
                if node.definition.category is Category.TRANSFORM and error.hint:
                    error.hint += _SUMMED.format(node.definition.name)
            raise

    def check_columns(self, meeting: Meets) -> None:
        """Raise InputError where the graph that meets a dense input has a label for which this has no column."""
        if meeting.graph not in self.values:
            self.forward(want_gradient=False)
        topology = self.values[meeting.graph].topology
        assert topology is not None
        arc = find_arc_without_column(meeting, topology, self.bound)
        if arc is not None:
            place = self.program.places.get(meeting.node)
            raise without_column(meeting, topology, arc, self._origin(meeting.graph, arc), self.bound, place)

    def _name_cycle(self, error: DivergenceError, node: Node) -> None:
        """Say in the error which arcs of the inputs the cycle in that node's graph takes."""
        if not error.cycle:  # it is one of a graph that was made on the way
            return
        topology = self.values[node].topology
        assert topology is not None
        error.say_where(cycle_words(node, topology, error.cycle, self._origin, self.bound))

    def _origin(self, node: Node, arc: int) -> str:
        return arc_words(arc_parts(node, arc, lambda inner: self.values[inner].selections), self.bound)

    def _input(self, node: Node) -> _Value:
        bound = self.bound.inputs[str(node.parameters[0])]
        if isinstance(bound, BoundScore):
            return _Value(number=float(bound.values[0 if bound.shared else self.item]))
        if isinstance(bound, BoundDense):
            return _Value(chain=_Chain(bound, self.item, self.limits, self.program.places.get(node)))
        return _Value(built=bound.topology(self.item, self.limits), held=bound.weights(self.item))

    def _structural(self, node: Node, operands: list[_Value]) -> _Value:
        topologies = [EMPTY_TOPOLOGY if v.topology is None else v.topology for v in operands]
        place = self.program.places.get(node)
        for meeting in self._meetings.get(node, ()):
            self.check_columns(meeting)
        graphs = [operand for operand in node.operands if operand.type is not Type.MAPPING]

        def origin(position: int, arc: int) -> str:
            return self._origin(graphs[position], arc)

        built = build_node(node, topologies, self.bound.mappings, self.limits, place, origin)
        weights = np.zeros(built.topology.n_arcs)
        large = False
        with np.errstate(over="ignore"):  # what is too small for a float is −inf
            for value, selection in zip(operands, built.selections, strict=False):
                chosen = np.flatnonzero(selection >= 0)
                if value.is_graph:
                    weights[chosen] += value.weights[selection[chosen]]
                    large = large or value.exact is not None or has_large(value.weights.tolist())
                else:
                    if len(chosen) and not value.number <= LARGEST_WEIGHT:
                        raise too_heavy(as_float(value.number))
                    weights[chosen] += as_float(value.number)
        exact = _exact_sums(operands, built) if large else None
        return _Value(built=built.topology, held=weights, exact=exact, selections=built.selections)

    def _transform(self, node: Node, operands: list[_Value]) -> _Value:
        operand, *scores = operands
        transform = node.definition.transform or TRANSFORMS[node.operator]
        assert operand.topology is not None
        parameters = (*node.parameters, *(score.number for score in scores))
        if node.definition.per_item:
            parameters = (*parameters, self.item)
        made = transform(operand.topology, operand.weights, parameters, self.limits)
        exact = None if operand.exact is None or made.copies is None else operand.exact[made.copies]
        copies = () if made.copies is None else (made.copies,)
        return _Value(built=made.topology, held=made.weights, exact=exact, selections=copies, pull_back=made.pull_back)

    def _reduce_several(self, node: Node, operands: list[_Value]) -> _Value:
        """Reduce graphs over one topology, all arcs of which have a weight and values."""
        topologies = [operand.topology for operand in operands]
        first = topologies[0]
        assert first is not None
        for position, other in enumerate(topologies):
            assert other is not None
            check_topologies(node, position, first, other, self.program.places.get(node))
        name = node.definition.semiring
        assert name is not None
        weights = [operand.weights for operand in operands]
        score, gradients = SEVERAL[name](first, weights, [operand.exact for operand in operands])
        return _Value(number=score, arc_gradients=gradients)

    def _arithmetic(self, node: Node, operands: list[_Value]) -> _Value:
        entry = node.definition
        assert entry.evaluate is not None
        numbers = [v.number for v in operands]
        number = entry.evaluate(*numbers)
        if number != number:
            shown = describe(node, {o: _plain(v) for o, v in zip(node.operands, numbers, strict=True)})
            raise UndefinedError(f"{shown} is undefined")
        return _Value(number=number)

    def backward(self, cotangent: float | FloatArray) -> None:
        """Give every node its gradient, in reverse topological order."""
        for value in self.values.values():
            if value.is_graph:
                value.bars = np.zeros(len(value.weights))
            value.bar = 0.0
        result = self.values[self.program.result]
        if not result.is_graph:
            result.bar = float(cotangent)
        else:
            result.bars = np.array(cotangent, dtype=np.float64)
        with np.errstate(over="ignore", invalid="ignore"):  # derivatives beyond floats, as of a product of huge scores
            for node in reversed(self.program.nodes):
                if node.operands and node.type is not Type.MAPPING:
                    self._pull_back(node)

    def _pull_back(self, node: Node) -> None:
        value = self.values[node]
        operands = [self.values[o] for o in node.operands if o.type is not Type.MAPPING]
        if value.pull_back is not None:
            operands[0].bars += value.pull_back(value.bars)
        elif value.is_graph:
            for operand, selection in zip(operands, value.selections, strict=False):
                chosen = np.flatnonzero(selection >= 0)
                if operand.is_graph:
                    operand.bars += np.bincount(
                        selection[chosen], weights=value.bars[chosen], minlength=len(operand.bars)
                    ).astype(np.float64, copy=False)
                else:
                    operand.bar += float(value.bars[chosen].sum())
        elif value.bar == 0 or value.number in (math.inf, -math.inf):
            return  # no derivative passes below an infinite score
        elif node.definition.category is Category.REDUCTION:
            for operand, gradient in zip(operands, value.arc_gradients, strict=False):
                operand.bars += in_range(value.bar) * gradient
        else:
            derivatives = node.definition.derivatives
            assert derivatives is not None
            for operand, d in zip(operands, derivatives(value.number, *(o.number for o in operands)), strict=True):
                operand.bar += scaled(value.bar, as_float(d))


def _plain(number: float) -> str:
    return {math.inf: "inf", -math.inf: "(-inf)"}.get(number, repr(number) if number >= 0 else f"({number!r})")


def _exact_sums(operands: list[_Value], built: Built) -> Units:
    """Add in units what each arc of a built graph takes from its operands."""
    exact = np.zeros(built.topology.n_arcs, dtype=object)
    for value, selection in zip(operands, built.selections, strict=False):
        chosen = np.flatnonzero(selection >= 0)
        given = value.exact
        if given is None:
            given = in_units(value.weights.tolist() if value.is_graph else [as_float(value.number)])
        exact[chosen] += given[selection[chosen]]
    return exact


def _reduce(node: Node, operand: _Value, want_gradient: bool) -> _Value:
    semiring = node.definition.semiring
    if semiring == "count" and node.definition.reduce is None and operand.chain is not None:
        return _Value(number=operand.chain.n_paths)
    topology, weights = operand.topology, operand.weights
    assert topology is not None
    gradient: FloatArray | None
    if node.definition.reduce is not None:
        score, gradient = node.definition.reduce(topology, weights)
    else:
        assert node.definition.semiring is not None
        score, gradient = REDUCTIONS[node.definition.semiring](topology, weights, operand.exact, want_gradient)
    return _Value(number=score, arc_gradients=() if gradient is None else (gradient,))


def interpret(
    program: Program,
    bound: Bound,
    limits: Limits,
    wrt: Sequence[str],
    cotangent: Any = None,
) -> tuple[list[Any], dict[str, list[Any]]]:
    """Values of every item, and for each input in ``wrt`` its gradient for each item.

    Args:
        program: the equation, not rewritten.
        bound: its inputs.
        limits: budget.
        wrt: input names; none: values only.
        cotangent: what the value's gradient is multiplied with: for scores one number an item, for graphs one array an
            item; None: ones.
    """
    values: list[Any] = []
    parts: dict[str, list[Any]] = {name: [] for name in wrt}
    for item in range(bound.n_items):
        run = Interpretation(program, bound, item, limits)
        try:
            result = run.forward(bool(wrt))
        except ArcgradError as error:
            name_item(error, bound, item)
            raise
        if result.topology is None:
            values.append(result.number)
        else:
            values.append(
                Graph.from_topology(
                    result.topology, result.weights, None, later_attributes(program, bound, item, run.values)
                )
            )
        if wrt:
            try:
                run.backward(_item_cotangent(cotangent, item, result))
            except ArcgradError as error:
                name_item(error, bound, item)
                raise
        for name in wrt:
            node = program.input_node(name)
            found = run.values[node]
            parts[name].append(found.bars if found.is_graph else found.bar)
    return values, parts


def name_item(error: ArcgradError, bound: Bound, item: int) -> None:
    """Say in the error's message which item of the batch it comes from."""
    if bound.batch is not None and "of the batch" not in error.message:
        error.message = f"item {item} of the batch: {error.message}"
        error.args = (error.message, *error.args[1:])


def _item_cotangent(cotangent: Any, item: int, result: _Value) -> Any:
    if result.topology is None:
        return 1.0 if cotangent is None else cotangent[item]
    return graph_cotangent(None if cotangent is None else cotangent[item], len(result.weights))


def graph_cotangent(given: FloatArray | None, n_arcs: int) -> FloatArray:
    """(n_arcs,) what a graph's arc weights are differentiated with: what is given, or ones.

    Raises:
        InputError: it has another shape.
    """
    if given is None:
        return np.ones(n_arcs)
    if given.shape != (n_arcs,):
        raise InputError(
            f"cotangent has shape {given.shape}, but the equation's value is a graph of {n_arcs} arcs: "
            f"expected shape ({n_arcs},)"
        )
    return given


def trace(program: Program, bound: Bound, limits: Limits, cotangent: Any = None) -> Trace:
    """The record of one evaluation without a batch, with gradients (none where the value has none)."""
    if bound.batch is not None:
        raise InputError("trace follows one evaluation; the inputs are a batch", hint="give single graphs")
    run = Interpretation(program, bound, 0, limits)
    result = run.forward(want_gradient=True)
    run.backward(_item_cotangent(None if cotangent is None else [cotangent], 0, result))
    shown: dict[Node, TraceNode] = {}
    names: dict[Node, str] = {}
    for node in program.nodes:
        if node.type is Type.MAPPING:
            names[node] = str(node.parameters[0])
            continue
        value = run.values[node]
        expression = describe(node, {o: names[o] for o in node.operands})
        count = sum(not n.is_input and not n.is_number for n in shown) + 1
        names[node] = expression if node.is_input or node.is_number else f"G{count}"
        is_graph = value.is_graph
        shown[node] = TraceNode(
            name=names[node],
            expression=expression,
            value=Graph.from_topology(value.topology, value.weights) if value.topology is not None else value.number,
            gradient=value.bars if is_graph else value.bar,
            inputs=tuple(shown[o] for o in node.operands if o in shown),
        )
    dense = tuple(name for name, found in bound.inputs.items() if isinstance(found, BoundDense))
    return Trace(tuple(shown.values()), program, dense)
