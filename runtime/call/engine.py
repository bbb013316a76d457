"""One stage's evaluation: a program without transforms, in the tier that its mode and experience say.

Below the evaluator, which shapes what comes in and goes out and leads from stage to stage; above interpreter and
executor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from arcgrad.compiler.frontend.ir import Program
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.plan.plan import has_kernels
from arcgrad.grammar.errors import LimitError
from arcgrad.runtime.call.outputs import shape_gradients
from arcgrad.runtime.data.graph import Graph
from arcgrad.runtime.data.inputs import Bound, BoundGraph
from arcgrad.runtime.jit.background.process import background
from arcgrad.runtime.jit.background.waiting import NotCompiled, compiling
from arcgrad.runtime.jit.interrupts import interrupts_held_back
from arcgrad.runtime.jit.patience import LONGER_THAN_COMPILING, Patience
from arcgrad.runtime.kernels import NoKernelError
from arcgrad.runtime.reference.interpreter import interpret

if TYPE_CHECKING:
    from arcgrad.runtime.call.execute import Execution
    from arcgrad.runtime.call.prepare import Preparer
    from arcgrad.runtime.call.prepared import Prepared

__all__ = ["Engine"]

# Seconds that an equation may spend in the slower tiers before its routine is worth compiling.
_PATIENCE = 0.25


class Engine:
    """Evaluates one program.

    Attributes:
        patience: with slower tiers than the fused one.
        is_interpreted: whether every call is: by the mode, or since a reduction has no kernels.
    """

    def __init__(self, program: Program, mode: str, limits: Limits) -> None:
        self.program = program
        self.mode = mode
        self.limits = limits
        self.patience = Patience(_PATIENCE)
        self.is_interpreted = mode == "interpret" or not has_kernels(program)
        self._preparer: Preparer | None = None
        self._execution: Any = None
        self._choose_tier: Any = None
        self._seconds_interpreted: Any = None
        self._graph_values: Any = None

    @property
    def preparer(self) -> Preparer:
        """The preparer, made when first needed: the interpreter does without."""
        if self._preparer is None:
            with interrupts_held_back():  # one within an import may leave Python's own lock of imports taken
                from arcgrad.runtime.call.execute import Execution
                from arcgrad.runtime.call.graph_values import graph_values
                from arcgrad.runtime.call.prepare import Preparer
                from arcgrad.runtime.call.tier import choose_tier, seconds_interpreted

            self._graph_values = graph_values
            self._execution, self._choose_tier, self._seconds_interpreted = Execution, choose_tier, seconds_interpreted
            self._preparer = Preparer(self.program, self.limits)
        return self._preparer

    def run(
        self, bound: Bound, wrt: tuple[str, ...], cotangent: Any, out: Mapping[str, NDArray[Any]]
    ) -> tuple[list[Any], dict[str, Any]]:
        """Values of every item, and gradients with respect to the inputs in ``wrt`` in the shapes in which these came.

        Args:
            bound: the inputs.
            wrt: names of inputs; none: values only.
            cotangent: one entry an item, or None for ones.
            out: for some dense inputs, arrays that take their gradients.
        """
        if self.is_interpreted:
            bound.waiting.check()
            return self._interpret(bound, wrt, cotangent)
        result = self.program.result
        if result.is_input and not wrt:  # as where a stage ends the program: nothing to prepare
            found = bound.inputs[str(result.parameters[0])]
            if isinstance(found, BoundGraph):
                graphs = [Graph.from_topology(g.topology, g.arc_weight, None, g._attributes) for g in found.items]
                return graphs * (bound.n_items if found.shared else 1), {}
        try:
            prepared = self.preparer.prepare(bound)
        except NoKernelError:
            bound.waiting.check()
            return self._interpret(bound, wrt, cotangent)
        if bound.waiting.inputs:
            bound.waiting.check(but=prepared.met)
        if prepared.emitted is None and not wrt:
            return list(self._graph_values(prepared, bound)), {}
        if self.mode == "auto":
            return self._run_without_waiting(prepared, bound, wrt, cotangent, out)
        return self._run_in(self.mode, prepared, bound, wrt, cotangent, out)

    def _run_without_waiting(self, prepared: Prepared, *call: Any) -> tuple[list[Any], dict[str, Any]]:
        tier = self._choose_tier(prepared, self.patience)
        try:
            with compiling(False):
                return self._run_in(tier, prepared, *call)
        except NotCompiled as missing:  # what only some scores ask for, or kernels, where interpreting builds too much
            takes = background.takes(missing.code)
            if takes and tier != "interpret" and self._seconds_interpreted(prepared) <= LONGER_THAN_COMPILING:
                tier = "interpret"
            else:
                background.wait(missing.code)
        return self._run_in(tier, prepared, *call)

    def _run_in(
        self, tier: str, prepared: Prepared, bound: Bound, wrt: tuple[str, ...], cotangent: Any, out: Any
    ) -> tuple[list[Any], dict[str, Any]]:
        if tier == "fused":
            execution: Execution = self._execution(self.program, self.limits, prepared, bound, tier, out)
            return execution.run(wrt, cotangent)
        with self.patience.tried():
            if tier == "interpret":
                bound.waiting.check()
                try:
                    return self._interpret(bound, wrt, cotangent)
                except LimitError:  # it builds what the plan rewrote away
                    tier = "kernels"
            return self._execution(self.program, self.limits, prepared, bound, tier, out).run(wrt, cotangent)  # type: ignore[no-any-return]

    def _interpret(self, bound: Bound, wrt: tuple[str, ...], cotangent: Any) -> tuple[list[Any], dict[str, Any]]:
        values, parts = interpret(self.program, bound, self.limits, wrt, cotangent)
        return values, shape_gradients(bound, parts)
