"""``eq.explain``: what was rewritten, fused, hoisted and cached, and what the plan costs on given inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from arcgrad.compiler.frontend.ir import Node, Program, describe
from arcgrad.compiler.plan.plan import InputShape, Plan, make_plan
from arcgrad.compiler.types import Type
from arcgrad.runtime.build.builder import depends_on_shared_inputs
from arcgrad.runtime.call.engine import Engine
from arcgrad.runtime.call.prepared import Prepared
from arcgrad.runtime.call.stages import StagedCall, StageRun
from arcgrad.runtime.call.tier import choose_tier
from arcgrad.runtime.data.inputs import Bound
from arcgrad.runtime.inspect.literals import ambiguous_literals
from arcgrad.runtime.jit.cache import cache
from arcgrad.runtime.kernels import NoKernelError

if TYPE_CHECKING:
    from arcgrad.runtime.call.evaluator import Evaluator

__all__ = ["Explanation", "explain"]


@dataclass(frozen=True)
class Explanation:
    """A plan in words; ``str`` of it is the report.

    Attributes:
        equation: the equation as it was understood.
        inputs: name and type of each input.
        passes: what each pass of the optimiser did, (pass, line).
        regions: one line a region.
        warnings: where a reduction counts several paths of one string of a literal.
        costs: sizes, operations and bytes for given inputs; empty without inputs.
        arc_frames: arcs × frames of all reductions and items, to which the time of a call is about proportional; 0
            without inputs, and where the interpreter alone evaluates. PATH and its like are not counted.
        tier: how the next call will be answered; None without inputs.
    """

    equation: str
    inputs: tuple[tuple[str, str], ...]
    passes: tuple[tuple[str, str], ...]
    regions: tuple[str, ...]
    warnings: tuple[str, ...]
    costs: tuple[str, ...]
    tier: str | None
    arc_frames: float

    def __str__(self) -> str:
        lines = [self.equation]
        lines.append("inputs: " + (", ".join(f"{name} ({type_})" for name, type_ in self.inputs) or "none"))
        if self.passes:
            lines.append("rewriting:")
            lines += [f"  {stage}: {line}" for stage, line in self.passes]
        else:
            lines.append("rewriting: nothing to rewrite")
        lines.append("plan:")
        lines += [f"  {line}" for line in self.regions]
        if self.warnings:
            lines.append("ambiguous:")
            lines += [f"  {line}" for line in self.warnings]
        if self.costs:
            lines.append("on these inputs:")
            lines += [f"  {line}" for line in self.costs]
        if self.tier is not None:
            lines.append(f"tier of the next call: {self.tier}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """The report with headings, and as text, for notebooks."""
        parts = [
            ("inputs", [f"`{name}`: {type_}" for name, type_ in self.inputs]),
            ("rewriting", [f"{stage}: `{line}`" for stage, line in self.passes]),
            ("plan", [f"`{line.strip()}`" for line in self.regions]),
            ("ambiguous", [f"`{line}`" for line in self.warnings]),
            ("on these inputs", list(self.costs)),
            ("tier of the next call", [] if self.tier is None else [self.tier]),
        ]
        lines = [f"**`{self.equation}`**"]
        for heading, entries in parts:
            if entries:
                lines += ["", f"**{heading}**", "", *(f"- {entry}" for entry in entries)]
        return {"text/markdown": "\n".join(lines), "text/plain": str(self)}


def explain(evaluator: Evaluator, bound: Bound | None) -> Explanation:
    """The report on an equation, with sizes where inputs are given; stage by stage where weights decide on graphs."""
    program, mode = evaluator.program, evaluator.mode
    evaluator = evaluator.planned
    runs: list[StageRun | None] = [None] * len(evaluator.stages)
    last: Bound | None = None
    if bound is not None:
        call = StagedCall(evaluator.stages, bound, evaluator.limits)
        runs, last = list(call.runs), call.inputs_of(evaluator.engine.program) if evaluator.stages else bound
    passes: list[tuple[str, str]] = []
    regions: list[str] = []
    costs: list[str] = []
    tier: str | None = None
    arc_frames = 0.0

    def add(engine: Engine, here: Bound | None) -> None:
        nonlocal tier, arc_frames
        prepared: Prepared | None = None
        if here is None:
            plan = make_plan(engine.program, {name: InputShape(_KINDS[t]) for name, t in engine.program.inputs.items()})
        elif (prepared := _prepared(engine, here)) is None:
            plan = engine.preparer.plan(here)
            costs.append("a reduction has no kernels for these graphs: they are built, and the interpreter evaluates")
            tier = "interpret"
        else:
            plan = prepared.plan
            costs.extend(_costs(prepared, here))
            arc_frames += prepared.work
            tier = mode if mode != "auto" else choose_tier(prepared, engine.patience)
            if tier == "fused" and not prepared.may_be_fused:
                tier = "kernels"
        passes.extend(plan.notes)
        regions.extend(_plan_lines(engine.program, plan, prepared, here))

    for stage, run in zip(evaluator.stages, runs, strict=True):
        for engine, here in [(stage.operand, None)] if run is None else run.engines:
            add(engine, here)
        if run is None or run.composed is None:
            how = "its operand is built with its weights, at every call, and what comes of it"
        else:
            kind = "frames" if run.composed.program is None else "trellis"
            graph = "" if run.composed.program is None else f"; G = {describe(run.composed.program.result, limit=60)}"
            how = f"{kind} region over {run.dense}: {_SHAPES[kind]}{graph}; what comes of it"
        regions += [f"{stage.stage.name}: {how}", "  is an input of what follows"]
    add(evaluator.engine, last)
    if bound is not None:
        costs += _counters()
    return Explanation(
        equation=describe(program.result),
        inputs=tuple((name, str(type_)) for name, type_ in program.inputs.items()),
        passes=tuple(passes),
        regions=tuple(regions),
        warnings=tuple(ambiguous_literals(program)),
        costs=tuple(costs),
        tier=tier,
        arc_frames=arc_frames,
    )


def _prepared(engine: Engine, bound: Bound) -> Prepared | None:
    """The call prepared; None where a reduction has no kernels for its graphs."""
    try:
        return None if engine.is_interpreted else engine.preparer.prepare(bound)
    except NoKernelError:
        return None


_KINDS = {Type.GRAPH: "graph", Type.SCORE: "score", Type.MAPPING: "mapping"}

_SHAPES = {
    "lattice": "an acyclic graph, states in topological order",
    "cyclic": "a cyclic graph, strongly connected components closed exactly",
    "trellis": "time-synchronous, the composition is never built",
    "frames": "the dense input alone, frame by frame",
}


def _plan_lines(program: Program, plan: Plan, prepared: Prepared | None, bound: Bound | None) -> list[str]:
    lines = []
    regions = {region.node: number for number, region in enumerate(plan.regions)}
    names = {step: f"s{number + 1}" for number, step in enumerate(plan.steps)}
    for step in plan.steps:
        shown = describe(step, names)
        if step not in regions:
            lines.append(f"{names[step]} = {shown}")
            continue
        region = plan.regions[regions[step]]
        kind = prepared.regions[0][regions[step]].kind if prepared is not None and prepared.regions else None
        if region.meeting is not None:
            kind = "frames" if region.graph is None else "trellis"
            over = " and ".join(str(meeting.dense.parameters[0]) for meeting in region.meetings)
            shape = f"{kind} region over {over}: {_SHAPES[kind]}"
            if region.graph is not None:
                shape += f"; G = {' and '.join(describe(graph, limit=60) for graph in region.graphs)}"
        elif kind is not None:
            shape = f"{kind} region: {_SHAPES[kind]}"
        else:
            shape = "a region over the built graph (lattice or cyclic, as the inputs say)"
        lines.append(f"{names[step]} = {shown}: {shape}{_hoisted(region.graph, bound)}")
    if plan.graph is not None:
        lines.append(f"graph {describe(plan.graph, limit=60)}: arcs take their weights through the selection")
    lines += _materialised(program, plan, bound)
    return lines


def _hoisted(graph: Node | None, bound: Bound | None) -> str:
    """Whether a region's graph is built once for a whole batch."""
    if graph is None or bound is None or bound.batch is None:
        return ""
    shared = depends_on_shared_inputs(graph, bound)
    return "; hoisted: built once for the batch" if shared else "; built for each item of the batch"


