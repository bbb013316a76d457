"""Evaluation: chooses the tier of each call, and shapes values and gradients for the user.

Below the facade and above interpreter and executor.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.ir import Node, Program
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators import Category
from arcgrad.compiler.score_values import WHOLE
from arcgrad.compiler.types import Type
from arcgrad.grammar.errors import InputError, LimitError
from arcgrad.runtime.build.builder import has_paths, not_there_yet
from arcgrad.runtime.call.outputs import Gradients, check_out
from arcgrad.runtime.data.checks import as_array, to_floats
from arcgrad.runtime.data.inputs import Bound, BoundGraph, bind
from arcgrad.runtime.reference.interpreter import Trace, interpret, trace

if TYPE_CHECKING:
    from arcgrad.runtime.call.execute import Execution

__all__ = ["Evaluator"]

_INTEGRAL = ("count", *WHOLE)


class Evaluator:
    """Evaluates one program, in the tier that its mode and experience say."""

    def __init__(self, program: Program, mode: str, limits: Limits) -> None:
        self.program = program
        self.mode = mode
        self.limits = limits
        self.spent = 0.0
        # Where nothing looks at scores before a routine does, large batches of them are checked there.
        self._defers = mode != "interpret" and not has_paths(program.nodes)
        self._preparer: Any = None
        self._execution: Any = None
        self._counts_paths = _is_integral(program.result)
        self._later = next((n for n in program.nodes if _comes_later(n)), None)

    def bind(self, given: dict[str, Any], *, defer: bool = False) -> Bound:
        """The checked inputs; an equation with an operator that is not there yet is refused whatever its inputs.

        With ``defer`` some scores may be left for `_run` to look at.
        """
        if self._later is not None:
            raise not_there_yet(self._later, self.program.places.get(self._later))
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
                self.limits.check(f"{what}, a graph of {arcs},", states=graph.n_states)

    def value(self, given: dict[str, Any]) -> Any:
        """The value in the user's shape."""
        bound = self.bind(given, defer=True)
        values, _ = self._run(bound, (), None, {})
        return self._shaped(values, bound)

    def value_and_grad(
        self, given: dict[str, Any], wrt: tuple[str, ...], cotangent: Any, out: Mapping[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """The value and gradients in the user's shapes; ``out``: arrays that take some of the gradients, by name."""
        bound = self.bind(given, defer=True)
        taking = {} if out is None else check_out(out, bound, wrt)
        values, gradients = self._run(bound, wrt, self._check_cotangent(cotangent, bound), taking)
        for name, array in taking.items():
            if gradients[name] is not array and not np.may_share_memory(gradients[name], array):
                array[...] = gradients[name]
            gradients[name] = array
        return self._shaped(values, bound), Gradients(gradients)

    def warm(self, given: dict[str, Any]) -> None:
        """Load or compile the kernels by which calls of such inputs are prepared."""
        from arcgrad.runtime.call.warmup import load_symbolic_kernels

        load_symbolic_kernels(self.preparer.prepare(self.bind(given)))

    def trace(self, given: dict[str, Any], cotangent: Any) -> Trace:
        """The interpreter's record."""
        bound = self.bind(given)
        checked = self._check_cotangent(cotangent, bound)
        return trace(self.program, bound, self.limits, None if checked is None else checked[0])

    def source(self, given: dict[str, Any]) -> str:
        """The routine's text for these inputs."""
        prepared = self.preparer.prepare(self.bind(given))
        if prepared.emitted is None:
            return "# A graph-valued equation without scores: its arcs' weights are gathered through the selection.\n"
        return str(prepared.emitted.source)

    @property
    def preparer(self) -> Any:
        """The preparer, made when first needed: the interpreter does without."""
        if self._preparer is None:
            from arcgrad.runtime.call.execute import Execution
            from arcgrad.runtime.call.prepare import Preparer

            self._execution = Execution
            self._preparer = Preparer(self.program, self.limits)
        return self._preparer

    def _run(
        self, bound: Bound, wrt: tuple[str, ...], cotangent: Any, out: Mapping[str, NDArray[Any]]
    ) -> tuple[list[Any], dict[str, Any]]:
        if self.mode == "interpret":
            return interpret(self.program, bound, self.limits, wrt, cotangent)
        prepared = self.preparer.prepare(bound)
        if bound.unchecked:  # those that a routine reads in regions, and nothing else reads, wait for its slices
            bound.check_scores(but=prepared.met)
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
            bound.check_scores()
            try:
                result = interpret(self.program, bound, self.limits, wrt, cotangent)
            except LimitError:  # it builds what the plan rewrote away
                tier = "kernels"
        if tier != "interpret":
            result = self._execution(self.program, self.limits, prepared, bound, tier, out).run(wrt, cotangent)
        self.spent += time.perf_counter() - began
        return result

    def _check_cotangent(self, cotangent: Any, bound: Bound) -> Any:
        """The cotangent as one entry an item, or None."""
        if cotangent is None:
            return None
        if self.program.result.type is Type.GRAPH:
            items = [cotangent] if bound.batch is None else cotangent
            if bound.batch is not None and (not isinstance(items, (list, tuple)) or len(items) != bound.batch):
                raise InputError(f"cotangent must be a list of {bound.batch} arrays, one for each graph of the batch")
            return [_cotangent_numbers(item) for item in items]
        shape = () if bound.batch is None else (bound.batch,)
        array = _cotangent_numbers(cotangent)
        if array.shape not in ((), shape):
            raise InputError(
                f"cotangent has shape {array.shape}, but the value's is {shape}",
                hint="a number multiplies every item",
            )
        return np.broadcast_to(array, (bound.n_items,))

    def _shaped(self, values: list[Any], bound: Bound) -> Any:
        if self.program.result.type is Type.GRAPH:
            return values[0] if bound.batch is None else values
        if self._counts_paths:
            whole = [int(v) if v not in (np.inf, -np.inf) else v for v in values]
            if bound.batch is None:
                return whole[0]
            if all(isinstance(v, int) and abs(v) < 2**63 for v in whole):
                return np.array(whole, dtype=np.int64)
            exact = all(not isinstance(v, int) or abs(v) <= 2**53 for v in whole)
            return np.array(whole, dtype=np.float64 if exact else object)
        return float(values[0]) if bound.batch is None else np.array(values, dtype=np.float64)


def _cotangent_numbers(value: Any) -> Any:
    array = as_array(value, "cotangent", "an array of real numbers")
    if array.dtype.kind not in "fiu":
        raise InputError(f"cotangent must hold real numbers, but has dtype {array.dtype}")
    array = to_floats(array, np.float64)
    if not np.all(np.isfinite(array)):
        raise InputError("cotangent holds a number that is not finite")
    return array


def _comes_later(node: Node) -> bool:
    """Whether the node is an operator that this version cannot evaluate."""
    return not node.is_input and not node.is_number and node.definition.category is Category.LATER


def _is_integral(root: Node) -> bool:
    """Whether an equation's value is a whole number made of path counts."""
    if root.type is not Type.SCORE:
        return False
    found = False
    stack, seen = [root], set()
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.is_number:
            if not isinstance(node.parameters[0], int):
                return False
        elif node.operator not in _INTEGRAL:
            return False
        elif node.operator == "count":
            found = True
        else:
            stack.extend(node.operands)
    return found
