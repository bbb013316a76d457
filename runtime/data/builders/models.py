"""Models of label sequences: pairs of neighbours, and n-grams that back off."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from arcgrad.compiler.graphs.topology import EPSILON, Topology
from arcgrad.compiler.limits import Limits
from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import kind_of, shown
from arcgrad.runtime.data.arguments import real_number, whole_number
from arcgrad.runtime.data.builders.options import checked_limits
from arcgrad.runtime.data.checks import LARGEST, as_array, check_weights, describe, to_floats, weights_array
from arcgrad.runtime.data.formats.backoff import MissingContext, NGrams, backoff_graph
from arcgrad.runtime.data.graph import Graph

__all__ = ["bigram", "ngram"]


def bigram(scores: ArrayLike, start: ArrayLike | None = None, end: ArrayLike | None = None) -> Graph:
    """Build the model that scores each label by the one before it: the transitions of a CRF, of ASG, of an HMM.

    States are what was read last, and every label may follow every other::

        bigram([[a, b],      (1) --0/a--> (1)   (2) --0/c--> (1)     state 0: nothing was read
                [c, d]]):    (1) --1/b--> (2)   (2) --1/d--> (2)     state 1 + i: label i was read last;
                             (0) --0--> (1)     (0) --1--> (2)       all these accept

    Args:
        scores: (C, C) in nats; ``scores[i, j]`` is that of label j behind label i.
        start: (C,) scores of each label as the first one; None: 0.
        end: (C,) scores of each label as the last one, on ε arcs into one more state, which alone accepts; None: 0, and
            no such arcs.

    Returns:
        An acceptor of all strings of one label or more. Its weights are ``scores`` row by row, then ``start``, then
        ``end``: a gradient's first C² entries, reshaped to (C, C), are the one with respect to ``scores``.

    Raises:
        InputError: a wrong shape or dtype, NaN or +inf.

    References:
        R. Collobert and others, Wav2Letter, 2016, section 2.3 (ASG); J. Lafferty and others, Conditional Random Fields,
        2001.

    Example:
        >>> import arcgrad as ag, numpy as np
        >>> B = ag.graphs.bigram([[0.0, 1.0], [2.0, 3.0]], start=[0.25, 0.5])
        >>> B
        Graph(3 states, 6 arcs, acceptor, start 0, accept 1 2)
        >>> value, gradient = ag.compile("LSE[S ∘ B]").value_and_grad(S=ag.linear([1, 0, 1]), B=B, wrt="B")
        >>> value, gradient["B"][:4].reshape(2, 2).round(9).tolist()   # 0.5 + 2 + 1
        (3.5, [[0.0, 1.0], [1.0, 0.0]])
    """
    array = as_array(scores, "scores", "real numbers of shape (C, C)")
    if array.ndim != 2 or array.shape[0] != array.shape[1] or (array.size and array.dtype.kind not in "fiu"):
        hint = "scores of the first label are given by start=" if array.ndim == 2 else None
        raise InputError(f"scores has {describe(array)}, but must be real numbers of shape (C, C)", hint=hint)
    values = to_floats(array, np.float64)
    check_weights(values, "scores")
    C = len(values)
    before, after = np.divmod(np.arange(C * C), C) if C else (np.zeros(0, int), np.zeros(0, int))
    labels = np.arange(C)
    first = np.zeros(C) if start is None else weights_array(start, "start", C, "labels")
    src, dst, label = [1 + before, np.zeros(C, int)], [1 + after, 1 + labels], [after, labels]
    weight = [values.reshape(-1), first]
    if end is not None:
        src.append(1 + labels)
        dst.append(np.full(C, C + 1))
        label.append(np.full(C, EPSILON))
        weight.append(weights_array(end, "end", C, "labels"))
    accept = 1 + labels if end is None else [C + 1]
    sources, destinations, labels_read = (np.concatenate(column) for column in (src, dst, label))
    n_states = C + 1 + (end is not None)
    topology = Topology.make(n_states, sources, destinations, labels_read, None, [0], accept)
    return Graph.from_topology(topology, np.concatenate(weight))


Gram = tuple[int | None, ...]


def ngram(
    counts: Mapping[Gram, float],
    *,
    discount: float = 0.5,
    n_labels: int | None = None,
    backoff: str = "exact",
    limits: Limits | None = None,
) -> Graph:
    """Build the n-gram model of counts: absolute discounting, backing off to shorter contexts.

    A label w has the probability ``(count(h w) − discount) / count(h)`` after a context h where ``h w`` was counted;
    what the discounts leave goes to the labels that were not, in proportion to their probabilities after the shorter
    context, and in the empty context to all labels alike. All probabilities after a context sum to 1. States are
    contexts::

        ngram({(None, 7): 1, (7, None): 1}):    (start) --7--> (7) --ε--> ((end)), and the empty context, to which
                                                the others back off: after the start for the end, after 7 for another 7

    A model in the ARPA form is read by ``ag.load("lm.arpa")``.

    Args:
        counts: how often each n-gram occurs, all of one length n; a Counter, or expected counts. Labels are integers;
            None stands before a string's first label, n − 1 times, and behind its last. (Without any None at the end,
            strings end anywhere, and weigh what their labels do.) Shorter n-grams are counted from these.
        discount: what is taken off each count, from 0 to below 1.
        n_labels: labels are 0 … n_labels − 1, counted or not; None: those that are counted.
        backoff: "exact" gives each context an arc for every label, so that a string has one path; with "epsilon", what
            backs off does so by ε arcs, and a string may have paths beside the one that the model means.
        limits: the most arcs of an exact model: contexts times labels.

    Returns:
        An acceptor whose paths weigh log P(string and its end).

    Raises:
        InputError: no counts, n-grams of several lengths, labels out of range, or counts that no strings have.
        LimitError: more arcs than the limits allow.

    References:
        H. Ney, U. Essen and R. Kneser, On Structuring Probabilistic Dependences in Stochastic Language Modelling, 1994.

    Example:
        >>> import arcgrad as ag, math
        >>> from collections import Counter
        >>> counts = Counter()
        >>> for text in ("ab", "ab", "b"):
        ...     labels = [None, *map(ord, text), None]
        ...     counts.update(zip(labels, labels[1:]))
        >>> model = ag.graphs.ngram(counts)
        >>> score = ag.compile("LSE[S ∘ M]")(S=ag.linear("ab"), M=model)
        >>> round(math.exp(score), 6)   # P(a | start) P(b | a) P(end | b) = 1.5/3 · 1.5/2 · 2.5/3
        0.3125
    """
    if backoff not in ("exact", "epsilon"):
        raise InputError(f"backoff is {shown(backoff)}, but must be 'exact' or 'epsilon'")
    discount = real_number(discount, "discount", "a number from 0 to below 1", lambda d: 0.0 <= d < 1.0)
    budget = checked_limits(limits)
    grams = _checked_counts(counts)
    seen = {word for gram in grams for word in gram if word is not None}
    if n_labels is not None:
        size = whole_number(n_labels, "n_labels", f"an integer from 1 to {LARGEST}", 1, LARGEST)
        if max(seen, default=0) >= size:
            raise InputError(
                f"counts have the label {max(seen)}, but n_labels={size} says that labels go to {size - 1}"
            )
        budget.check("the vocabulary", arcs=size)
        seen = set(range(size))
    labels = sorted(seen)
    has_end = any(gram[-1] is None for gram in grams)
    events: list[int | None] = [*labels, None] if has_end else [*labels]
    models, weights = _discounted(grams, events, discount)
    # Words: the labels, the end, and what stands before strings; both are None, but at different places.
    number: dict[int | None, int] = {event: k for k, event in enumerate(events)}
    begin = len(events)
    orders = []
    for length, tables in enumerate(models):
        rows, scores, backoffs = [], [], []
        if length == 0:
            rows, scores, backoffs = [[begin]], [0.0], [weights.get((None,), 0.0)]
        for context, table in tables.items():
            prefix = [begin if word is None else number[word] for word in context]
            for word, probability in table.items():
                rows.append([*prefix, number[word]])
                scores.append(math.log(probability))
                backoffs.append(0.0 if word is None else weights.get((*context, word), 0.0))
        words = np.array(rows, dtype=np.int64).reshape(-1, length + 1)
        orders.append(NGrams(words, np.array(scores), np.array(backoffs)))
    try:
        numbers = np.array([*(EPSILON if event is None else event for event in events), EPSILON], dtype=np.int64)
        end = number.get(None)
        read = backoff_graph(orders, numbers, begin, end, backoff == "exact", budget)
    except MissingContext as error:
        row = orders[error.order - 1].words[error.row].tolist()
        gram = tuple(None if word >= len(labels) else labels[word] for word in row)
        raise InputError(
            f"counts: {gram} is counted, but no n-gram ends in {gram[:-1]}: these are no counts of strings",
            hint="count all n-grams of a string, from n − 1 times None before it to one None behind it",
        ) from None
    return Graph.from_topology(read.topology, read.weight)


def _checked_counts(counts: Any) -> dict[Gram, float]:
    """N-grams with positive counts."""
    form = "a mapping from n-grams, tuples of labels, to how often they occur"
    if not isinstance(counts, Mapping):
        hint = "collections.Counter makes one; a model in the ARPA form is read by ag.load"
        raise InputError(f"counts is {kind_of(counts)}, but must be {form}", hint=hint)
    grams: dict[Gram, float] = {}
    lengths: dict[int, Gram] = {}
    for gram, count in counts.items():
        if not isinstance(gram, tuple) or not gram:
            raise InputError(f"counts has the key {shown(gram)}, but must be {form}")
        name = f"counts[{shown(gram)}]"
        words = tuple(
            None
            if w is None
            else whole_number(w, f"a label of {name}", f"None or an integer from 0 to {LARGEST}", 0, LARGEST)
            for w in gram
        )
        begins = next((k for k, word in enumerate(words[:-1]) if word is not None), len(words) - 1)
        if None in words[begins:-1]:
            raise InputError(f"{name} has None in the middle, but None stands before and behind strings")
        value = real_number(count, name, "a count: a number from 0", lambda c: 0.0 <= c < math.inf)
        lengths.setdefault(len(gram), gram)
        if value > 0.0:
            grams[words] = value
    if len(lengths) > 1:
        one, other = list(lengths.values())[:2]
        raise InputError(f"counts has n-grams of several lengths, such as {one} and {other}, but must have one")
    if not grams:
        raise InputError("counts are all 0, or none: there is nothing to make a model of")
    return grams


def _discounted(
    grams: dict[Gram, float], events: list[int | None], discount: float
) -> tuple[list[dict[Gram, dict[int | None, float]]], dict[Gram, float]]:
    """For each length of contexts, each context's probabilities; and the log back-off weights of contexts."""
    models: list[dict[Gram, dict[int | None, float]]] = []
    weights: dict[Gram, float] = {}
    known: dict[Gram, dict[int | None, float]] = {}

    def probability(context: Gram, word: int | None) -> float:
        """P(word | context): of the longest context that knows the word, times back-off weights."""
        factor = 0.0
        while word not in known.get(context, ()):
            factor += weights.get(context, 0.0)
            context = context[1:]
        return known[context][word] * math.exp(factor)

    for length in range(len(next(iter(grams)))):
        counted: dict[Gram, dict[int | None, float]] = {} if length else {(): dict.fromkeys(events, 0.0)}
        for gram, count in grams.items():
            context = gram[len(gram) - 1 - length : -1]
            if context[:2] != (None, None):  # where a string has only begun, the shorter context says all
                table = counted.setdefault(context, {})
                table[gram[-1]] = table.get(gram[-1], 0.0) + count
        for context, table in counted.items():
            total = sum(table.values())
            found = {word: max(count - discount, 0.0) / total for word, count in table.items()}
            left = sum(min(count, discount) for count in table.values()) / total
            if length == 0:
                found = {word: p + left / len(events) for word, p in found.items()}
                left = 0.0
            found = {word: p for word, p in found.items() if p > 0.0}
            unseen = 1.0 - sum(probability(context[1:], word) for word in found) if length else 0.0
            if len(found) == len(events) or unseen <= 1e-12:
                scale = sum(found.values())
                found = {word: p / scale for word, p in found.items()}
            elif length:
                weights[context] = math.log(left / unseen) if left > 0.0 else -math.inf
            counted[context] = found
        known.update(counted)
        models.append(counted)
    return models, weights
