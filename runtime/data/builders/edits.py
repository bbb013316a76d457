"""Edit distances: the transducer of single edits, and the strings that are few edits away from one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from arcgrad.compiler.graphs.topology import EPSILON, Topology
from arcgrad.compiler.limits import Limits
from arcgrad.grammar.errors import InputError
from arcgrad.runtime.data.arguments import real_number, whole_number
from arcgrad.runtime.data.builders.alphabet import labels_of, read_alphabet
from arcgrad.runtime.data.builders.options import checked_limits
from arcgrad.runtime.data.checks import LARGEST, as_array, check_weights, describe, freeze, to_floats
from arcgrad.runtime.data.graph import Graph
from arcgrad.runtime.data.symbols import SymbolTable

__all__ = ["edits", "levenshtein"]

Alphabet = int | str | SymbolTable | ArrayLike


def edits(
    alphabet: Alphabet,
    insertion: ArrayLike = -1.0,
    deletion: ArrayLike = -1.0,
    substitution: ArrayLike = -1.0,
    match: float | None = None,
    *,
    limits: Limits | None = None,
) -> Graph:
    """Build the transducer of edits: it inserts, deletes and replaces labels, each at a score, or lets them be.

    It has one state, which is start and accept::

        edits("ab"):    (0) --ε:a/insertion--> (0)      (0) --a:b/substitution--> (0)
                        (0) --a:ε/deletion--> (0)       (0) --a:a/match--> (0)

    So ``-MAX[A ∘ E ∘ B]`` is the edit distance of A and B, and ``LSE[A ∘ E ∘ B]`` sums over all ways of editing. Scores
    are not costs: an edit that costs 1 has the score −1, and one that is forbidden −inf.

    Args:
        alphabet: n for the labels 0 … n − 1, a text of distinct characters, a sequence of labels, or a symbol table.
        insertion: of each inserted label: a number, or (n,).
        deletion: of each deleted label: a number, or (n,).
        substitution: of the label i by j: a number, or (n, n), whose diagonal are the matches.
        match: of a label that stays; None: 0, or the diagonal of ``substitution``.
        limits: the most arcs; there are n² + 2 n.

    Returns:
        A transducer whose weights are the scores as given: insertion, deletion, substitution (row by row), and match
        unless it is a diagonal; arcs that share a number are tied, so a gradient has one entry for it.

    Raises:
        InputError: an alphabet that is none, a wrong shape or dtype, NaN or +inf.
        LimitError: more arcs than the limits allow.

    References:
        V. Levenshtein, 1966; E. Ristad and P. Yianilos, Learning String-Edit Distance, 1998.

    Example:
        >>> import arcgrad as ag
        >>> E = ag.graphs.edits("abcdefghijklmnopqrstuvwxyz")
        >>> distance = ag.compile('-MAX["kitten" ∘ E ∘ "sitting"]')
        >>> distance(E=E)
        3.0
        >>> distance.value_and_grad(E=E)[1]["E"]   # one insertion, no deletion, two substitutions, four matches
        array([-1.,  0., -2., -4.])
    """
    labels = read_alphabet(alphabet)
    n = len(labels)
    checked_limits(limits).check_graph(f"the edits of {n} labels", 1, n * n + 2 * n)
    parts = [_scores(insertion, "insertion", n, 1), _scores(deletion, "deletion", n, 1)]
    replaced = _scores(substitution, "substitution", n, 2)
    parts.append(replaced)
    if replaced.ndim and match is not None:
        raise InputError("match is given, but so is the diagonal of substitution", hint="leave match out")
    ties = [_entries(part, (n,), at) for part, at in zip(parts[:2], (0, parts[0].size), strict=True)]
    at = parts[0].size + parts[1].size
    pairs = _entries(replaced, (n, n), at)
    if not replaced.ndim:
        value = 0.0 if match is None else match
        parts.append(_scores(value, "match", n, 0))
        pairs = np.where(np.eye(n, dtype=np.bool_), at + 1, pairs)
    tie = np.concatenate([*ties, pairs.reshape(-1)]).astype(np.int32)
    own, silent = np.array(labels, dtype=np.int32), np.full(n, EPSILON, dtype=np.int32)
    zeros = np.zeros(len(tie), dtype=np.int32)
    ilabel = np.concatenate([silent, own, np.repeat(own, n)])
    olabel = np.concatenate([own, silent, np.tile(own, n)])
    weight = np.concatenate([part.reshape(-1) for part in parts])
    return Graph.from_topology(Topology.make(1, zeros, zeros, ilabel, olabel, [0], [0]), weight, freeze(tie))


def _scores(value: Any, name: str, n: int, n_axes: int) -> NDArray[np.float64]:
    shape = (n,) * n_axes
    expected = f"a number, or real numbers of shape {shape}" if n_axes else "a number"
    array = as_array(value, name, expected)
    if array.shape not in ((), shape) or (array.size and array.dtype.kind not in "fiu"):
        raise InputError(f"{name} has {describe(array)}, but must be {expected}")
    values = to_floats(array, np.float64)
    check_weights(values.reshape(-1), name)
    return values


def _entries(part: NDArray[np.float64], shape: tuple[int, ...], at: int) -> NDArray[np.int64]:
    """Which weights the arcs of a kind have, of those that begin at ``at``."""
    return at + (np.arange(part.size).reshape(shape) if part.ndim else np.zeros(shape, dtype=np.int64))


def levenshtein(
    string: str | ArrayLike,
    distance: int,
    alphabet: Alphabet,
    *,
    score: float = -1.0,
    limits: Limits | None = None,
) -> Graph:
    """Build the acceptor of all strings within a given edit distance of one: its neighbourhood.

    Each is accepted along one path, whose weight is the score of an edit times its distance, the least number of
    insertions, deletions and replacements::

        levenshtein("a", 1, "ab"):    0 --a--> (1)     a state says how far what was read is from each beginning of
                                      0 --b--> 2       the string: from the whole string by 0 in state 1, which
                                      0 --ε--> (4)     accepts, by 1 in 0, 2 and 3, whence an ε arc of the score −1
                                      …                goes to the other accept

    Args:
        string: a text, whose characters stand for their code points, or labels.
        distance: the most edits, 0 or more.
        alphabet: what may be inserted and put in, as for ``edits``; the string's own labels are among it.
        score: of one edit, in nats; 0 makes a plain language, without ε arcs.
        limits: the most states and arcs.

    Returns:
        A deterministic acceptor but for ε arcs into its last state; states are numbered breadth first.

    Raises:
        InputError: an alphabet or a string that is none, or labels of the string beyond the alphabet.
        LimitError: more states or arcs than the limits allow.

    References:
        K. Schulz and S. Mihov, Fast String Correction with Levenshtein Automata, 2002.

    Example:
        >>> import arcgrad as ag
        >>> near = ag.graphs.levenshtein("cat", 1, "abcdefghijklmnopqrstuvwxyz")
        >>> best = ag.compile('MAX[N ∘ W]')
        >>> [best(N=near, W=ag.linear(word)) for word in ("cat", "cart", "at", "bad")]
        [0.0, -1.0, -1.0, -inf]
    """
    labels = read_alphabet(alphabet)
    target = labels_of(string, "string")
    k = whole_number(distance, "distance", f"an integer from 0 to {LARGEST}", 0, LARGEST)
    per_edit = real_number(score, "score", "a real number up to 1e300", lambda s: -1e300 <= s <= 1e300)
    strange = next((at for at, label in enumerate(target) if label not in set(labels)), None)
    if strange is not None:
        raise InputError(f"string[{strange}] is {target[strange]}, which is not in the alphabet")
    budget = checked_limits(limits)
    # A state is a row of the table of distances: how far what was read is from each beginning of the string.
    first = tuple(min(at, k + 1) for at in range(len(target) + 1))
    number = {first: 0}
    rows = [first]
    kinds = sorted(set(target))
    others = [label for label in labels if label not in set(target)]
    arcs: list[tuple[int, int, list[int]]] = []
    n_arcs = 0
    for row in rows:
        source = number[row]
        groups = [([label], label) for label in kinds] + ([(others, -1)] if others else [])
        for group, label in groups:
            after = _next_row(row, target, label, k)
            if min(after) > k:
                continue
            if after not in number:
                number[after] = len(rows)
                rows.append(after)
            arcs.append((source, number[after], group))
            n_arcs += len(group)
        budget.check("the neighbourhood", states=len(rows), arcs=n_arcs, at_least=True, smaller="lower distance")
    src = np.repeat([source for source, _, _ in arcs], [len(group) for _, _, group in arcs]).astype(np.int32)
    dst = np.repeat([after for _, after, _ in arcs], [len(group) for _, _, group in arcs]).astype(np.int32)
    label_of = np.array([label for _, _, group in arcs for label in group], dtype=np.int32)
    away = np.array([row[-1] for row in rows])
    far = np.flatnonzero((away > 0) & (away <= k)) if per_edit else np.zeros(0, dtype=np.int64)
    accept = np.flatnonzero(away == 0 if per_edit else away <= k)
    n = len(rows)
    if len(far):
        accept = np.append(accept, n)
    order = np.lexsort((label_of, src))
    topology = Topology.make(
        n + (len(far) > 0),
        np.concatenate([src[order], far]),
        np.concatenate([dst[order], np.full(len(far), n)]),
        np.concatenate([label_of[order], np.full(len(far), EPSILON)]),
        None,
        [0],
        accept,
    )
    return Graph.from_topology(topology, np.concatenate([np.zeros(len(src)), per_edit * away[far]]))


def _next_row(row: tuple[int, ...], target: list[int], label: int, k: int) -> tuple[int, ...]:
    """The distances once one more label was read, those above k as k + 1."""
    after = [min(row[0] + 1, k + 1)]
    for at, expected in enumerate(target):
        after.append(min(row[at] + (label != expected), row[at + 1] + 1, after[at] + 1, k + 1))
    return tuple(after)
