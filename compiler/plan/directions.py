"""Directional derivatives: the plan of an equation → the program of its derivative along directions of its inputs.

``D[LSE[G(w)]]`` along v is ``E[G(w), G(v)]``: structural operators make each arc's weight of sums of their operands'
weights, so the direction of what they build is built in the same way, of the inputs' directions, and with literal
weights 0. Scores' arithmetic follows the chain rule. The result is an equation as any other, whose inputs are the
plan's, and for each that has a direction one more, named after it with ``∂`` before; its gradient with respect to w is
the Hessian times v (Pearlmutter, Fast Exact Multiplication by the Hessian, 1994).

No derivative passes below an infinite score: ``along`` multiplies derivatives and directions, and is 0 there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from arcgrad.compiler.frontend.ir import Interner, Node, Program, topological
from arcgrad.compiler.operators import Category
from arcgrad.compiler.plan.chains import Meeting
from arcgrad.compiler.plan.plan import Plan
from arcgrad.compiler.semirings import semiring
from arcgrad.compiler.types import Type
from arcgrad.grammar.errors import Place, UnsupportedError

__all__ = ["derive_along", "direction_name"]


def direction_name(name: str) -> str:
    """The name of the input that is another one's direction: none that a user can write.

    Example:
        >>> from arcgrad.compiler.plan.directions import direction_name
        >>> direction_name("X")
        '∂X'
    """
    return f"∂{name}"


def derive_along(program: Program, plan: Plan, wrt: Collection[str]) -> Program | None:
    """The program of the directional derivative of a plan's value.

    Args:
        program: what was planned.
        plan: its plan, whose rewrites and orders of compositions are kept.
        wrt: names of the inputs that have directions; those of others are zero.

    Returns:
        a program with nodes of its own, or None where the derivative is zero whatever the values. Among its inputs may
        be directions of graphs that are not in ``wrt``, which are to be zeros: where they enter a graph beside others.

    Raises:
        UnsupportedError: an operator has no directional derivative yet.
    """
    found = _Derivation(plan, wrt)
    result = found.run()
    if result is None:
        return None
    types: dict[str, Type] = {str(n.parameters[0]): n.type for n in topological(result) if n.is_input}
    order = [name for given in program.inputs for name in (given, direction_name(given)) if name in types]
    inputs = {name: types[name] for name in order}
    return replace(program, result=result, inputs=inputs, interner=found.interner, places=found.places)


class _Derivation:
    """One run. Nodes of the plan are copied to an interner of its own, as plans of several threads make nodes, too."""

    def __init__(self, plan: Plan, wrt: Collection[str]) -> None:
        self._plan = plan
        self._wrt = wrt
        self._regions = {region.node: region for region in plan.regions}
        self.interner = Interner()
        self.places: dict[Node, Place] = {}
        self._copies: dict[Node, Node] = {}
        self._directions: dict[Node, Node | None] = {}
        self._zeros: dict[Node, Node] = {}
        self._place: Place | None = None  # of the node at hand, where all that is made of it stands

    def run(self) -> Node | None:
        """The derivative of the plan's value, or None where it is zero."""
        stack = [self._plan.root]
        while stack:
            node = stack[-1]
            if node in self._copies:
                stack.pop()
                continue
            operands = self._operands(node)
            missing = [operand for operand in operands if operand not in self._copies]
            if missing:
                stack.extend(missing)
                continue
            stack.pop()
            copies = [self._copies[operand] for operand in operands]
            self._place = self._plan.places.get(node)
            self._copies[node] = self._copy(node, copies)
            self._directions[node] = self._derive(node, operands)
        found = self._directions[self._plan.root]
        return found if found is None or found.type is Type.GRAPH else self._bent(found)

    def _bent(self, root: Node) -> Node | None:
        """A score less the terms whose gradient with respect to the plan's inputs is zero, which nobody asks for."""
        flat: set[Node] = set()
        bent: dict[Node, Node] = {}
        for node in topological(root):
            if _is_flat(node, flat):
                flat.add(node)
            elif node.operator == "add":
                terms = [bent[operand] for operand in node.operands if operand not in flat]
                bent[node] = terms[0]
                if len(terms) > 1:
                    bent[node] = self._there(self.interner.with_operands(node, tuple(terms)), node)
            elif node.operator == "along" and node.operands[1].is_number:
                operands = (*node.operands[:2], bent[node.operands[2]])
                bent[node] = self._there(self.interner.with_operands(node, operands), node)
            else:
                bent[node] = node
        return bent.get(root)

    def _there(self, node: Node, old: Node) -> Node:
        """A node, at the place of the one that it replaces."""
        if old in self.places:
            self.places.setdefault(node, self.places[old])
        return node

    def _operands(self, node: Node) -> Sequence[Node]:
        """What a node is made from; of a reduction that meets dense inputs, what these meet, in the plan's order."""
        region = self._regions.get(node)
        if region is None or not region.meetings:
            return node.operands
        found: list[Node] = []
        for meeting in region.meetings:
            found += [meeting.dense] if meeting.graph is None else [meeting.dense, meeting.graph]
        return found

    def _copy(self, node: Node, operands: Sequence[Node]) -> Node:
        region = self._regions.get(node)
        if region is not None and region.meetings:
            operands = self._composed(region.meetings, operands)
        return self._made(self.interner.make(node.operator, operands, node.parameters, node.type))

    def _made(self, node: Node) -> Node:
        if self._place is not None:
            self.places.setdefault(node, self._place)
        return node

    def _composed(self, meetings: Sequence[Meeting], operands: Sequence[Node]) -> list[Node]:
        """The operands of a reduction that meets dense inputs, each composed anew of what it is made of."""
        parts = iter(operands)
        made: list[Node] = []
        for meeting in meetings:
            dense = next(parts)
            if meeting.graph is None:
                made.append(dense)
                continue
            graph = next(parts)
            sides = (dense, graph) if meeting.side == "input" else (graph, dense)
            made.append(self.apply("intersect" if meeting.acceptors else "compose", *sides))
        return made

    # -- directions ---------------------------------------------------------------------------------------------------

    def _derive(self, node: Node, operands: Sequence[Node]) -> Node | None:
        """A node's directional derivative; None: zero."""
        if node.is_input:
            name = str(node.parameters[0])
            has_direction = name in self._wrt and node.type is not Type.MAPPING
            return self._made(self.interner.input(direction_name(name), node.type)) if has_direction else None
        if node.is_number or all(self._directions[operand] is None for operand in operands):
            return None
        category = node.definition.category
        if category is Category.STRUCTURAL:
            return self._structural(node, operands)
        region = self._regions.get(node)
        if region is not None and not semiring(region.semiring).has_gradient:
            return None
        rule = (_ARITHMETIC if region is None else _REDUCTIONS).get(node.operator)
        if rule is None:
            raise UnsupportedError(
                f"hvp through {node.definition.spelling} is not implemented yet: its derivative along a direction is "
                "not known",
                place=self._place,
            )
        copy = self._copies[node]
        if region is not None and region.meetings:
            directions = self._composed_directions(region.meetings, operands)
        else:
            directions = [self._directions[operand] for operand in operands]
        return rule(self, copy, copy.operands, directions)

    def _composed_directions(self, meetings: Sequence[Meeting], operands: Sequence[Node]) -> list[Node | None]:
        found: list[Node | None] = []
        parts = iter(operands)
        for meeting in meetings:
            mine = [next(parts)] if meeting.graph is None else [next(parts), next(parts)]
            if all(self._directions[part] is None for part in mine):
                found.append(None)
            else:
                found += self._composed([meeting], [self._of_graph(part) for part in mine])
        return found

    def _structural(self, node: Node, operands: Sequence[Node]) -> Node:
        """The same graph, of the operands' directions."""
        directions: list[Node] = []
        for operand in operands:
            found = self._directions[operand]
            if operand.type is Type.MAPPING:
                found = self._copies[operand]
            elif operand.type is Type.SCORE:
                found = self.number(0) if found is None else found
            directions.append(self._of_graph(operand) if found is None else found)
        return self._made(self.interner.make(node.operator, directions, node.parameters, node.type))

    def _of_graph(self, node: Node) -> Node:
        """A graph's direction; where that is zero, the graph with all its weights 0."""
        found = self._directions[node]
        return self._without_weights(node) if found is None else found

    def _without_weights(self, root: Node) -> Node:
        for node in topological(root):
            if node in self._zeros or node.type is Type.MAPPING:
                continue
            if node.type is Type.SCORE:
                self._zeros[node] = self.number(0)
            elif node.is_input:
                self._zeros[node] = self._made(self.interner.input(direction_name(str(node.parameters[0])), node.type))
            else:
                below = [self._zeros.get(operand, self._copies.get(operand)) for operand in node.operands]
                zeros = [operand for operand in below if operand is not None]
                self._zeros[node] = self._made(self.interner.make(node.operator, zeros, node.parameters, node.type))
        return self._zeros[root]

    # -- what rules are written with ----------------------------------------------------------------------------------

    def apply(self, name: str, *operands: Node) -> Node:
        """An operator applied to nodes of the new program."""
        return self._made(self.interner.apply(name, operands))

    def number(self, value: float) -> Node:
        """A number."""
        return self._made(self.interner.literal(value))

    def along(self, node: Node, derivative: Node | float, direction: Node | None) -> Node | None:
        """A direction times a derivative of ``node``, which counts where that is finite."""
        if direction is None:
            return None
        factor = derivative if isinstance(derivative, Node) else self.number(derivative)
        return self.apply("along", node, factor, direction)

    def total(self, *terms: Node | None) -> Node | None:
        """The sum of what is not zero."""
        found: Node | None = None
        for term in terms:
            if term is not None:
                found = term if found is None else self.apply("add", found, term)
        return found


