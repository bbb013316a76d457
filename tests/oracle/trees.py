"""Expression trees of the oracle's own, and their spelling in the equation language.

A test compiles ``tree.text()`` with arcgrad and evaluates the tree itself with ``oracle.evaluate``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

# How tightly each operator binds; a looser operand gets parentheses.
_ATOM, _POSTFIX, _CROSS, _PRODUCT, _COMPOSITION, _SUM = range(6)

_BINARY = {
    "cross": (" : ", _CROSS),
    "concatenate": (" ", _PRODUCT),
    "compose": (" ∘ ", _COMPOSITION),
    "intersect": (" ∩ ", _COMPOSITION),
    "union": (" + ", _SUM),
    "difference": (" - ", _SUM),
    "add": (" + ", _SUM),
    "subtract": (" - ", _SUM),
    "multiply": (" × ", _PRODUCT),
    "divide": (" / ", _PRODUCT),
}
_POSTFIXES = {"closure": "*", "plus": "⁺", "optional": "?", "inverse": "⁻¹"}
_NAMED = {
    "reverse": "rev",
    "input": "in",
    "output": "out",
    "connect": "connect",
    "support": "support",
    "relabel": "relabel",
    "relabel_input": "relabel_in",
    "relabel_output": "relabel_out",
    "LSE": "LSE",
    "MAX": "MAX",
    "MIN": "MIN",
    "COUNT": "COUNT",
    "log": "log",
    "exp": "exp",
    "logadd": "logadd",
    "max": "max",
}
REDUCTIONS = ("LSE", "MAX", "MIN", "COUNT")
GRAPH_OPERATORS = (
    "union", "concatenate", "closure", "plus", "optional", "repeat", "inverse", "reverse", "input", "output", "weight",
    "cross", "compose", "intersect", "connect", "relabel", "relabel_input", "relabel_output", "epsilon", "empty",
    "linear", "support", "difference",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Tree:
    """One node: an operator's name, its operands, and parameters (a name, numbers, labels).

    Operators: leaf, score, mapping (parameters: the input's name); number (the value); linear (labels); repeat
    (least, most or None); those of GRAPH_OPERATORS and REDUCTIONS; negate and the score operators.
    """

    operator: str
    operands: tuple[Tree, ...] = ()
    parameters: tuple = ()

    def text(self) -> str:
        """The tree in the equation language's Unicode spelling."""
        return self._render()[0]

    def _render(self) -> tuple[str, int]:
        op = self.operator
        if op in ("leaf", "score", "mapping"):
            return self.parameters[0], _ATOM
        if op == "number":
            return f"{self.parameters[0]!r}", (_SUM if self.parameters[0] < 0 else _ATOM)
        if op == "epsilon":
            return "ε", _ATOM
        if op == "empty":
            return "∅", _ATOM
        if op == "linear":
            return f"linear[{', '.join(str(label) for label in self.parameters)}]", _ATOM
        if op in _NAMED:
            return f"{_NAMED[op]}[{', '.join(x.text() for x in self.operands)}]", _ATOM
        if op in _POSTFIXES:
            return self._within(0, _ATOM) + _POSTFIXES[op], _POSTFIX
        if op == "repeat":
            least, most = self.parameters
            numbers = str(least) if least == most else f"{least},{'' if most is None else most}"
            return f"{self._within(0, _ATOM)}{{{numbers}}}", _POSTFIX
        if op == "weight":
            return f"{self._within(0, _ATOM)}⟨{self.operands[1].text()}⟩", _POSTFIX
        if op == "negate":
            return f"-{self._within(0, _PRODUCT)}", _SUM
        sign, level = _BINARY[op]
        if op == "multiply" and self.operands[0].operator == "number":
            sign = " "
        # A chain of ∘ and ∩ mixed needs parentheses.
        mixed = level == _COMPOSITION and self.operands[0].operator in ("compose", "intersect")
        left = level - 1 if mixed and self.operands[0].operator != op else level
        return f"{self._within(0, left)}{sign}{self._within(1, level - 1)}", level

    def _within(self, operand: int, loosest: int) -> str:
        text, level = self.operands[operand]._render()
        return text if level <= loosest else f"({text})"

    def walk(self) -> Iterator[Tree]:
        """Every node, operands first, a shared node once for each use."""
        for operand in self.operands:
            yield from operand.walk()
        yield self

    def names(self) -> tuple[str, ...]:
        """The inputs, in order of first appearance in the text."""
        found: dict[str, None] = {}
        if self.operator in ("leaf", "score", "mapping"):
            found[self.parameters[0]] = None
        for operand in self.operands:
            found.update(dict.fromkeys(operand.names()))
        return tuple(found)

    @property
    def depth(self) -> int:
        """Operators above the deepest leaf."""
        return 1 + max(x.depth for x in self.operands) if self.operands else 0


def leaf(name: str) -> Tree:
    """An input that is a graph or dense."""
    return Tree("leaf", (), (name,))


def score(name: str) -> Tree:
    """An input that is a score."""
    return Tree("score", (), (name,))


def mapping(name: str) -> Tree:
    """An input that maps labels."""
    return Tree("mapping", (), (name,))


def number(value: float) -> Tree:
    return Tree("number", (), (value,))


def linear(*labels: int) -> Tree:
    return Tree("linear", (), labels)


def repeat(operand: Tree, least: int, most: int | None) -> Tree:
    return Tree("repeat", (operand,), (least, most))


def apply(operator: str, *operands: Tree) -> Tree:
    """The node of an operator without parameters."""
    return Tree(operator, operands)
