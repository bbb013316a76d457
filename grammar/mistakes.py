"""A mistake found in a text, before it is tied to that text, and how messages show things and suggest words.

The scanner, the builder and the regular expressions raise ``Mistake``; ``parse`` and ``normalise_name`` turn it into an
EquationError with its place. So the shared parser holds no text, and two threads may parse at once.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable
from typing import Any

from arcgrad.grammar.errors import EquationError, Place, Span

__all__ = [
    "Mistake", "counted", "describe_character", "described", "kind_of", "look_alike", "nearest", "quoted", "shown",
]  # fmt: skip


class Mistake(Exception):  # noqa: N818 — it never leaves this layer, and `Error` is for those that do
    """What is wrong within a span; see EquationError for the fields."""

    def __init__(
        self,
        message: str,
        span: Span,
        *,
        hint: str | None = None,
        expected: tuple[str, ...] = (),
        found: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.span = span
        self.hint = hint
        self.expected = expected
        self.found = found

    def in_text(self, text: str) -> EquationError:
        """The error that the user sees."""
        place = Place(text, self.span)
        found = self.found or (quoted(text[self.span.start : self.span.end]) if self.span.start < len(text) else None)
        return EquationError(self.message, place=place, hint=self.hint, expected=self.expected, found=found)


_SHOWN_BY_NAME = {" ": "a space", "\t": "a tab", "\n": "a line break", "`": "a back quote"}


def describe_character(character: str) -> str:
    """A character as messages show it: itself where it can be printed, and its code point where it is not ASCII."""
    if character in _SHOWN_BY_NAME:
        return _SHOWN_BY_NAME[character]
    if " " < character <= "~":
        return f"`{character}`"
    code = f"U+{ord(character):04X}"
    name = unicodedata.name(character, "")
    shown = f"`{character}` ({code}" if character.isprintable() else f"the character {code}"
    if not name:
        return shown + (")" if character.isprintable() else "")
    return f"{shown} {name.lower()})" if character.isprintable() else f"{shown} ({name.lower()})"


def quoted(text: str, limit: int = 40) -> str:
    """Text between back quotes, cut where it is long, with what cannot be printed replaced."""
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return f"`{shown}`" if len(shown) <= limit else f"`{shown[: limit - 1]}…`"


def counted(number: int, noun: str) -> str:
    """A number and what it counts: "1 arc", "2 arcs"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def shown(value: Any, limit: int = 60) -> str:
    """A value as Python writes it, cut where that is long; messages must not fail, whatever they show."""
    try:
        text = repr(value)
    except Exception as error:
        if isinstance(value, int):  # Python spells out no whole number of thousands of digits
            return f"a whole number of about {value.bit_length() * 3 // 10} digits"
        return f"{kind_of(value)} whose repr raises {type(error).__name__}"
    return text if len(text) <= limit else text[: limit - 3] + "..."


def kind_of(value: Any) -> str:
    """A value's type with its article: "an int", "a list"."""
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


# Letters of other scripts that look like Latin ones.
_LATIN = str.maketrans(
    "АВЕЅІЈКМНОРСТУХаесорхуіјѕԁΑΒΕΖΗΙΚΜΝΟΡΤΥΧοıʼ’‐‑–−", "ABESIJKMHOPCTYXaecopxyijsdABEZHIKMNOPTYXoi''----"
)


def _skeleton(text: str) -> str:
    """What a text looks like: without marks and invisible characters, letters of other scripts as Latin ones."""
    plain = unicodedata.normalize("NFKD", text).translate(_LATIN)
    return "".join(character for character in plain if unicodedata.category(character) not in ("Mn", "Cf"))


def look_alike(given: str, known: Iterable[str]) -> str | None:
    """The one of the known words that differs from the given one, but looks like it."""
    look = _skeleton(given)
    return next((word for word in known if word != given and _skeleton(word) == look), None)


def nearest(given: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The one of the known words that was probably meant: one that looks alike, else one spelled alike."""
    words = list(known)
    found = look_alike(given, words)
    if found is None:
        found = next((word for word in words if word.casefold() == given.casefold()), None)
    return found or next(iter(difflib.get_close_matches(given, words, 1, cutoff)), None)


def described(meant: str, given: str, shown: str) -> str:
    """``shown``, which is how a message shows what was meant; with code points where that looks like what was given."""
    if meant == given or _skeleton(meant) != _skeleton(given):
        return shown
    changes = [op for op in difflib.SequenceMatcher(None, given, meant, False).get_opcodes() if op[0] != "equal"]
    yours, theirs = (
        " ".join(f"U+{ord(c):04X}" for _, *ends in changes for c in text[ends[side] : ends[side + 1]]) or "nothing"
        for text, side in ((given, 0), (meant, 2))
    )
    return f"{shown} (with {theirs}, where yours has {yours})"