def _is_flat(node: Node, flat: Collection[Node]) -> bool:
    """Whether a node of a derivative has no gradient but with respect to directions; ``flat``: operands that have none.

    Best paths' weights in a direction change by jumps alone.
    """
    if node.is_input:
        return node.type is Type.MAPPING or str(node.parameters[0]).startswith(direction_name(""))
    match node.operator:
        case "max_along" | "min_along":
            return node.operands[1] in flat
        case "chosen":
            return node.operands[2] in flat and node.operands[3] in flat
        case "along":
            return node.operands[1] in flat and node.operands[2] in flat
    return all(operand in flat for operand in node.operands)


_Rule = Callable[[_Derivation, Node, Sequence[Node], Sequence["Node | None"]], "Node | None"]


def _lse(to: _Derivation, node: Node, graphs: Sequence[Node], directions: Sequence[Node | None]) -> Node | None:
    (direction,) = directions
    return None if direction is None else to.apply("expectation", graphs[0], direction)


def _expectation(to: _Derivation, node: Node, graphs: Sequence[Node], directions: Sequence[Node | None]) -> Node | None:
    weights, values = directions
    by_values = None if values is None else to.apply("expectation", graphs[0], values)
    by_weights = None if weights is None else to.apply("covariance", *graphs, weights)
    return to.total(to.along(node, 1, by_values), to.along(node, 1, by_weights))


