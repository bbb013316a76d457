"""``unparse`` and ``to_latex``: a syntax tree → text, in Unicode or in LaTeX, with no more parentheses than it needs.

Both are one traversal over two styles: ``_parts`` says how a node is put together from text and operands, a style says
how operators and leaves are spelled. Parsing the text gives the tree back. The traversal keeps its own stack, so the
depth of a tree is no limit.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from arcgrad.grammar.spelling import GREEK, SUPERSCRIPT_DIGITS
from arcgrad.grammar.syntax import (
    Assignment,
    Call,
    CharacterClass,
    Constant,
    Expression,
    GraphLiteral,
    Name,
    Number,
    Operation,
    Program,
    Text,
)

__all__ = ["to_latex", "unparse"]

# Levels of precedence, as in equation.lark; an operand of a looser level than its place asks for takes parentheses.
_SUM, _CHAIN, _PRODUCT, _CROSS, _POSTFIX, _ATOM = range(6)

_Part = str | tuple[Expression, int]


@dataclass(frozen=True, slots=True)
class _Style:
    """How operators and leaves are spelled."""

    infix: dict[str, str]  # by tag, spaces included
    postfix: dict[str, str]  # by tag
    weight: tuple[str, str]
    constants: dict[str, str]
    name: Callable[[str], str]
    operator_name: Callable[[str], str]
    power: Callable[[int], str]
    bounds: Callable[[str], str]
    literal: Callable[[str], str]
    escaped: str  # characters that need a backslash within a literal, besides the language's own
    # LaTeX allows one superscript on a symbol.
    one_superscript: bool


def unparse(tree: Program | Expression) -> str:
    """The text of a tree in Unicode spelling, with as few parentheses as give the same tree when parsed.

    Example:
        >>> from arcgrad.grammar import parse, unparse
        >>> unparse(parse("((A B) | (C @ (D*)))").result)
        'A B + C ∘ D*'
    """
    return _render(tree, _UNICODE, "\n")


def to_latex(tree: Program | Expression) -> str:
    """The text of a tree in LaTeX, for use in math mode; parsing it gives the same tree.

    Example:
        >>> from arcgrad.grammar import parse, to_latex
        >>> print(to_latex(parse("LSE[(A1 + A2) ∘ X*]")))
        \\operatorname{LSE}[(\\mathcal{A}_{1} + \\mathcal{A}_{2}) \\circ \\mathcal{X}^{*}]
    """
    return _render(tree, _LATEX, " \\\\\n")


def _render(tree: Program | Expression, style: _Style, line_break: str) -> str:
    if not isinstance(tree, Program):
        return _render_expression(tree, style)
    lines: list[str] = []
    for statement in tree.statements:
        if isinstance(statement, Assignment):
            left, right = style.name(statement.name), statement.expression
        else:
            parameters = ", ".join(style.name(parameter.name) for parameter in statement.parameters)
            left, right = f"{style.operator_name(statement.name)}[{parameters}]", statement.body
        lines.append(f"{left} = {_render_expression(right, style)}")
    if tree.result is not None:
        lines.append(_render_expression(tree.result, style))
    return line_break.join(lines)


def _render_expression(expression: Expression, style: _Style) -> str:
    written: list[str] = []
    pending: list[_Part] = [(expression, _SUM)]
    while pending:
        part = pending.pop()
        if isinstance(part, str):
            written.append(part)
            continue
        node, needed = part
        level, parts = _parts(node, style)
        if level < needed:
            parts = ["(", *parts, ")"]
        pending.extend(reversed(parts))
    return "".join(written)


def _parts(node: Expression, style: _Style) -> tuple[int, list[_Part]]:
    """The level of a node, and the text and operands that it is written as, each operand with the level it needs."""
    if isinstance(node, Operation):
        return _operation(node, style)
    if isinstance(node, Call):
        parts: list[_Part] = [style.operator_name(node.name), "["]
        for number, argument in enumerate(node.arguments):
            parts += [", ", (argument, _SUM)] if number else [(argument, _SUM)]
        return _ATOM, [*parts, "]"]
    return _ATOM, [_leaf(node, style)]


def _leaf(node: Name | Number | Text | CharacterClass | GraphLiteral | Constant, style: _Style) -> str:
    if isinstance(node, Name):
        return style.name(node.name)
    if isinstance(node, Number):
        return repr(node.value)
    if isinstance(node, Constant):
        return style.constants[node.name]
    if isinstance(node, Text):
        return style.literal('"' + "".join(_string_symbol(symbol, style) for symbol in node.symbols) + '"')
    if isinstance(node, GraphLiteral):
        return style.literal('graph"' + _graph_entries(node, style) + '"')
    return style.literal('re"' + _character_class(node, style) + '"')


_BINARY_LEVELS = {
    "union": (_SUM, _CHAIN),
    "difference": (_SUM, _CHAIN),
    "compose": (_CHAIN, _PRODUCT),
    "intersect": (_CHAIN, _PRODUCT),
    "concatenate": (_PRODUCT, _CROSS),
    "multiply": (_PRODUCT, _CROSS),
    "divide": (_PRODUCT, _CROSS),
    "cross": (_CROSS, _POSTFIX),
}
# A left operand that binds as tightly but may not stand before this operator without parentheses.
_NEVER_LEFT = {("compose", "intersect"), ("intersect", "compose"), ("concatenate", "divide")}


def _ends_with_star(quotient: Expression) -> bool:
    """Whether the divisor is a closure: only then may a juxtaposed factor follow, as in ``a / b * c``."""
    divisor = quotient.operands[1] if isinstance(quotient, Operation) else quotient
    return isinstance(divisor, Operation) and divisor.tag == "closure"


_SUPERSCRIPTS = frozenset({"repeat", "inverse", "closure", "plus"})


def _operation(node: Operation, style: _Style) -> tuple[int, list[_Part]]:
    tag, left = node.tag, node.operands[0]
    left_tag = left.tag if isinstance(left, Operation) else ""
    if tag == "negate":
        return _SUM, ["-", (left, _CHAIN)]
    if tag in _BINARY_LEVELS:
        level, right_level = _BINARY_LEVELS[tag]
        apart = (tag, left_tag) in _NEVER_LEFT and not (left_tag == "divide" and _ends_with_star(left))
        left_level = level + 1 if apart else level
        right = node.operands[1]
        infix = style.infix[tag]
        if tag in ("multiply", "divide") and isinstance(right, Operation) and right.tag == "negate":
            infix, right = infix + "-", right.operands[0]
        return level, [(left, left_level), infix, (right, right_level)]
    if tag == "weight":
        opening, closing = style.weight
        return _POSTFIX, [(left, _POSTFIX), opening, (node.operands[1], _SUM), closing]
    if tag == "repeat":
        low, high = node.parameters
        assert low is not None, "a repetition has a lower bound"
        if low == high:
            mark = style.power(low)
        else:
            mark = style.bounds(f"{low},{'' if high is None else high}")
            if isinstance(left, Name) and left.name.endswith("_"):  # or `_{` would start a subscript
                mark = " " + mark
    else:
        mark = " *" if node.spaced else style.postfix[tag]
    # `A³⁴` would be A to the 34th; two superscripts on a symbol are an error in LaTeX.
    ends_in_digits = left_tag == "inverse" or (isinstance(left, Operation) and len(set(left.parameters)) == 1)
    digits = mark[:1] in SUPERSCRIPT_DIGITS and ends_in_digits
    doubled = style.one_superscript and mark.startswith("^") and left_tag in _SUPERSCRIPTS
    return _POSTFIX, [(left, _ATOM if digits or doubled else _POSTFIX), mark]


# Leaves


def _string_symbol(symbol: str, style: _Style) -> str:
    if len(symbol) > 1:
        return _long_symbol(symbol, style.escaped)
    if symbol == "\n":
        return "\\n"
    return "\\" + symbol if symbol in '"\\<' + style.escaped else symbol


def _long_symbol(symbol: str, escaped: str = "") -> str:
    name = "".join("\\" + c if c in '"\\<>' + escaped else c for c in symbol[1:-1])
    return "<{}>".format(name.replace("\n", "\\n"))


def _graph_entries(node: GraphLiteral, style: _Style) -> str:
    entries = []
    first = next((arc.source for arc in node.arcs), next(iter(node.accepts), None))
    if node.starts != (first,) and node.starts:
        entries = [f"start {state}" for state in node.starts]
    for arc in node.arcs:
        label = _label(arc.input, style)
        if arc.output != arc.input:
            label += ":" + _label(arc.output, style)
        entries.append(f"{arc.source} {arc.destination} {label}" + (f" {arc.score!r}" if arc.score else ""))
    return "; ".join([*entries, *map(str, node.accepts)])


def _label(symbol: str | None, style: _Style) -> str:
    if symbol is None:
        return "ε"
    if symbol in ":;ε\n" or symbol.isspace():  # would end the field, or mean something else there
        symbol = f"<{symbol}>"
    return _string_symbol(symbol, style)


_CONTROLS = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\f": "\\f", "\v": "\\v"}


def _class_symbol(symbol: str, style: _Style) -> str:
    if len(symbol) > 1:
        return _long_symbol(symbol)
    return "\\" + symbol if symbol in '\\"<[]^-' + style.escaped else _CONTROLS.get(symbol, symbol)


def _character_class(node: CharacterClass, style: _Style) -> str:
    if node.negated and not node.ranges:
        return "."
    ranges = (
        _class_symbol(first, style) if first == last else f"{_class_symbol(first, style)}-{_class_symbol(last, style)}"
        for first, last in node.ranges
    )
    return f"[{'^' if node.negated else ''}{''.join(ranges)}]"


def _superscript(number: int) -> str:
    digits = "".join(SUPERSCRIPT_DIGITS)
    return "".join(digits[int(digit)] for digit in str(number))


_BASE_AND_SUBSCRIPT = re.compile(r"(.*?[^_0-9])([0-9]+)\Z", re.DOTALL)
# The command of a letter is used only where it gives exactly that letter back, so not for variants such as ϕ.
_COMMANDS_OF_LETTERS = {letter: command for command, letter in reversed(GREEK.items()) if letter not in "ϑϕϖϱϰεℓℏıȷ"}


def _latex_name(name: str) -> str:
    match = _BASE_AND_SUBSCRIPT.match(name)
    base, subscript = (match[1], f"_{{{match[2]}}}") if match else (name, "")
    if base in _COMMANDS_OF_LETTERS:
        return f"\\{_COMMANDS_OF_LETTERS[base]}{subscript}"
    if len(base) == 1 and base.isascii() and base.isalpha():
        return (f"\\mathcal{{{base}}}" if base.isupper() else base) + subscript
    escaped = base.replace("_", "\\_")
    return f"\\mathrm{{{escaped}}}{subscript}"


def _latex_operator_name(name: str) -> str:
    escaped = name.replace("_", "\\_")
    return f"\\operatorname{{{escaped}}}"


def _latex_literal(text: str) -> str:
    return f"\\text{{{text}}}"


_UNICODE = _Style(
    infix={
        "union": " + ",
        "difference": " - ",
        "compose": " ∘ ",
        "intersect": " ∩ ",
        "concatenate": " ",
        "multiply": " × ",
        "divide": " / ",
        "cross": " : ",
    },
    postfix={"closure": "*", "plus": "⁺", "optional": "?", "inverse": "⁻¹"},
    weight=("⟨", "⟩"),
    constants={"epsilon": "ε", "empty": "∅"},
    name=str,
    operator_name=str,
    power=_superscript,
    bounds=lambda bounds: f"{{{bounds}}}",
    literal=str,
    escaped="",
    one_superscript=False,
)
_LATEX = _Style(
    infix={
        "union": " + ",
        "difference": " - ",
        "compose": " \\circ ",
        "intersect": " \\cap ",
        "concatenate": " \\, ",
        "multiply": " \\times ",
        "divide": " / ",
        "cross": " : ",
    },
    postfix={"closure": "^{*}", "plus": "^{+}", "optional": "^{?}", "inverse": "^{-1}"},
    weight=(" \\langle ", " \\rangle"),
    constants={"epsilon": "\\varepsilon", "empty": "\\emptyset"},
    name=_latex_name,
    operator_name=_latex_operator_name,
    power=lambda number: f"^{{{number}}}",
    bounds=lambda bounds: f"^{{\\{{{bounds}\\}}}}",
    literal=_latex_literal,
    escaped="{}%#&_$^~",
    one_superscript=True,
)
