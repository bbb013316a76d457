"""Hessian-vector products: the gradient of an equation's derivative along directions of its inputs.

Beside `evaluator`, over `engine`. The derivative is an equation of its own (`arcgrad.compiler.plan.directions`),
planned, compiled and remembered as any other. Where a program is cut into stages, directions go through the operators
as weights do (`Transformed.along`), and cotangents of what an operator made and of its direction come back through it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.frontend.ir import Program
from arcgrad.compiler.graphs.transforms import Along, FloatArray, Transformed
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.plan.directions import derive_along, direction_name
from arcgrad.compiler.plan.stages import Stage
from arcgrad.compiler.types import Type
from arcgrad.grammar.errors import ArcgradError, UndefinedError, UnsupportedError
from arcgrad.runtime.call.engine import Engine
from arcgrad.runtime.call.outputs import add_gradients
from arcgrad.runtime.call.prepare import kinds_of
from arcgrad.runtime.call.stages import StagedCall, StageEngine, StageRun
from arcgrad.runtime.data.graph import Graph
from arcgrad.runtime.data.inputs import Bound, BoundDense, BoundGraph, BoundInput, BoundScore
from arcgrad.runtime.forks import when_forked
from arcgrad.runtime.lru import Lru

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

    def __init__(self, stages: Sequence[Stage], engine: Engine, mode: str, limits: Limits) -> None:
        self._stages = [_BuiltStage(stage, mode, limits) for stage in stages]
        self._limits = limits
        self._last = _Derived(engine, mode, limits)
        self._operands = [_Derived(stage.operand, mode, limits) for stage in self._stages]

    def product(self, bound: Bound, directions: Mapping[str, BoundInput]) -> dict[str, Any]:
        """The Hessian of the items' values, summed, times the directions, with respect to the inputs that have one."""
        staged = StagedCall(self._stages, bound, self._limits)
        inputs = dict(bound.inputs)
        for derived in (*self._operands, self._last) if self._stages else ():
            inputs.update(staged.inputs_of(derived.engine.program).inputs)  # results of stages among them
        call = _Call(bound, inputs, dict(directions))
        steps = [self._step(run, operand, call) for run, operand in zip(staged.runs, self._operands, strict=True)]
        found = call.gradients(self._last)
        for step in reversed(steps):
            step.pull_back(call, found)
        return {name: found[name] if name in found else bound.inputs[name].zero() for name in directions}

    def _step(self, run: StageRun, operand: _Derived, call: _Call) -> _Step:
        """Take directions through a stage: those of what it made are added to the call's."""
        along = call.along(operand, run.here.batch)
        if along is None:
            return _Step(run, operand, run.made, None, [])
        engine, there = along
        made = _moving(run, operand, self._limits)
        moves = [
            _move(each, graph.arc_weight) for each, graph in zip(made, engine.run(there, (), None, {})[0], strict=True)
        ]
        items = tuple(Graph.from_topology(m.topology, a.weights) for m, a in zip(made, moves, strict=True))
        call.directions[run.stage.name] = BoundGraph(items, shared=run.here.batch is None)
        return _Step(run, operand, made, along, moves)


