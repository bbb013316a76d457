"""Heat maps: a matrix over time as coloured cells, rows with names, and those that appear one after another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import shown
from arcgrad.runtime.draw.colours import cell_colour, largest, number_text
from arcgrad.runtime.draw.drawing import Drawing
from arcgrad.runtime.draw.scene import (
    Group,
    Rectangle,
    Scene,
    Shape,
    Text,
    add_title,
    moved,
    shorten,
    text_width,
    visible,
    widen,
)

__all__ = ["Frames", "draw_gradients", "draw_heatmap", "heatmap_scene", "matrix"]

FloatArray = NDArray[np.float64]

_MOST_COLUMNS, _MOST_ROWS = 180, 72
_WIDTH, _HEIGHT = 720.0, 420.0  # of the cells together, at most
_LARGEST, _LEAST = 18.0, 3.0  # side of a cell
_TOP = 12.0
_MOST_SHOWN = 200_000  # entries of a gradient

Frames = Sequence[tuple[FloatArray, Sequence[float]]]
"""Matrices that lie over one another, each with the time, from 0 to 1, at which each column of it appears."""


def draw_heatmap(
    values: Any,
    name: str,
    names: Callable[[int], str] | None,
    title: str | None,
    axes: tuple[str, str] = ("frames", "labels"),
) -> Drawing:
    """The drawing of a matrix (frames, rows): frames from the left to the right."""
    if title is not None and not isinstance(title, str):
        raise InputError(f"title is {shown(title)} ({type(title).__name__}), but must be a str")
    array = matrix(values, name)
    rows = [str(row) if names is None else visible(names(row)) for row in range(array.shape[1])]
    return Drawing(heatmap_scene([(array, ())], rows, title, axes))


def draw_gradients(gradients: Mapping[str, Any]) -> Drawing | None:
    """Heat maps of gradients, one below the other: of dense inputs frames by labels, of graphs one cell an arc.

    None where there is nothing of that: gradients of scores are numbers, those of batches lists or too many.
    """
    scenes = []
    for name, values in gradients.items():
        if not isinstance(values, np.ndarray) or values.ndim not in (1, 2) or not 0 < values.size <= _MOST_SHOWN:
            continue
        array = matrix(values if values.ndim == 2 else values[:, None], name)
        axes = ("frames", "labels") if values.ndim == 2 else ("arcs", "")
        rows = [str(row) for row in range(array.shape[1])] if values.ndim == 2 else [""]
        scenes.append(heatmap_scene([(array, ())], rows, f"gradient with respect to {name}", axes))
    if not scenes:
        return None
    whole = Scene(max(scene.width for scene in scenes), 0.0, title="Gradients")
    for scene in scenes:
        whole.shapes += [moved(shape, 0.0, whole.height) for shape in scene.shapes]
        whole.height += scene.height
    whole.description = " ".join(f"{scene.title}: {scene.description}" for scene in scenes)
    return Drawing(whole)


def matrix(values: Any, name: str) -> FloatArray:
    """A matrix of numbers, −inf and +inf cut to the finite ones.

    Raises:
        InputError: it is no matrix of real numbers, or holds NaN.
    """
    expected = "real numbers of shape (frames, rows), such as a gradient with respect to a dense input"
    try:
        array = np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:
        raise InputError(f"{name} must be {expected}; numpy cannot make an array of it: {error}") from None
    if array.ndim != 2 or (array.size and array.dtype.kind not in "fiub"):
        hint = "draw one item of a batch at a time: values[0]" if array.ndim == 3 else None
        raise InputError(f"{name} has shape {array.shape}, dtype {array.dtype}, but must be {expected}", hint=hint)
    array = array.astype(np.float64)
    if np.isnan(array).any():
        t, row = np.argwhere(np.isnan(array))[0].tolist()
        raise InputError(f"{name}[{t}, {row}] is nan, but must be a number")
    finite = array[np.isfinite(array)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    cut: FloatArray = np.clip(array, min(low, 0.0), max(high, 0.0))
    return cut


def _pooled(array: FloatArray, columns: int, rows: int) -> FloatArray:
    """Cells of several frames or rows: the value of greatest magnitude."""
    for axis, many in ((0, columns), (1, rows)):
        if many > 1:
            begins = np.arange(0, array.shape[axis], many)
            high, low = np.maximum.reduceat(array, begins, axis), np.minimum.reduceat(array, begins, axis)
            array = np.where(high >= -low, high, low)
    return array


def heatmap_scene(
    frames: Frames,
    rows: Sequence[str],
    title: str | None,
    axes: tuple[str, str],
    seconds: float = 0.0,
    captions: Sequence[tuple[str, float, float]] = (),
) -> Scene:
    """Cells, rows' names, numbers of frames, and a scale.

    Args:
        frames: matrices (n_frames, n_rows), the last one on top.
        rows: names of the rows, top to bottom; what has no shape of its own is already made `visible`.
        title: above the picture.
        axes: what is counted to the right, and what the rows are.
        seconds: how long all of it takes, where columns appear one after another.
        captions: lines that are shown from one time to another.
    """
    n_frames, n_rows = frames[0][0].shape
    columns, together = -(-n_frames // _MOST_COLUMNS) or 1, -(-n_rows // _MOST_ROWS) or 1
    wide, tall = -(-n_frames // columns), -(-n_rows // together)
    w = min(max(_WIDTH / max(wide, 1), _LEAST), _LARGEST)
    h = min(max(_HEIGHT / max(tall, 1), _LEAST), _LARGEST)
    shown_rows = [shorten(name, 110.0, 10.0) for name in rows]
    stride = max(together, together * int(-(-12.0 // h)))  # rows between two names
    left = 12.0 + max([text_width(name, 10.0) for name in shown_rows], default=0.0) + 6.0
    top = _TOP + (18.0 if captions else 0.0)
    signed = any((array < 0).any() for array, _ in frames)
    most = largest([float(np.abs(array).max(initial=0.0)) for array, _ in frames])
    shapes: list[Shape] = [Rectangle(left, top, w * wide, h * tall, "faint", cell_colour(0.0, 1.0, signed), 0.6)]
    for layer, (array, times) in enumerate(frames):
        pooled = _pooled(array, columns, together)
        for column in range(wide):
            place = left + w * column, top, w, h
            cells = _cells(pooled[column], most, signed, *place)
            if layer:  # over the one below
                cells.insert(0, Rectangle(place[0], top, w + 0.2, h * tall, "none", cell_colour(0.0, 1.0, signed)))
            key = times[min(column * columns, len(times) - 1)] if len(times) else None
            shapes.append(Group(tuple(cells), appears=key))
    for row in range(0, n_rows, stride):
        y = top + h * (row // together) + h / 2 + 3.5
        shapes.append(Text(left - 5.0, y, shown_rows[row], 10.0, "end"))
    bottom = top + h * tall
    apart = max(1, int(-(-34.0 // w))) * columns
    for frame in range(0, n_frames, apart):
        shapes.append(Text(left + w * (frame // columns) + w / 2, bottom + 13.0, str(frame), 9.0, fill="faint"))
    for caption, begin, end in captions:
        shapes.append(Group((Text(left, 18.0, caption, 11.0, "start", bold=True),), appears=begin, vanishes=end))
    width = max([left + w * wide, *(left + text_width(caption, 11.0, bold=True) for caption, _, _ in captions)]) + 16.0
    scene = Scene(width, bottom + 20.0, shapes, seconds=seconds)
    _add_scale(scene, most, signed, axes)
    add_title(scene, title)
    scene.title = title or "Heat map"
    top_array = frames[-1][0]
    scene.description = _words(top_array, rows, axes)
    return scene


def _cells(values: FloatArray, most: float, signed: bool, x: float, y: float, w: float, h: float) -> list[Shape]:
    """The cells of one frame; neighbours of one colour are one, and those of 0 are the ground."""
    ground = cell_colour(0.0, 1.0, signed)
    colours = [cell_colour(value, most, signed) for value in values.tolist()]
    found: list[Shape] = []
    row = 0
    while row < len(colours):
        end = row
        while end < len(colours) and colours[end] == colours[row]:
            end += 1
        if colours[row] != ground:
            found.append(Rectangle(x, y + h * row, w + 0.2, h * (end - row) + 0.2, "none", colours[row]))
        row = end
    return found


def _add_scale(scene: Scene, most: float, signed: bool, axes: tuple[str, str]) -> None:
    low = -most if signed else 0.0
    texts = number_text(low), number_text(most)
    widths = [text_width(text, 10.0) for text in texts]
    steps, side = 16, 7.0
    words = " × ".join(axis for axis in axes[::-1] if axis)
    widen(scene, sum(widths) + steps * side + text_width(words, 10.0) + 70.0)
    x, y = 14.0 + widths[0] + 5.0, scene.height + 2.0
    scene.shapes.append(Text(x - 5.0, y + 8.0, texts[0], 10.0, "end"))
    for step in range(steps):
        value = low + (most - low) * (step + 0.5) / steps
        scene.shapes.append(Rectangle(x + side * step, y, side + 0.3, 9.0, "none", cell_colour(value, most, signed)))
    scene.shapes.append(Text(x + steps * side + 5.0, y + 8.0, texts[1], 10.0, "start"))
    scene.shapes.append(Text(scene.width - 14.0, y + 8.0, words, 10.0, "end", "faint"))
    scene.height += 22.0


def _words(array: FloatArray, rows: Sequence[str], axes: tuple[str, str]) -> str:
    n_frames, n_rows = array.shape
    words = f"A heat map of {n_rows} {axes[1]} over {n_frames} {axes[0]}."
    if not axes[1]:
        return f"A heat map of {n_frames} {axes[0]}."
    if array.size:
        best = array.argmax(axis=1)[:40].tolist()
        words += f" The largest, by {axes[0]}: {', '.join(rows[row] for row in best)}"
        words += " …" if n_frames > 40 else "."
    return words
