"""What the parser says of a token that cannot stand where it does, in words of the language.

The parser knows which terminals it would have accepted; this module names them as a reader of equations would, and
picks the message that fits the tokens around the mistake.
"""

from __future__ import annotations

from arcgrad.grammar.errors import Span
from arcgrad.grammar.mistakes import Mistake, quoted
from arcgrad.grammar.tokens import BINARY, ENDS_OPERAND, POSTFIX, STARTS_OPERAND, Lexeme

__all__ = ["empty_equation", "unexpected"]

_OPENERS = frozenset({"LPAR", "LBRACKET", "LBRACE", "LESS"})
_END = "the end of the equation"
_OPERAND = "an operand (a name, a number, a literal or a parenthesis)"

# Groups of terminals, in the order in which they are named: a group is named where one of its terminals is accepted.
_PHRASES: tuple[tuple[frozenset[str], str], ...] = (
    (STARTS_OPERAND, _OPERAND),
    (BINARY - {"MINUS"}, "an operator"),
    (frozenset({"RPAR"}), "`)`"),
    (frozenset({"RBRACKET"}), "`]`"),
    (frozenset({"RBRACE"}), "`}`"),
    (frozenset({"GREATER"}), "`>`"),
    (frozenset({"COMMA"}), "`,`"),
    (frozenset({"EQUALS"}), "`=`"),
    (frozenset({"SEPARATOR"}), "a new line"),
    (frozenset({"$END"}), _END),
)


def empty_equation(text: str) -> Mistake:
    """The mistake of a text that holds no token."""
    return Mistake(
        "the equation is empty",
        Span(len(text), len(text) + 1),
        hint="for example `LSE[A ∘ B]`",
        expected=("an expression",),
        found=_END,
    )


def unexpected(lexemes: list[Lexeme], position: int, accepted: frozenset[str]) -> Mistake:
    """The mistake at ``lexemes[position]``, or at the end of the text where that is past the last."""
    token = lexemes[position] if position < len(lexemes) else None
    before = lexemes[position - 1] if position else None
    if token is None:
        # Past the text, not at the last token: what is missing would stand there.
        end = before.span.end if before else 0
        span, found = Span(end, end + 1), _END
    elif token.type == "SEPARATOR":
        span, found = token.span, "the end of the line" if token.text == "\n" else quoted(token.text)
    else:
        span, found = token.span, _describe(token)
    operand_follows = "NAME" in accepted
    expected = tuple(
        words
        for terminals, words in _PHRASES
        if terminals & accepted and not (operand_follows and "PLUS" in accepted and terminals is STARTS_OPERAND)
    )
    if operand_follows and "PLUS" not in accepted:
        return _missing_operand(token, before, span, found, expected)
    return _misplaced(token, before, span, found, expected, accepted)


def _describe(token: Lexeme) -> str:
    words = {
        "NAME": "the name ",
        "NUMBER": "the number ",
        "TEXT": "the string ",
        "REGEX": "the regular expression ",
        "GRAPH": "the graph ",
    }
    return words.get(token.type, "") + quoted(token.text)


def _missing_operand(
    token: Lexeme | None, before: Lexeme | None, span: Span, found: str, expected: tuple[str, ...]
) -> Mistake:
    hint = None
    closing = token is None or token.type in ("RPAR", "RBRACKET", "RBRACE", "GREATER", "COMMA", "SEPARATOR", "EQUALS")
    if before is not None and before.type in _OPENERS and closing:
        message = f"nothing stands between {quoted(before.text)} and {found}"
    elif before is not None and before.type == "COMMA":
        message = f"an argument is missing between `,` and {found}"
    elif before is not None and before.type in BINARY:
        message = f"{quoted(before.text)} has no right side"
        if before.type == "PLUS":
            hint = "one or more times is `A⁺` or `A^+`"
        if before.type == "COMPOSE" and token is not None and token.type == "COMPOSE":
            hint = "write one `∘`"
        if token is not None and token.type == "SEPARATOR" and token.text == "\n":
            hint = "an expression over several lines needs parentheses around it"
    elif before is not None and before.type == "EQUALS":
        message = "the assignment has no expression"
    else:
        message = f"{found} has nothing on its left"
    if token is not None and token.type == "MINUS":
        hint = "put a negative operand in parentheses, as in `A (-B)`; only `×` and `/` take one without"
    elif token is not None and token.type == "PLUS" and before is not None and before.type in BINARY:
        hint = "there is no unary `+`"
    elif token is not None and token.type == "REPEAT" and hint is None:
        hint = "a repetition stands behind what it repeats"
    elif token is not None and token.type in POSTFIX and hint is None:
        hint = f"{quoted(token.text)} stands behind its operand"
    return Mistake(f"{message}: expected {_OPERAND}", span, hint=hint, expected=expected, found=found)


def _misplaced(
    token: Lexeme | None,
    before: Lexeme | None,
    span: Span,
    found: str,
    expected: tuple[str, ...],
    accepted: frozenset[str],
) -> Mistake:
    hint = None
    kind = token.type if token is not None else "$END"
    after_operand = before is not None and before.type in ENDS_OPERAND
    message = f"{found} cannot stand here"
    if kind == "LBRACKET" and after_operand:
        message = "`[` follows something that is not an operator's name"
        hint = "group with parentheses `( )`; arguments follow a name, as in `LSE[A]`"
    elif kind == "COMMA":
        hint = "commas separate the arguments of a named operator, `name[A, B]`"
    elif kind == "EQUALS":
        message = "`=` cannot stand here"
        hint = "an assignment is a line of its own, `name = expression`, with one `=`"
    elif "EQUALS" not in accepted and kind == "SEPARATOR":
        hint = "an expression over several lines needs parentheses around it"
    return Mistake(f"{message}: expected {_listed(expected)}", span, hint=hint, expected=expected, found=found)


def _listed(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]
