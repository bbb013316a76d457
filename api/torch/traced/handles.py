"""``ag.torch.handle``: integer tensors that stand for graphs, where only tensors get through.

What ``torch.compile`` traces keeps tensors as inputs of the compiled code, and everything else as constants of it; and
``torch.func.vmap`` maps over tensors alone. A handle's numbers are keys of a table in this process. They are drawn at
random, so that no number of another process, and none of a graph that is gone, ever names another graph.
"""

from __future__ import annotations

import hashlib
import pickle
import random
import weakref
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import kind_of
from arcgrad.runtime.data.graph import Graph
from arcgrad.torch.tensors import TensorError

__all__ = ["constant", "graphs_of", "handle", "is_handle", "objects_of", "stand_for"]

_table: dict[int, Any] = {}
_untransformed = getattr(torch._C, "_DisableFuncTorch", nullcontext)
_random = random.SystemRandom()


def handle(graphs: Graph | Sequence[Graph]) -> Tensor:
    """Make an integer tensor that stands for a graph, or for a batch of them, and is given in their place.

    Functions that ``torch.compile`` compiled are compiled anew for every new graph, but not for a new handle; and
    ``torch.func.vmap`` maps over handles. There is a handle for each graph of a batch, so that ``handle(graphs)[2]`` is
    one for ``graphs[2]``.

    Args:
        graphs: a graph, or a list of them.

    Returns:
        An int64 tensor on the CPU, () or (B,). It is good in the process that made it, and in processes forked from it
        later, as long as its memory lives: as it, or a view of it, is referred to, or a graph of autograd keeps it.

    Raises:
        InputError: what is given is not a graph, nor a list of one graph or more.

    Example:
        >>> import arcgrad as ag, torch
        >>> score = ag.torch.compile("LSE[X ∘ A]")
        >>> targets = ag.torch.handle([ag.linear([1, 1]), ag.linear([1, 2])])
        >>> score(X=torch.zeros(2, 2, 3), A=targets)
        tensor([0., 0.])
    """
    if isinstance(graphs, Graph):
        return stand_for([graphs], None)
    if not isinstance(graphs, (list, tuple)):
        raise InputError(f"a handle stands for a graph or a list of graphs, not for {kind_of(graphs)}")
    if not graphs:
        raise InputError("a handle stands for a batch of one graph or more, but the list is empty")
    for place, graph in enumerate(graphs):
        if not isinstance(graph, Graph):
            raise InputError(f"a handle stands for graphs, but item {place} of the list is {kind_of(graph)}")
    return stand_for(graphs, len(graphs))


def stand_for(objects: Sequence[Any], batch: int | None) -> Tensor:
    """A handle of any objects: () of the one, or (B,) of a batch."""
    keys = [_random.getrandbits(62) for _ in objects]
    numbers = np.array(keys if batch is not None else keys[0], dtype=np.int64)
    _table.update(zip(keys, objects, strict=True))
    weakref.finalize(numbers, _forget, keys).atexit = False
    with _untransformed():
        return torch.from_numpy(numbers)  # which keeps the array as long as its memory


def constant(value: Any) -> int:
    """The number of what compiled code holds as a constant: the same for equal content, in every process.

    It is kept for good, as the code may be; torch.compile makes few for each function that it compiles.
    """
    if isinstance(value, Graph):
        content: Any = (
            value.topology.fingerprint,
            value.weight.tobytes(),
            None if value.tie is None else value.tie.tobytes(),
        )
    else:
        content = value
    digest = hashlib.blake2b(pickle.dumps((type(value).__name__, content)), digest_size=8).digest()
    key = -1 - int.from_bytes(digest, "little") % (1 << 62)
    _table[key] = value
    return key


def _forget(keys: list[int]) -> None:
    for key in keys:
        _table.pop(key, None)


def is_handle(value: Any) -> bool:
    """Whether a tensor has the form of a handle."""
    return isinstance(value, Tensor) and value.dtype == torch.int64 and value.ndim <= 1


def objects_of(numbers: Tensor, what: str) -> list[Any]:
    """What the numbers of a handle stand for.

    Raises:
        InputError: one of them stands for nothing.
    """
    try:
        return [_table[key] for key in numbers.reshape(-1).tolist()]
    except KeyError as missing:
        raise TensorError(
            f"{what} is a handle of graphs, an int64 tensor of shape {tuple(numbers.shape)}, but its number {missing} "
            f"stands for no graph",
            hint="ag.torch.handle makes handles, which are good as long as the tensor that it returned, or a view of "
            "it, is kept, and in the process that made them; of labels, ag.linear or ag.graphs.alignments make graphs",
        ) from None


def graphs_of(numbers: Tensor, what: str) -> Graph | list[Graph]:
    """The graph, or the batch of them, that a handle stands for.

    Raises:
        InputError: it stands for nothing, or for something else; or the batch is empty.
    """
    if numbers.ndim and not len(numbers):
        raise TensorError(f"{what} is an empty batch, but a batch has one item or more")
    found = objects_of(numbers, what)
    for each in found:
        if not isinstance(each, Graph):
            raise TensorError(f"{what} is a handle of {kind_of(each)}, but a graph is needed")
    return found if numbers.ndim else found[0]
