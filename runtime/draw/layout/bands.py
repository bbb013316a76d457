"""Long graphs in bands, one below the other, as lines of a text: where they are cut and where each band goes.

They are cut at columns of states, which stand at the end of one band and, faintly, at the beginning of the next. Arcs
that pass such a column go on at the same height. Third step of a layout, between `places` and `routes`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from arcgrad.runtime.draw.layout.layers import Layers
from arcgrad.runtime.draw.layout.places import Box

__all__ = ["MARGIN", "STUB", "Bands", "make_bands"]

MARGIN = 14.0
STUB = 16.0  # pixels by which arcs that go on pass a band's ends
_APART = 20.0


@dataclass(frozen=True)
class Bands:
    """Where the columns of a layout go.

    Attributes:
        cuts: columns at which a band ends and another begins.
        offsets: what is added to x and y in each band.
        width, height: of the whole picture.
    """

    cuts: tuple[int, ...]
    offsets: tuple[tuple[float, float], ...]
    width: float
    height: float

    def entering(self, column: int) -> int:
        """The band of a column's left side."""
        return bisect_left(self.cuts, column)

    def leaving(self, column: int) -> int:
        """The band of a column's right side: the next one where it is cut."""
        return bisect_right(self.cuts, column)


def make_bands(
    layers: Layers,
    boxes: Sequence[Box],
    y: Sequence[float],
    middles: Sequence[float],
    halves: Sequence[float],
    widest: float,
) -> Bands:
    """Cut a layout that is much wider than ``widest`` into bands that are not, where few arcs pass."""
    if not middles:
        return Bands((), ((0.0, 0.0),), 2 * MARGIN, 2 * MARGIN)
    lefts = [middle - half for middle, half in zip(middles, halves, strict=True)]
    rights = [middle + half for middle, half in zip(middles, halves, strict=True)]
    last = len(middles) - 1
    cuts: list[int] = []
    begin = 0
    while rights[last] - lefts[begin] > widest * (1.0 if cuts else 1.3):
        columns = range(begin + 2, last, 2)
        fitting = [column for column in columns if rights[column] - lefts[begin] <= widest] or list(columns[:1])
        if not fitting:
            break
        full = [column for column in fitting if rights[column] - lefts[begin] >= 0.7 * widest] or fitting[-1:]
        begin = min(full, key=lambda column: (len(layers.columns[column]), -column))
        cuts.append(begin)
    offsets = []
    width, at = 0.0, MARGIN
    for first, end in zip([0, *cuts], [*cuts, last], strict=True):
        places = [place for column in layers.columns[first : end + 1] for place in column]
        top = min(y[place] - boxes[place].up for place in places)
        bottom = max(y[place] + boxes[place].down for place in places)
        dx = MARGIN + (STUB if first else 0.0) - lefts[first]
        offsets.append((dx, at - top))
        at += bottom - top + _APART
        width = max(width, rights[end] + dx + (STUB if end < last else 0.0) + MARGIN)
    return Bands(tuple(cuts), tuple(offsets), width, at - _APART + MARGIN)
