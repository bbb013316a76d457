"""Evaluation: chooses the tier of each call, and shapes values and gradients for the user.

Below the facade and above interpreter and executor.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from arcgrad.compiler.ir import Program
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.types import Type
from arcgrad.grammar.errors import InputError
from arcgrad.runtime.binding import Bound, Gradients, bind
from arcgrad.runtime.interpreter import Trace, interpret, trace

__all__ = ["Evaluator"]


class Evaluator:
    """Evaluates one program, in the tier that its mode and experience say."""

    def __init__(self, program: Program, mode: str, limits: Limits) -> None:
        self.program = program
        self.mode = mode
        self.limits = limits

    def value(self, given: dict[str, Any]) -> Any:
        """The value in the user's shape."""
        bound = bind(self.program.inputs, given)
        values, _ = interpret(self.program, bound, self.limits, ())
        return self._shaped(values, bound)

    def value_and_grad(self, given: dict[str, Any], wrt: tuple[str, ...], cotangent: Any) -> tuple[Any, dict[str, Any]]:
        """The value and gradients in the user's shapes."""
        bound = bind(self.program.inputs, given)
        values, gradients = interpret(self.program, bound, self.limits, wrt, cotangent)
        return self._shaped(values, bound), Gradients(gradients)

    def trace(self, given: dict[str, Any], cotangent: Any) -> Trace:
        """The interpreter's record."""
        return trace(self.program, bind(self.program.inputs, given), self.limits, cotangent)

    def _shaped(self, values: list[Any], bound: Bound) -> Any:
        if bound.batch is None:
            return values[0]
        if self.program.result.type is Type.GRAPH:
            return values
        return np.array(values, dtype=np.float64)
