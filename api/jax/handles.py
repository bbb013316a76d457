"""Graphs as numbers, which is what JAX traces: a table from handles to graphs, and a pytree of handles.

A program that was traced for some graphs then runs for any others, since these are data. Handles are never used again
for another graph. One is good for as long as its graph lives, and for some time after: programs run behind Python.
"""

from __future__ import annotations

import random
import threading
import weakref
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from arcgrad.grammar.errors import InputError, LimitError
from arcgrad.grammar.mistakes import kind_of
from arcgrad.runtime.data.graph import Graph
from arcgrad.runtime.forks import when_forked
from arcgrad.runtime.lru import Lru

__all__ = ["Graphs", "find", "graphs", "handles_of", "keep_forever"]

_MOST = 2**31 - 1
# Graphs that nobody else holds any more and that a program may still ask for.
_LATEST = 1 << 14


class _Table:
    """Both ways between graphs and their handles."""

    def __init__(self) -> None:
        # Another process begins elsewhere, so that a handle that was kept on disk finds nothing rather than any graph.
        self._next = random.SystemRandom().randrange(1, 1 << 29)
        self._handles: weakref.WeakKeyDictionary[Graph, int] = weakref.WeakKeyDictionary()
        self._alive: weakref.WeakValueDictionary[int, Graph] = weakref.WeakValueDictionary()
        self._latest = Lru[Graph]("graphs that JAX asks for", lambda graph: graph.topology.held_bytes, capacity=_LATEST)
        self._forever: dict[int, Graph] = {}
        self._renew_lock()
        when_forked(self._renew_lock)

    def _renew_lock(self) -> None:
        self._lock = threading.Lock()

    def handle(self, graph: Graph) -> int:
        with self._lock:
            found = self._handles.get(graph)
            if found is None:
                if self._next > _MOST:
                    raise LimitError("this process gave handles to 2³¹ graphs, which is as many as there are")
                found, self._next = self._next, self._next + 1
                self._handles[graph] = found
                self._alive[found] = graph
        self._latest.put(found, graph)
        return found

    def find(self, handle: int) -> Graph | None:
        found = self._alive.get(handle)
        if found is not None and handle not in self._latest:
            self._latest.put(handle, found)
        return found

    def keep_forever(self, handle: int) -> None:
        found = self._alive.get(handle)
        if found is not None:
            self._forever[handle] = found


_table = _Table()


def handles_of(given: Sequence[Graph]) -> NDArray[np.int32]:
    """The handles of graphs, which get one where they have none."""
    return np.array([_table.handle(graph) for graph in given], dtype=np.int32)


def find(handle: int, what: str) -> Graph:
    """The graph of a handle.

    Args:
        handle: a number.
        what: names the argument, for messages.

    Raises:
        InputError: there is none, or none any more.
    """
    found = _table.find(handle)
    if found is None:
        raise InputError(
            f"{what} has the handle {handle}, which stands for no graph of this process, or for none any more",
            hint="keep the graphs, or what ag.jax.graphs gave, as long as programs run on them",
        )
    return found


def keep_forever(handles: Iterable[int]) -> None:
    """Have the graphs of some handles live as long as the process: a program has them as constants."""
    for handle in handles:
        _table.keep_forever(handle)


@jax.tree_util.register_pytree_node_class
class Graphs:
    """Graphs as an argument of traced functions: a pytree of one array of handles. Made by ``ag.jax.graphs``.

    What was traced for some graphs runs for any others of that number. ``vmap`` and ``scan`` go over them.

    Attributes:
        handles: int32, () for one graph, or (B,) for a batch; whatever JAX makes of it within a transformation.
    """

    def __init__(self, handles: Any, graphs: tuple[Graph, ...] = ()) -> None:
        self.handles = handles
        self._graphs = graphs

    @property
    def shape(self) -> tuple[int, ...]:
        """() for one graph, (B,) for a batch."""
        return tuple(self.handles.shape)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("one graph has no length")
        return self.shape[0]

    def __getitem__(self, index: Any) -> Graphs:
        """Some of them, as of an array."""
        return Graphs(self.handles[index], self._graphs)

    def __repr__(self) -> str:
        return f"Graphs(shape {self.shape})"

    def tree_flatten(self) -> tuple[tuple[Any], None]:
        """The handles, and nothing beside."""
        return (self.handles,), None

    @classmethod
    def tree_unflatten(cls, _: None, children: Iterable[Any]) -> Graphs:
        """What has these handles."""
        return cls(*children)


def graphs(given: Graph | Sequence[Graph]) -> Graphs:
    """Make graphs an argument that ``jit`` and its like take: a pytree of one array of int32 numbers.

    The numbers are good as long as the graphs or what this returns live, and for the latest 16,384 graphs, as far as
    these fit the budget of ``ag.cache``, for longer. They mean nothing to another process.

    Args:
        given: a graph, or a batch of them.

    Raises:
        InputError: it is neither.

    Example:
        >>> import arcgrad as ag, jax, jax.numpy as jnp
        >>> score = ag.jax.compile("LSE[X ∘ A]")
        >>> step = jax.jit(lambda x, targets: score(X=x, A=targets))
        >>> step(jnp.zeros((2, 2, 3)), ag.jax.graphs([ag.linear([1, 2]), ag.linear([0])])).tolist()
        [0.0, -inf]
    """
    if isinstance(given, Graph):
        return Graphs(handles_of([given])[0], (given,))
    if not isinstance(given, (list, tuple)):
        raise InputError(f"ag.jax.graphs takes a graph or a list of graphs, not {kind_of(given)}")
    for place, each in enumerate(given):
        if not isinstance(each, Graph):
            raise InputError(f"item {place} of what ag.jax.graphs is given is {kind_of(each)}, not a graph")
    return Graphs(handles_of(given), tuple(given))
