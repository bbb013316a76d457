"""Planning: IR and what is known of the inputs → a plan: regions, score steps, leaves. Data for executor and emitter.

The passes are a named tuple of functions, each of which takes a draft and gives the next one; drafts are verified after
each that changed something. ``explain`` shows what every pass did.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from arcgrad.compiler.frontend.ir import Interner, Node, Program, describe, topological
from arcgrad.compiler.operators import Category, Size
from arcgrad.compiler.plan.building import Building, building_of
from arcgrad.compiler.plan.chains import CHAINS, Meeting, chain_operands, find_meeting, order_chains
from arcgrad.compiler.plan.rewrite import Rewriter
from arcgrad.compiler.semirings import semiring
from arcgrad.compiler.types import Type
from arcgrad.grammar.errors import Place

__all__ = ["PASSES", "InputShape", "Plan", "RegionPlan", "Values", "has_kernels", "make_plan"]


@dataclass(frozen=True, slots=True)
class InputShape:
    """What the planner knows of an input: "graph", "dense", "score" or "mapping", and a graph's rough size."""

    kind: str
    size: Size | None = None


@dataclass(frozen=True, eq=False)
class Values:
    """A further graph of a reduction, over the topology of its first one: R of E[A, R].

    Attributes:
        graph, meeting: as of the region, and either both have a meeting or neither.
    """

    graph: Node | None
    meeting: Meeting | None


@dataclass(frozen=True, eq=False)
class RegionPlan:
    """One reduction.

    Attributes:
        node: the reduction node.
        semiring: name of its semiring.
        graph: the graph to build: the operand, or what meets the dense input; None for a dense input alone.
        meeting: how a dense input is met, or None where the whole operand is built.
        values: the further graphs.
    """

    node: Node
    semiring: str
    graph: Node | None
    meeting: Meeting | None
    values: tuple[Values, ...] = ()

    @property
    def graphs(self) -> tuple[Node, ...]:
        """The graphs to build."""
        graphs = (self.graph, *(part.graph for part in self.values))
        return tuple(graph for graph in graphs if graph is not None)

    @property
    def meetings(self) -> tuple[Meeting, ...]:
        """How dense inputs are met."""
        meetings = (self.meeting, *(part.meeting for part in self.values))
        return tuple(meeting for meeting in meetings if meeting is not None)


@dataclass(frozen=True, eq=False)
class Draft:
    """A plan in the making."""

    root: Node
    interner: Interner
    places: dict[Node, Place]
    shapes: Mapping[str, InputShape]
    notes: tuple[tuple[str, str], ...] = ()

    @property
    def dense(self) -> frozenset[str]:
        """Names of the dense inputs."""
        return frozenset(name for name, shape in self.shapes.items() if shape.kind == "dense")

    def note(self, stage: str, lines: list[str]) -> tuple[tuple[str, str], ...]:
        """The notes with further ones."""
        return (*self.notes, *((stage, line) for line in lines))


@dataclass(frozen=True, eq=False)
class Plan:
    """What the executor runs.

    Attributes:
        root: the rewritten equation.
        regions: reductions in order of evaluation.
        steps: score nodes in order of evaluation, regions among them; inputs and numbers are leaves, not steps.
        outputs: score nodes whose values are wanted: the equation's, or for a graph the scores that weight its arcs.
        leaves: nodes with entries in the flat vector of leaf weights: score inputs, numbers and scores that weight
            graphs, then graph inputs that are built; their position is their leaf number.
        weighting: the leaves that weight a graph's paths.
        dense: names of the dense inputs that are met in regions of their own.
        graph: the graph whose value is wanted, or None for a score.
        notes: what the passes did, (pass, line).
        places: where nodes stand.
        leaf_numbers: the leaves' positions.
        memo: for texts emitted from this plan.
    """

    root: Node
    regions: tuple[RegionPlan, ...]
    steps: tuple[Node, ...]
    outputs: tuple[Node, ...]
    leaves: tuple[Node, ...]
    dense: tuple[str, ...]
    graph: Node | None
    notes: tuple[tuple[str, str], ...]
    places: Mapping[Node, Place]
    leaf_numbers: Mapping[Node, int]
    weighting: frozenset[Node]
    memo: dict[Any, Any] = field(default_factory=dict, repr=False)

    def leaves_below(self, graph: Node | None) -> frozenset[Node]:
        """The leaves whose weights enter a graph of this plan."""
        if graph not in self.memo:
            found, seen = set(), set()
            stack = [graph] if graph is not None else []
            while stack:
                node = stack.pop()
                if node in seen:
                    continue
                seen.add(node)
                if node in self.leaf_numbers:
                    found.add(node)
                elif node.type is Type.GRAPH:
                    stack.extend(node.operands)
            self.memo[graph] = frozenset(found)
        leaves: frozenset[Node] = self.memo[graph]
        return leaves

    def building(self, graph: Node) -> Building:
        """How a graph of this plan is built."""
        key = "building", graph
        if key not in self.memo:
            self.memo[key] = building_of(graph)
        found: Building = self.memo[key]
        return found

    @property
    def chained(self) -> int:
        """Sum the squares of the chains' lengths: the number of operands that are copied where every link is built."""
        if "chained" not in self.memo:
            graphs = [graph for region in self.regions for graph in region.graphs]
            graphs += [self.graph] if self.graph is not None else []
            chains = [c for graph in graphs for c in self.building(graph).chains.values()]
            self.memo["chained"] = sum(len(operands) ** 2 for operands in chains)
        found: int = self.memo["chained"]
        return found


