"""A mistake found in a text, before it is tied to that text, and how characters are shown in messages.

The scanner, the builder and the regular expressions raise ``Mistake``; ``parse`` and ``normalise_name`` turn it into an
EquationError with its place. So the shared parser holds no text, and two threads may parse at once.
"""

from __future__ import annotations

import unicodedata

from arcgrad.grammar.errors import EquationError, Place, Span

__all__ = ["Mistake", "describe_character", "quoted"]


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