def _of_weights(name: str) -> _Rule:
    def rule(to: _Derivation, node: Node, graphs: Sequence[Node], directions: Sequence[Node | None]) -> Node | None:
        return None if directions[0] is None else to.apply(name, graphs[0], directions[0])

    return rule


_REDUCTIONS: Mapping[str, _Rule] = {
    "lse": _lse,
    "expectation": _expectation,
    "entropy": _of_weights("entropy_along"),
    "max": _of_weights("max_along"),
    "min": _of_weights("min_along"),
}


def _linear(*factors: float) -> _Rule:
    def rule(to: _Derivation, node: Node, scores: Sequence[Node], directions: Sequence[Node | None]) -> Node | None:
        return to.total(*(to.along(node, f, d) for f, d in zip(factors, directions, strict=True)))

    return rule


def _multiply(to: _Derivation, node: Node, scores: Sequence[Node], directions: Sequence[Node | None]) -> Node | None:
    return to.total(to.along(node, scores[1], directions[0]), to.along(node, scores[0], directions[1]))


def _divide(to: _Derivation, node: Node, scores: Sequence[Node], directions: Sequence[Node | None]) -> Node | None:
    inverse = to.apply("reciprocal", scores[1])
    by_divisor = None
    if directions[1] is not None:
        by_divisor = to.along(node, to.apply("negate", node), to.along(node, inverse, directions[1]))
    return to.total(to.along(node, inverse, directions[0]), by_divisor)


def _log(to: _Derivation, node: Node, scores: Sequence[Node], directions: Sequence[Node | None]) -> Node | None:
    return to.along(node, to.apply("reciprocal", scores[0]), directions[0])


def _exp(to: _Derivation, node: Node, scores: Sequence[Node], directions: Sequence[Node | None]) -> Node | None:
    return to.along(node, node, directions[0])


def _logadd(to: _Derivation, node: Node, scores: Sequence[Node], directions: Sequence[Node | None]) -> Node | None:
    one, other = scores
    return to.total(
        to.along(node, to.apply("share", one, other), directions[0]),
        to.along(node, to.apply("share", other, one), directions[1]),
    )


def _score_max(to: _Derivation, node: Node, scores: Sequence[Node], directions: Sequence[Node | None]) -> Node | None:
    return to.apply("chosen", *scores, *(to.number(0) if d is None else d for d in directions))


def _score_min(to: _Derivation, node: Node, scores: Sequence[Node], directions: Sequence[Node | None]) -> Node | None:
    return _score_max(to, node, [to.apply("negate", score) for score in scores], directions)


def _relative_entropy(
    to: _Derivation, node: Node, scores: Sequence[Node], directions: Sequence[Node | None]
) -> Node | None:
    # −inf where the first graph has no path: then the value is 0 whatever the others are.
    there = to.apply("path_product", scores[0], node)
    _, other, expected, entropy = directions
    return to.total(to.along(there, 1, other), to.along(there, -1, expected), to.along(there, -1, entropy))


_ARITHMETIC: Mapping[str, _Rule] = {
    "add": _linear(1, 1),
    "subtract": _linear(1, -1),
    "negate": _linear(-1),
    "path_product": _linear(1, 1),
    "multiply": _multiply,
    "divide": _divide,
    "log": _log,
    "exp": _exp,
    "logadd": _logadd,
    "score_max": _score_max,
    "score_min": _score_min,
    "relative_entropy": _relative_entropy,
}
