"""Cuts a program at the operators whose output depends on weights: each operand becomes a program of its own.

``LSE[PATH[A ∘ B] ∘ C]`` is ``G = A ∘ B``, then ``P = PATH(G)``, then ``LSE[P ∘ C]``: a graph-valued program, a
transform, and a program that takes P as one more input. Plans, emitted routines and executors never meet transforms.

An operand that is composed with a dense input need not be built where the operator can do without:
``PATH[X ∘ (A ∘ B)]`` is ``G = A ∘ B``, then a best path of ``X ∘ G``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from arcgrad.compiler.frontend.ir import Node, Program, describe, topological
from arcgrad.compiler.operators import Category
from arcgrad.compiler.plan.chains import Meeting, find_meeting, order_chains
from arcgrad.compiler.plan.plan import InputShape
from arcgrad.compiler.semirings import semiring
from arcgrad.compiler.types import Type

__all__ = ["Composed", "Stage", "find_composition", "split_stages"]


@dataclass(frozen=True, eq=False)
class Stage:
    """A graph-valued program, and the operator that its value goes to.

    Attributes:
        program: makes the operand; its inputs are the equation's, and results of earlier stages.
        node: the operator.
        name: of the result, as an input of later stages.
        scores: make the operator's further operands.
    """

    program: Program
    node: Node
    name: str
    scores: tuple[Program, ...] = ()


@dataclass(frozen=True, eq=False)
class Composed:
    """A stage whose operand is a dense composition, which is not built.

    Attributes:
        meeting: how the dense input is met.
        program: makes the graph that it is composed with; None where it stands alone.
        labels: makes the graph that has the same arcs with the composition's labels; mostly ``program``.
    """

    meeting: Meeting
    program: Program | None
    labels: Program | None


def find_composition(stage: Stage, shapes: Mapping[str, InputShape]) -> Composed | None:
    """How a stage's operand is composed with a dense input, for inputs of these shapes; None where it has to be built.

    Whatever the order in which a chain is composed, it has the same paths, and the arcs that leave a state come in the
    same order: so ties between best paths are decided alike.
    """
    name = stage.node.definition.semiring
    program = stage.program
    dense = frozenset(name for name, shape in shapes.items() if shape.kind == "dense")
    meeting = find_meeting(program.result, dense, program.interner) if name is not None else None
    if meeting is None or ("frames" if meeting.graph is None else "trellis") not in semiring(name).shapes:
        return None
    if meeting.graph is None:
        return Composed(meeting, None, None)
    sizes = {name: shape.size for name, shape in shapes.items() if shape.size is not None}
    graph = order_chains(meeting.graph, sizes, program.interner)
    of_graph = _below(program, graph)
    if meeting.labels is meeting.graph:
        return Composed(meeting, of_graph, of_graph)
    assert meeting.labels is not None
    return Composed(meeting, of_graph, _below(program, meeting.labels))


def _below(program: Program, result: Node) -> Program:
    """The program of a graph that a stage's operand is made of."""
    place = program.places.get(program.result)
    names = set()
    for node in topological(result):
        if place is not None:
            program.places.setdefault(node, place)
        if node.is_input:
            names.add(str(node.parameters[0]))
    return replace(program, result=result, inputs={n: t for n, t in program.inputs.items() if n in names})


def split_stages(program: Program) -> tuple[tuple[Stage, ...], Program]:
    """The stages in order, and the program that remains; none, and the program itself, where nothing cuts it."""
    nodes = program.nodes
    cuts = [node for node in nodes if _cuts(node)]
    if not cuts:
        return (), program
    interner, places = program.interner, program.places
    results: dict[Node, Node] = {}

    def cut(node: Node, operands: tuple[Node, ...]) -> Node:
        return results.get(node) or _moved(node, interner.with_operands(node, operands))

    def _moved(old: Node, new: Node) -> Node:
        if new is not old and old in places:
            places.setdefault(new, places[old])
        return new

    stages: list[Stage] = []
    taken = set(program.inputs)
    for node in cuts:  # operands come first
        name = describe(node, limit=40)
        while name in taken:  # beyond the limit, two may look alike
            name += "′"
        taken.add(name)
        operand, *scores = (_part(program, interner.rebuild(each, cut), results) for each in node.operands)
        stages.append(Stage(operand, node, name, tuple(scores)))
        results[node] = _moved(node, interner.input(name, Type.GRAPH))
    return tuple(stages), _part(program, interner.rebuild(program.result, cut), results)


def _part(program: Program, result: Node, results: dict[Node, Node]) -> Program:
    """The program of that result, with the inputs that it has, the equation's first and in their order."""
    below = {str(node.parameters[0]): node.type for node in topological(result) if node.is_input}
    inputs = {name: type_ for name, type_ in program.inputs.items() if name in below}
    inputs.update((str(made.parameters[0]), Type.GRAPH) for made in results.values() if made.parameters[0] in below)
    return replace(program, result=result, inputs=inputs)


def _cuts(node: Node) -> bool:
    return not node.is_input and not node.is_number and node.definition.category is Category.TRANSFORM
