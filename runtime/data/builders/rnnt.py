"""The lattice of the RNN transducer."""

from __future__ import annotations

from typing import Any

import numpy as np

from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.limits import Limits
from arcgrad.grammar.errors import InputError
from arcgrad.runtime.data.arguments import whole_number
from arcgrad.runtime.data.builders.options import checked_limits
from arcgrad.runtime.data.builders.targets import read_targets
from arcgrad.runtime.data.checks import LARGEST, as_array, check_weights, describe, freeze, to_floats
from arcgrad.runtime.data.graph import Graph

__all__ = ["rnnt_lattice"]


def rnnt_lattice(
    n_frames: Any,
    target: Any,
    blank: int = 0,
    *,
    scores: Any = None,
    lengths: Any = None,
    limits: Limits | None = None,
) -> Any:
    """Build the lattice of an RNN transducer: all ways of laying a target's labels between frames; or a batch of them.

    State (t, u) has seen t frames and written u labels; a blank goes on to the next frame, a label to the next label::

        rnnt_lattice(2, [7]):   (0,0) --0--> (1,0)        states row by row: (t, u) is t · (U + 1) + u
                                (0,0) --7--> (0,1)
                                (0,1) --0--> (1,1)
                                (1,0) --7--> (1,1)
                                (1,1) --0--> (2,1)        the last blank ends the path

    So the loss is ``-LSE[R]``.

    Args:
        n_frames: T, at least 1; for a batch one number, or one for each target.
        target: (U,) labels, U = 0 included; or a batch of targets, as ``alignments`` takes them.
        blank: the label of the blank, which no target may hold.
        scores: (T, U + 1, V) scores in nats of each label in each state, usually log-probabilities; for a batch
            (B, T, U + 1, V), padded to the longest, or a list. They become the graph's weights, flattened, and each arc
            is tied to its own, so that a gradient with respect to the graph, reshaped to (T, U + 1, V) of that target,
            is one with respect to the scores. None: all weights are 0.
        lengths: (B,) how many labels each target of an array has.
        limits: the most states and arcs of one lattice.

    Returns:
        For one target a Graph, for a batch the list of them: acceptors of T (U + 1) + 1 states, with T (U + 1) − U arcs
        of blanks and T U of labels, by their sources, and from each the blank first.

    Raises:
        InputError: no frames, labels that are none, or scores of another shape, NaN or +inf.
        LimitError: more states or arcs than the limits allow.

    References:
        A. Graves, Sequence Transduction with Recurrent Neural Networks, 2012, section 2.3.

    Example:
        >>> import arcgrad as ag, numpy as np
        >>> R = ag.graphs.rnnt_lattice(2, [7])
        >>> R
        Graph(5 states, 5 arcs, acceptor, start 0, accept 4)
        >>> scores = np.log(np.full((2, 2, 8), 1 / 8))
        >>> R = ag.graphs.rnnt_lattice(2, [7], scores=scores)
        >>> value, gradient = ag.compile("LSE[R]").value_and_grad(R=R)   # two paths of three arcs
        >>> round(float(np.exp(value) * 8**3), 9), gradient["R"].reshape(scores.shape)[:, :, 7].round(3).tolist()
        (2.0, [[0.5, 0.0], [0.5, 0.0]])
    """
    blank = whole_number(blank, "blank", "a label, an integer from 0", 0, LARGEST)
    budget = checked_limits(limits)
    found = read_targets(target, lengths, blank, None)
    expected = "the number of frames, an integer from 1"
    if not found.is_batch:
        T = whole_number(n_frames, "n_frames", f"{expected} to {LARGEST}", 1, LARGEST)
        return _lattice(T, found.labels, blank, scores, "scores", budget)
    B = len(found.counts)
    given = as_array(n_frames, "n_frames", f"{expected}, or {B} of them")
    if given.shape not in ((), (B,)):
        raise InputError(f"n_frames has {describe(given)}, but must be {expected}, or one for each of {B} targets")
    frames = [
        whole_number(count, f"n_frames[{b}]" if given.ndim else "n_frames", f"{expected} to {LARGEST}", 1, LARGEST)
        for b, count in enumerate(np.broadcast_to(given, B).tolist())
    ]
    padded = _padded(scores, found.counts, frames)
    ends = np.cumsum(found.counts).tolist()
    graphs = []
    for b, (T, end, U) in enumerate(zip(frames, ends, found.counts.tolist(), strict=True)):
        own = None if scores is None else scores[b] if padded is None else padded[b, :T, : U + 1]
        graphs.append(_lattice(T, found.labels[end - U : end], blank, own, f"scores[{b}]", budget))
    return graphs


def _padded(scores: Any, counts: Any, frames: list[int]) -> Any:
    """The array of all items' scores; None where these are given one by one, or not at all."""
    B = len(frames)
    if scores is None or (isinstance(scores, (list, tuple)) and len(scores) == B and B):
        return None
    array = as_array(scores, "scores", "real numbers of shape (B, T, U + 1, V), or a list of (T, U + 1, V)")
    least = (B, max(frames, default=0), int(counts.max(initial=-1)) + 1)
    if array.ndim != 4 or array.shape[0] != B or array.shape[1] < least[1] or array.shape[2] < least[2]:
        raise InputError(
            f"scores has {describe(array)}, but must be (B, T, U + 1, V) with B = {B}, T ≥ {least[1]}, "
            f"U + 1 ≥ {least[2]}"
        )
    return array


def _lattice(T: int, labels: Any, blank: int, scores: Any, name: str, budget: Limits) -> Graph:
    U = len(labels)
    row = U + 1
    n_states, n_arcs = T * row + 1, T * row - U + T * U
    budget.check_graph(f"the lattice of {T} frames and {U} labels", n_states, n_arcs)
    state = np.arange(T * row)
    t, u = np.divmod(state, row)
    # From each state: the blank, and the next label.
    src = np.repeat(state, 2)
    dst = np.stack([np.where(t < T - 1, state + row, T * row), state + 1], axis=1).reshape(-1)
    label = np.stack([np.full(T * row, blank), np.append(labels, 0)[u]], axis=1).reshape(-1)
    exists = np.stack([(t < T - 1) | (u == U), u < U], axis=1).reshape(-1)
    src, dst, label = src[exists], dst[exists], label[exists]
    topology = Topology.make(n_states, src, dst, label, None, [0], [n_states - 1])
    if scores is None:
        return Graph.from_topology(topology)
    values = _checked_scores(scores, name, T, row)
    V = values.shape[2]
    most = int(label.max())
    if most >= V:
        what = f"the blank {blank}" if most == blank else f"the label {most} of the target"
        raise InputError(f"{name} has {V} columns ({describe(values)}), but {what} is beyond them")
    if values.size > LARGEST:
        raise InputError(f"{name} has {values.size} entries, but a graph has at most {LARGEST} parameters")
    return Graph.from_topology(topology, values.reshape(-1), freeze((src * V + label).astype(np.int32)))


def _checked_scores(scores: Any, name: str, T: int, row: int) -> Any:
    expected = f"real numbers of shape ({T}, {row}, V): frames, labels of the target and one more, columns"
    array = as_array(scores, name, expected)
    if array.ndim != 3 or array.shape[:2] != (T, row) or (array.size and array.dtype.kind not in "fiu"):
        raise InputError(f"{name} has {describe(array)}, but must be {expected}")
    values = to_floats(array, np.float64)
    check_weights(values, name)
    return values
