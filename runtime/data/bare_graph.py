"""A graph's arrays, checked: what the formats of files read and write, and what ``graph.Graph`` builds upon."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from arcgrad.compiler.graphs.orders import topological_order
from arcgrad.compiler.graphs.topology import IntArray, Topology
from arcgrad.grammar.errors import InputError
from arcgrad.runtime.data.attributes import NO_ATTRIBUTES, Attributes, Later, checked_attributes
from arcgrad.runtime.data.checks import (
    arc_arrays,
    arc_columns,
    freeze,
    labels_array,
    states_array,
    states_count,
    tie_array,
    weights_array,
)

__all__ = ["BareGraph"]

WeightArray = NDArray[np.float64]


class _UnchangeableError(InputError, AttributeError):
    pass


G = TypeVar("G", bound="BareGraph")


class BareGraph:
    """A graph's arrays, checked and read-only; ``Graph`` says what they mean, and adds texts and files."""

    __slots__ = ("__weakref__", "_arc_weight", "_attributes", "_tie", "_topology", "_weight")

    _topology: Topology
    _weight: WeightArray
    _tie: IntArray | None
    _arc_weight: WeightArray | None
    _attributes: Attributes | Later | None

    def __init__(
        self,
        src: ArrayLike,
        dst: ArrayLike,
        ilabel: ArrayLike,
        olabel: ArrayLike | None = None,
        weight: ArrayLike | None = None,
        *,
        start: ArrayLike | Iterable[int] = (0,),
        accept: ArrayLike | Iterable[int] = (),
        n_states: int | None = None,
        tie: ArrayLike | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        count = None if n_states is None else states_count(n_states)
        sources, destinations, inputs, largest = arc_arrays(src, dst, ilabel, count)
        n_arcs = len(sources)
        outputs = inputs if olabel is None else labels_array(olabel, "olabel", n_arcs)
        starts = states_array(start, "start", count, unique=True)
        accepts = states_array(accept, "accept", count, unique=True)
        if count is None:
            count = 1 + max([largest, *starts[-1:].tolist(), *accepts[-1:].tolist()])
        ties = None
        if tie is None:
            weights = freeze(np.zeros(n_arcs)) if weight is None else weights_array(weight, "weight", n_arcs, "arcs")
        elif weight is None:
            ties = tie_array(tie, n_arcs, None)
            weights = freeze(np.zeros(int(ties.max(initial=-1)) + 1))
        else:
            weights = weights_array(weight, "weight", None, "parameters")
            ties = tie_array(tie, n_arcs, len(weights))
        topology = Topology(count, sources, destinations, inputs, outputs, starts, accepts)
        self._fill(topology, weights, ties, None if attributes is None else checked_attributes(attributes, n_arcs))

    def _fill(
        self,
        topology: Topology,
        weight: WeightArray,
        tie: IntArray | None,
        attributes: Attributes | Later | None = None,
    ) -> None:
        self._topology = topology
        self._weight = weight
        self._tie = tie
        self._arc_weight = weight if tie is None else None
        self._attributes = attributes

    @classmethod
    def from_topology(
        cls: type[G],
        topology: Topology,
        weight: WeightArray | None = None,
        tie: IntArray | None = None,
        attributes: Attributes | Later | None = None,
    ) -> G:
        """A graph of a topology that is already trusted, unchecked and uncopied: for arcgrad's own results.

        Args:
            topology: shared, not copied.
            weight: (n_arcs,) or, with tie, (n_parameters,) float64; becomes read-only. None means all 0.
            tie: (n_arcs,) int32 entries of weight, or None.
            attributes: of its arcs, or what gives them once they are asked for; None: there are none.
        """
        if weight is None:
            weight = np.zeros(topology.n_arcs if tie is None else int(tie.max(initial=-1)) + 1)
        graph = cls.__new__(cls)
        graph._fill(topology, freeze(np.ascontiguousarray(weight, dtype=np.float64)), tie, attributes)
        return graph

    @classmethod
    def from_arcs(
        cls: type[G],
        arcs: Iterable[Sequence[float]],
        start: ArrayLike | Iterable[int] = (0,),
        accept: ArrayLike | Iterable[int] = (),
        n_states: int | None = None,
    ) -> G:
        """A graph from a list of arcs; tuples of different lengths may be mixed.

        Args:
            arcs: ``(src, dst, label)``, ``(src, dst, label, weight)`` or ``(src, dst, ilabel, olabel, weight)``.
                So the last entry of ``(0, 1, 5, 6)`` is a weight.
            start: start states.
            accept: accept states.
            n_states: number of states; None: the largest state mentioned + 1.

        Raises:
            InputError: an arc that is no such tuple, or what the constructor refuses.

        Example:
            >>> import arcgrad as ag
            >>> ag.Graph.from_arcs([(0, 1, 5), (0, 1, 5, 0.5), (0, 1, 5, 6, 0.5)], start=[0], accept=[1])
            Graph(2 states, 3 arcs, transducer, start 0, accept 1)
        """
        columns, weights = arc_columns(arcs)
        src, dst, ilabel, *outputs = columns
        olabel = outputs[0] if outputs else None
        return cls(src, dst, ilabel, olabel, weights, start=start, accept=accept, n_states=n_states)

    @property
    def topology(self) -> Topology:
        """States, arcs and labels without the weights, shared by all graphs made by ``with_weight``."""
        return self._topology

    @property
    def n_states(self) -> int:
        """Number of states."""
        return self._topology.n_states

    @property
    def n_arcs(self) -> int:
        """Number of arcs."""
        return len(self._topology.src)

    @property
    def src(self) -> IntArray:
        """(n_arcs,) int32, read-only: the state at which each arc begins."""
        return self._topology.src

    @property
    def dst(self) -> IntArray:
        """(n_arcs,) int32, read-only: the state at which each arc ends."""
        return self._topology.dst

    @property
    def ilabel(self) -> IntArray:
        """(n_arcs,) int32, read-only: input labels, −1 is ε."""
        return self._topology.ilabel

    @property
    def olabel(self) -> IntArray:
        """(n_arcs,) int32, read-only: output labels, −1 is ε."""
        return self._topology.olabel

    @property
    def weight(self) -> WeightArray:
        """(n_arcs,) float64 in nats, read-only; (n_parameters,) where the graph has ``tie``."""
        return self._weight

    @weight.setter
    def weight(self, value: object) -> NoReturn:
        raise _UnchangeableError(
            "weight cannot be set: a graph does not change",
            hint="make another: g = g.with_weight(g.weight + …); np.array(g.weight) is a copy to write into",
        )

    @property
    def tie(self) -> IntArray | None:
        """(n_arcs,) int32, read-only: the entry of ``weight`` that each arc has; None where arcs share none."""
        return self._tie

    @property
    def arc_weight(self) -> WeightArray:
        """(n_arcs,) float64 in nats, read-only: the weight of each arc, ties resolved."""
        if self._arc_weight is None:
            self._arc_weight = freeze(self._weight[self._tie])
        return self._arc_weight

    @property
    def attributes(self) -> Attributes:
        """Attributes of the arcs by name: (n_arcs,) int64, −1 for none, or strings, "" for none; read-only.

        Those of a result follow the arcs from the graphs that it was made of, through all operators that make arcs of
        arcs and through PATH, NBEST and SAMPLE: of those that an arc was made of, the first one's that is not none.

        Raises:
            InputError: of a result: one name is of integers in one of the graphs and of strings in another.

        Example:
            >>> import arcgrad as ag
            >>> a = ag.Graph([0, 0], [1, 1], [5, 6], weight=[0.5, 1.0], accept=[1], attributes={"word": ["yes", "no"]})
            >>> ag.compile("PATH[A A]")(A=a).attributes["word"].tolist()
            ['no', '', 'no']
        """
        found = self._attributes
        if found is None:
            return NO_ATTRIBUTES
        if callable(found):
            found = self._attributes = found()
        return found

    @property
    def start(self) -> IntArray:
        """Start states, int32, sorted, each once."""
        return self._topology.start

    @property
    def accept(self) -> IntArray:
        """Accept states, int32, sorted, each once."""
        return self._topology.accept

    @property
    def is_acceptor(self) -> bool:
        """Whether input and output labels agree on every arc."""
        return self._topology.is_acceptor

    @property
    def is_acyclic(self) -> bool:
        """Whether no state can be left and reached again, weights and reachability from the starts aside."""
        memo = self._topology.memo("graph")
        if "is_acyclic" not in memo:
            memo["is_acyclic"] = _is_acyclic(self.n_states, self.src, self.dst)
        return bool(memo["is_acyclic"])

    @property
    def fingerprint(self) -> str:
        """32 hexadecimal digits that tell topologies apart; weights and ties do not enter."""
        return self._topology.fingerprint.hex()

    def with_weight(self: G, weight: ArrayLike) -> G:
        """The same topology and ties with other weights: cheap, since only the weights are checked.

        Args:
            weight: (n_arcs,), or (n_parameters,) with tie, real numbers in nats; copied.

        Raises:
            InputError: a wrong shape or dtype, NaN or +inf.

        Example:
            >>> import arcgrad as ag
            >>> ag.linear([1, 2]).with_weight([0.5, -1.0]).weight
            array([ 0.5, -1. ])
        """
        counted = "arcs" if self._tie is None else "parameters"
        graph = type(self).__new__(type(self))
        weights = weights_array(weight, "weight", len(self._weight), counted)
        graph._fill(self._topology, weights, self._tie, self._attributes)
        return graph

    def with_ends(
        self: G, *, start: ArrayLike | Iterable[int] | None = None, accept: ArrayLike | Iterable[int] | None = None
    ) -> G:
        """The same states and arcs with other starts and accepts.

        Args:
            start: start states; None: those that there are.
            accept: accept states; None: those that there are.

        Raises:
            InputError: no such state.

        Example:
            >>> import arcgrad as ag
            >>> ag.linear([1, 2]).with_ends(accept=[1, 2])
            Graph(3 states, 2 arcs, acceptor, start 0, accept 1 2)
        """
        t = self._topology
        starts = t.start if start is None else states_array(start, "start", t.n_states, unique=True)
        accepts = t.accept if accept is None else states_array(accept, "accept", t.n_states, unique=True)
        graph = type(self).__new__(type(self))
        topology = Topology(t.n_states, t.src, t.dst, t.ilabel, t.olabel, starts, accepts)
        graph._fill(topology, self._weight, self._tie, self._attributes)
        return graph

    def arcs(self) -> Iterator[tuple[int, int, int, int, float]]:
        """Go through the arcs in order: (source, destination, input label, output label, weight in nats).

        Example:
            >>> import arcgrad as ag
            >>> list(ag.linear([7], weight=[0.5]).arcs())
            [(0, 1, 7, 7, 0.5)]
        """
        t = self._topology
        columns: tuple[Any, ...] = (t.src, t.dst, t.ilabel, t.olabel, self.arc_weight)
        return zip(*(column.tolist() for column in columns), strict=True)

    def __repr__(self) -> str:
        kind = "acceptor" if self.is_acceptor else "transducer"
        parts = [_count(self.n_states, "state"), _count(self.n_arcs, "arc"), kind]
        parts += [f"start {_few(self.start)}", f"accept {_few(self.accept)}"]
        if self._tie is not None:
            parts.append(_count(len(self._weight), "parameter"))
        return f"Graph({', '.join(parts)})"


def _is_acyclic(n_states: int, src: IntArray, dst: IntArray) -> bool:
    if n_states > 2 * len(src):  # a graph of two arcs may claim 2³¹ states
        states, places = np.unique(np.concatenate([src, dst]), return_inverse=True)
        ends = places.astype(np.int32)
        n_states, src, dst = len(states), ends[: len(src)], ends[len(src) :]
    return topological_order(n_states, src, dst) is not None


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _few(states: IntArray) -> str:
    if not len(states):
        return "none"
    shown = " ".join(str(s) for s in states[:5])
    return shown if len(states) <= 5 else f"{shown} … ({len(states)})"
