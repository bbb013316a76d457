"""A call's way through its stages: each operand is evaluated, its operator applied, and cotangents come back.

Between `evaluator` and `engine`. Results of stages are inputs of later ones; an operand that only shared inputs enter
is evaluated once for the batch. Of an operand that is composed with a dense input only the graph is made that it is
composed with, where the operator can do with that (`arcgrad.runtime.transforms`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from arcgrad.compiler.frontend.ir import Program
from arcgrad.compiler.graphs.transforms import Transformed
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators import operator
from arcgrad.compiler.operators.base import Parameters
from arcgrad.compiler.plan.chains import CHAINS, Meeting
from arcgrad.compiler.plan.stages import Composed, Stage, find_composition
from arcgrad.compiler.types import Type
from arcgrad.grammar.errors import ArcgradError, DivergenceError
from arcgrad.runtime.build.builder import raise_transducer
from arcgrad.runtime.build.origins import expression_words
from arcgrad.runtime.call.carry import of_copies
from arcgrad.runtime.call.engine import Engine
from arcgrad.runtime.call.outputs import add_gradients
from arcgrad.runtime.call.pack import pack_out_arcs
from arcgrad.runtime.call.prepare import kinds_of, shapes_of
from arcgrad.runtime.data.attributes import Later
from arcgrad.runtime.data.graph import Graph
from arcgrad.runtime.data.inputs import Bound, BoundDense, BoundGraph, BoundInput
from arcgrad.runtime.forks import when_forked
from arcgrad.runtime.reference.columns import check_columns
from arcgrad.runtime.reference.interpreter import Interpretation, name_item
from arcgrad.runtime.threads import run_slices
from arcgrad.runtime.transforms import TWINS
from arcgrad.runtime.transforms.composition import Chosen, Composition

__all__ = ["StageEngine", "StageRun", "StagedCall"]

# Ways in which a stage's operand is composed, by kinds of inputs, that it remembers.
_MOST_WAYS = 64


class _ComposedEngines(NamedTuple):
    """How a stage's operand is composed with a dense input, and what makes the graph and its labels, if it has one."""

    composed: Composed
    graph: Engine | None
    labels: Engine | None


class StageEngine:
    """Evaluates one stage.

    Attributes:
        stage: its operand and operator.
        operand: evaluates the operand as a graph.
        scores: evaluate further operands.
    """

    def __init__(self, stage: Stage, mode: str, limits: Limits) -> None:
        self.stage = stage
        self.operand = Engine(stage.program, mode, limits)
        self.scores = [Engine(program, mode, limits) for program in stage.scores]
        self._mode = mode
        self._limits = limits
        self._ways: dict[tuple[Any, ...], _ComposedEngines | None] = {}
        self._renew_lock()
        when_forked(self._renew_lock)
        self._compositions = [n for n in stage.program.nodes if n.is_input or n.operator in CHAINS]
        self._orders = sum(not n.is_input for n in self._compositions) > 1

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()

    def composed(self, here: Bound) -> _ComposedEngines | None:
        """How the operand of these inputs is composed with a dense one; None where it has to be built.

        Raises:
            InputError: a label for which the dense input has no column.
        """
        program = self.stage.program
        twin = TWINS.get(self.stage.node.operator)
        if twin is None or twin.composed is None or not any(isinstance(i, BoundDense) for i in here.inputs.values()):
            return None
        check_columns(self._compositions, program, here, self._limits)
        kinds = kinds_of(program, here, with_sizes=self._orders)
        with self._lock:  # finding one makes nodes with the program's interner
            if kinds not in self._ways:
                found = find_composition(self.stage, shapes_of(program, kinds))
                if len(self._ways) >= _MOST_WAYS:
                    self._ways.clear()
                self._ways[kinds] = None if found is None else self._engines(found)
            return self._ways[kinds]

    def _engines(self, composed: Composed) -> _ComposedEngines:
        if composed.program is None or composed.labels is None:
            return _ComposedEngines(composed, None, None)
        graph = Engine(composed.program, self._mode, self._limits)
        is_one = composed.labels is composed.program
        return _ComposedEngines(composed, graph, graph if is_one else Engine(composed.labels, self._mode, self._limits))

    @property
    def may_be_shared(self) -> bool:
        """Whether a batch that shares the operand shares the result."""
        return not self.stage.node.definition.per_item and not self.scores

    def parameters(self, n_items: int, inputs_of: Callable[[Program], Bound]) -> list[Parameters]:
        """For each item, the literal parameters, the values of scores, and the item's number where that counts."""
        node = self.stage.node
        found: list[Parameters] = [node.parameters] * n_items
        for score in self.scores:
            values = score.run(inputs_of(score.program), (), None, {})[0]
            found = [(*each, value) for each, value in zip(found, values, strict=True)]
        return [(*each, item) for item, each in enumerate(found)] if node.definition.per_item else found

    def apply(self, graph: Graph, parameters: Parameters) -> Transformed:
        """Apply the operator to its operand, built."""
        node = self.stage.node
        twin = TWINS.get(node.operator)
        transform = node.definition.transform if twin is None else twin.built
        assert transform is not None
        return transform(graph.topology, graph.arc_weight, parameters, self._limits)


