"""Colours of the language: text → kinds of tokens, and the lexer ``arcgrad`` of Pygments, for docs, notebooks and REPL.

Unlike the grammar's scanner it never fails: what is not a token is of the kind "Error", and the rest keeps its colours.
Pygments finds ``ArcgradLexer`` by the entry point ``pygments.lexers``; this module imports Pygments only where that
class is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from arcgrad.grammar import spelling

if TYPE_CHECKING:
    ArcgradLexer: Any

__all__ = ["ArcgradLexer", "tokens"]

_SESSION = re.compile(r"arcgrad> ?")
_CONTINUED = re.compile(r" {6}\.\. ?")

_CLOSERS_AND_OPENERS = frozenset({"LPAR", "RPAR", "LBRACKET", "RBRACKET", "RBRACE", "COMMA", "SEMICOLON", "PERIOD"})
_SUPERSCRIPTS = "".join(spelling.SUPERSCRIPT_DIGITS) + "⁻⁺"
_LETTER = rf"[^\W\d{_SUPERSCRIPTS}]"  # letters of any script; `_` too
_SUBSCRIPT = r"(?:_(?:\{[^{}\n]*\}|[^\W_]+))?"
_DECORATED = rf"\\(?:{'|'.join(sorted(spelling.DECORATIONS, key=len, reverse=True))})(?![A-Za-z])"
_BEFORE_BRACKET = r"(?=\s*(?:\\left\s*)?\[)"


def _characters(of: frozenset[str], *, inside: bool) -> str:
    chosen = (sign for sign, kind in spelling.SYMBOLS.items() if (kind in of) is inside)
    return re.escape("".join(chosen))


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str]:
    """One alternative for each kind of token; groups are named like Pygments' token types."""
    name = rf"(?:{_DECORATED}\s*\{{[^{{}}\n]*\}}|{_LETTER}[^\W{_SUPERSCRIPTS}]*){_SUBSCRIPT}"
    letters = "|".join(sorted(spelling.GREEK, key=len, reverse=True))
    functions = "|".join(sorted(spelling.FUNCTIONS, key=len, reverse=True))
    commands = "|".join(sorted(filter(str.isalpha, spelling.COMMANDS), key=len, reverse=True))
    dropped = [*spelling.IGNORED, *spelling.IGNORED_WITH_ARGUMENT, *spelling.SIZES]
    ignored = "|".join(sorted(filter(str.isalpha, dropped), key=len, reverse=True))
    rules = {
        "Comment_Single": r"#[^\n]*",
        "Text_Whitespace": r"[\s$]+",
        "String": r'(?:re|graph)?"(?:[^"\\]|\\.)*"?',
        "Number": r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?",
        "Name_Constant": rf"(?:ε|ɛ|eps|empty)(?![^\W{_SUPERSCRIPTS}])|∅|\\(?:epsilon|varepsilon|emptyset|varnothing)"
        r"(?![A-Za-z])",
        "Name_Function": rf"(?:{name}|\\(?:{functions})(?![A-Za-z])){_BEFORE_BRACKET}",
        "Name": rf"{name}|\\(?:{letters}|{functions})(?![A-Za-z]){_SUBSCRIPT}",
        "Operator": rf"[{_SUPERSCRIPTS}]+|\^(?:\{{[^{{}}\n]*\}}|[*+?∗⋆]|-?[0-9]+|\\ast|\\star)?"
        rf"|\\(?:{commands})(?![A-Za-z])|\{{[\s0-9,]+\}}|\\[&{{}}]"
        rf"|[{_characters(_CLOSERS_AND_OPENERS, inside=False)}]",
        "Punctuation": rf"[{_characters(_CLOSERS_AND_OPENERS, inside=True)}{{]|\\(?:{ignored})(?![A-Za-z])|\\[^A-Za-z]",
        "Error": r"\\[A-Za-z]+|.",
    }
    return re.compile("|".join(f"(?P<{kind}>{rule})" for kind, rule in rules.items()), re.DOTALL)


