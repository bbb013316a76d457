"""The syntax tree: what the parser returns and the compiler reads. Frozen, each node with its span in the user's text.

Stands between text and IR in the flow text → syntax → IR → plan → source → run.
Nodes compare by identity; compare trees by their unparsed text.
"""

from __future__ import annotations

from dataclasses import dataclass

from arcgrad.grammar.errors import Place, Span

__all__ = [
    "Assignment",
    "Call",
    "CharacterClass",
    "Constant",
    "Definition",
    "Expression",
    "GraphLiteral",
    "LiteralArc",
    "Name",
    "Number",
    "Operation",
    "Program",
    "Text",
    "repeated",
]


@dataclass(frozen=True, slots=True, eq=False)
class Name:
    """An identifier in its plain spelling (``A1`` for ``\\mathcal{A}_1``)."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Number:
    """A number literal; ``value`` is an int where the text has neither point nor exponent, else a float."""

    value: int | float
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """``"abc"``: the linear acceptor of these symbols, each a character, or a name in angle brackets: ``<eps>``."""

    symbols: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class CharacterClass:
    """One symbol out of a set, from a regular expression: two states and an arc per symbol.

    ``ranges`` are pairs of first and last symbol, both included; ``negated`` accepts every symbol of the table outside
    them (``.`` is the negation of the empty set).
    """

    ranges: tuple[tuple[str, str], ...]
    negated: bool
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """``ε`` (name "epsilon") or ``∅`` (name "empty")."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """An operator with a sign of its own.

    Tags: closure, plus, optional, repeat, inverse, weight (operands: graph, score), cross, concatenate (juxtaposition
    or a dot), compose, intersect, union, difference, multiply (``×``), divide, negate. All are binary but the first
    five and negate; n-ary chains are nested to the left. ``parameters`` are (m, n) for repeat (n None: unbounded),
    else empty. ``spaced`` means that a closure's star had white space before it, as in ``A * B``: the type rule uses it
    for a hint. ``span`` includes the parentheses written around the node, if any.
    """

    tag: str
    operands: tuple[Expression, ...]
    parameters: tuple[int | None, ...]
    span: Span
    operator_span: Span
    spaced: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """``name[argument, …]``: a named operator or a definition; which of them is the compiler's to find out."""

    name: str
    arguments: tuple[Expression, ...]
    span: Span
    name_span: Span


@dataclass(frozen=True, slots=True, eq=False)
class LiteralArc:
    """An arc of a typed graph: states, symbols (None: ε) and score, and where its entry stands in the text."""

    source: int
    destination: int
    input: str | None
    output: str | None
    score: int | float
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class GraphLiteral:
    """``graph"0 1 a 0.5; 1"``: arcs in order, start and accept states, rising, and the number of states."""

    arcs: tuple[LiteralArc, ...]
    starts: tuple[int, ...]
    accepts: tuple[int, ...]
    n_states: int
    span: Span


Expression = Name | Number | Text | CharacterClass | GraphLiteral | Constant | Operation | Call


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """``name = expression``."""

    name: str
    expression: Expression
    span: Span
    name_span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """``name[P, Q] = expression``."""

    name: str
    parameters: tuple[Name, ...]
    body: Expression
    span: Span
    name_span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A whole equation: statements in order, then the expression whose value it has (None in a file of definitions)."""

    statements: tuple[Assignment | Definition, ...]
    result: Expression | None
    text: str

    def place(self, span: Span) -> Place:
        """The span as a place in this program's text."""
        return Place(self.text, span)


def repeated(operand: Expression, low: int, high: int | None, span: Span, operator: Span) -> Operation:
    """The node of a repetition from ``low`` to ``high`` times; those that have an operator of their own become it."""
    tags = {(0, None): "closure", (1, None): "plus", (0, 1): "optional"}
    tag = tags.get((low, high))
    if tag is not None:
        return Operation(tag, (operand,), (), span, operator)
    return Operation("repeat", (operand,), (low, high), span, operator)