@dataclass(eq=False)
class StageRun:
    """One stage of one call.

    Attributes:
        stage: the stage.
        here: its operand's inputs.
        made: what the operator made of each item.
        graphs: for each engine, its inputs: of the operand, or first of what the dense input is composed with.
        composed: how it is, or None where the operand was built.
        attributes: of each item's result, or what gives them.
    """

    stage: Stage
    here: Bound
    made: list[Transformed]
    engines: list[tuple[Engine, Bound]]
    attributes: list[Later | None]
    composed: Composed | None = None

    @property
    def dense(self) -> str:
        """The name of the dense input that the operand is composed with."""
        assert self.composed is not None
        return str(self.composed.meeting.dense.parameters[0])

    def pull_back(self, cotangents: Sequence[Any], wrt: Sequence[str]) -> dict[str, Any]:
        """The gradients with respect to the operand's inputs in ``wrt``, from one cotangent an item of the result."""
        found: dict[str, Any] = {}
        for engine, there in self.engines[:1]:
            asked = tuple(name for name in engine.program.inputs if name in wrt)
            pulled = [each.pull_back(cotangent) for each, cotangent in zip(self.made, cotangents, strict=True)]
            if pulled and there.n_items < len(pulled):  # the batch shares the graph
                pulled = [np.sum(pulled, axis=0)]
            if asked and len(pulled) == there.n_items:
                found = engine.run(there, asked, pulled, {})[1]
        if self.composed is not None and self.dense in wrt:
            gradient = self._of_frames(cotangents)
            found[self.dense] = add_gradients(found[self.dense], gradient) if self.dense in found else gradient
        return found

    def _of_frames(self, cotangents: Sequence[Any]) -> Any:
        found = self.here.inputs[self.dense]
        assert isinstance(found, BoundDense)
        rows = np.zeros(found.frames.shape)
        for item, (each, cotangent) in enumerate(zip(self.made, cotangents, strict=True)):
            assert isinstance(each, Chosen)
            each.add_to_frames(cotangent, rows[found.starts[0 if found.shared else item] :])
        with np.errstate(over="ignore"):  # float32 holds less
            return found.collect(rows.astype(found.frames.dtype, copy=False))


