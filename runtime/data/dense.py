"""Dense inputs: a matrix of scores as a chain of steps with one arc per column, for a network's outputs.

A Dense is met by trellis regions without ever becoming a graph; ``to_graph`` builds the graph that it stands for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.limits import Limits
from arcgrad.grammar.errors import InputError
from arcgrad.runtime.data.arguments import whole_number
from arcgrad.runtime.data.checks import as_array, describe, freeze, to_floats
from arcgrad.runtime.data.graph import Graph
from arcgrad.runtime.data.score_checks import check_scores
from arcgrad.runtime.kinds import Kind, kind_of
from arcgrad.runtime.lru import Lru

__all__ = ["Dense", "dense", "dense_topology", "limited_topology"]

_EXPECTED = "real numbers of shape (T, C) or (B, T, C): steps by columns, with or without a batch"


class Dense:
    """A chain of T steps with one arc per column: step t goes from state t to state t + 1 by label c with score [t, c].

    Made by ``ag.dense``. Immutable.

    Example:
        >>> import arcgrad as ag
        >>> x = ag.dense([[[0.1, 0.9], [0.8, 0.2]]], lengths=[1])
        >>> x.n_steps, x.n_columns, x.batch, x.item(0).to_graph().n_arcs
        (2, 2, 1, 2)
    """

    __slots__ = ("__weakref__", "_lengths", "_scores", "kind")

    _scores: NDArray[Any]
    _lengths: NDArray[np.int64]
    kind: Kind | None

    @classmethod
    def wrap(
        cls, scores: Any, lengths: Any = None, name: str = "scores", *, copy: bool = False, check: bool = True
    ) -> Dense:
        """A dense input over an array that is used as it stands, without a copy where dtype and layout allow.

        For arrays that live only as long as one evaluation; ``dense`` copies instead.

        Args:
            scores: (T, C) or (B, T, C).
            lengths: (B,) integers, or one integer without a batch; None: all steps.
            name: what messages call the scores, and with "'s lengths" the lengths.
            copy: own the memory.
            check: look at every score; where not, the caller has `check_scores` done before any is used.

        Raises:
            InputError: as ``dense``.
        """
        array = as_array(scores, name, _EXPECTED)
        if array.ndim not in (2, 3):
            raise InputError(f"{name} has {describe(array)}, but must be {_EXPECTED}")
        if array.size and array.dtype.kind not in "fiu":
            raise InputError(f"{name} has {describe(array)}, but must be {_EXPECTED}")
        is_single = array.dtype.kind == "f" and array.dtype.itemsize == 4
        view = freeze(to_floats(array, np.float32 if is_single else np.float64, copy=copy).view(np.ndarray))
        checked = _check_lengths(lengths, view, name)
        if check:
            check_scores(view, checked, name)
        return cls._make(view, checked, kind_of(scores))

    @classmethod
    def _make(cls, scores: NDArray[Any], lengths: NDArray[np.int64], kind: Kind | None = None) -> Dense:
        self = cls.__new__(cls)
        self._scores = scores
        self._lengths = lengths
        self.kind = kind
        return self

    @property
    def scores(self) -> NDArray[Any]:
        """(T, C) or (B, T, C), read-only, C-contiguous, float32 or float64, in nats.

        Entries past an item's length are whatever was given there and mean nothing.
        """
        return self._scores

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(B,) int64, read-only: the number of steps of each item; (1,) where there is no batch."""
        return self._lengths

    @property
    def is_batch(self) -> bool:
        """Whether the scores have a leading batch axis."""
        return self.scores.ndim == 3

    @property
    def batch(self) -> int | None:
        """B, or None where there is no batch axis."""
        return self.scores.shape[0] if self.scores.ndim == 3 else None

    @property
    def n_steps(self) -> int:
        """T: steps of the array, of which an item may use fewer."""
        return int(self.scores.shape[-2])

    @property
    def n_columns(self) -> int:
        """C: arcs per step; labels are 0 … C − 1."""
        return int(self.scores.shape[-1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64; also the dtype of gradients with respect to the scores."""
        return self.scores.dtype

    def item(self, index: int) -> Dense:
        """Item ``index`` of the batch, cut to its length: scores (lengths[index], C). Shares memory.

        Example:
            >>> import arcgrad as ag
            >>> ag.dense([[[1.0], [2.0]], [[3.0], [4.0]]], lengths=[2, 1]).item(1).scores
            array([[3.]])
        """
        n_items = len(self.lengths)
        expected = f"an integer from {-n_items} to {n_items - 1}, of a batch of {n_items} (scores {self.scores.shape})"
        index = whole_number(index, "item", expected, -n_items, n_items - 1)
        rows = self.scores[index] if self.is_batch else self.scores
        length = int(self.lengths[index])
        return self._make(rows[:length], freeze(np.array([length], dtype=np.int64)), self.kind)

    def to_graph(self) -> Graph:
        """The acceptor that this stands for: T + 1 states, T · C arcs, step by step and column by column.

        State 0 is the start and the last state the accept. A batch has no one graph: take an ``item`` of it.

        Example:
            >>> import arcgrad as ag
            >>> ag.dense([[0.5, 1.5], [2.5, 3.5]]).to_graph()
            Graph(3 states, 4 arcs, acceptor, start 0, accept 2)
        """
        if self.is_batch:
            raise InputError(
                f"a batch of {len(self.scores)} dense inputs (scores of shape {self.scores.shape}) is not one graph",
                hint="use .item(b).to_graph() for item b",
            )
        length = int(self.lengths[0])
        weights = np.array(self.scores[:length], dtype=np.float64).reshape(-1)
        return Graph.from_topology(dense_topology(length, self.n_columns), weights)

    def __len__(self) -> int:
        return 1 if self.batch is None else self.batch

    def __repr__(self) -> str:
        full = bool(np.all(self.lengths == self.n_steps))
        shown = "" if full else f", lengths {np.array2string(self.lengths, threshold=8)}"
        return f"Dense(shape {self.scores.shape}, {self.dtype}{shown})"

    def __reduce__(self) -> tuple[Any, ...]:
        return dense, (self.scores, self.lengths if self.is_batch else int(self.lengths[0]))

    def __copy__(self) -> Dense:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Dense:
        return self


def dense(scores: ArrayLike, lengths: ArrayLike | None = None) -> Dense:
    """A chain of T steps with one arc per column, as a graph-valued input that is never materialised where it can help.

    Args:
        scores: (T, C), or (B, T, C) for a batch, in nats. float32 stays float32 (values and gradients to 1e-6);
            every other real dtype becomes float64. Copied; of another library's array, gradients are of its kind.
        lengths: (B,) integers from 0 to T, or one integer without a batch: only the first ``lengths[b]`` steps of
            item b count, and what stands after them may be anything, NaN included. None: all T steps.

    Returns:
        A Dense; T = 0 (the chain of no steps accepts the empty string) and C = 0 are legal.

    Raises:
        InputError: a wrong shape or dtype, NaN or +inf within the lengths, lengths that the data do not have.

    Example:
        >>> import arcgrad as ag
        >>> ag.dense([[0.1, 0.9], [0.8, 0.2]])
        Dense(shape (2, 2), float64)
    """
    return Dense.wrap(scores, lengths, copy=True)


_chains = Lru[Topology]("dense inputs as graphs", lambda chain: chain.held_bytes, capacity=32)


def dense_topology(n_steps: int, n_columns: int) -> Topology:
    """The topology of a dense input; the latest ones are kept, so that each is analysed once."""
    found = _chains.get((n_steps, n_columns))
    if found is None:
        found = _chain(n_steps, n_columns)
        _chains.put((n_steps, n_columns), found)
    return found


def limited_topology(n_steps: int, n_columns: int, limits: Limits) -> Topology:
    """The topology of a dense input, where that is within a budget.

    Raises:
        LimitError: it is not.
    """
    what = f"the dense input of shape ({n_steps}, {n_columns}), as a graph,"
    limits.check_graph(what, n_steps + 1, n_steps * n_columns)
    return dense_topology(n_steps, n_columns)


def _chain(n_steps: int, n_columns: int) -> Topology:
    steps = np.repeat(np.arange(n_steps, dtype=np.int32), n_columns)
    columns = np.tile(np.arange(n_columns, dtype=np.int32), n_steps)
    return Topology.make(n_steps + 1, steps, steps + 1, columns, None, [0], [n_steps])


def _check_lengths(lengths: Any, scores: NDArray[Any], name: str) -> NDArray[np.int64]:
    n_items = scores.shape[0] if scores.ndim == 3 else 1
    n_steps = scores.shape[-2]
    if lengths is None:
        return freeze(np.full(n_items, n_steps, dtype=np.int64))
    name = "lengths" if name == "scores" else f"{name}'s lengths"
    if scores.ndim == 3:
        expected = f"integers of shape ({n_items},), one for each item of the batch"
        array = as_array(lengths, name, expected)
        fits = array.shape == (n_items,)
    else:
        expected = f"one integer, since scores of shape {scores.shape} are no batch"
        array = as_array(lengths, name, expected)
        fits = array.shape == ()
    if not fits or (array.size and array.dtype.kind not in "iu"):
        raise InputError(f"{name} has {describe(array)}, but must be {expected}")
    array = array.reshape(n_items)
    if array.size and (array.min() < 0 or array.max() > n_steps):
        bad = int(np.argmax((array < 0) | (array > n_steps)))
        raise InputError(
            f"{name}[{bad}] is {array[bad]}, but lengths go from 0 to {n_steps}, the steps of scores {scores.shape}"
        )
    return freeze(np.array(array, dtype=np.int64))
