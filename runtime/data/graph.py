"""Graphs: weighted automata as users make them, and as graph-valued equations return them.

A Graph is a checked, immutable Topology plus a vector of weights. It is where a user's data enters a run: after the
constructor, nothing downstream checks states, labels or weights again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from arcgrad.compiler.graphs.topology import IntArray, Topology
from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import shown
from arcgrad.runtime.data.bare_graph import BareGraph
from arcgrad.runtime.data.checks import freeze, labels_array, weights_array
from arcgrad.runtime.data.paths import Path, find_paths, find_strings, first, shower

if TYPE_CHECKING:
    from arcgrad.runtime.data.symbols import SymbolTable
    from arcgrad.runtime.draw.drawing import Drawing

__all__ = ["Graph", "linear"]

WeightArray = NDArray[np.float64]

_MOST_SHOWN = 50_000  # arcs of graphs of which notebooks show a picture unasked


class Graph(BareGraph):
    """A weighted automaton: states ``0 … n_states − 1`` and arcs with an input label, an output label and a weight.

    A path's weight is the sum of its arcs' weights, which are log-domain scores in nats: bigger is better. Labels are
    integers from 0 to 2³¹ − 1, and −1 is ε. Starts and accepts carry no weight. Parallel arcs, self-loops, ε arcs,
    cycles, several starts and accepts, weights of −inf and the graph without states are all legal.

    A graph copies what it is given and is read-only, so that its fingerprint cannot go stale. ``==`` compares
    identity; use ``ag.equal`` or ``ag.isomorphic`` to compare graphs.

    Args:
        src: (n_arcs,) integers, the state at which each arc begins.
        dst: (n_arcs,) integers, the state at which each arc ends.
        ilabel: (n_arcs,) integers, input labels.
        olabel: (n_arcs,) integers, output labels; None makes an acceptor, whose output labels are its input labels.
        weight: (n_arcs,) real numbers in nats, or (n_parameters,) with ``tie``; None means all 0.
        start: start states, each mentioned any number of times.
        accept: accept states.
        n_states: number of states; None: the largest state mentioned + 1.
        tie: (n_arcs,) integers; arc k has the weight ``weight[tie[k]]``, so that arcs share parameters.
        attributes: by name, (n_arcs,) integers or strings, which follow arcs into what is made of them (−1 and "" stand
            for none) and mean nothing to any operator.

    Raises:
        InputError: an argument has a wrong shape or dtype, a state or a label is out of range, a weight is NaN or +inf.

    Example:
        >>> import arcgrad as ag
        >>> g = ag.Graph([0, 0, 1], [1, 1, 2], [5, 6, 7], weight=[0.5, -1.0, 0.0], accept=[2])
        >>> g
        Graph(3 states, 3 arcs, acceptor, start 0, accept 2)
        >>> g.olabel
        array([5, 6, 7], dtype=int32)
    """

    __slots__ = ()

    @classmethod
    def from_text(cls, text: str, format: str = "gtn", shift: int = 0, **options: Any) -> Graph:
        """Read a graph from the text of another toolkit.

        Args:
            text: the whole text.
            format: "gtn", "openfst" (AT&T text, costs negated), "k2", "arpa" or "json".
            shift: added to every label but ε, as in ``shift=-1`` for files that number symbols from 1.
            options: what the format offers beyond that: for "openfst" ``acceptor=True`` or ``False``, and
                ``isymbols`` and ``osymbols``, tables in which labels are looked up; for "k2" ``epsilon``, the label
                that is ε, or None, or a pair for label and aux_label (``(None, 0)`` reads k2's CTC topologies);
                for "arpa" ``backoff="exact"`` for an arc for each context and word in place of back-off arcs, within
                ``limits``, and ``symbols``, the table in which words are looked up.

        Raises:
            FormatError: the text is malformed; it names line and column.
            InputError: no such format or option.

        Example:
            >>> import arcgrad as ag
            >>> ag.Graph.from_text("0\\n1\\n0 1 5 5 0.5\\n")
            Graph(2 states, 1 arc, acceptor, start 0, accept 1)
        """
        from arcgrad.runtime.data.formats.text import read_text

        read = read_text(text, format, shift=shift, **options)
        return cls.from_topology(read.topology, read.weight, read.tie, read._attributes)

    def to_text(self, format: str = "gtn", shift: int = 0, **options: Any) -> str:
        """Write the graph as text of another toolkit; numbers are written so that reading them gives the same value.

        Args:
            format: "gtn", "openfst", "k2" or "json".
            shift: subtracted from every label but ε, so that ``from_text`` with the same shift reads the graph back.
            options: as for ``from_text``: ``isymbols`` and ``osymbols`` for "openfst", ``epsilon`` for "k2".

        Warns:
            UserWarning: the format cannot express this graph exactly and an equivalent one was written.

        Raises:
            InputError: no such format, or a label that the format cannot hold.

        Example:
            >>> import arcgrad as ag
            >>> print(ag.linear([5, 6], weight=[0.5, 0.0]).to_text("openfst"), end="")
            0 1 5 5 -0.5
            1 2 6 6
            2
        """
        from arcgrad.runtime.data.formats.base import warn_inexact
        from arcgrad.runtime.data.formats.text import write_text

        if self.attributes and format in ("gtn", "openfst", "k2"):
            warn_inexact(f"the form {format!r}", ["attributes of arcs are left out"])
        return write_text(self, format, shift=shift, **options)

    @overload
    def paths(self, n: int) -> list[Path]: ...
    @overload
    def paths(self, n: None = None) -> Iterator[Path]: ...
    def paths(self, n: int | None = None) -> list[Path] | Iterator[Path]:
        """The accepting paths, best first: in the order of ``NBEST[A, n]``, fewest arcs first where weights tie.

        Paths through arcs of weight −inf are none.

        Args:
            n: at most so many; None: all, which are found as they are asked for and may be without end.

        Returns:
            A list of paths with ``arcs``, ``weight`` (nats), ``ilabels`` and ``olabels`` (−1 for ε); an iterator
            where n is None.

        Raises:
            InputError: n is not a whole number, 0 or more.
            DivergenceError: a cycle makes the path's weight ever greater.

        Example:
            >>> import arcgrad as ag
            >>> g = ag.Graph([0, 0, 1], [1, 0, 1], [5, 6, 7], weight=[0.0, -1.0, -0.5], accept=[1])
            >>> [(path.weight, path.ilabels) for path in g.paths(3)]
            [(0.0, (5,)), (-0.5, (5, 7)), (-1.0, (6, 5))]
        """
        return first(find_paths(self._topology, self.arc_weight), n)

    def strings(
        self,
        n: int | None = None,
        side: str = "input",
        symbols: SymbolTable | Iterable[str] | Mapping[str, int] | Callable[[int], str] | None = None,
        osymbols: SymbolTable | Iterable[str] | Mapping[str, int] | Callable[[int], str] | None = None,
    ) -> list[tuple[Any, ...]] | Iterator[tuple[Any, ...]]:
        """The strings that the graph accepts, each once, with the weight of its best path; best first.

        ε is left out. Where several paths have one string, its weight is the best one's, and ``LSE["…" ∘ A]`` that of
        all of them. Shorter strings come first where weights tie.

        Args:
            n: at most so many; None: all, which are found as they are asked for and may be without end.
            side: "input", "output", or "both" for pairs of an input and an output string.
            symbols: a table by which strings are shown as text: with blanks between symbols, unless all of them are of
                one character; ``chr``: labels are Unicode code points; None: strings are tuples of labels.
            osymbols: the table of output strings; None: ``symbols``.

        Returns:
            A list of ``(string, weight)``, for both sides of ``(input, output, weight)``, in nats; an iterator where n
            is None.

        Raises:
            InputError: n is not a whole number, no such side, or a label that is not in the table.
            DivergenceError: a cycle makes the path's weight ever greater.

        Example:
            >>> import arcgrad as ag
            >>> g = ag.compile('"cat"⟨-1⟩ + "car" + "car"⟨-2⟩')()
            >>> g.strings(5, symbols=chr)
            [('car', 0.0), ('cat', -1.0)]
        """
        show = shower(symbols), shower(symbols if osymbols is None else osymbols)
        return first(find_strings(self._topology, self.arc_weight, side, show), n)

    def draw(
        self,
        file: str | os.PathLike[str] | None = None,
        *,
        color: Any = None,
        width: Any = None,
        symbols: SymbolTable | Iterable[str] | Mapping[str, int] | Callable[[int], str] | None = None,
        osymbols: SymbolTable | Iterable[str] | Mapping[str, int] | Callable[[int], str] | None = None,
        title: str | None = None,
        layout: str = "layers",
    ) -> Drawing:
        """Draw the graph: states as circles, accepts doubled, starts bold, arcs labelled ``in:out/weight``.

        A weight of 0 is left out, and so is the output label where the graph is an acceptor. Graphs of more than 300
        states or arcs are summed up: how many states and arcs there are at each distance from the starts.

        Args:
            file: where to write the picture: .svg, .png (extra ``plot``) or .dot, by its suffix; None: nowhere.
            color: (n_arcs,) real numbers, such as a gradient or posteriors, or (n_parameters,) where the graph is
                tied, or a graph whose arcs' weights they are; shown as colours, from blue below 0 to orange above it,
                and as widths.
            width: (n_arcs,) real numbers shown as widths of arcs; None: as ``color``.
            symbols: a table of labels' symbols, what makes one, or ``chr`` for code points; None: labels are numbers.
            osymbols: the table of output labels; None: ``symbols``.
            title: a line above the picture.
            layout: "layers", or "dot" for the layout of Graphviz's program, where that is installed.

        Returns:
            A Drawing, which notebooks show; ``svg`` is its text and ``save`` writes it.

        Raises:
            InputError: a file of another suffix, numbers of a wrong shape or dtype, a label that is not in the table.
            UnsupportedError: a PNG without cairosvg, or layout="dot" without Graphviz.
            OSError: the file cannot be written.

        Example:
            >>> import arcgrad as ag
            >>> a = ag.Graph([0, 0, 1], [1, 1, 2], [0, 1, 2], weight=[0.5, -1.0, 0.0], accept=[2])
            >>> a.draw(symbols="abc")
            <Drawing ...: An acceptor of 3 states and 3 arcs>
            >>> _, grad = ag.compile("LSE[A]").value_and_grad(A=a)
            >>> a.draw(symbols="abc", color=grad["A"]).svg.count("<title>arc")
            3
        """
        from arcgrad.runtime.data.symbols import namer
        from arcgrad.runtime.draw.drawing import checked_file, saved
        from arcgrad.runtime.draw.graph import draw_graph

        if file is not None:
            checked_file(file)
        names = namer(symbols), namer(symbols if osymbols is None else osymbols)
        drawing = draw_graph(
            self._topology, self.arc_weight, self._tie, names, color=color, width=width, title=title, layout=layout
        )
        return saved(drawing, file)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """The picture, where that takes no time, and the text, for notebooks."""
        bundle = {"text/plain": repr(self)}
        if self.n_arcs <= _MOST_SHOWN:
            bundle["image/svg+xml"] = self.draw().svg
        return bundle

    @property
    def is_unambiguous(self) -> bool:
        """Whether every input string has at most one path, weights aside; ``ag.ambiguity`` says which has two.

        Raises:
            LimitError: more pairs of states would have to be looked at than ``ag.Limits()`` allows.

        Example:
            >>> import arcgrad as ag
            >>> ag.compile('"a" + "a"')().is_unambiguous, ag.compile('re"a|a"')().is_unambiguous
            (False, True)
        """
        from arcgrad.runtime.data.ambiguity import ambiguity_of

        return ambiguity_of(self._topology) is None

    def __copy__(self) -> Graph:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Graph:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        t = self._topology
        outputs = None if t.olabel is t.ilabel else t.olabel
        kept = dict(self.attributes) or None
        return _restore, (t.n_states, t.src, t.dst, t.ilabel, outputs, t.start, t.accept, self._weight, self._tie, kept)


def linear(
    labels: str | ArrayLike | Iterable[int] | Iterable[str],
    weight: ArrayLike | None = None,
    *,
    symbols: SymbolTable | Iterable[str] | Mapping[str, int] | None = None,
) -> Graph:
    """The chain that accepts exactly one string of labels: state k to state k + 1 by label k.

    Args:
        labels: (n,) integers; or a text, whose characters stand for their Unicode code points or, with a table, for
            their labels there; or a list of symbols of the table.
        weight: (n,) real numbers in nats, one for each label; None means all 0.
        symbols: an ``ag.SymbolTable`` or what makes one; None: labels are integers or a text's code points.

    Returns:
        An acceptor of n + 1 states; state 0 is the start and state n the accept.

    Raises:
        InputError: labels or weights of a wrong shape, dtype or range, or a symbol that is not in the table.

    Example:
        >>> import arcgrad as ag
        >>> ag.linear([3, 1, 2])
        Graph(4 states, 3 arcs, acceptor, start 0, accept 3)
        >>> ag.linear("ab").ilabel
        array([97, 98], dtype=int32)
        >>> ag.linear(["<s>", "b"], symbols=["a", "b", "<s>"]).ilabel
        array([2, 1], dtype=int32)
    """
    inputs = labels_array(_encoded(labels, symbols), "labels")
    n = len(inputs)
    states = freeze(np.arange(n + 1, dtype=np.int32))
    topology = Topology(n + 1, states[:-1], states[1:], inputs, inputs, states[:1], states[n:])
    weights = None if weight is None else weights_array(weight, "weight", n, "labels")
    return Graph.from_topology(topology, weights)


def _encoded(labels: Any, symbols: Any) -> Any:
    """Labels of a text or of a list of symbols; what is neither comes back as it is."""
    is_text = isinstance(labels, str)
    if symbols is None and not is_text:
        if isinstance(labels, (list, tuple)) and labels and all(isinstance(label, str) for label in labels):
            raise InputError(
                f"labels is {shown(labels)}, but symbols are looked up in a table",
                hint="give symbols=ag.SymbolTable([…])",
            )
        return labels
    if symbols is None:
        return list(map(ord, labels))
    from arcgrad.runtime.data.symbols import SymbolTable

    table = symbols if isinstance(symbols, SymbolTable) else SymbolTable(symbols)
    return table.encode(labels)


def _restore(
    n_states: int,
    src: IntArray,
    dst: IntArray,
    ilabel: IntArray,
    olabel: IntArray | None,
    start: IntArray,
    accept: IntArray,
    weight: WeightArray,
    tie: IntArray | None,
    attributes: dict[str, Any] | None = None,
) -> Graph:
    """Unpickle; through the constructor, since pickled arrays come back writeable and might have been edited."""
    return Graph(
        src, dst, ilabel, olabel, weight, start=start, accept=accept, n_states=n_states, tie=tie, attributes=attributes
    )
