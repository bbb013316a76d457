"""One stage's evaluation: a program without transforms, in the tier that its mode and experience say.

Below the evaluator, which shapes what comes in and goes out and leads from stage to stage; above interpreter and
executor.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from arcgrad.compiler.frontend.ir import Program
from arcgrad.compiler.limits import Limits
from arcgrad.grammar.errors import LimitError
from arcgrad.runtime.call.outputs import shape_gradients
from arcgrad.runtime.data.inputs import Bound
from arcgrad.runtime.reference.interpreter import interpret

if TYPE_CHECKING:
    from arcgrad.runtime.call.execute import Execution
    from arcgrad.runtime.call.prepare import Preparer

__all__ = ["Engine"]


class Engine:
    """Evaluates one program.

    Attributes:
        spent: seconds spent in slower tiers than the fused one.
    """

    def __init__(self, program: Program, mode: str, limits: Limits) -> None:
        self.program = program
        self.mode = mode
        self.limits = limits
        self.spent = 0.0
        self._preparer: Preparer | None = None
        self._execution: Any = None

    @property
    def preparer(self) -> Preparer:
        """The preparer, made when first needed: the interpreter does without."""
        if self._preparer is None:
            from arcgrad.runtime.call.execute import Execution
            from arcgrad.runtime.call.prepare import Preparer

            self._execution = Execution
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
        if self.mode == "interpret":
            return self._interpret(bound, wrt, cotangent)
        prepared = self.preparer.prepare(bound)
        if bound.waiting.inputs:
            bound.waiting.check(but=prepared.met)
        if prepared.emitted is None and not wrt:
            from arcgrad.runtime.call.graph_values import graph_values

            return list(graph_values(prepared, bound)), {}
        tier = self.mode
        if tier == "auto":
            from arcgrad.runtime.call.tier import choose_tier

            tier = choose_tier(prepared, self.spent)
        if tier == "fused":
            execution: Execution = self._execution(self.program, self.limits, prepared, bound, tier, out)
            return execution.run(wrt, cotangent)
        began = time.perf_counter()
        if tier == "interpret":
            bound.waiting.check()
            try:
                result = self._interpret(bound, wrt, cotangent)
            except LimitError:  # it builds what the plan rewrote away
                tier = "kernels"
        if tier != "interpret":
            result = self._execution(self.program, self.limits, prepared, bound, tier, out).run(wrt, cotangent)
        self.spent += time.perf_counter() - began
        return result

    def _interpret(self, bound: Bound, wrt: tuple[str, ...], cotangent: Any) -> tuple[list[Any], dict[str, Any]]:
        values, parts = interpret(self.program, bound, self.limits, wrt, cotangent)
        return values, shape_gradients(bound, parts)
