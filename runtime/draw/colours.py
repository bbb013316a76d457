"""Colours: what numbers on arcs and in cells are painted with, told apart without red and green."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["GREATEST", "LEAST", "NONE", "arc_colour", "arc_width", "cell_colour", "largest", "number_text"]

Colour = tuple[int, int, int]

NONE: Colour = (168, 172, 178)
GREATEST: Colour = (208, 70, 10)  # orange: above zero
LEAST: Colour = (24, 110, 205)  # blue: below zero

_THINNEST, _THICKEST = 1.0, 4.6


def largest(values: Sequence[float]) -> float:
    """The largest finite magnitude; 1 where there is none."""
    found = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    return found or 1.0


def _share(value: float, most: float) -> float:
    # Rounded, so that the last bits of a sum do not change a colour.
    return round(max(-1.0, min(1.0, value / most)), 5)


def arc_colour(value: float, most: float) -> str:
    """Orange for what is above zero, blue for what is below, grey for zero; visible on white and on black."""
    share = _share(value, most)
    return _mixed(NONE, GREATEST if share > 0 else LEAST, abs(share))


def arc_width(value: float, most: float) -> float:
    """Pixels: thicker for larger magnitudes."""
    return _THINNEST + (_THICKEST - _THINNEST) * abs(_share(value, most))


# A ramp in one direction, even in lightness, for cells of a heat map: white, blue, violet, near-black.
_RAMP: tuple[Colour, ...] = (
    (250, 250, 247),
    (190, 214, 236),
    (105, 159, 209),
    (52, 98, 168),
    (38, 38, 98),
    (22, 12, 46),
)


def cell_colour(value: float, most: float, signed: bool = False) -> str:
    """The colour of a cell: from nearly white for 0 to nearly black; with ``signed`` orange above and blue below."""
    share = _share(value, most)
    if signed:
        return _mixed((247, 247, 247), GREATEST if share > 0 else LEAST, abs(share))
    at = max(share, 0.0) * (len(_RAMP) - 1)
    below = min(int(at), len(_RAMP) - 2)
    return _mixed(_RAMP[below], _RAMP[below + 1], at - below)


def _mixed(one: Colour, other: Colour, share: float) -> str:
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(one, other, strict=True))


def number_text(value: float, digits: int = 3) -> str:
    """A number as labels show it: a few digits, a true minus sign, ∞."""
    if isinstance(value, int) and value.bit_length() > 1000:  # a COUNT that no float holds
        return f"about 1e{int((value.bit_length() - 1) * math.log10(2))}"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.{digits}g}"
    if "e" in text:
        mantissa, _, exponent = text.partition("e")
        text = f"{mantissa}e{int(exponent)}"
    return text.replace("-", "−")