class StagedCall:
    """Evaluates the stages of one call, when made.

    Args:
        stages: their engines, in order.
        bound: the equation's inputs.
        limits: budget.

    Attributes:
        runs: what was evaluated, in order.
    """

    def __init__(self, stages: Sequence[StageEngine], bound: Bound, limits: Limits) -> None:
        self._bound = bound
        self._limits = limits
        self._results: dict[str, BoundInput] = {}
        self.runs: list[StageRun] = []
        for engine in stages:
            here = self.inputs_of(engine.stage.program, may_be_shared=engine.may_be_shared)
            composed = engine.composed(here)
            parameters = engine.parameters(here.n_items, self.inputs_of)
            if composed is None:
                run = self._run_built(engine, here, parameters)
            else:
                run = self._run_composed(engine.stage, composed, here, parameters)
            results = tuple(
                Graph.from_topology(each.topology, each.weights, None, attributes)
                for each, attributes in zip(run.made, run.attributes, strict=True)
            )
            self._results[engine.stage.name] = BoundGraph(results, shared=here.batch is None)
            self.runs.append(run)

    def _run_built(self, engine: StageEngine, here: Bound, parameters: Sequence[Parameters]) -> StageRun:
        made: list[Transformed] = []
        attributes: list[Later | None] = []
        for item, graph in enumerate(engine.operand.run(here, (), None, {})[0]):
            with self._naming(engine.stage, item):
                made.append(engine.apply(graph, parameters[item]))
                attributes.append(of_copies(made[-1], graph))
        return StageRun(engine.stage, here, made, [(engine.operand, here)], attributes)

    def _run_composed(
        self, stage: Stage, way: _ComposedEngines, here: Bound, parameters: Sequence[Parameters]
    ) -> StageRun:
        engines, graphs, labels = [], [], []
        if way.graph is not None and way.labels is not None:
            there = self.inputs_of(way.graph.program, may_be_shared=True)
            engines = [(engine, there) for engine in dict.fromkeys((way.graph, way.labels))]
            graphs = labels = way.graph.run(there, (), None, {})[0]
            if way.labels is not way.graph:
                labels = way.labels.run(there, (), None, {})[0]
        meeting = way.composed.meeting
        dense = here.inputs[str(meeting.dense.parameters[0])]
        assert isinstance(dense, BoundDense)
        compositions: list[Composition] = []
        for item in range(here.n_items):
            if not graphs:
                compositions.append(Composition(dense.scores(item)))
                continue
            k = item if len(graphs) > 1 else 0
            graph, topology = graphs[k], graphs[k].topology
            with self._naming(stage, item):
                if meeting.acceptors and not topology.is_acceptor:
                    raise_transducer(operator("intersect"), "one", topology, None, partial(_arc_of, meeting))
                arcs = pack_out_arcs(topology, meeting.side, dense.n_columns)
            compositions.append(
                Composition(dense.scores(item), meeting.side, topology, labels[k].topology, graph.arc_weight, arcs)
            )
        made: dict[int, Transformed] = {}

        apply = TWINS[stage.node.operator].composed
        assert apply is not None

        def choose(item: int) -> None:
            with self._naming(stage, item):
                made[item] = apply(compositions[item], parameters[item], self._limits)

        calls: list[Callable[[], Any]] = [partial(choose, item) for item in range(here.n_items)]
        run_slices(calls, float(sum(each.work for each in compositions)))
        results = [made[item] for item in range(here.n_items)]
        attributes = [
            of_copies(each, graphs[item if len(graphs) > 1 else 0] if graphs else None)
            for item, each in enumerate(results)
        ]
        return StageRun(stage, here, results, engines, attributes, way.composed)

    @contextmanager
    def _naming(self, stage: Stage, item: int) -> Iterator[None]:
        """Say in errors where the operator stands, and which item it was."""
        try:
            yield
        except ArcgradError as error:
            if error.place is None:
                error.place = stage.program.places.get(stage.node)
            named = self._named(stage, item, error) if isinstance(error, DivergenceError) else error
            name_item(named, self._bound, item)
            raise named from None

    def _named(self, stage: Stage, item: int, error: DivergenceError) -> ArcgradError:
        """The same error by the interpreter, which names the cycle's arcs by the user's graphs, where it can."""
        run = Interpretation(replace(stage.program, result=stage.node), self._bound, item, self._limits)
        try:
            run.forward(want_gradient=False)
        except DivergenceError as named:
            return named
        except ArcgradError:  # it builds what is never built here
            pass
        return error

    def inputs_of(self, program: Program, *, may_be_shared: bool = False) -> Bound:
        """The inputs of a stage's program; without a batch where nothing of one enters it, if it may be so."""
        inputs: dict[str, BoundInput] = {}
        for name, type_ in program.inputs.items():
            if type_ is not Type.MAPPING:
                inputs[name] = self._results[name] if name in self._results else self._bound.inputs[name]
        batch = self._bound.batch
        if may_be_shared and all(found.shared for found in inputs.values()):
            batch = None
        return Bound(batch, inputs, self._bound.mappings)

    def wrt_of(self, program: Program, wrt: Sequence[str]) -> tuple[str, ...]:
        """The inputs of a stage's program with respect to which it is differentiated: through all results, too."""
        if not wrt:
            return ()
        return tuple(name for name in program.inputs if name in wrt or name in self._results)

    def pull_back(self, gradients: Mapping[str, Any], wrt: Sequence[str]) -> dict[str, Any]:
        """The gradients with respect to the equation's inputs, from those of the last stage's."""
        if not self.runs:
            return dict(gradients)
        total = dict(gradients)
        for run in reversed(self.runs):
            arriving = total.pop(run.stage.name, None)
            asked = self.wrt_of(run.stage.program, wrt)
            if arriving is None or not asked:
                continue
            for name, gradient in run.pull_back([arriving] if run.here.batch is None else arriving, asked).items():
                total[name] = add_gradients(total[name], gradient) if name in total else gradient
        return {name: total[name] if name in total else self._zero(name) for name in wrt}

    def _zero(self, name: str) -> Any:
        return self._bound.inputs[name].zero()


def _arc_of(meeting: Meeting, arc: int) -> str:
    assert meeting.graph is not None
    return f"arc {arc} of {expression_words(meeting.graph)}"
