"""Chains of compositions under a reduction: where a dense input is met, and in which order the rest is composed.

Composition is associative up to the order of states and arcs, and every pair of paths is counted exactly once, so under
a reduction a chain may be composed in any order. A chain with one dense input X becomes one meeting with X:
``A ∘ X``, ``X ∘ B``, or for X in the middle ``X ∘ (out[A] ∘ in[B])``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arcgrad.compiler.frontend.ir import Interner, Node, topological
from arcgrad.compiler.operators import Size
from arcgrad.compiler.types import Type

__all__ = ["CHAINS", "Meeting", "chain_operands", "estimate", "find_meeting", "order_chains"]

CHAINS = ("compose", "intersect")
"""Operators that make chains, by registry name."""
MAX_OPERANDS = 20_000


@dataclass(frozen=True, slots=True)
class Meeting:
    """A graph met once with a dense input.

    Attributes:
        dense: the dense input.
        graph: what meets it, or None where the dense input stands alone.
        side: "input" where the dense chain comes before the graph, whose input labels it is matched with (X ∘ G), else
            "output": then arcs that leave one state of the composition are in the order of the graph's.
        acceptors: the operator was ∩, whose operands must be acceptors.
        labels: what has ``graph``'s arcs with the labels that the composition's have; None where there is no graph.
    """

    dense: Node
    graph: Node | None
    side: str
    acceptors: bool
    labels: Node | None


def chain_operands(node: Node) -> list[Node]:
    """Operands of a chain of one operator (∘ or ∩), left to right; nested ones of the same operator are opened.

    A chain of more than MAX_OPERANDS, which shared nodes make with a few lines of text, stays closed.
    """
    if node.operator not in CHAINS or _chain_length(node) > MAX_OPERANDS:
        return [node]
    found: list[Node] = []
    stack = [node]
    while stack:
        current = stack.pop()
        if current.operator == node.operator:
            stack.extend(reversed(current.operands))
        else:
            found.append(current)
    return found


def _chain_length(root: Node) -> int:
    """How many operands the chain at the root has; every shared node is visited once."""
    lengths: dict[Node, int] = {}
    stack = [root]
    while stack:
        node = stack[-1]
        if node in lengths:
            stack.pop()
        elif node.operator != root.operator:
            lengths[stack.pop()] = 1
        else:
            missing = [o for o in node.operands if o not in lengths]
            if missing:
                stack.extend(missing)
            else:
                lengths[stack.pop()] = sum(lengths[o] for o in node.operands)
    return lengths[root]


def find_meeting(graph: Node, dense: frozenset[str], interner: Interner) -> Meeting | None:
    """How a reduction over ``graph`` meets a dense input, or None where it has to be built.

    Args:
        graph: operand of a reduction.
        dense: names of the inputs that are dense.
        interner: makes the rest of the chain.
    """
    if _is_dense(graph, dense):
        return Meeting(graph, None, "input", False, None)
    operands = chain_operands(graph)
    places = [i for i, operand in enumerate(operands) if _is_dense(operand, dense)]
    if len(operands) < 2 or len(places) != 1:
        return None
    at = places[0]
    before, after = operands[:at], operands[at + 1 :]
    acceptors = graph.operator == "intersect"

    def join(parts: Sequence[Node]) -> Node:
        joined = parts[0]
        for part in parts[1:]:
            joined = interner.apply(graph.operator, (joined, part))
        return joined

    if acceptors or not before or not after:
        rest = join([*before, *after])
        return Meeting(operands[at], rest, "output" if before else "input", acceptors, rest)
    # Which arcs match depends on the labels between them alone, so both compositions have the same arcs in one order.
    left, right = join(before), join(after)
    inner = interner.apply("project_output", (left,)), interner.apply("project_input", (right,))
    labels = interner.apply("compose", (left, right))
    return Meeting(operands[at], interner.apply("compose", inner), "output", False, labels)


def _is_dense(node: Node, dense: frozenset[str]) -> bool:
    return node.is_input and node.parameters[0] in dense


def estimate(root: Node, sizes: Mapping[str, Size]) -> Size:
    """Estimated size of a graph expression from the sizes of its graph inputs."""
    found: dict[Node, Size] = {}
    nothing = Size(0.0, 0.0, 0.0)
    for node in topological(root):
        if node.is_input:
            found[node] = sizes.get(str(node.parameters[0]), nothing)
        elif node.is_number or node.type is not Type.GRAPH or node.definition.size is None:
            found[node] = found[node.operands[0]] if node.operands and node.type is Type.GRAPH else nothing
        else:
            operands = [found[o] for o in node.operands if o.type is Type.GRAPH]
            found[node] = node.definition.size(operands, node.parameters)
    return found[root]


def order_chains(root: Node, sizes: Mapping[str, Size], interner: Interner) -> Node:
    """Re-associate chains of three or more compositions below a reduction to the least estimated number of arcs built.

    Only the chain at the root is opened, so what is seen by another operator keeps its order of states and arcs.
    """
    operands = chain_operands(root)
    if not 3 <= len(operands) <= 200:
        return root
    sides = [estimate(operand, sizes) for operand in operands]
    compose = interner.apply(root.operator, operands[:2]).definition
    assert compose.size is not None
    n = len(operands)
    # best[i, j]: (total arcs built, size of the result, split) for operands i … j.
    best: dict[tuple[int, int], tuple[float, Size, int]] = {(i, i): (0.0, sides[i], i) for i in range(n)}
    for length in range(2, n + 1):
        for i in range(n - length + 1):
            j = i + length - 1
            # Ties go to the split nearest the right end: the order in which the chain was written.
            choices = []
            for split in range(j - 1, i - 1, -1):
                size = compose.size((best[i, split][1], best[split + 1, j][1]), ())
                choices.append((best[i, split][0] + best[split + 1, j][0] + size.arcs + size.states, size, split))
            best[i, j] = min(choices, key=lambda choice: choice[0])

    def build(i: int, j: int) -> Node:
        if i == j:
            return operands[i]
        split = best[i, j][2]
        return interner.apply(root.operator, (build(i, split), build(split + 1, j)))

    return build(0, n - 1)
