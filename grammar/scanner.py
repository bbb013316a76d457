"""The scanner: text → tokens, in Unicode, ASCII and LaTeX spellings alike.

LaTeX is read as it stands and never rewritten, so every token knows its place in the text as given. What a symbol or a
command means is looked up in spelling.py; what the whole row of tokens means is left to layout.py and the grammar.
"""

from __future__ import annotations

import difflib
import re

from arcgrad.grammar import spelling
from arcgrad.grammar.errors import Span
from arcgrad.grammar.literals import read_graph, read_number, read_quoted, read_symbols, repeat_bounds
from arcgrad.grammar.mistakes import Mistake, describe_character, quoted
from arcgrad.grammar.names import (
    LITERALS,
    closing_brace,
    ends_at,
    is_name_start,
    is_subscript,
    plain_spelling,
)
from arcgrad.grammar.tokens import ENDS_OPERAND, Lexeme

__all__ = ["scan"]

_COMMAND = re.compile(r"\\([A-Za-z]+|.|\n)", re.DOTALL)
_CARET_BODY = (
    r"(?P<star>[*∗⋆]|\\ast(?![A-Za-z])|\\star(?![A-Za-z]))|(?P<plus>\+)|(?P<optional>\?)"
    r"|(?P<inverse>[-−]\s*1)|(?P<n>[0-9]+)"
)
_CARET = re.compile(rf"\^\s*(?:{_CARET_BODY})(?![0-9])")
_CARET_BRACED = re.compile(
    rf"\^\s*\{{\s*(?:{_CARET_BODY}|(?P<low>[0-9]+)\s*,(?P<high>\s*[0-9]+)?"
    r"|\\\{(?P<repeat>[\s0-9,]*)\\\})\s*\}"
)
_WRONG_CARET = re.compile(r"\^\s*(\{[^{}\n]*\}|\\[A-Za-z]+|\S)?")
_WRAPPED_LITERAL = re.compile(r'\s*\{\s*(re|graph)?"')
_POINT = re.compile(r"\.[0-9]")
_CLOSE = re.compile(r"\s*\}")
_ARGUMENT = re.compile(r"\*?\s*\{")
_INVISIBLE_DELIMITER = re.compile(r"\s*\.")
_LIKE_REPEAT = re.compile(r"\{[\s0-9,.+\-−–]*\}")
# What looks like a count or bounds with a name in them; a name alone must begin with a small letter to look like one.
_NAMED_COUNT = re.compile(r"\{\s*(?:[a-z]\w*|\w+\s*,\s*\w*|,\s*\w+)\s*\}")


def scan(text: str) -> list[Lexeme]:
    """All tokens of a text; raises Mistake for what is no token."""
    return _Scanner(text).scan()


