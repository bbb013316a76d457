"""Lowering: plan → the instructions of its routine. All that a renderer could decide otherwise is left to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from arcgrad.compiler.emit.early import early_steps
from arcgrad.compiler.emit.instructions import (
    AddInputGradient,
    AddOutputCotangent,
    AddWeightCotangent,
    Apply,
    ApplyDerivative,
    Begin,
    BeginBackward,
    Check,
    ClearCotangent,
    ClearRows,
    Instruction,
    KernelChoice,
    LoadScore,
    Role,
    Routine,
    RunRegion,
    StopUnlessWanted,
    StoreValue,
    When,
    WriteWeight,
)
from arcgrad.compiler.frontend.ir import Node
from arcgrad.compiler.graphs.score_values import WHOLE
from arcgrad.compiler.plan.plan import Plan
from arcgrad.compiler.semirings import semiring

__all__ = ["lower"]


def lower(plan: Plan, kernels: Sequence[KernelChoice], dtypes: Mapping[str, str]) -> Routine:
    """Make the instructions of a plan's routine.

    Args:
        plan: what to evaluate.
        kernels: for each of the plan's regions, its kernels.
        dtypes: "float32" or "float64" for each dense input that a region reads, by name.
    """
    lowering = _Lowering(plan, kernels)
    instructions = (*lowering.forward(), *lowering.backward())
    entries = tuple(lowering.entries)
    return Routine(plan, tuple(kernels), instructions, entries, lowering.dense, tuple(dtypes[n] for n in plan.dense))


class _Lowering:
    """One run. Entries are numbered as they are first used.

    ``early`` are the steps whose cotangents are known before any value; ``seeded`` the regions whose gradients are
    written as they are evaluated, and for each the number of its dense input.
    """

    def __init__(self, plan: Plan, kernels: Sequence[KernelChoice]) -> None:
        self.plan = plan
        self.kernels = kernels
        self.dense = {name: k for k, name in enumerate(plan.dense)}
        self.entries: dict[Node, int] = {}
        self.regions = {region.node: number for number, region in enumerate(plan.regions)}
        self.early = early_steps(plan, self.regions)
        self.seeded: dict[int, int] = {}
        for number, region in enumerate(plan.regions):
            k = self._dense_of(number)
            if k is None or k in self.seeded.values():
                continue
            if region.node in self.early and kernels[number].kernel("seeded") is not None:
                self.seeded[number] = k
        read = [n for s in plan.steps if s not in self.regions for n in s.operands] + list(plan.outputs)
        self.scores = list(dict.fromkeys(n for n in read if n.is_input or n.is_number))

    def _entry(self, node: Node) -> int:
        return self.entries.setdefault(node, len(self.entries))

    def _dense_of(self, region: int) -> int | None:
        meeting = self.plan.regions[region].meeting
        return None if meeting is None else self.dense[str(meeting.dense.parameters[0])]

    def _run(self, step: Node, role: Role, when: When = When.ALWAYS) -> RunRegion:
        number = self.regions[step]
        region = self.plan.regions[number]
        values = tuple(self.dense[str(v.meeting.dense.parameters[0])] for v in region.values if v.meeting is not None)
        return RunRegion(step, number, role, semiring(region.semiring).sign, self._dense_of(number), when, values)

    def forward(self) -> Iterator[Instruction]:
        """Values, and the gradients that seeded kernels write beside them."""
        plan = self.plan
        yield Begin(plan.root)
        for node in self.scores:
            yield LoadScore(node, self._entry(node))
        yield from self._early_cotangents()
        dense_nodes = {m.dense.parameters[0]: m.dense for region in plan.regions for m in region.meetings}
        for name, k in self.dense.items():
            if k not in self.seeded.values():
                yield ClearRows(dense_nodes[name], k)
        whole: set[Node] = set()  # path counts and what whole numbers are made of them: exact below 2^53
        for step in plan.steps:
            if step not in self.regions:
                yield Apply(step)
            elif self.regions[step] in self.seeded:
                yield self._run(step, "seeded", When.FRESH)
                yield self._run(step, "forward", When.STALE)
            else:
                yield self._run(step, "forward")
            if self._is_whole(step, whole):
                whole.add(step)
            weights_a_graph = step in plan.leaf_numbers
            # A region's kernel says itself, by NaN, when a count is too large.
            yield Check(step, bounded=weights_a_graph, exact=step in whole and step not in self.regions)
            if weights_a_graph:
                yield WriteWeight(step, self._entry(step))
        for k, output in enumerate(plan.outputs):
            yield StoreValue(output, k)
        yield StopUnlessWanted(plan.root)

    def _early_cotangents(self) -> Iterator[Instruction]:
        """Cotangents of the early steps, as far as seeded kernels need them."""
        plan = self.plan
        needed = {plan.regions[number].node for number in self.seeded}
        for step in plan.steps:
            if step not in self.regions and not needed.isdisjoint(step.operands):
                needed.add(step)
        for step in reversed([s for s in plan.steps if s in needed and s in self.early]):
            yield ClearCotangent(step)
            for k, output in enumerate(plan.outputs):
                if output is step:
                    yield AddOutputCotangent(step, k)
            for consumer in plan.steps:
                if consumer not in self.regions:
                    for position, operand in enumerate(consumer.operands):
                        if operand is step:
                            yield ApplyDerivative(consumer, (position,), early=True)

    def _is_whole(self, step: Node, whole: set[Node]) -> bool:
        """Whether a step's value is a path count, or arithmetic between counts and whole numbers."""
        if step in self.regions:
            return semiring(self.plan.regions[self.regions[step]].semiring).is_whole
        return step.operator in WHOLE and all(
            o in whole or (o.is_number and isinstance(o.parameters[0], int)) for o in step.operands
        )

    def backward(self) -> Iterator[Instruction]:
        """Gradients: cotangents from the outputs down to inputs and regions."""
        plan = self.plan
        for number, k in self.seeded.items():  # written before an output was known to be infinite
            meeting = plan.regions[number].meeting
            assert meeting is not None
            yield ClearRows(meeting.dense, k, if_infinite=True)
        yield BeginBackward(plan.root)
        inputs = [node for node in self.scores if node.is_input]
        differentiated = {*plan.steps, *inputs}
        for node in (*plan.steps, *inputs):
            yield ClearCotangent(node)
        for k, output in enumerate(plan.outputs):
            if output in differentiated:
                yield AddOutputCotangent(output, k)
        for step in reversed(plan.steps):
            if step in plan.leaf_numbers:
                yield AddWeightCotangent(step, self._entry(step))
            if step in self.regions:
                number = self.regions[step]
                if self.kernels[number].kernel("backward") is not None:
                    yield self._run(step, "backward", When.STALE if number in self.seeded else When.ALWAYS)
                continue
            wanted = tuple(position for position, o in enumerate(step.operands) if o in differentiated)
            if wanted:
                yield ApplyDerivative(step, wanted)
        for node in inputs:
            yield AddInputGradient(node, self._entry(node))
