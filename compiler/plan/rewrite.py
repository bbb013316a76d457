"""Rewriting: applies the table of rules to IR nodes, operands first, until none fits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from arcgrad.compiler.frontend.elaborate import elaborate
from arcgrad.compiler.frontend.ir import Interner, Node, topological
from arcgrad.compiler.plan.rules import RULES, Rule
from arcgrad.grammar.errors import Place

__all__ = ["Rewriter"]


@dataclass(frozen=True, slots=True)
class _Compiled:
    rule: Rule
    left: Node
    right: Node


@cache
def _compiled_rules() -> dict[str, list[_Compiled]]:
    """Rules by the operator at the root of their left side."""
    from arcgrad.grammar import parse

    found: dict[str, list[_Compiled]] = {}
    for rule in RULES:
        left = elaborate(parse(rule.left), internal=True)
        # The right side alone does not settle the types of its letters; beside the left side it does.
        right = elaborate(parse(rule.right), internal=True, input_types=left.inputs)
        found.setdefault(left.result.operator, []).append(_Compiled(rule, left.result, right.result))
    return found


def _match(pattern: Node, node: Node, letters: dict[str, Node]) -> bool:
    """Whether ``node`` has the pattern's form; fills in what its letters stand for. Patterns are small: recursion."""
    if pattern.is_input:
        name = str(pattern.parameters[0])
        return pattern.type is node.type and letters.setdefault(name, node) is node
    return (
        pattern.operator == node.operator
        and pattern.parameters == node.parameters
        and len(pattern.operands) == len(node.operands)
        and all(_match(p, n, letters) for p, n in zip(pattern.operands, node.operands, strict=True))
    )


class Rewriter:
    """Applies the rules within one program.

    Args:
        interner: the program's.
        places: where nodes stand; new nodes get the place of what they replace.
        gains: whether a split that takes this graph apart pays (a dense input is met in it).
    """

    def __init__(self, interner: Interner, places: dict[Node, Place], gains: Callable[[Node], bool]) -> None:
        self._interner = interner
        self._places = places
        self._gains = gains
        self.applied: list[tuple[Rule, Node]] = []

    def rewrite(self, root: Node) -> Node:
        """``root`` with every rule applied that fits."""
        done: dict[Node, Node] = {}
        becomes: dict[Node, Node] = {}
        stack = [root]
        while stack:
            node = stack[-1]
            if node in becomes and becomes[node] in done:
                done[node] = done[becomes[node]]
            if node in done:
                stack.pop()
                continue
            missing = [o for o in node.operands if o not in done]
            if missing:
                stack.extend(reversed(missing))
                continue
            current = self._interner.with_operands(node, tuple(done[o] for o in node.operands))
            if current is not node and node in self._places:
                self._places.setdefault(current, self._places[node])
            replaced = self._apply(current)
            if replaced is current:
                done[node] = done[current] = current
                stack.pop()
            else:  # what it becomes may hold further redexes below its root
                becomes[node] = replaced
                stack.append(replaced)
        return done[root]

    def _apply(self, node: Node) -> Node:
        for compiled in _compiled_rules().get(node.operator, ()):
            letters: dict[str, Node] = {}
            if not _match(compiled.left, node, letters):
                continue
            if compiled.rule.splits and not any(self._gains(letter) for letter in letters.values()):
                continue
            self.applied.append((compiled.rule, node))
            return self._substitute(compiled.right, letters, node)
        return node

    def _substitute(self, pattern: Node, letters: dict[str, Node], origin: Node) -> Node:
        built: dict[Node, Node] = {}
        for part in topological(pattern):
            if part.is_input:
                built[part] = letters[str(part.parameters[0])]
            else:
                operands = tuple(built[o] for o in part.operands)
                built[part] = self._interner.make(part.operator, operands, part.parameters, part.type)
                if origin in self._places:
                    self._places.setdefault(built[part], self._places[origin])
        return built[pattern]
