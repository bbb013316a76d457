"""The lattice of the RNN transducer."""

from __future__ import annotations

from typing import Any

import numpy as np

from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.limits import Limits
from arcgrad.grammar.errors import InputError
from arcgrad.runtime.data.arguments import whole_number
from arcgrad.runtime.data.builders.alignments import checked_limits
from arcgrad.runtime.data.builders.targets import read_targets
from arcgrad.runtime.data.checks import LARGEST, as_array, check_weights, describe, freeze, to_floats
from arcgrad.runtime.data.graph import Graph

__all__ = ["rnnt_lattice"]


def rnnt_lattice(
    n_frames: int, target: Any, blank: int = 0, *, scores: Any = None, limits: Limits | None = None
) -> Graph:
    """Build the lattice of an RNN transducer for one target: all ways of laying its labels between frames.

    State (t, u) has seen t frames and written u labels; a blank goes on to the next frame, a label to the next label::

        rnnt_lattice(2, [7]):   (0,0) --0--> (1,0)        states row by row: (t, u) is t · (U + 1) + u
                                (0,0) --7--> (0,1)
                                (0,1) --0--> (1,1)
                                (1,0) --7--> (1,1)
                                (1,1) --0--> (2,1)        the last blank ends the path

    So the loss is ``-LSE[R]``.

    Args:
        n_frames: T, at least 1.
        target: (U,) labels; U = 0 is legal.
        blank: the label of the blank, which the target may not hold.
        scores: (T, U + 1, V) scores in nats of each label in each state, usually log-probabilities. They become the
            graph's weights, flattened, and each arc is tied to its own, so that a gradient with respect to the graph,
            reshaped, is one with respect to the scores. None: all weights are 0.
        limits: the most states and arcs.

    Returns:
        An acceptor of T (U + 1) + 1 states, with T (U + 1) − U arcs of blanks and T U of labels: by their sources, and
        from each the blank first.

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
    T = whole_number(n_frames, "n_frames", f"an integer from 1 to {LARGEST}", 1, LARGEST)
    blank = whole_number(blank, "blank", "a label, an integer from 0", 0, LARGEST)
    values = None if scores is None else _checked_scores(scores)
    found = read_targets(target, None, blank, None if values is None else values.shape[2])
    if found.is_batch:
        raise InputError("target is a batch, but a lattice is of one target", hint="build one for each target")
    U = len(found.labels)
    if values is not None and values.shape[:2] != (T, U + 1):
        raise InputError(
            f"scores has {describe(values)}, but must be ({T}, {U + 1}, V): n_frames, the target's labels and one more"
        )
    row = U + 1
    n_states, n_arcs = T * row + 1, T * row - U + T * U
    checked_limits(limits).check_graph(f"the lattice of {T} frames and {U} labels", n_states, n_arcs)
    state = np.arange(T * row)
    t, u = np.divmod(state, row)
    # From each state: the blank, and the next label.
    src = np.repeat(state, 2)
    dst = np.stack([np.where(t < T - 1, state + row, T * row), state + 1], axis=1).reshape(-1)
    label = np.stack([np.full(T * row, blank), np.append(found.labels, 0)[u]], axis=1).reshape(-1)
    exists = np.stack([(t < T - 1) | (u == U), u < U], axis=1).reshape(-1)
    src, dst, label = src[exists], dst[exists], label[exists]
    topology = Topology.make(n_states, src, dst, label, None, [0], [n_states - 1])
    if values is None:
        return Graph.from_topology(topology)
    V = values.shape[2]
    if blank >= V:
        raise InputError(f"blank is {blank}, but scores has {V} columns ({describe(values)})")
    if values.size > LARGEST:
        raise InputError(f"scores has {values.size} entries, but a graph has at most {LARGEST} parameters")
    tie = freeze((src * V + label).astype(np.int32))
    return Graph.from_topology(topology, values.reshape(-1), tie)


def _checked_scores(scores: Any) -> Any:
    array = as_array(scores, "scores", "real numbers of shape (T, U + 1, V)")
    if array.ndim != 3 or (array.size and array.dtype.kind not in "fiu"):
        raise InputError(f"scores has {describe(array)}, but must be real numbers of shape (T, U + 1, V)")
    values = to_floats(array, np.float64)
    check_weights(values, "scores")
    return values
