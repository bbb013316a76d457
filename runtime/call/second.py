"""Hessian-vector products: the gradient of an equation's derivative along directions of its inputs.

Beside `evaluator`, over `engine`. The derivative is an equation of its own (`arcgrad.compiler.plan.directions`),
planned, compiled and remembered as any other. Where a program is cut into stages, directions go through the operators
as weights do (`Transformed.along`), and cotangents of what an operator made and of its direction come back through it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.frontend.ir import Program
from arcgrad.compiler.graphs.transforms import Along, FloatArray, Transformed
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Parameters
from arcgrad.compiler.plan.directions import derive_along, direction_name
from arcgrad.compiler.types import Type
from arcgrad.grammar.errors import ArcgradError, UndefinedError, UnsupportedError
from arcgrad.runtime.call.engine import Engine
from arcgrad.runtime.call.outputs import add_gradients
from arcgrad.runtime.call.prepare import kinds_of
from arcgrad.runtime.data.graph import Graph
from arcgrad.runtime.data.inputs import Bound, BoundDense, BoundGraph, BoundInput, BoundScore
from arcgrad.runtime.forks import when_forked
from arcgrad.runtime.lru import Lru
from arcgrad.runtime.reference.interpreter import name_item

if TYPE_CHECKING:
    from arcgrad.runtime.call.stages import StageEngine

__all__ = ["SecondOrder"]

# About what a derivative's nodes take, with an engine that has not run yet.
_BYTES = 20_000


class SecondOrder:
    """Evaluates Hessian-vector products of one equation.

    Args:
        stages: the equation's, in order.
        engine: of the program that remains.
        mode, limits: the equation's.
    """

    def __init__(self, stages: Sequence[StageEngine], engine: Engine, mode: str, limits: Limits) -> None:
        self._stages = stages
        self._limits = limits
        self._last = _Derived(engine, mode, limits)
        self._operands = [_Derived(stage.operand, mode, limits) for stage in stages]

    def product(self, bound: Bound, directions: Mapping[str, BoundInput]) -> dict[str, Any]:
        """The Hessian of the items' values, summed, times the directions, with respect to the inputs that have one."""
        call = _Call(bound, dict(directions), self._limits)
        runs = [_run_stage(stage, operand, call) for stage, operand in zip(self._stages, self._operands, strict=True)]
        found = call.gradients(self._last, None)
        for run in reversed(runs):
            run.pull_back(call, found)
        return {name: found[name] if name in found else bound.inputs[name].zero() for name in directions}


class _Derived:
    """A program and its derivatives along directions, one for each set of inputs that have directions."""

    def __init__(self, engine: Engine, mode: str, limits: Limits) -> None:
        self.engine = engine
        self._mode = mode
        self._limits = limits
        self._engines = Lru[list[Engine]]("derivatives along directions", lambda _: _BYTES, capacity=32)
        self._renew_lock()
        when_forked(self._renew_lock)

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()

    def along(self, bound: Bound, wrt: tuple[str, ...]) -> Engine | None:
        """What evaluates the derivative on inputs of these kinds; None where it is zero."""
        program = self.engine.program
        key = kinds_of(program, bound), wrt
        with self._lock:
            found = self._engines.get(key)
            if found is None:
                derived = derive_along(program, self.engine.preparer.plan(bound), wrt)
                found = [] if derived is None else [Engine(derived, self._mode, self._limits)]
                self._engines.put(key, found)
        return found[0] if found else None


