"""Graphs of connectionist temporal classification: the topology of all targets, and the alignments of given ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.topology import EPSILON, Topology
from arcgrad.compiler.limits import Limits
from arcgrad.grammar.errors import InputError
from arcgrad.runtime.data.arguments import whole_number
from arcgrad.runtime.data.builders.options import checked_flag, checked_limits
from arcgrad.runtime.data.builders.targets import Targets, read_targets
from arcgrad.runtime.data.checks import LARGEST, freeze
from arcgrad.runtime.data.graph import Graph

__all__ = ["alignments", "ctc_topology"]


def ctc_topology(n_labels: int, blank: int = 0, *, modified: bool = False, limits: Limits | None = None) -> Graph:
    """Build the transducer from frames to targets: it reads one label a frame, and writes each run of one label once.

    Blanks are read and not written, and a blank between two equal labels keeps them apart::

        ctc_topology(2):    (0) --0:ε--> (0)       state 0: a blank was read last, or nothing yet
                            (0) --1:1--> (1)
                            (1) --0:ε--> (0)       state 1: label 1 was read last
                            (1) --1:ε--> (1)

    So ``LSE[X ∘ T ∘ Y]`` sums over all alignments of the target Y; ``alignments`` has ``T ∘ Y`` ready made.

    Args:
        n_labels: number of labels, the blank included: the columns of the scores.
        blank: which of them is the blank.
        modified: need no blank between two equal labels; arcs are then linear in the number of labels instead of
            quadratic. A run of n frames of one label is then one label or two … or n of them.
        limits: the most arcs; there are n_labels² of them, or 4 n_labels − 3 where ``modified``.

    Returns:
        A transducer. State 0 is the start; the other labels' states follow in their order. All states accept, or with
        ``modified`` state 0 alone. Each way of reading frames is one path, of weight 0.

    Raises:
        InputError: no such number of labels, or a blank that is none of them.
        LimitError: more arcs than the limits allow.

    References:
        A. Graves and others, Connectionist Temporal Classification, ICML 2006.

    Example:
        >>> import arcgrad as ag
        >>> T = ag.graphs.ctc_topology(3)
        >>> T
        Graph(3 states, 9 arcs, transducer, start 0, accept 0 1 2)
        >>> ag.compile("out[X ∘ T]")(X=ag.linear([0, 1, 1, 0, 1, 2]), T=T).olabel
        array([-1,  1, -1, -1,  1,  2], dtype=int32)
    """
    C = whole_number(n_labels, "n_labels", f"an integer from 1 to {LARGEST}", 1, LARGEST)
    blank = whole_number(blank, "blank", f"an integer from 0 to {C - 1}, one of the labels", 0, C - 1)
    checked_flag(modified, "modified")
    n_arcs = 4 * C - 3 if modified else C * C
    budget = checked_limits(limits)
    budget.check_graph(f"CTC's topology of {C} labels", C, n_arcs, smaller="" if modified else "give modified=True")
    labels = np.concatenate([[blank], np.delete(np.arange(C), blank)]).astype(np.int32)
    state = np.empty(C, dtype=np.int32)
    state[labels] = np.arange(C)
    if not modified:
        src = np.repeat(np.arange(C, dtype=np.int32), C)
        ilabel = np.tile(np.arange(C, dtype=np.int32), C)
        silent = (ilabel == blank) | (ilabel == labels[src])
        olabel = np.where(silent, EPSILON, ilabel)
        return Graph.from_topology(Topology.make(C, src, state[ilabel], ilabel, olabel, [0], np.arange(C)))
    # From state 0: the blank; then each label alone, and as the first of several. From a label's state: stay, or end.
    own, states = labels[1:], np.arange(1, C)
    zeros, silent = np.zeros(C - 1, dtype=np.int32), np.full(C - 1, EPSILON)
    columns = [
        (_pairs(zeros, zeros), _pairs(zeros, states), _pairs(own, own), _pairs(own, own)),
        (_pairs(states, states), _pairs(states, zeros), _pairs(own, own), _pairs(silent, silent)),
    ]
    src, dst, ilabel, olabel = (
        np.concatenate([[first], *both]) for first, *both in zip((0, 0, blank, EPSILON), *columns, strict=True)
    )
    return Graph.from_topology(Topology.make(C, src, dst, ilabel, olabel, [0], [0]))


def _pairs(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    """Entries of both in turn."""
    return np.stack([first, second], axis=1).reshape(-1)


def alignments(
    targets: Any,
    blank: int | None = 0,
    *,
    optional_blank: bool = True,
    lengths: Any = None,
    n_labels: int | None = None,
    transducer: bool = False,
) -> Any:
    """Build the graph of all alignments of a target, or those of a whole batch at once.

    Each label of the target is read over one frame or more, with blanks between any two if they like, and one at least
    between equal labels::

        alignments([7, 8]):   0 --0--> 1     a blank first, or
                              0 --7--> 2     the first label
                              1 --7--> 2     states 1, 3, 5: a blank was read last; 2, 4: a label
                              2 --0--> 3
                              2 --8--> 4     not where both labels are equal
                              3 --8--> 4
                              4 --0--> 5     accepts: 4 and 5; and each state but 0 reads its own symbol again

    So the CTC loss is ``LSE[X] - LSE[X ∘ Y]`` with Y these graphs. A batch is built in one go: 32 targets of 50 labels
    take about 0.3 ms, an eighth of what they take one by one.

    Args:
        targets: one sequence of labels; or a batch: a list of sequences, an array (B, U), or, as torch has it, all
            targets one after the other, with ``lengths``. An empty sequence is the target of no labels (and ``[]`` one
            such, a batch of none being ``np.zeros((0, 0), int)``).
        blank: the label of the blank, which no target may hold; None: there are no blanks, and each label is read over
            one frame or more; a run of equal labels then has an alignment for each way of dividing it.
        optional_blank: whether two different labels may follow one another without a blank between them.
        lengths: (B,) how many labels each target of an array has; what stands after them may be anything.
        n_labels: number of labels, the blank included; labels beyond it are refused. None: any label will do.
        transducer: write each label of the target as it is begun, and ε elsewhere; else the graphs are acceptors.

    Returns:
        For one target a Graph; for a batch the list of them. State 0 is the start; state k says that the k-th symbol of
        blank, label, blank, … blank was read last. Arcs are in the order of their sources, and of their destinations.
        All weights are 0. Graphs of a batch share memory.

    Raises:
        InputError: a wrong shape or dtype, a label that is negative, beyond ``n_labels``, or the blank.

    References:
        A. Graves and others, Connectionist Temporal Classification, ICML 2006, section 4.1.

    Example:
        >>> import arcgrad as ag, numpy as np
        >>> ag.graphs.alignments([7, 8])
        Graph(6 states, 12 arcs, acceptor, start 0, accept 4 5)
        >>> scores = np.log(np.full((3, 9), 1 / 9))
        >>> ways = ag.compile("COUNT[X ∘ Y]")(X=ag.dense(scores), Y=ag.graphs.alignments([7, 8]))
        >>> ways   # 778 788 078 708 780
        5
        >>> [g.n_arcs for g in ag.graphs.alignments([[7, 8], [7, 7], []])]
        [12, 11, 2]
    """
    checked_flag(optional_blank, "optional_blank")
    checked_flag(transducer, "transducer")
    if blank is not None:
        blank = whole_number(blank, "blank", "None or a label, an integer from 0", 0, LARGEST)
    elif not optional_blank:
        raise InputError("optional_blank is False, but blank is None: there is no blank to be demanded")
    found = read_targets(targets, lengths, blank, n_labels)
    graphs = _without_blanks(found, transducer) if blank is None else _blanks(found, blank, optional_blank, transducer)
    return graphs if found.is_batch else graphs[0]


def _blanks(targets: Targets, blank: int, optional: bool, transducer: bool) -> list[Graph]:
    """All targets at once: from each state, up to three arcs, to itself and to the next two."""
    sizes = 2 * targets.counts + 2
    ends = np.cumsum(sizes)
    begins = ends - sizes
    n = int(ends[-1]) if len(ends) else 0
    # The symbol that leads into each state; those of the starts are never read.
    symbol = np.full(n + 2, blank, dtype=np.int32)
    first_labels = np.cumsum(targets.counts) - targets.counts
    at = np.arange(len(targets.labels)) - np.repeat(first_labels, targets.counts)
    symbol[np.repeat(begins, targets.counts) + 2 * at + 2] = targets.labels
    state = np.arange(n, dtype=np.int32) - np.repeat(begins, sizes).astype(np.int32)
    last = np.repeat(sizes - 1, sizes)
    exists = np.empty((n, 3), dtype=np.bool_)
    exists[:, 0] = state > 0
    exists[:, 1] = state < last
    is_label = (state & 1) == 0
    exists[:, 2] = is_label & (state + 2 <= last)
    if optional:
        exists[:, 2] &= (symbol[2:] != symbol[:-2]) | (state == 0)
    else:
        exists[:, 2] &= state == 0
    chosen = np.flatnonzero(exists)
    source, step = np.divmod(chosen, 3)
    src = state[source]
    dst = src + step.astype(np.int32)
    ilabel = symbol[source + step]
    olabel = np.where((step > 0) & ((dst & 1) == 0), ilabel, np.int32(EPSILON)) if transducer else ilabel
    n_arcs = np.add.reduceat(exists.sum(axis=1), begins) if len(begins) else np.zeros(0, dtype=np.int64)
    accept = np.stack([sizes - 2, sizes - 1], axis=1).astype(np.int32)
    return _cut(sizes, n_arcs, (src, dst, ilabel, olabel), accept)


def _without_blanks(targets: Targets, transducer: bool) -> list[Graph]:
    """All targets at once: from each state an arc to itself, and one to the next."""
    sizes = targets.counts + 1
    begins = np.cumsum(sizes) - sizes
    n = int(sizes.sum())
    symbol = np.full(n + 1, EPSILON, dtype=np.int32)
    state = np.arange(n, dtype=np.int32) - np.repeat(begins, sizes).astype(np.int32)
    symbol[:-1][state > 0] = targets.labels
    exists = np.empty((n, 2), dtype=np.bool_)
    exists[:, 0] = state > 0
    exists[:, 1] = state < np.repeat(sizes - 1, sizes)
    source, step = np.divmod(np.flatnonzero(exists), 2)
    src = state[source]
    ilabel = symbol[source + step]
    olabel = np.where(step > 0, ilabel, np.int32(EPSILON)) if transducer else ilabel
    accept = (sizes - 1)[:, None].astype(np.int32)
    return _cut(sizes, 2 * targets.counts, (src, src + step.astype(np.int32), ilabel, olabel), accept)


_START = freeze(np.zeros(1, dtype=np.int32))


def _cut(sizes: Any, n_arcs: Any, columns: tuple[Any, Any, Any, Any], accept: Any) -> list[Graph]:
    """The graphs whose arcs stand one after the other in these arrays, which they share."""
    src, dst, ilabel, olabel = (freeze(np.ascontiguousarray(column, dtype=np.int32)) for column in columns)
    is_acceptor = columns[2] is columns[3]
    freeze(accept)
    weight = freeze(np.zeros(len(src)))
    graphs, at = [], 0
    for item, (size, count) in enumerate(zip(sizes.tolist(), n_arcs.tolist(), strict=True)):
        arcs = slice(at, at + count)
        inputs = ilabel[arcs]
        outputs = inputs if is_acceptor else olabel[arcs]
        topology = Topology(size, src[arcs], dst[arcs], inputs, outputs, _START, accept[item])
        graphs.append(Graph.from_topology(topology, weight[arcs]))
        at += count
    return graphs
