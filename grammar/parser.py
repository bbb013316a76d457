"""``parse``: the text of an equation → its syntax tree, or an EquationError that points at the mistake.

text → scanner.py → layout.py → LALR(1) parser (equation.lark, built by Lark) → builder.py → the checks of this module.
The parser is built once, on first use. It keeps its own stacks, and nodes are made as it reduces, so deep nesting costs
memory and never Python's stack.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.resources import files
from typing import Any, cast

from lark import Lark, Token
from lark import lexer as lark_lexer
from lark.exceptions import UnexpectedToken
from lark.lexer import Lexer

from arcgrad.grammar.builder import Bare, Builder, Statement
from arcgrad.grammar.errors import InputError, Span
from arcgrad.grammar.layout import lay_out, reserved
from arcgrad.grammar.messages import empty_equation, unexpected
from arcgrad.grammar.mistakes import Mistake
from arcgrad.grammar.scanner import scan
from arcgrad.grammar.syntax import Assignment, Call, Definition, Expression, Name, Operation, Program
from arcgrad.grammar.tokens import Lexeme

__all__ = ["build_parser", "parse", "parse_definitions"]


def parse(text: str, operator_names: Iterable[str] = ()) -> Program:
    """Parse an equation, or a program that ends in one.

    Args:
        text: the equation in any mix of the language's Unicode, ASCII and LaTeX spellings.
        operator_names: names of the named operators, which no program may define; one of several letters is an error
            wherever no ``[`` follows.

    Returns:
        The statements in order and the final expression, each node with its span in ``text``.

    Raises:
        EquationError: the text is no equation; the error points at the mistake and says what was expected.
        InputError: it is not a string.

    Example:
        >>> from arcgrad.grammar import parse, unparse
        >>> unparse(parse(r"\\text{LSE} [((\\mathcal{A}_1 + \\mathcal{A}_2) \\circ \\mathcal{X}^*)]. \\quad (4)"))
        'LSE[(A1 + A2) ∘ X*]'
    """
    return _parse(text, operator_names, definitions_only=False)


def parse_definitions(text: str, operator_names: Iterable[str] = ()) -> Program:
    """Parse statements without a final expression; the program's ``result`` is None. An empty text is legal.

    Args:
        text: lines of ``name = expression`` and ``name[P, Q] = expression``.
        operator_names: as in ``parse``.

    Raises:
        EquationError: the text holds a mistake, or an expression that no name is given to.
        InputError: it is not a string.

    Example:
        >>> from arcgrad.grammar import parse_definitions
        >>> [statement.name for statement in parse_definitions("ctc[X, Y] = LSE[Y ∘ X]").statements]
        ['ctc']
    """
    return _parse(text, operator_names, definitions_only=True)


def _parse(text: str, operator_names: Iterable[str], definitions_only: bool) -> Program:
    if not isinstance(text, str):
        raise InputError(f"an equation is a string; got {type(text).__name__}")
    try:
        named = frozenset(operator_names)
        lexemes = lay_out(scan(text), named)
        if not lexemes:
            if definitions_only:
                return Program((), None, text)
            raise empty_equation(text)
        statements = _statements(lexemes)
        program = _program(text, statements, definitions_only)
        _check_names(program, named)
        return program
    except Mistake as mistake:
        raise mistake.in_text(text) from None


class _NoLexer(Lexer):
    """Lark wants a lexer class; the tokens come from the scanner and are fed one by one instead."""

    def __init__(self, lexer_conf: Any) -> None:
        pass

    def lex(self, lexer_state: Any, parser_state: Any) -> Iterator[Token]:
        raise AssertionError("tokens are fed to the interactive parser")


def build_parser(strict: bool = False) -> Lark:
    """The LALR(1) parser of equation.lark; with ``strict`` Lark refuses any conflict (needs interegular)."""
    grammar = files("arcgrad.grammar").joinpath("equation.lark").read_text(encoding="utf-8")
    with contextlib.nullcontext() if strict else _no_search_for_collisions():
        return Lark(
            grammar,
            parser="lalr",
            lexer=_NoLexer,
            transformer=Builder(),
            keep_all_tokens=True,
            maybe_placeholders=False,
            strict=strict,
        )


@contextlib.contextmanager
def _no_search_for_collisions() -> Iterator[None]:
    """Spare Lark comparing the terminals of its own language for grammars: 0.13 s where interegular is installed."""
    searches = getattr(lark_lexer, "has_interegular", False)
    lark_lexer.has_interegular = False
    try:
        yield
    finally:
        lark_lexer.has_interegular = searches


_parser = lru_cache(maxsize=1)(build_parser)


def _statements(lexemes: list[Lexeme]) -> list[Statement]:
    state = _parser().parse_interactive()
    tokens: list[Any] = [*lexemes, Token("$END", "")]
    result: Any = None
    for position, token in enumerate(tokens):
        try:
            result = state.feed_token(token)
        except UnexpectedToken:
            accepted = frozenset(state.accepts())  # type: ignore[no-untyped-call]
            raise unexpected(lexemes, position, accepted) from None
    return cast("list[Statement]", result)


def _program(text: str, statements: list[Statement], definitions_only: bool) -> Program:
    assigned: list[Assignment | Definition] = []
    result: Expression | None = None
    for number, statement in enumerate(statements, 1):
        if not isinstance(statement, Bare):
            assigned.append(statement)
        elif definitions_only:
            raise Mistake(
                "only assignments and definitions may stand here, and this expression has no name",
                statement.expression.span,
                hint="write `name = expression` or `name[P, Q] = expression`",
                expected=("`name = expression`", "`name[P, Q] = expression`"),
            )
        elif number < len(statements):
            raise Mistake(
                "only the last line may be an expression, and this one is followed by another",
                statement.expression.span,
                hint="name it, `name = expression`; an expression over several lines needs parentheses around it",
                expected=("`name = expression`",),
            )
        else:
            result = statement.expression
    if result is None and not definitions_only:
        end = len(text.rstrip())
        raise Mistake(
            "the equation has no value: after its assignments comes no expression",
            Span(end, end + 1),
            hint="end with the expression whose value is wanted",
            expected=("an expression",),
            found="the end of the equation",
        )
    return Program(tuple(assigned), result, text)


def _check_names(program: Program, operator_names: frozenset[str]) -> None:
    """A name is assigned once and before its use, a parameter is named once, and no operator is defined anew."""
    assigned: dict[str, Assignment | Definition] = {}
    for statement in program.statements:
        if isinstance(statement, Definition) and statement.name in operator_names:
            raise reserved(statement.name, statement.name_span)
        if statement.name in assigned:
            line = program.place(assigned[statement.name].name_span).line
            raise Mistake(
                f"`{statement.name}` is assigned twice, first on line {line}",
                statement.name_span,
                hint="a name is assigned once; choose another",
                expected=("a new name",),
                found=f"`{statement.name}`",
            )
        assigned[statement.name] = statement
        if isinstance(statement, Definition):
            _check_parameters(statement)
    later = dict(assigned)
    for statement in program.statements:
        if isinstance(statement, Assignment):
            _check_uses(program, statement.expression, later, frozenset())
            del later[statement.name]
        else:
            del later[statement.name]  # whether a definition calls itself is the compiler's to see
            _check_uses(program, statement.body, later, frozenset(parameter.name for parameter in statement.parameters))


def _check_parameters(definition: Definition) -> None:
    seen: set[str] = set()
    for parameter in definition.parameters:
        if parameter.name in seen:
            raise Mistake(
                f"the definition of `{definition.name}` has two parameters `{parameter.name}`",
                parameter.span,
                expected=("a new name",),
                found=f"`{parameter.name}`",
            )
        seen.add(parameter.name)


def _check_uses(
    program: Program, root: Expression, later: dict[str, Assignment | Definition], bound: frozenset[str]
) -> None:
    if not later:
        return
    pending = [root]
    while pending:
        node = pending.pop()
        if isinstance(node, Operation):
            pending.extend(node.operands)
            continue
        if isinstance(node, Call):
            pending.extend(node.arguments)
        elif not isinstance(node, Name) or node.name in bound:
            continue
        statement = later.get(node.name)
        # `f` and `f[A]` are told apart: an operator's or a definition's name without brackets is an ordinary name.
        if statement is None or isinstance(statement, Definition) is not isinstance(node, Call):
            continue
        line = program.place(statement.name_span).line
        span = node.name_span if isinstance(node, Call) else node.span
        own = statement.span.start <= span.start < statement.span.end
        raise Mistake(
            f"`{node.name}` is used in its own assignment"
            if own
            else f"`{node.name}` is used before it is assigned on line {line}",
            span,
            hint="choose another name for the result" if own else "move the assignment up",
            expected=("a name that is an input or assigned before",),
            found=f"`{node.name}`",
        )