_WITHIN_STRING = re.compile(r'(?P<prefix>\A(?:re|graph)?")|(?P<escape>\\.)|(?P<symbol><(?:[^<>"\\]|\\.)*>)', re.DOTALL)
_COMMAND = re.compile(r"\s*(?P<name>:[A-Za-z]\w*)")


def tokens(text: str) -> Iterator[tuple[int, str, str]]:
    """The tokens of an equation or of an entry of the REPL, for colouring.

    Args:
        text: any text; where its lines begin with the REPL's prompt it is a session, and its other lines are output.

    Yields:
        Where each token begins, its kind (the name of a token type of Pygments, such as ``Name.Function``), its text;
        together the texts are the whole text.

    Example:
        >>> from arcgrad.lexer import tokens
        >>> [(kind, word) for _, kind, word in tokens("LSE[A₁]")]
        [('Name.Function', 'LSE'), ('Punctuation', '['), ('Name', 'A₁'), ('Punctuation', ']')]
    """
    if not re.search(r"^arcgrad> ", text, re.MULTILINE):
        yield from _entry(text, 0)
        return
    position, entered = 0, ""
    for line in text.splitlines(keepends=True):
        prompt = _SESSION.match(line) or (_CONTINUED.match(line) if entered else None)
        if prompt is None:
            entered = ""
            yield position, "Generic.Output", line
        else:
            entered = prompt[0]
            yield position, "Generic.Prompt", prompt[0]
            yield from _entry(line[prompt.end() :], position + prompt.end())
        position += len(line)


def _entry(text: str, offset: int) -> Iterator[tuple[int, str, str]]:
    position = 0
    command = _COMMAND.match(text)
    if command is not None:
        position = command.end()
        before = command.start("name")
        if before:
            yield offset, "Text.Whitespace", text[:before]
        yield offset + before, "Keyword", command["name"]
    for found in _pattern().finditer(text, position):
        kind = str(found.lastgroup).replace("_", ".")
        if kind == "String":
            yield from _string(found[0], offset + found.start())
        else:
            yield offset + found.start(), kind, found[0]


def _string(text: str, offset: int) -> Iterator[tuple[int, str, str]]:
    position = 0
    kinds = {"prefix": "String.Affix", "escape": "String.Escape", "symbol": "String.Symbol"}
    for found in _WITHIN_STRING.finditer(text):
        if found.lastgroup == "prefix" and found[0] == '"':
            continue
        if found.start() > position:
            yield offset + position, "String", text[position : found.start()]
        kind = kinds[str(found.lastgroup)]
        end = found.end() - (kind == "String.Affix")
        yield offset + found.start(), kind, text[found.start() : end]
        position = end
    if position < len(text):
        yield offset + position, "String", text[position:]


def __getattr__(name: str) -> Any:
    if name != "ArcgradLexer":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from pygments.lexer import Lexer
        from pygments.token import string_to_tokentype
    except ImportError as error:
        raise ImportError(
            "arcgrad.lexer.ArcgradLexer needs Pygments; `pip install arcgrad[repl]` installs it", name="pygments"
        ) from error

    class ArcgradLexer(Lexer):  # type: ignore[misc,unused-ignore]
        """Equations over weighted automata, and sessions of their REPL, for Pygments."""

        name = "arcgrad"
        aliases = ["arcgrad"]  # noqa: RUF012  (read by Pygments' metaclass)
        filenames = ["*.arcgrad"]  # noqa: RUF012
        url = "https://pypi.org/project/arcgrad"

        def get_tokens_unprocessed(self, text: str) -> Iterator[tuple[int, Any, str]]:
            """The tokens of a text with their types."""
            return ((start, string_to_tokentype(kind), word) for start, kind, word in tokens(text))

    ArcgradLexer.__module__ = __name__
    ArcgradLexer.__qualname__ = "ArcgradLexer"
    globals()[name] = ArcgradLexer
    return ArcgradLexer