def fold_constants(draft: Draft) -> Draft:
    """Evaluate score arithmetic between numbers, where the result is defined."""
    folded: list[str] = []

    def fold(node: Node, operands: tuple[Node, ...]) -> Node:
        current = _moved(draft, node, draft.interner.with_operands(node, operands))
        if current.is_input or current.is_number or not operands or not all(o.is_number for o in operands):
            return current
        evaluate = current.definition.evaluate
        if current.definition.category is not Category.ARITHMETIC or evaluate is None:
            return current
        value = evaluate(*(o.parameters[0] for o in operands))
        if value != value or value in (float("inf"), float("-inf")):
            return current
        folded.append(f"{describe(current)} = {value!r}")
        return draft.interner.literal(value)

    return replace(draft, root=draft.interner.rebuild(draft.root, fold), notes=draft.note("fold constants", folded))


def apply_rules(draft: Draft) -> Draft:
    """Rewrite by the table of rules."""
    known: dict[Node, bool] = {}
    rewriter = Rewriter(draft.interner, draft.places, lambda graph: _meets_dense(graph, draft.dense, known))
    root = rewriter.rewrite(draft.root)
    lines = [f"{rule}  in {describe(node, limit=40)}: {rule.reason}" for rule, node in rewriter.applied]
    return replace(draft, root=root, notes=draft.note("rewrite", lines))


def _meets_dense(root: Node, dense: frozenset[str], known: dict[Node, bool]) -> bool:
    """Whether a reduction over the graph, once it is split, meets a dense input without building it.

    ``known`` are answers for graphs of the program: one that is split off a union of thousands is asked about next.
    """
    stack = [root]
    while stack:
        node = stack.pop()
        if node in known:
            continue
        below: Sequence[Node] = ()
        if node.operator in ("union", "concatenate", "weight"):
            below = [o for o in node.operands if o.type is Type.GRAPH]
            missing = [o for o in below if o not in known]
            if missing:
                stack += [node, *missing]
                continue
        if node.is_input:
            known[node] = node.parameters[0] in dense
        elif node.operator in CHAINS:
            known[node] = sum(o.is_input and o.parameters[0] in dense for o in chain_operands(node)) == 1
        else:
            known[node] = any(known[o] for o in below)
    return known[root]


def order_compositions(draft: Draft) -> Draft:
    """Re-associate chains of compositions under reductions by estimated cost."""
    sizes = {name: shape.size for name, shape in draft.shapes.items() if shape.size is not None}
    lines: list[str] = []

    def order(node: Node, operands: tuple[Node, ...]) -> Node:
        current = _moved(draft, node, draft.interner.with_operands(node, operands))
        if current.is_input or current.is_number or current.definition.category is not Category.REDUCTION:
            return current
        if len(current.operands) > 1:
            return current  # whose graphs have to stay alike
        if _meetings(current, draft)[0]:
            return current  # its graph is ordered once the dense input is out of the way
        ordered = order_chains(current.operands[0], sizes, draft.interner)
        if ordered is not current.operands[0]:
            lines.append(f"{describe(current.operands[0], limit=60)} as {describe(ordered, limit=60)}")
            _inherit(draft, ordered, current.operands[0])
            return _moved(draft, current, draft.interner.with_operands(current, (ordered,)))
        return current

    root = draft.interner.rebuild(draft.root, order)
    return replace(draft, root=root, notes=draft.note("order compositions", lines))


def _moved(draft: Draft, old: Node, new: Node) -> Node:
    """``new``, which stands where ``old`` stood."""
    if new is not old and old in draft.places:
        draft.places.setdefault(new, draft.places[old])
    return new


def _inherit(draft: Draft, new: Node, old: Node) -> None:
    place = draft.places.get(old)
    if place is not None:
        for node in topological(new):
            draft.places.setdefault(node, place)


class Passes(NamedTuple):
    """The passes in the order in which they run."""

    fold_constants: Callable[[Draft], Draft] = fold_constants
    apply_rules: Callable[[Draft], Draft] = apply_rules
    order_compositions: Callable[[Draft], Draft] = order_compositions


PASSES = Passes()


def has_kernels(program: Program) -> bool:
    """Whether every reduction of a program has kernels, or is rewritten into some that have."""
    for node in program.nodes:
        if not node.is_input and not node.is_number and node.definition.category is Category.REDUCTION:
            record = semiring(node.definition.semiring)
            if not record.is_rewritten and not record.shapes:
                return False
    return True