class _Scanner:
    """One pass over one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.lexemes: list[Lexeme] = []
        self.spaced = False
        self.detached = False

    def scan(self) -> list[Lexeme]:
        while self.position < len(self.text):
            self.step()
        return self.lexemes

    def add(self, kind: str, end: int, value: object = None) -> None:
        span = Span(self.position, end)
        self.lexemes.append(Lexeme(kind, self.text[self.position : end], span, value, self.spaced, self.detached))
        self.position, self.spaced, self.detached = end, False, False

    def skip(self, end: int) -> None:
        self.position, self.spaced = end, True

    def after_operand(self) -> bool:
        return bool(self.lexemes) and self.lexemes[-1].type in ENDS_OPERAND

    def step(self) -> None:
        text, start = self.text, self.position
        character = text[start]
        if character == "\n":
            self.add("NEWLINE", start + 1)
        elif character in spelling.SPACES or character == "$":
            self.skip(start + 1)
        elif character == "#":
            end = text.find("\n", start)
            self.skip(len(text) if end < 0 else end)
        elif character == "\\":
            self.command()
        elif character == '"':
            self.literal(start)
        elif text.startswith('re"', start):
            self.literal(start + 2, "re")
        elif text.startswith('graph"', start):
            self.literal(start + 5, "graph")
        elif "0" <= character <= "9" or (_POINT.match(text, start) and not self.touches_operand()):
            value, end = read_number(text, start)
            self.add("NUMBER", end, value)
        elif is_name_start(character):
            self.name()
        elif character == "^":
            self.caret()
        elif character == "{":
            self.brace()
        elif character in spelling.SUPERSCRIPT_DIGITS or character == "⁻":
            self.superscript()
        elif text[start : start + 2] in spelling.PAIR_HINTS:
            self.refuse(start + 2, spelling.PAIR_HINTS[text[start : start + 2]])
        elif character in spelling.SYMBOLS:
            self.add(spelling.SYMBOLS[character], start + 1)
        else:
            self.refuse(start + 1, self.hint_for(character))

    def touches_operand(self) -> bool:
        return self.after_operand() and not self.spaced

    def refuse(self, end: int, hint: str | None) -> None:
        what = self.text[self.position : end]
        shown = describe_character(what) if len(what) == 1 else quoted(what)
        raise Mistake(
            f"{shown} is not part of the language",
            Span(self.position, end),
            hint=hint,
            expected=("a symbol of the language",),
            found=shown,
        )

    def hint_for(self, character: str) -> str | None:
        if character in spelling.HINTS:
            return spelling.HINTS[character]
        if character in "'′":
            if self.touches_operand():
                return "a prime cannot be part of a name; write A_prime or A2"
            return 'strings are written between straight double quotes, "abc"'
        if "！" <= character <= "～":  # full-width forms of ASCII
            return f"write the plain `{chr(ord(character) - 0xFEE0)}`"
        if is_subscript(character):
            return "a subscript belongs directly behind a name, as in A₁"
        if character.isdigit():
            return "write digits as 0 to 9"
        if not character.isprintable():
            return "delete it; it was probably copied along by accident"
        return None

    # Names and literals

    def name(self) -> None:
        text, start = self.text, self.position
        if self.touches_operand() and text[start] == "_" and self.lexemes[-1].type != "NUMBER":
            raise Mistake(
                "a subscript belongs to a name, not to an expression",
                Span(start, start + 1),
                hint="give the expression a name first: `name = expression`",
                expected=("an operator",),
                found="`_`",
            )
        end = ends_at(text, start)
        name = plain_spelling(text[start:end], start)
        self.add(LITERALS.get(name, "NAME"), end, name)

    def literal(self, quote: int, prefix: str = "", wrapped: bool = False) -> None:
        """Read the literal whose opening quote is at ``quote``; ``wrapped`` where it stands in ``\\text{…}``."""
        what = {"re": "regular expression", "graph": "graph"}.get(prefix, "string")
        literal = read_quoted(self.text, quote, what, lines=prefix == "graph")
        end = literal.end
        if wrapped:
            close = _CLOSE.match(self.text, end)
            if close is None:
                span = Span(self.position, quote)
                raise Mistake("`{` is never closed behind this literal", span, expected=("`}`",))
            end = close.end()
        if prefix == "re":
            self.add("REGEX", end, (literal.content, quote + 1))
        elif prefix == "graph":
            self.add("GRAPH", end, read_graph(literal.content, quote + 1, Span(self.position, end), wrapped))
        else:
            self.add("TEXT", end, read_symbols(literal.content, quote + 1, wrapped))

    # LaTeX

    def command(self) -> None:
        text, start = self.text, self.position
        match = _COMMAND.match(text, start)
        if match is None:
            raise Mistake("a backslash ends the equation", Span(start, start + 1), expected=("a LaTeX command",))
        command, end = match[1], match.end()
        if command in spelling.IGNORED or command in spelling.IGNORED_WITH_ARGUMENT:
            if command in spelling.IGNORED_WITH_ARGUMENT:
                end = self.end_of_argument(command, end)
            self.skip(end)
            self.detached = self.detached or command in spelling.DETACHING
        elif command in spelling.SIZES:
            # Not a space: `\text{LSE}\left(` is a name directly before a parenthesis.
            self.position = end
            invisible = _INVISIBLE_DELIMITER.match(text, end)
            if invisible is not None:
                self.position = invisible.end()
        elif command in spelling.COMMANDS:
            self.add(spelling.COMMANDS[command], end)
        elif command in spelling.DECORATIONS:
            quote = _WRAPPED_LITERAL.match(text, end)
            if quote is not None:
                self.literal(quote.end() - 1, quote[1] or "", wrapped=True)
            else:
                self.name()
        elif command in spelling.GREEK or command in spelling.ACCENTS or command in spelling.FUNCTIONS:
            self.name()
        elif command in spelling.COMMAND_HINTS:
            self.refuse(end, spelling.COMMAND_HINTS[command])
        else:
            self.refuse_command(command, end)

    def end_of_argument(self, command: str, end: int) -> int:
        opening = _ARGUMENT.match(self.text, end)
        if opening is None:
            span = Span(self.position, end)
            raise Mistake(f"`\\{command}` needs an argument in braces", span, expected=("`{`",))
        return closing_brace(self.text, opening.end() - 1) + 1

    def refuse_command(self, command: str, end: int) -> None:
        if not command.isalpha():
            hint = None
            if command in "#%":
                hint = "comments start with a bare `#`"
            elif command == "_":
                hint = "write `_` without the backslash, or the name in `\\text{…}`"
            shown = f"a backslash before {describe_character(command)}"
        else:
            known = {*spelling.COMMANDS, *spelling.DECORATIONS, *spelling.GREEK, *spelling.FUNCTIONS, *spelling.IGNORED}
            known |= {*spelling.SIZES, *spelling.COMMAND_HINTS}
            nearest = difflib.get_close_matches(command[:40], sorted(name for name in known if name.isalpha()), 1)
            hint = f"did you mean `\\{nearest[0]}`?" if nearest else "write names of your own as `\\text{name}`"
            shown = quoted("\\" + command)
        raise Mistake(
            f"{shown} is not a command of the language",
            Span(self.position, end),
            hint=hint,
            expected=("a LaTeX command of the language",),
            found=shown,
        )

    # What stands above the line, and braces

    def caret(self) -> None:
        text, start = self.text, self.position
        match = _CARET_BRACED.match(text, start) or _CARET.match(text, start)
        if match is None:
            wrong = _WRONG_CARET.match(text, start)
            end = wrong.end() if wrong is not None else start + 1
            what = quoted(text[start:end])
            hint = "a power is a number, as in `A^3`; other marks are `A^*`, `A^+` and the inverse `A^-1`"
            if text[start:end].strip("^{} \t") in ("\\top", "\\dagger", "T"):
                hint = spelling.COMMAND_HINTS["top"]
            raise Mistake(
                f"{what} is not a power",
                Span(start, end),
                hint=hint,
                expected=("`^*`", "`^+`", "`^-1`", "`^` and a number"),
                found=what,
            )
        groups = {"low": None, "high": None, "repeat": None, **match.groupdict()}
        span = Span(start, match.end())
        if groups["star"]:
            self.add("STAR", match.end(), "caret")
        elif groups["plus"]:
            self.add("ONE_OR_MORE", match.end())
        elif groups["optional"]:
            self.add("QUESTION", match.end())
        elif groups["inverse"]:
            self.add("INVERSE", match.end())
        else:
            content = groups["n"] or groups["repeat"] or f"{groups['low']},{groups['high'] or ''}"
            self.add("REPEAT", match.end(), repeat_bounds(content, span))

    def superscript(self) -> None:
        text, start = self.text, self.position
        end = start + 1
        while end < len(text) and text[end] in spelling.SUPERSCRIPT_DIGITS:
            end += 1
        if text[start] != "⁻":
            digits = "".join(str(spelling.SUPERSCRIPT_DIGITS[digit]) for digit in text[start:end])
            self.add("REPEAT", end, repeat_bounds(digits, Span(start, end)))
        elif text[start:end] == "⁻¹":
            self.add("INVERSE", end)
        else:
            raise Mistake(
                f"{quoted(text[start:end])} is not a power",
                Span(start, end),
                hint="the inverse is `A⁻¹`; a power of it is `(A⁻¹)²`",
                expected=("`⁻¹`",),
                found=quoted(text[start:end]),
            )

    def brace(self) -> None:
        named = _NAMED_COUNT.match(self.text, self.position)
        if named is not None and self.touches_operand() and self.lexemes[-1].type != "RBRACE":
            self.refuse_count(named[0])
        match = _LIKE_REPEAT.match(self.text, self.position)
        if match is None or not self.after_operand():
            self.add("LBRACE", self.position + 1)
            return
        span = Span(self.position, match.end())
        self.add("REPEAT", match.end(), repeat_bounds(match[0][1:-1], span))

    def refuse_count(self, braces: str) -> None:
        if _LIKE_REPEAT.match(braces):
            return
        raise Mistake(
            f"a repetition count is a literal, not a name: {quoted(braces)}",
            Span(self.position, self.position + len(braces)),
            hint="write the number, as in `A{3}` or `A{2,5}`; to concatenate a graph, put a space or `·` between",
            expected=("`{n}`", "`{m,}`", "`{m,n}`"),
            found=quoted(braces),
        )