class _BuiltStage(StageEngine):
    """A stage that always builds its operand: directions go through its arcs."""

    def composed(self, here: Bound) -> None:
        """None: the operand is built."""


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
    """One call's inputs and directions.

    Attributes:
        bound: the equation's inputs.
        inputs: by name, results of stages among them.
        directions: of these; none where that is zero.
    """

    def __init__(self, bound: Bound, inputs: Mapping[str, BoundInput], directions: dict[str, BoundInput]) -> None:
        self.bound = bound
        self.inputs = inputs
        self.directions = directions

    def inputs_of(self, program: Program, batch: int | None) -> Bound:
        """The inputs of a program and the directions of them that it has."""
        inputs = {name: self._input(name) for name, type_ in program.inputs.items() if type_ is not Type.MAPPING}
        return Bound(batch, inputs, self.bound.mappings)

    def _input(self, name: str) -> BoundInput:
        if not name.startswith(direction_name("")):
            return self.inputs[name]
        of = name.removeprefix(direction_name(""))
        return self.directions[of] if of in self.directions else _zeros(self.inputs[of])

    def along(self, derived: _Derived, batch: int | None) -> tuple[Engine, Bound] | None:
        """What evaluates the derivative along the call's directions, and its inputs; None where it is zero."""
        program = derived.engine.program
        wrt = tuple(name for name in program.inputs if name in self.directions)
        engine = derived.along(self.inputs_of(program, batch), wrt) if wrt else None
        return None if engine is None else (engine, self.inputs_of(engine.program, batch))

    def asked(self, program: Program) -> tuple[str, ...]:
        """The inputs with respect to which a program's gradient is wanted: directions of results move, too."""
        results = {direction_name(name) for name in self.directions if name not in self.bound.inputs}
        return tuple(name for name in program.inputs if name in self.directions or name in results)

    def gradients(self, derived: _Derived) -> dict[str, Any]:
        """The gradient of the derivative along the call's directions."""
        own, batch = derived.engine.program, self.bound.batch
        along = self.along(derived, batch)
        if along is None:
            derived.engine.run(self.inputs_of(own, batch), (), None, {})  # for the errors that it may have
            return {}
        engine, here = along
        try:
            return dict(engine.run(here, self.asked(engine.program), None, {})[1])
        except ArcgradError as error:
            wrt = tuple(name for name in own.inputs if name in self.directions)
            derived.engine.run(self.inputs_of(own, batch), wrt, None, {})  # the value's own error says more
            if isinstance(error, UndefinedError):
                error.message = f"the value exists, but no second derivative can be computed here: {error.message}"
                error.args = (error.message, *error.args[1:])
            raise


def _moving(run: StageRun, operand: _Derived, limits: Limits) -> list[Transformed]:
    """What a stage made, of results that say how directions go through them.

    Where the compiled operator's do not, its own code is asked.

    Raises:
        UnsupportedError: neither does.
    """
    if all(each.copies is not None or each.along is not None for each in run.made):
        return run.made
    node = run.stage.node
    transform = node.definition.transform
    assert transform is not None
    graphs = operand.engine.run(run.here, (), None, {})[0]
    made = [transform(graph.topology, graph.arc_weight, node.parameters, limits) for graph in graphs]
    if not all(each.copies is not None or each.along is not None for each in made):
        raise UnsupportedError(
            f"hvp through {node.definition.spelling} is not implemented yet: its second derivatives are not known",
            place=run.stage.program.places.get(node),
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
class _Step:
    """A stage as directions went through it: what it made, what evaluated its operand's direction, and their moves."""

    run: StageRun
    operand: _Derived
    made: list[Transformed]
    along: tuple[Engine, Bound] | None
    moves: list[Along]

    def pull_back(self, call: _Call, found: dict[str, Any]) -> None:
        """Take the cotangents of the result and of its direction out of ``found``, and add what they contribute."""
        name = self.run.stage.name
        of_weights = self._listed(found.pop(name, None))
        of_direction = self._listed(found.pop(direction_name(name), None))
        pulled = [each.pull_back(cotangent) for each, cotangent in zip(self.made, of_weights, strict=False)]
        turned: list[FloatArray] = []
        for item, (each, cotangent) in enumerate(zip(self.moves, of_direction, strict=False)):
            by_weights, by_direction = each.pull_back(cotangent)
            turned.append(by_direction)
            if item < len(pulled):
                pulled[item] = pulled[item] + by_weights
            else:
                pulled.append(by_weights)
        if self.along is not None:
            _add_gradients(*self.along, call, turned, found)
        _add_gradients(self.operand.engine, self.run.here, call, pulled, found)

    def _listed(self, cotangents: Any) -> Sequence[FloatArray]:
        """One cotangent an item; none where nothing arrives."""
        if cotangents is None:
            return ()
        return [cotangents] if self.run.here.batch is None else list(cotangents)


def _add_gradients(engine: Engine, there: Bound, call: _Call, pulled: list[FloatArray], found: dict[str, Any]) -> None:
    """Add the gradients that cotangents of an operand, or of its direction, give."""
    asked = call.asked(engine.program)
    if not asked or len(pulled) != there.n_items or not pulled:
        return
    for name, gradient in engine.run(there, asked, pulled, {})[1].items():
        found[name] = add_gradients(found[name], gradient) if name in found else gradient


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
