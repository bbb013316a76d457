"""Scenes as SVG: one text, the same for the same scene, with a title and a description for readers of screens.

Everything has its own colour, for a white card behind the picture; where styles are applied and the reader prefers dark
surroundings, card and ink change together. Nothing of a user's text gets into the markup unescaped.
"""

from __future__ import annotations

from collections.abc import Iterator

from arcgrad.runtime.draw.scene import Circle, Group, Path, Rectangle, Scene, Shape, Text

__all__ = ["to_svg"]

_LIGHT = {"ink": "#1b1b1f", "paper": "#ffffff", "faint": "#8a8f98", "wash": "#eef1f5", "accent": "#186ecd"}
_DARK = {"ink": "#e8e8ec", "paper": "#1b1c20", "faint": "#8f959f", "wash": "#2a2c33", "accent": "#6cb2ff"}
FONT = "DejaVu Sans, Verdana, Segoe UI, Helvetica Neue, Arial, sans-serif"


def to_svg(scene: Scene) -> str:
    """The scene as a whole SVG document."""
    w, h = _number(scene.width), _number(scene.height)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="img" '
        f'class="arcgrad" font-family="{FONT}" font-size="12" text-anchor="middle" fill="none" stroke-width="1.2">'
    ]
    if scene.title:
        lines.append(f"<title>{escape(scene.title)}</title>")
    if scene.description:
        lines.append(f"<desc>{escape(scene.description)}</desc>")
    lines.append(f"<style>{_STYLE}</style>")
    lines.append(f'<rect width="{w}" height="{h}" rx="6" class="f-paper" {_paint("paper", "fill")}/>')
    for shape in scene.shapes:
        lines += _written(shape, scene.seconds)
    lines.append("</svg>")
    return "\n".join(lines) + "\n"


def _css() -> str:
    rules = []
    for role, colour in _DARK.items():
        rules.append(f".arcgrad .f-{role}{{fill:{colour}}}")
        rules.append(f".arcgrad .s-{role}{{stroke:{colour}}}")
    # Within @media, so that renderers without a window, which know no "auto", skip it.
    size = "@media screen{svg.arcgrad{max-width:100%;height:auto}}"
    return f"{size}@media (prefers-color-scheme:dark){{{''.join(rules)}}}"


_STYLE = _css()


def escape(text: str) -> str:
    """The text as XML holds it."""
    held = "".join(character if _is_held(ord(character)) else "\ufffd" for character in text)
    return held.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def _is_held(code: int) -> bool:
    """Whether XML 1.0 has the character and it turns no text around: no controls, halves of pairs or non-characters."""
    is_turning = 0x202A <= code <= 0x202E or 0x2066 <= code <= 0x2069
    is_half = 0xD800 <= code <= 0xDFFF
    return code in (0x9, 0xA) or (code >= 0x20 and not is_turning and not is_half and code not in (0xFFFE, 0xFFFF))


def _number(value: float) -> str:
    text = f"{value:.1f}"
    text = text[:-2] if text.endswith(".0") else text
    return "0" if text == "-0" else text


def _paint(colour: str, what: str) -> str:
    """An attribute "fill" or "stroke"; roles have a class, too, by which dark surroundings change them."""
    return f'{what}="{_LIGHT.get(colour, colour)}"'


def _classes(shape: Circle | Rectangle | Path | Text) -> str:
    names = [f"f-{shape.fill}"] if shape.fill in _LIGHT else []
    if not isinstance(shape, Text) and shape.stroke in _LIGHT:
        names.append(f"s-{shape.stroke}")
    return f' class="{" ".join(names)}"' if names else ""


def _line_of(shape: Circle | Rectangle | Path) -> str:
    """Attributes that differ from those of the whole document: no filling, no stroke, lines of 1.2 pixels."""
    painted = ""
    if shape.fill != "none":
        painted += f" {_paint(shape.fill, 'fill')}"
    if shape.stroke != "none":
        painted += f" {_paint(shape.stroke, 'stroke')}"
        painted += f' stroke-width="{width}"' if (width := _number(shape.width)) != "1.2" else ""
    return painted + (' stroke-dasharray="4 3"' if shape.dash else "") + _classes(shape)


def _appearance(begin: float, end: float, seconds: float) -> str:
    """SMIL: seen from one time to another. Where it is not understood, all is seen, the last on top."""
    times, values = [0.0, begin, end], ["0", "1", "0"]
    if begin <= 0:
        times, values = times[1:], values[1:]
    if end >= 1:
        times, values = times[:-1], values[:-1]
    keys = ";".join(f"{time:.4f}".rstrip("0").rstrip(".") for time in times)
    return (
        f'<animate attributeName="opacity" calcMode="discrete" dur="{seconds:g}s" repeatCount="indefinite" '
        f'keyTimes="{keys}" values="{";".join(values)}"/>'
    )


def _written(shape: Shape, seconds: float) -> Iterator[str]:
    n = _number
    if isinstance(shape, Group):
        role = f' class="{shape.role}"' if shape.role else ""
        # What is not seen in the end is hidden where nothing moves.
        hidden = ' opacity="0"' if shape.appears is not None and seconds and shape.vanishes < 1 else ""
        yield f"<g{role}{hidden}>"
        if shape.name:
            yield f"<title>{escape(shape.name)}</title>"
        if shape.appears is not None and seconds:
            yield _appearance(shape.appears, shape.vanishes, seconds)
        for part in shape.shapes:
            yield from _written(part, seconds)
        yield "</g>"
    elif isinstance(shape, Circle):
        yield f'<circle cx="{n(shape.x)}" cy="{n(shape.y)}" r="{n(shape.radius)}"{_line_of(shape)}/>'
    elif isinstance(shape, Rectangle):
        corner = f' rx="{n(shape.corner)}"' if shape.corner else ""
        place = f'x="{n(shape.x)}" y="{n(shape.y)}" width="{n(shape.w)}" height="{n(shape.h)}"{corner}'
        yield f"<rect {place}{_line_of(shape)}/>"
    elif isinstance(shape, Path):
        first, *others = (f"{n(x)} {n(y)}" for x, y in shape.points)
        drawn = f"M{first}L{' '.join(others)}Z" if shape.is_polygon else f"M{first}C{' '.join(others)}"
        yield f'<path d="{drawn}"{_line_of(shape)}/>'
    else:
        anchor = "" if shape.anchor == "middle" else f' text-anchor="{shape.anchor}"'
        size = "" if shape.size == 12 else f' font-size="{n(shape.size)}"'
        weight = ' font-weight="bold"' if shape.bold else ""
        slant = ' font-style="italic"' if shape.italic else ""
        yield (
            f'<text x="{n(shape.x)}" y="{n(shape.y)}"{size}{anchor}{weight}{slant} '
            f"{_paint(shape.fill, 'fill')}{_classes(shape)}>{escape(shape.text)}</text>"
        )
