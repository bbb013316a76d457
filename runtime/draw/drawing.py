"""A drawing, as ``draw`` gives it: shown by notebooks, saved to files."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from arcgrad.grammar.errors import InputError, UnsupportedError
from arcgrad.grammar.mistakes import shown
from arcgrad.runtime.draw.scene import Scene, at_time
from arcgrad.runtime.draw.svg import to_svg

__all__ = ["Drawing", "checked_file", "saved"]

_SUFFIXES = (".svg", ".png", ".dot", ".gif")
_PICTURES_OF_GIF = 90


class Drawing:
    """A picture. Notebooks show it; ``save`` writes it to a file; ``svg`` and ``dot`` are texts.

    Made by ``draw`` of graphs, equations and traces.

    Example:
        >>> import arcgrad as ag
        >>> picture = ag.linear("ab").draw(symbols=chr)
        >>> picture
        <Drawing ...: An acceptor of 3 states and 2 arcs>
        >>> picture.svg.startswith("<svg")
        True
    """

    def __init__(
        self,
        scene: Scene,
        dot: Callable[[], str] | None = None,
        text: Callable[[bool, int], str | None] | None = None,
    ) -> None:
        self._scene = scene
        self._dot = dot
        self._text = text

    @cached_property
    def svg(self) -> str:
        """The picture as an SVG document."""
        return to_svg(self._scene)

    @property
    def dot(self) -> str:
        """The graph in the language of Graphviz.

        Raises:
            UnsupportedError: the picture is not of a graph, such as a heat map.
        """
        if self._dot is None:
            raise UnsupportedError("this picture is not a graph, so there is no .dot of it", hint="save it as .svg")
        return self._dot()

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in pixels."""
        return self._scene.width, self._scene.height

    def text(self, ascii: bool = False, width: int = 80) -> str | None:
        """The picture in box characters, for a terminal; None where it is too large for that, or not of a graph.

        Args:
            ascii: in ASCII only.
            width: columns of the terminal.
        """
        return None if self._text is None else self._text(ascii, width)

    def png(self, scale: float = 2.0) -> bytes:
        """The picture as a PNG file's bytes.

        Args:
            scale: pixels of the file for one of the picture.

        Raises:
            UnsupportedError: cairosvg is not installed.
        """
        return _png(self.svg, scale)

    def gif(self, scale: float = 1.0) -> bytes:
        """A moving picture as a GIF file's bytes.

        Args:
            scale: pixels of the file for one of the picture.

        Raises:
            InputError: the picture does not move.
            UnsupportedError: cairosvg or Pillow is not installed.
        """
        seconds = self._scene.seconds
        if not seconds:
            raise InputError("this picture does not move, so there is no .gif of it", hint="animate=True, or .png")
        try:
            from PIL import Image
        except ImportError as error:
            raise UnsupportedError(f"a GIF needs Pillow: {error}", hint="pip install arcgrad[plot]") from None
        n = min(_PICTURES_OF_GIF, max(int(10 * seconds), 2))
        images = []
        for k in range(n):
            seen = replace(self._scene, shapes=at_time(self._scene.shapes, k / n), seconds=0.0)
            images.append(
                Image.open(io.BytesIO(_png(to_svg(seen), scale))).convert("P", palette=Image.Palette.ADAPTIVE)
            )
        data = io.BytesIO()
        images[0].save(data, "GIF", save_all=True, append_images=images[1:], duration=round(1000 * seconds / n), loop=0)
        return data.getvalue()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture to a file: .svg, .png (extra ``plot``), .dot, or .gif of one that moves, by its suffix.

        Raises:
            InputError: another suffix, or a .gif of what does not move.
            UnsupportedError: a PNG or GIF without cairosvg, or a .dot of what is not a graph.
            OSError: the file cannot be written.
        """
        name = checked_file(path)
        match Path(name).suffix.lower():
            case ".svg":
                data = self.svg.encode()
            case ".png":
                data = self.png()
            case ".gif":
                data = self.gif()
            case _:
                data = self.dot.encode()
        Path(name).write_bytes(data)

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"image/svg+xml": self.svg, "text/plain": repr(self)}

    def __repr__(self) -> str:
        first = self._scene.description.partition(". ")[0].rstrip(".")
        shown = first if len(first) <= 80 else first[:79] + "…"
        return f"<Drawing {self._scene.width:.0f} × {self._scene.height:.0f}: {shown}>"


def _png(svg: str, scale: float) -> bytes:
    try:
        import cairosvg
    except (ImportError, OSError) as error:  # OSError: the cairo library itself is missing
        raise UnsupportedError(
            f"a PNG needs cairosvg, which cannot be imported ({error})",
            hint="pip install arcgrad[plot], or save as .svg, which needs nothing",
        ) from None
    data: bytes = cairosvg.svg2png(bytestring=svg.encode(), scale=scale)
    return data


def checked_file(path: Any) -> str:
    """The name of a file that a picture can be written to.

    Raises:
        InputError: it is no name, or its suffix is not one of .svg, .png, .dot and .gif.
    """
    try:
        name = os.fspath(path)
    except TypeError:
        name = None
    if not isinstance(name, str) or not name or "\0" in name:
        raise InputError(f"file is {shown(path)} ({type(path).__name__}), but must be the name of a file")
    suffix = Path(name).suffix.lower()
    if suffix not in _SUFFIXES:
        found = f"ends in {suffix}" if suffix else "has no suffix"
        raise InputError(f"the file {name!r} {found}, but pictures are written as .svg, .png, .dot or .gif")
    return name


def saved(drawing: Drawing, file: Any) -> Drawing:
    """The drawing, written to a file where one is given."""
    if file is not None:
        drawing.save(file)
    return drawing
