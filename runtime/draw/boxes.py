"""Small graphs in box characters, for terminals: ``>(0)──a/0.5─▶─((1))``.

The columns are those of `layers`, the rows those of `places`, rounded. Between two columns, what is joined to one state
has one vertical line; where these would run into each other there is no picture.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Mapping, Sequence

from arcgrad.runtime.draw.labels import Bundle, Painted, arc_texts, bundles
from arcgrad.runtime.draw.layout.layers import Layers, make_layers
from arcgrad.runtime.draw.layout.places import Box, heights

__all__ = ["computation_boxes", "graph_boxes"]

_MOST_ARCS, _MOST_ROWS = 80, 60
_LONGEST = 24  # columns of one label

_LEFT, _RIGHT, _UP, _DOWN = 1, 2, 4, 8
_GLYPHS = {
    _LEFT: "─", _RIGHT: "─", _LEFT | _RIGHT: "─", _UP: "│", _DOWN: "│", _UP | _DOWN: "│",
    _RIGHT | _DOWN: "╭", _LEFT | _DOWN: "╮", _RIGHT | _UP: "╰", _LEFT | _UP: "╯",
    _UP | _DOWN | _RIGHT: "├", _UP | _DOWN | _LEFT: "┤", _LEFT | _RIGHT | _DOWN: "┬", _LEFT | _RIGHT | _UP: "┴",
    _LEFT | _RIGHT | _UP | _DOWN: "┼",
}  # fmt: skip
_TO_ASCII = str.maketrans(
    {"ε": "eps", "∅": "empty", "∞": "inf", "−": "-", "…": "...", "␣": "_"}
    | {"∘": "@", "×": "*", "·": ".", "⟨": "<", "⟩": ">", "⁻": "^-", "¹": "1", "²": "2", "³": "3"}
)


def graph_boxes(graph: Painted, ascii: bool, width: int) -> str | None:
    """The graph in box characters, without a line end; None where it does not fit or would be a tangle.

    Args:
        graph: what is drawn; colours and widths are not shown.
        ascii: in ASCII only.
        width: columns of the terminal.
    """
    topology = graph.topology
    if topology.n_states == 0:
        return "(no states)"
    if max(topology.n_states, len(topology.src)) > _MOST_ARCS:
        return None
    texts = arc_texts(topology, graph.weights, graph.names)
    if ascii:
        texts = [text.translate(_TO_ASCII).encode("ascii", "backslashreplace").decode() for text in texts]
    grouped = bundles(topology, texts)
    loops: list[list[str]] = [[] for _ in range(topology.n_states)]
    straight: list[Bundle] = []
    for bundle in grouped:
        if bundle.src == bundle.dst:
            sign = "@ " if ascii else "↺ "
            loops[bundle.src] += [sign + _cut(line, ascii) for line in bundle.lines]
        else:
            straight.append(bundle)
    labels = [_cut(", ".join(bundle.lines), ascii) for bundle in straight]
    layers = make_layers(topology.n_states, [(b.src, b.dst) for b in straight], topology.start.tolist())
    starts, accepts = set(topology.start.tolist()), set(topology.accept.tolist())
    names = [_state(state, state in starts, state in accepts) for state in range(topology.n_states)]
    picture = _Picture(layers, names, loops, labels, ascii)
    if not picture.is_readable:
        picture = _Picture(layers, names, loops, labels, ascii, apart=True)
    return picture.text() if picture.is_readable and picture.width <= width and picture.n_rows <= _MOST_ROWS else None


def computation_boxes(
    names: Sequence[str], edges: Sequence[tuple[int, int]], first: Sequence[int], ascii: bool, width: int
) -> str | None:
    """A computation graph in box characters, without a line end; None where it does not fit or would be a tangle.

    Args:
        names: of the nodes.
        edges: from node to node.
        first: nodes to begin with.
        ascii: in ASCII only.
        width: columns of the terminal.
    """
    if len(names) > _MOST_ARCS:
        return None
    if ascii:
        names = [name.translate(_TO_ASCII).encode("ascii", "backslashreplace").decode() for name in names]
    layers = make_layers(len(names), edges, first)
    for apart in (False, True):
        picture = _Picture(layers, names, [()] * len(names), [""] * len(edges), ascii, apart)
        if picture.is_readable:
            return picture.text() if picture.width <= width and picture.n_rows <= _MOST_ROWS else None
    return None


def _state(state: int, is_start: bool, is_accept: bool) -> str:
    name = f"(({state}))" if is_accept else f"({state})"
    return f">{name}" if is_start else name


def _cells(text: str) -> list[str]:
    """The text in cells of a terminal; a wide character takes two, the second one empty."""
    cells: list[str] = []
    for character in text:
        if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
            if cells:
                cells[-1] += character
            continue
        cells.append(character)
        if unicodedata.east_asian_width(character) in "WF":
            cells.append("")
    return cells


def _cut(text: str, ascii: bool) -> str:
    if len(_cells(text)) <= _LONGEST:
        return text
    end = "..." if ascii else "…"
    while len(_cells(text)) > _LONGEST - len(end):
        text = text[:-1]
    return text + end


class _Picture:
    """Cells of a picture: lines by the directions in which they go on, and texts over them."""

    def __init__(
        self,
        layers: Layers,
        names: Sequence[str],
        loops: Sequence[Sequence[str]],
        labels: Sequence[str],
        ascii: bool,
        apart: bool = False,
    ) -> None:
        self.layers = layers
        self.ascii = ascii
        self.lines: dict[tuple[int, int], dict[int, int]] = {}  # by whose line it is
        self.texts: dict[tuple[int, int], str] = {}
        self.is_readable = True
        self.rows = self._rows([len(each) for each in loops])
        if apart:  # states in rows of their own and labels in others, so that no two lines can meet in one
            self.rows = [2 * row + layers.column_of[place] % 2 for place, row in enumerate(self.rows)]
        spans = self._spans(names, loops, labels)
        self.width = spans[-1][1] if self.is_readable else 0
        self.n_rows = 0
        if not self.is_readable:
            return
        for k, chain in enumerate(layers.chains):
            for place in chain[1:-1]:
                self._level(self.rows[place], *spans[layers.column_of[place]])
            self._label(k, labels[k], spans[layers.column_of[layers.label_at[k]]])
        for state, name in enumerate(names):
            begin, end = spans[layers.column_of[state]]
            cells = _cells(name)
            at = (begin + end - len(cells)) // 2
            row = self.rows[state]
            if any(chain[-1] == state for chain in layers.chains):
                self._level(row, begin, at)
            if any(chain[0] == state for chain in layers.chains):
                self._level(row, at + len(cells), end)
            self._write(row, at, cells)
            for up, text in enumerate(reversed(loops[state]), 1):
                cells = _cells(text)
                self._write(row - up, (begin + end - len(cells)) // 2, cells)
        keys = [*self.lines, *self.texts]
        self.top, bottom = min(row for row, _ in keys), max(row for row, _ in keys)
        self.n_rows = bottom - self.top + 1

    def _rows(self, n_loops: Sequence[int]) -> list[int]:
        """The row of each place: heights, rounded within blocks that keep their distances."""
        layers = self.layers
        boxes = [Box(float(n), 0.0, 0.0) for n in n_loops]
        boxes += [Box(0.0, 0.0, 0.0)] * (len(layers.column_of) - len(boxes))
        y = heights(layers, boxes, 1.0)
        rows = [0] * len(y)
        for column in layers.columns:
            shift = 0
            for k, place in enumerate(column):
                shift += int(boxes[place].up) + 1 if k else 0
                # What is left is in order, and so are its roundings.
                rows[place] = round(y[place] - shift + 1e-6) + shift
        return rows

    def _spans(
        self, names: Sequence[str], loops: Sequence[Sequence[str]], labels: Sequence[str]
    ) -> list[tuple[int, int]]:
        """First and last column of cells of each column, with room for vertical lines between."""
        layers = self.layers
        widths = [1] * len(layers.columns)
        for state, name in enumerate(names):
            column = layers.column_of[state]
            widths[column] = max(widths[column], len(_cells(name)), *(len(_cells(loop)) for loop in loops[state]), 1)
        for k, label in enumerate(labels):
            column = layers.column_of[layers.label_at[k]]
            widths[column] = max(widths[column], len(_cells(label)) + 3 if label else 2)
        spans = [(0, widths[0])]
        for column in range(1, len(widths)):
            begin = spans[-1][1]
            tracks = self._tracks(column)
            n_tracks = max(tracks.values(), default=-1) + 1
            end = begin + (n_tracks if n_tracks else 1)
            self._join(column, begin, end, tracks)
            spans.append((end, end + widths[column]))
        return spans

    def _segments(self, column: int) -> list[tuple[int, int, int]]:
        """Segments into a column: the state's end that they share, the left place and the right one."""
        by_left = column % 2 == 1  # on the left are states, each with any number of segments
        found = []
        for chain in self.layers.chains:
            for left, right in itertools.pairwise(chain):
                if self.layers.column_of[right] == column:
                    found.append((left if by_left else right, left, right))
        return found

    def _tracks(self, column: int) -> dict[int, int]:
        """For each place with a vertical line its track, so that lines neither touch nor run into one another."""
        ends: dict[int, set[int]] = {}
        lefts: dict[int, set[int]] = {}
        rights: dict[int, set[int]] = {}
        for hub, left, right in self._segments(column):
            ends.setdefault(hub, set()).update((self.rows[left], self.rows[right]))
            lefts.setdefault(hub, set()).add(self.rows[left])
            rights.setdefault(hub, set()).add(self.rows[right])
        hubs = [hub for hub, rows in ends.items() if len(rows) > 1]
        before = {
            hub: [
                o for o in hubs if o != hub and lefts[o] & rights[hub]
            ]  # their left parts end before this one's right
            for hub in hubs
        }
        tracks: dict[int, int] = {}
        while len(tracks) < len(hubs):
            ready = [hub for hub in hubs if hub not in tracks and all(o in tracks for o in before[hub])]
            if not ready:
                self.is_readable = False
                return {}
            hub = ready[0]
            track = max((tracks[o] + 1 for o in before[hub]), default=0)
            low, high = min(ends[hub]), max(ends[hub])
            while any(tracks[o] == track and min(ends[o]) <= high and low <= max(ends[o]) for o in tracks):
                track += 1
            tracks[hub] = track
        return tracks

    def _join(self, column: int, begin: int, end: int, tracks: dict[int, int]) -> None:
        for hub, left, right in self._segments(column):
            if hub not in tracks:
                self._level(self.rows[left], begin, end, hub)
                continue
            at = begin + tracks[hub]
            upper, lower = sorted((self.rows[left], self.rows[right]))
            self._level(self.rows[left], begin, at, hub)
            self._add(self.rows[left], at, _LEFT, hub)
            self._add(self.rows[right], at, _RIGHT, hub)
            self._level(self.rows[right], at + 1, end, hub)
            for row in range(upper, lower + 1):
                self._add(row, at, (_UP if row > upper else 0) | (_DOWN if row < lower else 0), hub)

    def _add(self, row: int, at: int, directions: int, hub: int) -> None:
        owners = self.lines.setdefault((row, at), {})
        owners[hub] = owners.get(hub, 0) | directions

    def _level(self, row: int, begin: int, end: int, hub: int = -1) -> None:
        for at in range(begin, end):
            self._add(row, at, _LEFT | _RIGHT, hub)

    def _write(self, row: int, at: int, cells: Sequence[str]) -> None:
        for k, cell in enumerate(cells):
            self.texts[row, at + k] = cell

    def _label(self, k: int, label: str, span: tuple[int, int]) -> None:
        cells = _cells(label)
        begin, end = span
        row = self.rows[self.layers.label_at[k]]
        self._write(row, begin + (end - begin - len(cells)) // 2, cells)
        if self.layers.is_back[k]:
            self._write(row, begin, ["<" if self.ascii else "◀"])
        else:
            self._write(row, end - 1, [">" if self.ascii else "▶"])

    def text(self) -> str:
        """The cells, line by line."""
        lines = []
        for row in range(self.top, self.top + self.n_rows):
            cells = []
            for at in range(self.width):
                if (row, at) in self.texts:
                    cells.append(self.texts[row, at])
                else:
                    cells.append(self._glyph(self.lines.get((row, at), {})))
            lines.append("".join(cells).rstrip())
        return "\n".join(lines)

    def _glyph(self, owners: Mapping[int, int]) -> str:
        """Of lines that cross without touching, the upright one is whole."""
        if not owners:
            return " "
        upright = [directions for directions in owners.values() if directions & (_UP | _DOWN)]
        glyph = _GLYPHS[upright[0] if upright else next(iter(owners.values()))]
        return {"─": "-", "│": "|"}.get(glyph, "+") if self.ascii else glyph