class _Call:
    """One call's inputs and results of stages, and their directions.

    Attributes:
        results: what stages made, by name.
        directions: of the inputs and of results; none where that is zero.
    """

    def __init__(self, bound: Bound, directions: dict[str, BoundInput], limits: Limits) -> None:
        self.bound = bound
        self.limits = limits
        self.directions = directions
        self.results: dict[str, BoundInput] = {}

    def find(self, name: str) -> BoundInput:
        """An input or a result."""
        return self.results[name] if name in self.results else self.bound.inputs[name]

    def inputs_of(self, program: Program, *, may_be_shared: bool = False) -> Bound:
        """The inputs of a program, and directions of them; without a batch where nothing of one enters, if allowed."""
        inputs: dict[str, BoundInput] = {}
        for name, type_ in program.inputs.items():
            if type_ is not Type.MAPPING:
                inputs[name] = self._input(name)
        is_shared = may_be_shared and all(found.shared for found in inputs.values())
        return Bound(None if is_shared else self.bound.batch, inputs, self.bound.mappings)

    def _input(self, name: str) -> BoundInput:
        if not name.startswith(direction_name("")):
            return self.find(name)
        of = name.removeprefix(direction_name(""))
        return self.directions[of] if of in self.directions else _zeros(self.find(of))

    def along(self, derived: _Derived, *, may_be_shared: bool = False) -> tuple[Engine, Bound] | None:
        """What evaluates the derivative along the call's directions, and its inputs; None where it is zero."""
        program = derived.engine.program
        here = self.inputs_of(program, may_be_shared=may_be_shared)
        wrt = tuple(name for name in program.inputs if name in self.directions)
        engine = derived.along(here, wrt) if wrt else None
        return None if engine is None else (engine, self.inputs_of(engine.program, may_be_shared=may_be_shared))

    def asked(self, program: Program) -> tuple[str, ...]:
        """The inputs with respect to which a program's gradient is wanted: results have directions of their own."""
        of_results = {direction_name(name) for name in self.results}
        return tuple(name for name in program.inputs if name in self.directions or name in of_results)

    def gradients(self, derived: _Derived, cotangent: Any) -> dict[str, Any]:
        """The gradient of the derivative along the call's directions."""
        along = self.along(derived)
        if along is None:
            derived.engine.run(self.inputs_of(derived.engine.program), (), None, {})  # for the errors that it may have
            return {}
        engine, here = along
        try:
            return dict(engine.run(here, self.asked(engine.program), cotangent, {})[1])
        except ArcgradError as error:
            own = derived.engine.program
            wrt = tuple(name for name in own.inputs if name in self.directions)
            derived.engine.run(self.inputs_of(own), wrt, None, {})  # the value's own error says more
            if isinstance(error, UndefinedError):
                error.message = f"the value exists, but no second derivative can be computed here: {error.message}"
                error.args = (error.message, *error.args[1:])
            raise


def _run_stage(stage: StageEngine, operand: _Derived, call: _Call) -> _Run:
    """Evaluate a stage's operand and its direction, and apply the operator to both."""
    program = stage.stage.program
    here = call.inputs_of(program, may_be_shared=stage.may_be_shared)
    parameters = stage.parameters(here.n_items, call.inputs_of)
    made: list[Transformed] = []
    for item, graph in enumerate(operand.engine.run(here, (), None, {})[0]):
        with _naming(stage, call.bound, item):
            made.append(_apply(stage, graph, parameters[item], call.limits))
    shared = here.batch is None
    name = stage.stage.name
    call.results[name] = BoundGraph(tuple(Graph.from_topology(m.topology, m.weights) for m in made), shared=shared)
    along = call.along(operand, may_be_shared=stage.may_be_shared)
    moved: list[Along] = []
    if along is not None:
        engine, there = along
        graphs = engine.run(there, (), None, {})[0] * (len(made) if there.n_items < len(made) else 1)
        moved = [_move(each, graph.arc_weight) for each, graph in zip(made, graphs, strict=True)]
        items = tuple(Graph.from_topology(m.topology, a.weights) for m, a in zip(made, moved, strict=True))
        call.directions[name] = BoundGraph(items, shared=shared)
    return _Run(stage, operand, here, made, along, moved)


def _apply(stage: StageEngine, graph: Graph, parameters: Parameters, limits: Limits) -> Transformed:
    """Apply a stage's operator; by its own code, where the compiled one does not say how directions go through it."""
    node = stage.stage.node
    made = stage.apply(graph, parameters)
    if made.copies is None and made.along is None and node.definition.transform is not None:
        made = node.definition.transform(graph.topology, graph.arc_weight, parameters, limits)
    if made.copies is None and made.along is None:
        raise UnsupportedError(
            f"hvp through {node.definition.spelling} is not implemented yet: its second derivatives are not known"
        )
    return made