def _materialised(program: Program, plan: Plan, bound: Bound | None) -> list[str]:
    """Dense inputs that have to be built as graphs, and what that means."""
    from arcgrad.runtime.data.inputs import BoundDense

    lines = []
    for leaf in plan.leaves:
        if bound is None or not leaf.is_input or leaf.type is not Type.GRAPH:
            continue
        found = bound.inputs[str(leaf.parameters[0])]
        if isinstance(found, BoundDense):
            steps = int(found.counts.max()) if len(found.counts) else 0
            lines.append(
                f"the dense input {leaf.parameters[0]} is built as a graph of up to {steps + 1} states and "
                f"{steps * found.n_columns} arcs: only G ∘ X, X ∘ G and X alone are met without building, "
                "where G has no cycle of ε arcs"
            )
    return lines


def _costs(prepared: Prepared, bound: Bound) -> list[str]:
    lines = []
    for number, region in enumerate(prepared.plan.regions):
        packed = [regions[number] for regions in prepared.regions]
        if not packed:
            continue
        frames = [counts[number] for counts in prepared.frame_counts]
        states, arcs = max(p.n_states for p in packed), max(p.n_arcs for p in packed)
        line = f"{describe(region.node, limit=60)}: {states} states, {arcs} arcs"
        if region.meeting is not None:
            line += f", {max(frames)} frames"
        floats, numbers = np.max([p.work(n) for p, n in zip(packed, frames, strict=True)], axis=0)
        line += f", {8 * floats + 4 * numbers} bytes of workspace"
        lines.append(line + (" (the largest of the batch)" if len(packed) > 1 else ""))
    distinct = {id(region): region for regions in prepared.regions for region in regions}
    lines.append(
        f"{len(prepared.regions)} item{'s' * (len(prepared.regions) != 1)}, {len(distinct)} distinct packed region"
        f"{'s' * (len(distinct) != 1)} of {sum(r.nbytes for r in distinct.values())} bytes, "
        f"{prepared.work:.0f} arc-frames, {8 * prepared.layout.size} bytes of leaf weights"
    )
    return lines


def _counters() -> list[str]:
    counters = cache.info().counters
    shown = ", ".join(f"{name}: {count}" for name, count in sorted(counters.items()))
    return [f"in this process so far: {shown}"] if shown else []
