"""What arcs are labelled with: texts of labels and weights, what is drawn as one arc, and the legend of long names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from arcgrad.compiler.graphs.topology import EPSILON, Topology
from arcgrad.runtime.draw.colours import number_text
from arcgrad.runtime.draw.scene import shorten, text_width, visible

__all__ = ["LINE", "SIZE", "Bundle", "Legend", "Namer", "Painted", "arc_texts", "bundles", "graph_words"]

SIZE = 12.0
LINE = 14.5

Namer = Callable[[int], str]
"""The symbol of a label."""

_LONGEST = 96.0  # pixels of one symbol; longer ones are cut, and the legend has them whole
_MOST_SIDE_BY_SIDE = 5  # parallel arcs; more are drawn as one
_MOST_LOOPS = 2
_MOST_LINES = 6
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Painted:
    """A graph and what it is drawn with.

    Attributes:
        topology: its states and arcs.
        weights: (n_arcs,) in nats.
        names: what the symbols of input and output labels are.
        colours: (n_arcs,) numbers that are shown as colours, or None.
        widths: (n_arcs,) numbers that are shown as widths, or None.
        title: above the picture.
    """

    topology: Topology
    weights: Sequence[float]
    names: tuple[Namer, Namer]
    colours: Sequence[float] | None = None
    widths: Sequence[float] | None = None
    title: str | None = None


@dataclass
class Legend:
    """Names that are too long for an arc, numbered."""

    names: list[str] = field(default_factory=list)

    def cut(self, name: str) -> str:
        """The name as it stands on an arc: whole, or its beginning and a number by which the legend has it."""
        if text_width(name, SIZE) <= _LONGEST:
            return name
        if name not in self.names:
            self.names.append(name)
        number = str(self.names.index(name) + 1).translate(_SUPERSCRIPTS)
        return shorten(name, _LONGEST - text_width(number, SIZE), SIZE) + number


@dataclass(frozen=True)
class Bundle:
    """Arcs that are drawn as one curve.

    Attributes:
        src, dst: states.
        arcs: their numbers.
        lines: the label's lines.
        owners: for each line the arc whose label it is, or −1.
    """

    src: int
    dst: int
    arcs: tuple[int, ...]
    lines: tuple[str, ...]
    owners: tuple[int, ...]

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the label, in pixels."""
        if not self.lines:
            return 0.0, 0.0
        return max(text_width(line, SIZE) for line in self.lines), LINE * len(self.lines)


def arc_texts(
    topology: Topology, weights: Sequence[float], names: tuple[Namer, Namer], legend: Legend | None = None
) -> list[str]:
    """The label of each arc: ``in:out/weight``, ``in/weight`` where both labels of all arcs agree; no weight of 0."""

    def name(label: int, side: int) -> str:
        if label == EPSILON:
            return "ε"
        found = visible(names[side](label))
        return found if legend is None else legend.cut(found)

    is_acceptor = topology.is_acceptor
    texts = []
    for ilabel, olabel, weight in zip(topology.ilabel.tolist(), topology.olabel.tolist(), weights, strict=True):
        text = name(ilabel, 0) if is_acceptor else f"{name(ilabel, 0)}:{name(olabel, 1)}"
        texts.append(text if weight == 0 else f"{text}/{number_text(weight)}")
    return texts


def bundles(topology: Topology, texts: Sequence[str], *, one_a_line: bool = False) -> list[Bundle]:
    """Parallel arcs side by side while they are few; where there are more, one curve with all of their labels.

    Args:
        topology: of the graph.
        texts: the label of each arc.
        one_a_line: labels of arcs that are drawn as one have a line each, since these are painted.
    """
    between: dict[tuple[int, int], list[int]] = {}
    for arc, ends in enumerate(zip(topology.src.tolist(), topology.dst.tolist(), strict=True)):
        between.setdefault(ends, []).append(arc)
    found = []
    for (src, dst), arcs in between.items():
        if len(arcs) <= (_MOST_LOOPS if src == dst else _MOST_SIDE_BY_SIDE):
            found += [Bundle(src, dst, (arc,), (texts[arc],), (arc,)) for arc in arcs]
        else:
            lines, owners = _stacked([texts[arc] for arc in arcs], arcs, one_a_line)
            found.append(Bundle(src, dst, tuple(arcs), lines, owners))
    return found


def _stacked(texts: list[str], arcs: list[int], one_a_line: bool) -> tuple[tuple[str, ...], tuple[int, ...]]:
    widest = max(90.0, max(text_width(text, SIZE) for text in texts))
    lines: list[str] = []
    owners: list[int] = []
    for number, (text, arc) in enumerate(zip(texts, arcs, strict=True)):
        left = texts[number:]
        joined = f"{lines[-1]}, {text}" if lines else text
        if lines and not one_a_line and text_width(joined, SIZE) <= widest:
            lines[-1], owners[-1] = joined, -1
        elif len(lines) == _MOST_LINES - 1 and len(left) > 1 and (one_a_line or _needs_more(left, widest)):
            lines.append(f"… {len(left)} more")
            owners.append(-1)
            break
        else:
            lines.append(text)
            owners.append(arc)
    return tuple(lines), tuple(owners)


def _needs_more(texts: Sequence[str], widest: float) -> bool:
    """Whether the texts, joined, take more than one line."""
    return text_width(", ".join(texts), SIZE) > widest


def graph_words(topology: Topology, texts: Sequence[str]) -> str:
    """The graph in words: what a picture shows, for who cannot see it."""
    kind = "acceptor" if topology.is_acceptor else "transducer"
    n_arcs = len(topology.src)
    words = [f"An {kind}" if kind == "acceptor" else f"A {kind}"]
    words[0] += f" of {_counted(topology.n_states, 'state')} and {_counted(n_arcs, 'arc')}."
    for name, states in (("start", topology.start.tolist()), ("accept", topology.accept.tolist())):
        shown = ", ".join(map(str, states[:20])) + (" …" if len(states) > 20 else "")
        words.append(f"{name.capitalize()}s: {shown or 'none'}.")
    arcs = [
        f"{src} to {dst}: {text}"
        for src, dst, text, _ in zip(topology.src.tolist(), topology.dst.tolist(), texts, range(30), strict=False)
    ]
    if arcs:
        words.append(f"Arcs: {'; '.join(arcs)}{' …' if n_arcs > 30 else ''}.")
    return " ".join(words)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