def _move(made: Transformed, direction: FloatArray) -> Along:
    """How an operator's result changes where its operand's weights move in a direction."""
    if made.along is not None:
        return made.along(direction)
    copies = made.copies
    assert copies is not None
    nothing = np.zeros(len(direction))
    return Along(direction[copies], lambda cotangent: (nothing, made.pull_back(cotangent)))


@dataclass(eq=False)
class _Run:
    """One stage of one call: its operand's inputs, what was made, and what evaluates the operand's direction."""

    stage: StageEngine
    operand: _Derived
    here: Bound
    made: list[Transformed]
    along: tuple[Engine, Bound] | None
    moved: list[Along]

    def pull_back(self, call: _Call, found: dict[str, Any]) -> None:
        """Take the cotangents of the result and of its direction out of ``found``, and add what they contribute."""
        name = self.stage.stage.name
        of_weights = self._listed(found.pop(name, None))
        of_direction = self._listed(found.pop(direction_name(name), None))
        pulled = [each.pull_back(cotangent) for each, cotangent in zip(self.made, of_weights, strict=False)]
        turned: list[FloatArray] = []
        if self.along is not None:
            for item, (each, cotangent) in enumerate(zip(self.moved, of_direction, strict=False)):
                by_weights, by_direction = each.pull_back(cotangent)
                turned.append(by_direction)
                if item < len(pulled):
                    pulled[item] = pulled[item] + by_weights
                else:
                    pulled.append(by_weights)
            engine, there = self.along
            self._add(engine, there, call.asked(engine.program), turned, found)
        program = self.operand.engine.program
        self._add(self.operand.engine, self.here, call.asked(program), pulled, found)

    def _listed(self, cotangents: Any) -> Sequence[FloatArray]:
        """One cotangent an item; none where nothing arrives."""
        if cotangents is None:
            return ()
        return [cotangents] if self.here.batch is None else list(cotangents)

    def _add(
        self, engine: Engine, there: Bound, asked: tuple[str, ...], pulled: list[FloatArray], found: dict[str, Any]
    ) -> None:
        """Add the gradients that cotangents of an operand, or of its direction, give."""
        if there.n_items < len(pulled):
            pulled = [np.sum(pulled, axis=0)]
        if not asked or not pulled or len(pulled) != there.n_items:
            return
        for name, gradient in engine.run(there, asked, pulled, {})[1].items():
            found[name] = add_gradients(found[name], gradient) if name in found else gradient


@contextmanager
def _naming(stage: StageEngine, bound: Bound, item: int) -> Iterator[None]:
    """Say in errors where the operator stands, and which item it was."""
    try:
        yield
    except ArcgradError as error:
        if error.place is None:
            error.place = stage.stage.program.places.get(stage.stage.node)
        name_item(error, bound, item)
        raise


class _Zeros(BoundDense):
    """A dense input of zeros. It has no frames: kernels take values without rows for zeros."""

    def scores(self, item: int) -> NDArray[Any]:
        """(T, C) zeros."""
        return np.zeros((int(self.counts[0 if self.shared else item]), self.n_columns), dtype=self.frames.dtype)


def _zeros(found: BoundInput) -> BoundInput:
    """An input of the same form whose weights are all 0."""
    if isinstance(found, BoundGraph):
        items = tuple(Graph.from_topology(g.topology, np.zeros(len(g.weight)), g.tie) for g in found.items)
        return BoundGraph(items, shared=found.shared)
    if isinstance(found, BoundDense):
        nothing: NDArray[Any] = np.zeros((0, found.n_columns), dtype=found.frames.dtype)
        return _Zeros(nothing, found.starts, found.counts, found.shared, found.as_list, found.shape)
    return BoundScore(np.zeros(len(found.values)), found.shared)
