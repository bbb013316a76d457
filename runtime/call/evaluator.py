"""Evaluation of an equation: binds what the user gives, leads from stage to stage and back, and shapes what comes out.

Below the facade, above `engine`, which evaluates a stage. A program is cut into stages by operators whose output
depends on weights, such as PATH (`arcgrad.compiler.plan.stages`); most have one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from arcgrad.compiler.frontend.ir import Program
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.plan.stages import split_stages
from arcgrad.compiler.types import Type
from arcgrad.grammar.errors import InputError
from arcgrad.runtime.call.engine import Engine
from arcgrad.runtime.call.outputs import check_cotangent, check_out, is_integral, shape_kinds, shape_values
from arcgrad.runtime.call.pullback import PullBack, pullback
from arcgrad.runtime.call.stages import StagedCall, StageEngine, StageRun
from arcgrad.runtime.data.inputs import Bound, BoundGraph, bind
from arcgrad.runtime.jit.declare import Kernel
from arcgrad.runtime.kinds import kinds_of
from arcgrad.runtime.reference.interpreter import Trace, trace

if TYPE_CHECKING:
    from arcgrad.runtime.call.second import SecondOrder

__all__ = ["Evaluator"]


class Evaluator:
    """Evaluates one equation.

    Attributes:
        stages: their engines, in order.
        engine: of the program that remains, whose value is the equation's.
    """

    def __init__(self, program: Program, mode: str, limits: Limits) -> None:
        self.program = program
        self.mode = mode
        self.limits = limits
        # The interpreter takes the program as it is: it keeps weights beside the graphs that it builds.
        stages, last = ((), program) if mode == "interpret" else split_stages(program)
        self.stages = tuple(StageEngine(stage, mode, limits) for stage in stages)
        self.engine = Engine(last, mode, limits)
        # Where nothing looks at scores before a routine does, large batches of them are checked there.
        self._defers = mode != "interpret" and not stages
        self._result = program.result.type, is_integral(program.result)

    def bind(self, given: dict[str, Any], *, defer: bool = False) -> Bound:
        """The checked inputs. With ``defer`` some scores may be left for the engine to look at."""
        bound = bind(self.program.inputs, given, defer=defer and self._defers)
        for name, found in bound.inputs.items():
            if isinstance(found, BoundGraph):
                self._check_states(name, found)
        return bound

    def _check_states(self, name: str, found: BoundGraph) -> None:
        """A graph of two arcs may claim 2³¹ states, for each of which an evaluation needs memory."""
        most = self.limits.states
        for item, graph in enumerate(found.items):
            n_states = graph.topology.n_states
            if n_states > most and n_states > 2 * (graph.n_arcs + 1):
                what = f"input {name}" if found.shared else f"item {item} of the batch: input {name}"
                arcs = f"{graph.n_arcs} arc{'s' * (graph.n_arcs != 1)}"
                smaller = "number its states without gaps"
                self.limits.check(f"{what}, a graph of {arcs},", states=graph.n_states, smaller=smaller)

    def value(self, given: dict[str, Any]) -> Any:
        """The value in the user's shape."""
        bound = self.bind(given, defer=True)
        here = StagedCall(self.stages, bound, self.limits).inputs_of(self.engine.program) if self.stages else bound
        values, _ = self.engine.run(here, (), None, {})
        return shape_values(values, bound, *self._result, kinds_of(given))

    def value_and_grad(
        self, given: dict[str, Any], wrt: tuple[str, ...], cotangent: Any, out: Mapping[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """The value and gradients in the user's shapes; ``out``: arrays that take some of the gradients, by name.

        As `pullback` and one pull; but since the cotangent is known, one pass of the routine does both.
        """
        bound = self.bind(given, defer=True)
        taking = {} if out is None else check_out(out, bound, wrt)
        checked = check_cotangent(cotangent, bound, self.program.result.type)
        if self.stages:
            call = StagedCall(self.stages, bound, self.limits)
            values, gradients = self.engine.run(
                call.inputs_of(self.engine.program), call.wrt_of(self.engine.program, wrt), checked, {}
            )
            gradients = call.pull_back(gradients, wrt)
        else:
            values, gradients = self.engine.run(bound, wrt, checked, taking)
        for name, array in taking.items():
            if gradients[name] is not array and not np.may_share_memory(gradients[name], array):
                array[...] = gradients[name]
            gradients[name] = array
        kinds = kinds_of(given)
        return shape_values(values, bound, *self._result, kinds), shape_kinds(gradients, kinds, taking)

    def pullback(self, given: dict[str, Any], wrt: tuple[str, ...]) -> tuple[Any, PullBack]:
        """The value, and a function from its cotangent to the gradients, which may be called any number of times."""
        bound = self.bind(given)
        call = StagedCall(self.stages, bound, self.limits)
        last = self.engine.program
        values, pull = pullback(self.engine, call.inputs_of(last) if self.stages else bound, call.wrt_of(last, wrt))

        def pull_all(cotangent: Any = None) -> dict[str, Any]:
            checked = check_cotangent(cotangent, bound, self.program.result.type)
            return shape_kinds(call.pull_back(pull(checked), wrt), kinds)

        kinds = kinds_of(given)
        return shape_values(values, bound, *self._result, kinds), pull_all

    def hvp(self, given: dict[str, Any], vector: Any, wrt: tuple[str, ...], *, is_one: bool) -> dict[str, Any]:
        """The Hessian times a vector; ``is_one``: the vector is the part for the one input in ``wrt``."""
        from arcgrad.runtime.data.directions import bind_direction, directions_by_name

        bound = self.bind(given)
        if self.program.result.type is not Type.SCORE:
            raise InputError(
                "hvp is a second derivative of a score, but this equation's value is a graph",
                hint="reduce it, as with LSE[…]; jacobian has the first derivatives of a graph's arcs",
            )
        parts = directions_by_name(vector, wrt, is_one)
        directions = {name: bind_direction(name, part, bound) for name, part in parts.items()}
        return shape_kinds(self._second_order.product(bound, directions) if directions else {}, kinds_of(given))

    @cached_property
    def _second_order(self) -> SecondOrder:
        from arcgrad.runtime.call.second import SecondOrder

        stages, engine = tuple(stage.stage for stage in self.stages), self.engine
        if self.mode == "interpret":  # which is not cut otherwise
            stages, last = split_stages(self.program)
            engine = Engine(last, self.mode, self.limits)
        return SecondOrder(stages, engine, self.mode, self.limits)

    def trace(self, given: dict[str, Any], cotangent: Any) -> Trace:
        """The interpreter's record."""
        bound = self.bind(given)
        checked = check_cotangent(cotangent, bound, self.program.result.type)
        return trace(self.program, bound, self.limits, None if checked is None else checked[0])

    def kernels_beside(self, given: dict[str, Any]) -> list[Kernel[..., Any]]:
        """The kernels by which calls of such inputs are prepared."""
        from arcgrad.runtime.call.warmup import transform_kernels

        runs, engines = self.planned.engines(self.bind(given))
        found: list[Kernel[..., Any]] = []
        for engine, bound in engines:
            found += engine.preparer.prepare(bound).symbolic_kernels
        for run in runs:
            found += transform_kernels(run)
        return found

    def source(self, given: dict[str, Any]) -> str:
        """The routines' texts for these inputs, one for each stage."""
        texts = []
        for engine, bound in self.planned.engines(self.bind(given))[1]:
            emitted = engine.preparer.prepare(bound).emitted
            texts.append(_NO_ROUTINE if emitted is None else str(emitted.source))
        return "\n\n".join(texts)

    @property
    def planned(self) -> Evaluator:
        """What plans the equation: itself, or for the interpreter, which does not, one of mode "kernels"."""
        return Evaluator(self.program, "kernels", self.limits) if self.mode == "interpret" else self

    def engines(self, bound: Bound) -> tuple[list[StageRun], list[tuple[Engine, Bound]]]:
        """The stages as they run, and every engine, the last one among them, with its inputs."""
        if not self.stages:
            return [], [(self.engine, bound)]
        call = StagedCall(self.stages, bound, self.limits)
        engines = [pair for run in call.runs for pair in run.engines]
        return call.runs, [*engines, (self.engine, call.inputs_of(self.engine.program))]


_NO_ROUTINE = "# A graph-valued equation without scores: its arcs' weights are gathered through the selection.\n"
