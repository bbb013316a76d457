"""A scene: circles, rectangles, paths and texts in pixels, which any renderer can write; and how wide texts are.

Colours are "#rrggbb" or names of roles ("ink", "paper", "faint" …), which renderers give values for light and for dark
surroundings. Between layouts and renderers.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

__all__ = [
    "Circle",
    "Group",
    "Path",
    "Point",
    "Rectangle",
    "Scene",
    "Text",
    "fitted",
    "moved",
    "shorten",
    "text_width",
    "visible",
]

Point = tuple[float, float]


@dataclass(frozen=True)
class Circle:
    """A circle around (x, y)."""

    x: float
    y: float
    radius: float
    stroke: str = "ink"
    fill: str = "paper"
    width: float = 1.2
    dash: bool = False


@dataclass(frozen=True)
class Rectangle:
    """A rectangle with its upper left corner at (x, y)."""

    x: float
    y: float
    w: float
    h: float
    stroke: str = "ink"
    fill: str = "none"
    width: float = 1.2
    dash: bool = False
    corner: float = 0.0


@dataclass(frozen=True)
class Path:
    """Cubic curves: the first point, then three for each curve; with ``is_polygon`` the corners of a polygon."""

    points: tuple[Point, ...]
    stroke: str = "ink"
    fill: str = "none"
    width: float = 1.2
    dash: bool = False
    is_polygon: bool = False


@dataclass(frozen=True)
class Text:
    """One line of text; y is its baseline. ``anchor``: "start", "middle" or "end"."""

    x: float
    y: float
    text: str
    size: float = 12.0
    anchor: str = "middle"
    fill: str = "ink"
    bold: bool = False
    italic: bool = False


@dataclass(frozen=True)
class Group:
    """Shapes that belong together, under a name that pointers and readers of screens show.

    In a scene that moves, they are seen from the time ``appears`` to the time ``vanishes``, from 0 to 1.
    """

    shapes: tuple[Shape, ...]
    name: str = ""
    role: str = ""
    appears: float | None = None
    vanishes: float = 1.0


Shape = Circle | Rectangle | Path | Text | Group


@dataclass
class Scene:
    """Shapes within a width and a height, with a title and a description in words.

    Where groups appear one after another, all of it takes so many ``seconds``, again and again.
    """

    width: float
    height: float
    shapes: list[Shape] = field(default_factory=list)
    title: str = ""
    description: str = ""
    seconds: float = 0.0

    def moved(self, dx: float, dy: float) -> list[Shape]:
        """The shapes, moved."""
        return [moved(shape, dx, dy) for shape in self.shapes]


def at_time(shapes: Sequence[Shape], time: float) -> list[Shape]:
    """What is seen of the shapes at a time from 0 to 1."""
    return [
        shape
        for shape in shapes
        if not isinstance(shape, Group) or shape.appears is None or shape.appears <= time < shape.vanishes
    ]


def moved(shape: Shape, dx: float, dy: float) -> Shape:
    """The same shape elsewhere."""
    if isinstance(shape, Group):
        return replace(shape, shapes=tuple(moved(part, dx, dy) for part in shape.shapes))
    if isinstance(shape, Path):
        return replace(shape, points=tuple((x + dx, y + dy) for x, y in shape.points))
    return replace(shape, x=shape.x + dx, y=shape.y + dy)


# Advances of DejaVu Sans in thousandths of the size: the widest of the fonts that browsers take for sans-serif, so that
# texts of others are narrower than what is kept free for them.
_ADVANCES = {
    "'ijl": 280,
    " ,.·IJ": 320,
    "/:;\\|f": 360,
    "-()[]t⟨⟩": 400,
    "!r₀₁₂₃₄₅₆₇₈₉⁰¹²³⁴⁵⁶⁷⁸⁹": 420,
    '"*_`': 500,
    "?szLcεFk": 580,
    "vxyγλPTYaeoτ": 620,
    "$0123456789ESbdghnpqu{}∘βΣρ": 640,
    "KαABCRVXZ": 700,
    "UHN∩": 760,
    "DGOQ&": 800,
    "w#+<=>^~−∞→×": 840,
    "M∅": 880,
    "m%@W…": 1000,
}
_ADVANCE = {character: advance / 1000 for characters, advance in _ADVANCES.items() for character in characters}


_BOLD = 1.23  # what bold characters take more at most: "l" does, "n" takes 1.11


def text_width(text: str, size: float = 12.0, bold: bool = False) -> float:
    """Pixels that a line of text takes at most."""
    return size * sum(_advance(character) for character in text) * (_BOLD if bold else 1.0)


def _advance(character: str) -> float:
    found = _ADVANCE.get(character)
    if found is not None:
        return found
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0.0
    if unicodedata.east_asian_width(character) in "WF" or ord(character) > 0xFFFF:
        return 1.1
    return 0.8


def shorten(text: str, width: float, size: float = 12.0) -> str:
    """The text, cut with an ellipsis where it is wider than that."""
    if text_width(text, size) <= width:
        return text
    kept = ""
    for character in text:
        if text_width(kept + character + "…", size) > width:
            break
        kept += character
    return kept + "…"


def fitted(text: str, width: float, size: float = 12.0) -> list[str]:
    """The text in lines that are no wider than that, broken at blanks where there are any."""
    lines: list[str] = []
    for word in text.split(" "):
        if lines and text_width(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
            continue
        while text_width(word, size) > width and len(word) > 1:
            cut = len(word) - 1
            while cut > 1 and text_width(word[:cut], size) > width:
                cut -= 1
            lines.append(word[:cut])
            word = word[cut:]
        lines.append(word)
    return lines


_SHOWN = {" ": "␣", "\x7f": "␡"}


def visible(text: str) -> str:
    """The text with signs for blanks and for what has no shape of its own; what XML cannot hold is replaced."""
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    code = ord(character)
    if character in _SHOWN:
        return _SHOWN[character]
    if code < 0x20:
        return chr(0x2400 + code)
    category = unicodedata.category(character)
    if category in ("Cs", "Cc", "Cn", "Co", "Zl", "Zp") or (category == "Cf" and code != 0x200D):
        return f"U+{code:04X}"
    if category == "Zs":
        return "␣"
    return character


def add_title(scene: Scene, title: str | None) -> None:
    """Put a title above what the scene has."""
    if not title:
        return
    lines = fitted(title, max(scene.width - 24.0, 200.0) / _BOLD, 13.0)[:4]
    down = 18.0 * len(lines) + 4.0
    scene.shapes = scene.moved(0.0, down)
    scene.height += down
    widen(scene, max(text_width(line, 13.0, bold=True) for line in lines) + 24.0)
    for number, line in enumerate(lines):
        scene.shapes.append(Text(scene.width / 2, 20.0 + 18.0 * number, line, 13.0, bold=True))


def widen(scene: Scene, width: float) -> None:
    """Make the scene at least so wide, with what it has in the middle."""
    if width > scene.width:
        scene.shapes = scene.moved((width - scene.width) / 2, 0.0)
        scene.width = width
