"""Completion: what Tab makes of the text before the cursor, whoever reads the keys."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from arcgrad.grammar import spelling
from arcgrad.repl.commands import ALIASES, COMMANDS

if TYPE_CHECKING:
    from arcgrad.repl.session import Session

__all__ = ["CONTINUED", "PROMPT", "Completion", "completions", "is_open", "without_prompts"]

PROMPT = "arcgrad> "
CONTINUED = "      .. "


@dataclass(frozen=True)
class Completion:
    """One way to go on: what stands before the cursor from ``start`` on becomes ``text``.

    ``meaning`` is shown beside it.
    """

    start: int
    text: str
    meaning: str = ""


_SIGNS = {
    "STAR": "*", "COLON": ":", "DOT": "·", "TIMES": "×", "SLASH": "/", "COMPOSE": "∘", "INTERSECT": "∩", "PLUS": "+",
    "MINUS": "∖", "EMPTY": "∅", "LESS": "⟨", "GREATER": "⟩", "LPAR": "(", "RPAR": ")", "LBRACKET": "[", "RBRACKET": "]",
}  # fmt: skip
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_SUPERSCRIPTS = str.maketrans("0123456789-+", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺")
_COMMAND = re.compile(r"\\([A-Za-z]*)\Z")
_DECORATED = re.compile(rf"\\(?:{'|'.join(spelling.DECORATIONS)})\{{(\w+)\}}\Z")
_SUBSCRIPT = re.compile(r"(?<=\w)_(?:\{(\d+)\}|(\d+))\Z")
_SUPERSCRIPT = re.compile(r"\^(?:\{(-1|[0-9]+|\+|\*)\}|(-1|[0-9]+|\+|\*|\\ast))\Z")
_NAME = re.compile(r"[^\W\d]\w*\Z")
_FILES = re.compile(r"(?P<command>:[a-z]+)\s+(?:.*\s)?\"?(?P<file>[^\s\"]*)\Z", re.DOTALL)


def completions(text: str, session: Session, encoding: str = "utf-8") -> list[Completion]:
    """How the text before the cursor may go on.

    Args:
        text: the entry up to the cursor.
        session: whose names are known.
        encoding: of the terminal; LaTeX becomes a sign only where that has it.

    Example:
        >>> from arcgrad.repl import Session
        >>> from arcgrad.repl.completion import completions
        >>> [found.text for found in completions("A \\\\circ", Session())]
        ['∘']
    """
    found = [each for each in _latex(text) if _has(encoding, each.text)]
    if found:
        return found
    head = re.match(r"\s*:([a-z?]*)\Z", text)
    if head is not None:
        start = len(text) - len(head[1])
        return [Completion(start, f"{n} ", c.summary) for n, c in COMMANDS.items() if n.startswith(head[1])]
    command = re.match(r"\s*:([a-z?]+)\s", text)
    takes = COMMANDS[n].takes if command and (n := ALIASES.get(command[1], command[1])) in COMMANDS else "equation"
    if takes == "topics":
        return list(_topics(text))
    if takes == "files":
        files = _FILES.search(text)
        listed = list(_files(files["file"], len(text))) if files is not None else []
        named = [] if files is not None and os.sep in files["file"] else _names(text, session, operators=False)
        return [*named, *listed]
    return list(_names(text, session, operators=takes == "equation"))


def _has(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _latex(text: str) -> Iterator[Completion]:
    if text.count('"') % 2:
        return  # within a string a backslash escapes
    decorated = _DECORATED.search(text)
    subscript, superscript = _SUBSCRIPT.search(text), _SUPERSCRIPT.search(text)
    command = _COMMAND.search(text)
    if decorated is not None:
        yield Completion(decorated.start(), decorated[1])
    elif subscript is not None:
        yield Completion(subscript.start(), (subscript[1] or subscript[2]).translate(_SUBSCRIPTS))
    elif superscript is not None:
        power = superscript[1] or superscript[2]
        yield Completion(superscript.start(), "*" if power in ("*", "\\ast") else power.translate(_SUPERSCRIPTS))
    elif command is not None:
        known = dict(spelling.GREEK)
        known |= {
            name: _SIGNS[token] for name, token in spelling.COMMANDS.items() if token in _SIGNS and name.isalpha()
        }
        known |= {"epsilon": "ε", "varepsilon": "ε"}
        chosen = {command[1]: known[command[1]]} if command[1] in known else known
        for name in sorted(chosen):
            if name.startswith(command[1]):
                yield Completion(command.start(), known[name], f"\\{name}")


def _names(text: str, session: Session, operators: bool) -> Iterator[Completion]:
    word = _NAME.search(text)
    if text.count('"') % 2 or (word is None and operators):
        return
    written = "" if word is None else word[0]
    start = len(text) - len(written)
    known: dict[str, str] = {}
    for name, definition in session.definitions.items():
        known[name if definition.parameters is None else f"{name}["] = definition.text
    known |= {name: repr(value) for name, value in session.inputs.items()}
    if operators:
        from arcgrad.compiler.operators import named_operators

        known |= {f"{name}[": entry.summary for name, entry in named_operators().items()}
        if text.lstrip().startswith(":"):
            known["wrt "] = "with respect to"
    for name, meaning in known.items():
        if name.startswith(written) and name != written:
            yield Completion(start, name, meaning.split("\n")[0][:60])


def _files(begun: str, end: int) -> Iterator[Completion]:
    folder, name = os.path.split(begun)
    try:
        found = sorted(os.scandir(os.path.expanduser(folder) or "."), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in found:
        if entry.name.startswith(name) and (name.startswith(".") or not entry.name.startswith(".")):
            suffix = "/" if entry.is_dir() else ""
            yield Completion(end - len(begun), os.path.join(folder, entry.name) + suffix)


def _topics(text: str) -> Iterator[Completion]:
    from arcgrad.repl.topics import topics

    word = re.split(r"\s", text)[-1]
    for topic in [*topics(), *(f":{name}" for name in COMMANDS)]:
        if topic.startswith(word) and topic.isprintable():
            yield Completion(len(text) - len(word), topic)


def without_prompts(text: str) -> str:
    """Text of an entry without prompts that were copied along."""
    return re.sub(rf"^(?:{re.escape(PROMPT)}|{re.escape(CONTINUED)})", "", text, flags=re.MULTILINE)


def is_open(entry: str) -> bool:
    """Whether an entry goes on in the next line: a bracket is open, or the quotes of a graph as typed.

    Example:
        >>> from arcgrad.repl.completion import is_open
        >>> is_open("LSE[A ∘"), is_open('A = graph"0 1 a'), is_open("A)"), is_open("A # [")
        (True, True, False, False)
    """
    from arcgrad.lexer import tokens

    entry = without_prompts(entry)
    if entry.lstrip().startswith(":"):
        return False
    depth = 0
    quoted = ""
    for _, kind, word in tokens(entry):
        if kind == "String.Affix" and word == "graph":
            quoted = word
        elif kind.startswith("String"):
            quoted = quoted and quoted + word
        else:
            quoted = ""
            if kind == "Punctuation" and word[-1] in "([{)]}":
                depth += 1 if word[-1] in "([{" else -1
                if depth < 0:
                    return False
    return depth > 0 or (bool(quoted) and not _is_closed(quoted.removeprefix("graph")))


def _is_closed(literal: str) -> bool:
    return re.fullmatch(r'"(?:[^"\\]|\\.)*"', literal, re.DOTALL) is not None
