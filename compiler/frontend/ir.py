"""The intermediate representation: interned, typed, immutable nodes of one computation graph.

Stands between syntax and plan. Nodes are made by an Interner only, so equal expressions are one node and common
sub-expressions need no pass of their own. Where a node came from in the text is kept beside it, in the Program.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

from arcgrad.compiler.operators import Operator, operator
from arcgrad.compiler.types import Type
from arcgrad.grammar import syntax
from arcgrad.grammar.errors import Place, Span
from arcgrad.grammar.mistakes import counted

__all__ = ["INPUT", "NUMBER", "Interner", "Node", "Program", "describe", "topological"]

INPUT = "input"
NUMBER = "number"


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One value of an equation.

    Attributes:
        operator: registry name, or "input" (parameters: its name) or "number" (parameters: its value).
        operands: nodes it is made from.
        parameters: literal arguments, such as the bounds of a repetition.
        type: what it stands for.
        number: order of creation within its interner; operands have smaller numbers.
        digest: 16 bytes that name the structure, the same in every process.
    """

    operator: str
    operands: tuple[Node, ...]
    parameters: tuple[Hashable, ...]
    type: Type
    number: int
    digest: bytes

    @property
    def is_input(self) -> bool:
        """Whether this is an input of the equation."""
        return self.operator == INPUT

    @property
    def is_number(self) -> bool:
        """Whether this is a number literal."""
        return self.operator == NUMBER

    @property
    def definition(self) -> Operator:
        """The operator's entry in the registry (not for inputs and numbers)."""
        return operator(self.operator)

    def __repr__(self) -> str:
        inner = [f"n{o.number}" for o in self.operands] + [repr(p) for p in self.parameters]
        return f"n{self.number}={self.operator}({', '.join(inner)})"


class Interner:
    """Makes nodes; asks for equal nodes give the same object."""

    def __init__(self) -> None:
        self._nodes: dict[tuple[Hashable, ...], Node] = {}

    def __len__(self) -> int:
        return len(self._nodes)

    def make(
        self, operator: str, operands: Sequence[Node] = (), parameters: Sequence[Hashable] = (), type: Type = Type.GRAPH
    ) -> Node:
        """The node of that operator, operands and parameters."""
        # repr tells 1 from 1.0 and 0.0 from -0.0, which hash alike.
        key = (operator, tuple(o.number for o in operands), repr(tuple(parameters)), type)
        node = self._nodes.get(key)
        if node is None:
            digest = hashlib.blake2b(repr((operator, tuple(parameters), type.value)).encode(), digest_size=16)
            for operand in operands:
                digest.update(operand.digest)
            node = Node(operator, tuple(operands), tuple(parameters), type, len(self._nodes), digest.digest())
            self._nodes[key] = node
        return node

    def input(self, name: str, type: Type) -> Node:
        """The input of that name."""
        return self.make(INPUT, (), (name,), type)

    def literal(self, value: float) -> Node:
        """The number literal of that value."""
        return self.make(NUMBER, (), (value,), Type.SCORE)

    def apply(self, name: str, operands: Sequence[Node], parameters: Sequence[Hashable] = ()) -> Node:
        """The operator of that registry name applied to operands."""
        return self.make(name, operands, parameters, operator(name).result)

    def rebuild(self, root: Node, replace: Callable[[Node, tuple[Node, ...]], Node]) -> Node:
        """``root`` with every node replaced, operands first: ``replace(node, new_operands)`` gives the new node."""
        done: dict[Node, Node] = {}
        for node in topological(root):
            done[node] = replace(node, tuple(done[o] for o in node.operands))
        return done[root]

    def with_operands(self, node: Node, operands: tuple[Node, ...]) -> Node:
        """The same operation on other operands."""
        if operands == node.operands:
            return node
        return self.make(node.operator, operands, node.parameters, node.type)


def topological(*roots: Node) -> list[Node]:
    """Every node below the roots, each once, operands first; the order does not depend on hashing."""
    seen: set[int] = set()
    found: list[Node] = []
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node.number not in seen:
            seen.add(node.number)
            found.append(node)
            stack.extend(node.operands)
    found.sort(key=lambda n: n.number)
    return found


