"""Where a reduction that counts paths meets a graph of literals in which a string has two: for ``eq.explain``."""

from __future__ import annotations

from collections.abc import Iterator

from arcgrad.compiler.frontend.ir import Node, Program, describe, topological
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators import Category
from arcgrad.compiler.types import Type
from arcgrad.grammar.errors import ArcgradError
from arcgrad.runtime.build.operators import BUILDS
from arcgrad.runtime.data.ambiguity import ambiguity_of

__all__ = ["ambiguous_literals"]

# Larger graphs of literals are not looked at.
_LIMITS = Limits(states=5_000, arcs=50_000)
# Reductions in whose value each path counts.
_COUNTING = ("log", "count")


def ambiguous_literals(program: Program) -> list[str]:
    """A line for each graph of literals under LSE or COUNT that has two paths of one string."""
    lines: dict[str, None] = {}
    for reduction in program.nodes:
        if reduction.is_input or reduction.is_number or reduction.definition.category is not Category.REDUCTION:
            continue
        if reduction.definition.semiring not in _COUNTING:
            continue
        for node in _outermost_constants(reduction):
            try:
                found = ambiguity_of(_built(node), "input", _LIMITS)
            except ArcgradError:  # too large, or a mistake that a call will name
                continue
            if found is not None:
                name, graph = reduction.definition.spelling, describe(node, limit=40)
                lines[
                    f"{name} counts paths, and in `{graph}` {found}; support[{graph}] has one path for each string"
                ] = None
    return list(lines)


def _outermost_constants(reduction: Node) -> Iterator[Node]:
    """Graphs that only literals enter, in which ways of matching count: not those of which a set is made.

    What an operator makes of weights, as det does, is not known here, and nor is what becomes of its operand's paths.
    """
    nodes = topological(reduction)
    constant: set[Node] = set()
    for node in nodes:
        if node.type is not Type.GRAPH or node.is_input or node.definition.category is Category.TRANSFORM:
            continue
        if all(operand in constant for operand in node.operands):
            constant.add(node)
    stack, seen = [reduction], set()
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if node in constant:
            if node.definition.category is not Category.LITERAL:
                yield node
        elif node.operator == "difference" and node.type is Type.GRAPH:
            stack.append(node.operands[0])
        elif node.operator != "support" and not (node.is_input or node.definition.category is Category.TRANSFORM):
            stack += [operand for operand in node.operands if operand.type is Type.GRAPH]


def _built(root: Node) -> Topology:
    done: dict[Node, Topology] = {}
    for node in topological(root):
        build = BUILDS.get(node.operator, node.definition.build)
        assert build is not None
        done[node] = build([done[operand] for operand in node.operands], node.parameters, _LIMITS).topology
    return done[root]