def make_plan(program: Program, shapes: Mapping[str, InputShape]) -> Plan:
    """Plan the evaluation of a program on inputs of these shapes."""
    draft = Draft(program.result, program.interner, dict(program.places), shapes)
    for run in PASSES:
        before, draft = draft.root, run(draft)
        if draft.root is not before:
            verify(draft)
        if draft.root.type is not program.result.type:
            raise AssertionError(f"a pass made a {draft.root.type} of a {program.result.type}: {draft.root}")
    return _finish(draft)


def verify(draft: Draft) -> None:
    """Check what every pass must keep: types of operands and result.

    Raises:
        AssertionError: a pass is wrong.
    """
    for node in topological(draft.root):
        if node.is_input or node.is_number:
            continue
        entry = node.definition
        wanted = entry.operands if not entry.variadic else entry.operands[-1:] * len(node.operands)
        if tuple(o.type for o in node.operands) != tuple(wanted):
            raise AssertionError(f"a pass made an ill-typed node: {node}")
        if any(o.number >= node.number for o in node.operands):
            raise AssertionError(f"a pass made a node out of order: {node}")


def _finish(draft: Draft) -> Plan:
    regions: dict[Node, RegionPlan] = {}
    lacking: list[str] = []
    root = draft.root
    graph_roots = [root] if root.type is Type.GRAPH else []
    pending = list(graph_roots) if graph_roots else [root]
    seen: set[Node] = set()
    steps: set[Node] = set()
    graphs: set[Node] = set()
    weighting: set[Node] = set()
    while pending:
        node = pending.pop()
        if node in seen or node.type is Type.MAPPING:
            continue
        seen.add(node)
        if node.type is Type.GRAPH:
            graphs.add(node)
            weighting.update(o for o in node.operands if o.type is Type.SCORE)
            pending.extend(node.operands)
        elif not node.is_input and not node.is_number:
            steps.add(node)
            if node.definition.category is Category.REDUCTION:
                region, note = _region(node, draft)
                regions[node] = region
                lacking += note
                pending.extend(region.graphs)
            else:
                pending.extend(node.operands)
    ordered = sorted(steps, key=lambda n: n.number)
    outputs = (root,) if root.type is Type.SCORE else tuple(s for s in ordered if s in weighting)
    leaves = [n for n in graphs if n.is_input]
    score_inputs = {o for s in ordered if s not in regions for o in s.operands} | weighting | set(outputs)
    leaves += [n for n in score_inputs if n.is_input or n.is_number or n in weighting]
    # Scores first: every item then has them at the same local entries, whatever the sizes of its graphs.
    leaves = sorted(dict.fromkeys(leaves), key=lambda n: (n.type is Type.GRAPH, n.number))
    dense = sorted({str(m.dense.parameters[0]) for region in regions.values() for m in region.meetings})
    return Plan(
        root=root,
        regions=tuple(regions[s] for s in ordered if s in regions),
        steps=tuple(ordered),
        outputs=outputs,
        leaves=tuple(leaves),
        dense=tuple(dense),
        graph=root if root.type is Type.GRAPH else None,
        notes=draft.note("choose regions", lacking),
        places=draft.places,
        leaf_numbers={leaf: i for i, leaf in enumerate(leaves)},
        weighting=frozenset(weighting),
    )


def _region(node: Node, draft: Draft) -> tuple[RegionPlan, list[str]]:
    """The region of a reduction, and what there is to say of it."""
    name = semiring(node.definition.semiring).name
    meetings, notes = _meetings(node, draft)
    if not meetings:
        first, *others = node.operands
        return RegionPlan(node, name, first, None, tuple(Values(graph, None) for graph in others)), notes
    meeting = meetings[0]
    graph = meeting.graph
    if graph is not None and len(meetings) == 1:
        sizes = {name: shape.size for name, shape in draft.shapes.items() if shape.size is not None}
        meeting = replace(meeting, graph=order_chains(graph, sizes, draft.interner))
    for met, operand in zip((meeting, *meetings[1:]), node.operands, strict=True):
        if met.graph is not None:
            _inherit(draft, met.graph, operand)
    return RegionPlan(node, name, meeting.graph, meeting, tuple(Values(m.graph, m) for m in meetings[1:])), notes


def _meetings(node: Node, draft: Draft) -> tuple[tuple[Meeting, ...], list[str]]:
    """How a reduction's operands meet dense inputs, all in one way; none where graphs are built; and a note on that."""
    found: list[Meeting] = []
    for operand in node.operands:
        meeting = find_meeting(operand, draft.dense, draft.interner)
        if meeting is None or (found and _way(meeting) != _way(found[0])):
            return (), []
        found.append(meeting)
    shape, built = ("frames", "dense input") if found[0].graph is None else ("trellis", "composition")
    if shape in semiring(node.definition.semiring).shapes:
        return tuple(found), []
    spelling = node.definition.spelling
    return (), [f"{describe(node, limit=60)}: {spelling} has no {shape} kernel, the {built} is built"]


def _way(meeting: Meeting) -> tuple[bool, str, bool]:
    return meeting.graph is None, meeting.side, meeting.acceptors
