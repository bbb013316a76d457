"""Names: which characters they are made of, where one ends in the text, and the one plain spelling of each.

The scanner uses it for name tokens, the rest of arcgrad for the names that users give to inputs.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from arcgrad.grammar.errors import InputError, Span
from arcgrad.grammar.mistakes import Mistake, describe_character, quoted
from arcgrad.grammar.spelling import ACCENTS, DECORATIONS, FUNCTIONS, GREEK

__all__ = [
    "LITERALS",
    "closing_brace",
    "ends_at",
    "is_name_character",
    "is_name_start",
    "is_subscript",
    "normalise_name",
    "plain_spelling",
]

# Plain spellings that are literals of the language.
LITERALS = {"ε": "EPSILON", "eps": "EPSILON", "ɛ": "EPSILON", "empty": "EMPTY"}

_IN_NAMES = DECORATIONS | ACCENTS.keys() | GREEK.keys()
_COMMAND = re.compile(r"\\([A-Za-z]+)\*?")


@lru_cache(maxsize=4096)
def _kind(character: str) -> str:
    """One of "start", "continue" (digits and marks), "subscript" and "" (no part of a name)."""
    decomposition = unicodedata.decomposition(character)
    if decomposition.startswith("<super>"):
        return ""
    if decomposition.startswith("<sub>"):
        return "subscript" if unicodedata.normalize("NFKC", character).isalnum() else ""
    category = unicodedata.category(character)
    if character == "_" or category[0] == "L" or category == "Nl":
        return "start"
    # Variation selectors are marks too, but they change how a character looks and not what it is.
    if category in ("Mn", "Mc", "Nd") and not "\ufe00" <= character <= "\ufe0f":
        return "continue"
    return ""


def is_name_start(character: str) -> bool:
    """Whether a name can start with this character: a letter of any script, or `_`."""
    return _kind(character) == "start"


def is_name_character(character: str) -> bool:
    """Whether a name can go on with this character: a letter, a mark on one, a digit or `_`."""
    return _kind(character) in ("start", "continue")


def is_subscript(character: str) -> bool:
    """Whether this is a subscript letter or digit, such as ₁."""
    return _kind(character) == "subscript"


def closing_brace(text: str, start: int) -> int:
    """Offset of the brace that closes the one at ``start``; raises Mistake where there is none."""
    depth, position = 0, start
    while position < len(text):
        character = text[position]
        if character == "\\":
            position += 1
        elif character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
            if depth == 0:
                return position
        position += 1
    raise Mistake("`{` is never closed", Span(start, start + 1), expected=("`}`",), found="the end of the equation")


def _after_spaces(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t":
        position += 1
    return position


def _after_command(text: str, start: int) -> int:
    """End of the LaTeX name that starts at ``start``: a Greek letter, or a decoration with its argument."""
    position = start
    while True:
        match = _COMMAND.match(text, position)
        if match is None:
            break
        position = match.end()
        if match[1] in GREEK or match[1] in FUNCTIONS:
            return match.start() + 1 + len(match[1])
        if match[1] not in DECORATIONS and match[1] not in ACCENTS:
            span = Span(match.start(), match.end())
            raise Mistake(f"{quoted(match[0])} cannot be part of a name", span, expected=("a name",))
        position = _after_spaces(text, position)
        if position < len(text) and text[position] == "{":
            return closing_brace(text, position) + 1
    if position < len(text) and position > start and is_name_start(text[position]):
        return position + 1
    end = max(position, start + 2)
    message = f"{quoted(text[start:end].strip())} needs an argument in braces"
    raise Mistake(message, Span(start, end), hint="as in `\\mathcal{A}`", expected=("`{`",))


def ends_at(text: str, start: int) -> int:
    """Where the name that starts at ``start`` ends, its subscripts included; raises Mistake for open braces."""
    latex = text[start] == "\\"
    position = _after_command(text, start) if latex else start
    size = len(text)
    while True:
        if not latex:
            while position < size and is_name_character(text[position]):
                position += 1
        elif position < size and text[position] == "_":
            position += 1
            digits = position < size and text[position].isdigit()
            while position < size and (text[position].isdigit() if digits else is_name_character(text[position])):
                position += 1
        before = position
        if position > start and text[position - 1] == "_" and position < size:
            if text[position] == "{":
                position = closing_brace(text, position) + 1
            elif (command := _COMMAND.match(text, position)) and command[1] in _IN_NAMES:
                position = _after_command(text, position)
        while position < size and is_subscript(text[position]):
            position += 1
        if position == before:
            return position
        # After a subscript a letter starts another name, but a further subscript still belongs to this one.
        latex = True


def plain_spelling(raw: str, offset: int = 0) -> str:
    """The plain spelling of one name as written; ``offset`` is where it stands in the text. Raises Mistake."""
    parts: list[str] = []
    closers: list[tuple[str, int]] = []  # per open brace, the mark that follows its content, and the parts before
    pending = ""  # mark of an accent whose argument has not come yet
    position = 0

    def start_subscript() -> None:
        # A subscript in braces or of a command is joined on without its `_`.
        if parts and parts[-1] == "_" and len(parts) > 1:
            parts.pop()

    while position < len(raw):
        character = raw[position]
        if match := _COMMAND.match(raw, position):
            command = match[1]
            position = match.end()
            start_subscript()
            if command in GREEK or command in FUNCTIONS:
                parts.append(GREEK.get(command, command) + pending)
                pending = ""
            elif command in ACCENTS:
                pending = ACCENTS[command] + pending
                position = _after_spaces(raw, position)
            elif command not in DECORATIONS:
                span = Span(offset + match.start(), offset + match.end())
                raise Mistake(f"{quoted(match[0])} cannot be part of a name", span, expected=("a name",))
            else:
                position = _after_spaces(raw, position)
            continue
        position += 1
        if character == "\\" and raw[position : position + 1] == "_":
            parts.append("_")
            position += 1
        elif character == "{":
            start_subscript()
            closers.append((pending, len(parts)))
            pending = ""
            position = _after_spaces(raw, position)
        elif character == "}" and closers:
            mark, before = closers.pop()
            if len(parts) == before:
                span = Span(offset + position - 2, offset + position)
                raise Mistake("nothing stands between `{` and `}`", span, expected=("a name",), found="`}`")
            parts.append(mark)
        elif character in " \t" and raw[position:].lstrip(" \t").startswith("}"):
            continue
        elif is_name_character(character) or is_subscript(character):
            parts.append(character + pending)
            pending = ""
        else:
            span = Span(offset + position - 1, offset + position)
            raise Mistake(
                f"{describe_character(character)} cannot be part of a name",
                span,
                hint="names and their subscripts are letters, digits and `_`",
                expected=("a letter, a digit or `_`",),
                found=describe_character(character),
            )
    name = _with_subscript_joined(unicodedata.normalize("NFKC", "".join(parts)))
    if not name or closers or not is_name_start(name[0]) or not all(map(is_name_character, name)):
        raise Mistake(
            f"{quoted(raw)} is not a name",
            Span(offset, offset + max(1, len(raw))),
            hint="a name starts with a letter or `_` and goes on with letters, digits and `_`",
            expected=("a name",),
        )
    return name


def _with_subscript_joined(name: str) -> str:
    """``A_1`` → ``A1``, for every trailing subscript: ``A_1_2`` → ``A12``; a name of `_` and digits keeps its start."""
    start = len(name)
    while start and (name[start - 1] == "_" or name[start - 1].isdecimal()):
        start -= 1
    if start == 0:
        start = len(name) - len(name.lstrip("_"))
    return name if name.endswith("_") else name[:start] + name[start:].replace("_", "")


def normalise_name(text: str) -> str:
    """The plain spelling of a name, the same for all its spellings.

    NFKC, LaTeX decoration off, and a trailing subscript joined on.

    Args:
        text: one name in any spelling of the language.

    Raises:
        EquationError: the text is not a name, or it is a literal such as ``eps``.
        InputError: it is not a string.

    Example:
        >>> from arcgrad.grammar import normalise_name
        >>> [normalise_name(name) for name in ("A₁", "A_1", "𝒜₁", r"\\mathcal{A}_{1}", "token_graph")]
        ['A1', 'A1', 'A1', 'A1', 'token_graph']
    """
    if not isinstance(text, str):
        raise InputError(f"a name is a string; got {type(text).__name__}")
    try:
        start = len(text) - len(text.lstrip())
        raw = text.strip()
        whole = Span(start, start + max(1, len(raw)))
        wrong = Mistake(
            f"{quoted(raw)} is not a name" if raw else "a name is empty",
            whole,
            hint="a name starts with a letter or `_` and goes on with letters, digits and `_`",
            expected=("a name",),
        )
        if not raw or not (raw[0] == "\\" or is_name_start(raw[0])) or ends_at(text, start) != start + len(raw):
            raise wrong
        name = plain_spelling(raw, start)
        if name in LITERALS:
            message = f"{quoted(raw)} is a literal of the language and cannot be a name"
            raise Mistake(message, whole, expected=("a name",))
        return name
    except Mistake as mistake:
        raise mistake.in_text(text) from None
