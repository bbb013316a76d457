"""The token that passes from the scanner through the layout pass to the parser, and the terminals in words.

The types are the terminals of equation.lark, and three that the layout pass removes: NEWLINE, SEMICOLON, PERIOD.
"""

from __future__ import annotations

from dataclasses import dataclass

from arcgrad.grammar.errors import Span

__all__ = ["BINARY", "ENDS_OPERAND", "POSTFIX", "STARTS_OPERAND", "Lexeme"]

STARTS_OPERAND = frozenset({"NAME", "NUMBER", "TEXT", "REGEX", "GRAPH", "EPSILON", "EMPTY", "LPAR", "LBRACE"})
POSTFIX = frozenset({"STAR", "ONE_OR_MORE", "QUESTION", "REPEAT", "INVERSE"})
BINARY = frozenset({"COLON", "DOT", "TIMES", "SLASH", "COMPOSE", "INTERSECT", "PLUS", "MINUS"})
ENDS_OPERAND = (STARTS_OPERAND - {"LPAR", "LBRACE"}) | POSTFIX | {"RPAR", "RBRACKET", "RBRACE", "GREATER"}


@dataclass(frozen=True, slots=True)
class Lexeme:
    """One token of an equation.

    ``text`` is what stands in the user's text. ``value`` is what it means: the plain spelling of a NAME, the number of
    a NUMBER, the symbols of a TEXT, the pair (m, n) of a REPEAT, the node of a GRAPH, and of a REGEX the
    pattern between its quotes and the offset where that starts.
    ``spaced`` means that white space stands before it, ``detached`` that LaTeX's wide space does, as before
    the number of an equation.
    """

    type: str
    text: str
    span: Span
    value: object = None
    spaced: bool = False
    detached: bool = False
