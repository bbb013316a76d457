"""A call's way through its stages: each operand is evaluated, its operator applied, and cotangents come back.

Between `evaluator` and `engine`. Results of stages are inputs of later ones; an operand that only shared inputs enter
is evaluated once for the batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from arcgrad.compiler.frontend.ir import Program
from arcgrad.compiler.graphs.transforms import Transformed
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.plan.stages import Stage
from arcgrad.compiler.types import Type
from arcgrad.grammar.errors import ArcgradError
from arcgrad.runtime.call.engine import Engine
from arcgrad.runtime.call.outputs import add_gradients
from arcgrad.runtime.call.transforms import transform
from arcgrad.runtime.data.graph import Graph
from arcgrad.runtime.data.inputs import Bound, BoundGraph, BoundInput
from arcgrad.runtime.reference.interpreter import name_item

__all__ = ["StagedCall"]


class StagedCall:
    """Evaluates the stages of one call, when made.

    Args:
        stages: with their engines, in order.
        bound: the equation's inputs.
        limits: budget.
    """

    def __init__(self, stages: Sequence[tuple[Stage, Engine]], bound: Bound, limits: Limits) -> None:
        self._stages = stages
        self._bound = bound
        self._limits = limits
        self._results: dict[str, BoundInput] = {}
        self._transformed: list[list[Transformed]] = []
        self._inputs: list[Bound] = []
        for stage, engine in stages:
            here = self.inputs_of(stage.program, may_be_shared=True)
            graphs, _ = engine.run(here, (), None, {})
            made = [self._apply(stage, graph, item) for item, graph in enumerate(graphs)]
            results = tuple(Graph.from_topology(each.topology, each.weights) for each in made)
            self._results[stage.name] = BoundGraph(results, shared=here.batch is None)
            self._transformed.append(made)
            self._inputs.append(here)

    @property
    def results(self) -> list[tuple[Bound, list[Transformed]]]:
        """For each stage, its inputs, and what its operator made of each item."""
        return list(zip(self._inputs, self._transformed, strict=True))

    def _apply(self, stage: Stage, graph: Graph, item: int) -> Transformed:
        try:
            return transform(stage.node, graph.topology, graph.arc_weight, self._limits)
        except ArcgradError as error:
            if error.place is None:
                error.place = stage.program.places.get(stage.node)
            name_item(error, self._bound, item)
            raise

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
        if not self._stages:
            return dict(gradients)
        total = dict(gradients)
        for (stage, engine), made, here in zip(
            reversed(self._stages), reversed(self._transformed), reversed(self._inputs), strict=True
        ):
            arriving = total.pop(stage.name, None)
            asked = self.wrt_of(stage.program, wrt)
            if arriving is None or not asked:
                continue
            cotangents = [arriving] if here.batch is None else arriving
            pulled = [each.pull_back(cotangent) for each, cotangent in zip(made, cotangents, strict=True)]
            _, further = engine.run(here, asked, pulled, {})
            for name, gradient in further.items():
                total[name] = add_gradients(total[name], gradient) if name in total else gradient
        return {name: total[name] if name in total else self._zero(name) for name in wrt}

    def _zero(self, name: str) -> Any:
        return self._bound.inputs[name].zero()
