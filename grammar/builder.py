"""The builder: one method per rule of equation.lark, called as the parser reduces, so no parse tree is made.

It keeps no state: one builder serves every parse. Each method takes the values of its rule, tokens and finished nodes,
and returns the node. A group widens the span of its node by the parentheses, which also tells ``(A / B) C`` from
``A / B C``: only a node in parentheses starts before its first operand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from arcgrad.grammar.errors import Span
from arcgrad.grammar.mistakes import Mistake, quoted
from arcgrad.grammar.regex import parse_regex
from arcgrad.grammar.syntax import (
    Assignment,
    Call,
    Constant,
    Definition,
    Expression,
    Name,
    Number,
    Operation,
    Text,
    repeated,
)

__all__ = ["Bare", "Builder", "Statement"]


@dataclass(frozen=True, slots=True)
class Bare:
    """A statement that is an expression."""

    expression: Expression


Statement = Assignment | Definition | Bare

# Names of operators that do not look like one.
_PROJECTIONS = {"π1": "in", "π2": "out"}


def _in_parentheses(node: Operation) -> bool:
    return node.span.start < node.operands[0].span.start


def _binary(tag: str) -> Callable[[Builder, list[Any]], Operation]:
    def build(self: Builder, values: list[Any]) -> Operation:
        left, operator, right = values
        return Operation(tag, (left, right), (), left.span.join(right.span), operator.span)

    return build


def _postfix(tag: str) -> Callable[[Builder, list[Any]], Operation]:
    def build(self: Builder, values: list[Any]) -> Operation:
        operand, operator = values
        return Operation(tag, (operand,), (), operand.span.join(operator.span), operator.span)

    return build


def _literal(make: Callable[[Any], Expression]) -> Callable[[Builder, list[Any]], Expression]:
    def build(self: Builder, values: list[Any]) -> Expression:
        return make(values[0])

    return build


class Builder:
    """Lark's embedded transformer."""

    # Atoms

    name = _literal(lambda token: Name(token.value, token.span))
    number = _literal(lambda token: Number(token.value, token.span))
    text = _literal(lambda token: Text(token.value, token.span))
    regex = _literal(lambda token: parse_regex(token.value[0], token.value[1], token.span))
    graph = _literal(lambda token: token.value)
    epsilon = _literal(lambda token: Constant("epsilon", token.span))
    empty = _literal(lambda token: Constant("empty", token.span))

    def group(self, values: list[Any]) -> Expression:
        opener, expression, closer = values
        grouped: Expression = replace(expression, span=opener.span.join(closer.span))
        return grouped

    def call(self, values: list[Any]) -> Call:
        name, _, arguments, closer = values
        spelled = _PROJECTIONS.get(name.value, name.value)
        return Call(spelled, tuple(arguments), name.span.join(closer.span), name.span)

    def call_of_nothing(self, values: list[Any]) -> Call:
        name, opener, closer = values
        return self.call([name, opener, [], closer])

    def first_argument(self, values: list[Any]) -> list[Expression]:
        return [values[0]]

    def next_argument(self, values: list[Any]) -> list[Expression]:
        arguments, _, argument = values
        arguments.append(argument)
        return arguments  # type: ignore[no-any-return]

    # Operators behind their operand

    plus = _postfix("plus")
    optional = _postfix("optional")
    inverse = _postfix("inverse")

    def closure(self, values: list[Any]) -> Operation:
        operand, star = values
        spaced = star.spaced and star.value is None
        return Operation("closure", (operand,), (), operand.span.join(star.span), star.span, spaced)

    def repeat(self, values: list[Any]) -> Operation:
        operand, operator = values
        low, high = operator.value
        return repeated(operand, low, high, operand.span.join(operator.span), operator.span)

    def weight(self, values: list[Any]) -> Operation:
        operand, opener, weight, closer = values
        operator = opener.span.join(closer.span)
        return Operation("weight", (operand, weight), (), operand.span.join(operator), operator)

    # Operators between two operands

    cross = _binary("cross")
    concatenate = _binary("concatenate")
    multiply = _binary("multiply")
    divide = _binary("divide")
    union = _binary("union")
    difference = _binary("difference")

    def negate(self, values: list[Any]) -> Operation:
        sign, operand = values
        return Operation("negate", (operand,), (), sign.span.join(operand.span), sign.span)

    def multiply_negative(self, values: list[Any]) -> Operation:
        left, operator, sign, right = values
        return self.multiply([left, operator, self.negate([sign, right])])

    def divide_negative(self, values: list[Any]) -> Operation:
        left, operator, sign, right = values
        return self.divide([left, operator, self.negate([sign, right])])

    def juxtapose(self, values: list[Any]) -> Operation:
        left, right = values
        if isinstance(left, Operation) and left.tag == "divide" and not _in_parentheses(left):
            divisor = left.operands[1]
            # `a / b * c` reads as a quotient times c: its star is the product of scores, juxtaposed by the grammar.
            starred = isinstance(divisor, Operation) and divisor.tag == "closure" and not _in_parentheses(divisor)
            if not starred:
                raise Mistake(
                    "a quotient followed by a factor without a sign can be read in two ways",
                    left.operator_span.join(right.span),
                    hint="write `(a / b) c` or `a / (b c)`",
                    expected=("an operator", "parentheses"),
                )
        gap = Span(left.span.end, max(left.span.end, right.span.start))
        return Operation("concatenate", (left, right), (), left.span.join(right.span), gap)

    def compose(self, values: list[Any]) -> Operation:
        return self._chained("compose", values)

    def intersect(self, values: list[Any]) -> Operation:
        return self._chained("intersect", values)

    def _chained(self, tag: str, values: list[Any]) -> Operation:
        left, operator, right = values
        other = {"compose": "intersect", "intersect": "compose"}[tag]
        if isinstance(left, Operation) and left.tag == other and not _in_parentheses(left):
            raise Mistake(
                "`∘` and `∩` in one chain need parentheses",
                left.operator_span.join(operator.span),
                hint="write `(A ∘ B) ∩ C` or `A ∘ (B ∩ C)`",
                expected=("parentheses",),
                found=quoted(operator.text),
            )
        return Operation(tag, (left, right), (), left.span.join(right.span), operator.span)

    # Statements

    def assign(self, values: list[Any]) -> Statement:
        left, _, expression = values
        span = left.span.join(expression.span)
        if isinstance(left, Name):
            return Assignment(left.name, expression, span, left.span)
        if isinstance(left, Call):
            for parameter in left.arguments:
                if not isinstance(parameter, Name):
                    raise Mistake(
                        f"the parameters of the definition of `{left.name}` must be names",
                        parameter.span,
                        hint="as in `name[P, Q] = expression`",
                        expected=("a name",),
                    )
            if not left.arguments:
                raise Mistake(
                    f"the definition of `{left.name}` has no parameters",
                    left.span,
                    hint="a name without parameters is assigned to without brackets, `name = expression`",
                    expected=("a name",),
                    found="`]`",
                )
            parameters = tuple(parameter for parameter in left.arguments if isinstance(parameter, Name))
            return Definition(left.name, parameters, expression, span, left.name_span)
        if isinstance(left, Constant):
            raise Mistake(
                "a literal cannot be assigned to", left.span, hint="choose another name", expected=("a name",)
            )
        raise Mistake(
            "the left side of `=` must be a name, or a name with parameters",
            left.span,
            hint="as in `name = expression` and `name[P, Q] = expression`",
            expected=("a name", "`name[P, Q]`"),
        )

    def first_statement(self, values: list[Any]) -> list[Statement]:
        return [self._statement(values[0])]

    def next_statement(self, values: list[Any]) -> list[Statement]:
        statements, _, statement = values
        statements.append(self._statement(statement))
        return statements  # type: ignore[no-any-return]

    def _statement(self, value: Any) -> Statement:
        return value if isinstance(value, Assignment | Definition) else Bare(value)