@dataclass(frozen=True, eq=False)
class Program:
    """A type-checked equation.

    Attributes:
        text: as the user gave it.
        syntax: its syntax tree.
        result: the node whose value the equation has.
        inputs: input names in order of first appearance, with their types.
        interner: makes further nodes of this program.
        places: where in a text a node came from (its first occurrence).
    """

    text: str
    syntax: syntax.Program
    result: Node
    inputs: Mapping[str, Type]
    interner: Interner
    places: dict[Node, Place]

    @property
    def nodes(self) -> list[Node]:
        """Every node of the program, operands first."""
        return topological(self.result)

    def input_node(self, name: str) -> Node:
        """The node of that input."""
        return self.interner.input(name, self.inputs[name])


def _as_syntax(node: Node, operands: Sequence[syntax.Expression]) -> syntax.Expression:
    nowhere = Span(0, 0)
    if node.is_input:
        return syntax.Name(str(node.parameters[0]), nowhere)
    if node.is_number:
        value = node.parameters[0]
        assert isinstance(value, (int, float))
        if value < 0:
            return syntax.Operation("negate", (syntax.Number(-value, nowhere),), (), nowhere, nowhere)
        return syntax.Number(value, nowhere)
    entry = node.definition
    if node.operator in _SIGNS:
        return syntax.Operation(_SIGNS[node.operator], tuple(operands), (), nowhere, nowhere)
    if entry.tag is not None:
        bounds = tuple(p if isinstance(p, int) else None for p in node.parameters)
        return syntax.Operation(entry.tag, tuple(operands), bounds, nowhere, nowhere)
    if node.operator in ("epsilon", "empty"):
        return syntax.Constant(node.operator, nowhere)
    if node.operator == "symbols":
        labels = [p for p in node.parameters if isinstance(p, int)]
        shown = ", ".join(map(str, labels[:4])) + (", …" if len(labels) > 4 else "")
        return syntax.Name(f"symbols({shown})", nowhere)
    if node.operator == "typed":
        arcs = node.parameters[1]
        assert isinstance(arcs, tuple)
        return syntax.Name(f"graph({counted(len(arcs), 'arc')})", nowhere)
    if entry.labelled:
        placed = [
            syntax.Operation("cross", (syntax.Number(label, nowhere), operand), (), nowhere, nowhere)
            for label, operand in zip(node.parameters, operands[1:], strict=True)
            if isinstance(label, int)
        ]
        return syntax.Call(entry.names[0], (operands[0], *placed), nowhere, nowhere)
    arguments = list(operands)
    numbers = [syntax.Number(p, nowhere) for p in node.parameters if isinstance(p, (int, float))]
    for position, number in zip(entry.parameter_positions, numbers, strict=False):  # ascending
        arguments.insert(position, number)
    arguments += numbers[len(entry.parameter_positions) :]
    words = [syntax.Name(p, nowhere) for p in node.parameters if isinstance(p, str) and p in entry.words]
    return syntax.Call(entry.names[0] if entry.names else entry.name, (*arguments, *words), nowhere, nowhere)


# Score operators whose signs mean graph operators in the syntax tree.
_SIGNS = {"add": "union", "subtract": "difference", "path_product": "union", "multiply": "multiply"}


def describe(node: Node, names: Mapping[Node, str] | None = None, limit: int = 2000) -> str:
    """The equation text of a node; nodes in ``names`` are shown by that name instead of being spelled out.

    Args:
        node: what to show; its own entry in ``names`` is not used.
        names: nodes to show by a name.
        limit: expressions of more nodes than this (once unfolded) are cut with an ellipsis.
    """
    from arcgrad.grammar import unparse

    nowhere = Span(0, 0)
    built: dict[Node, syntax.Expression] = {}
    sizes: dict[Node, int] = {}
    for inner in _outermost(node, names or {}, limit):
        if names is not None and inner is not node and inner in names:
            built[inner], sizes[inner] = syntax.Name(names[inner], nowhere), 1
            continue
        sizes[inner] = 1 + sum(sizes.get(o, 1) for o in inner.operands)
        if sizes[inner] > limit:
            built[inner], sizes[inner] = syntax.Name("…", nowhere), 1
        else:
            built[inner] = _as_syntax(inner, [built.get(o, syntax.Name("…", nowhere)) for o in inner.operands])
    return unparse(built[node])


def _outermost(node: Node, names: Mapping[Node, str], limit: int) -> list[Node]:
    """Nodes that spell ``node``, operands first: not what is below named ones, nor more than ``limit`` or so."""
    found = {node: None}
    level = [node]
    while level and len(found) <= limit:
        below = [o for outer in level if outer is node or outer not in names for o in outer.operands]
        level = [o for o in dict.fromkeys(below) if o not in found]
        found.update(dict.fromkeys(level))
    return sorted(found, key=lambda n: n.number)
