"""Back-off language models as graphs: a trie of n-grams, links to shorter contexts, and arcs. No format of its own.

The states of the graph are contexts (n-grams that others continue), the root the empty one. A word's arc leads to the
longest context that ends in it. Where a context lacks a word, the model's probability of it is the context's back-off
weight times what the context without its first word gives: an arc without a label, or, expanded, an arc of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.topology import EPSILON
from arcgrad.compiler.limits import Limits
from arcgrad.runtime.data.bare_graph import BareGraph

__all__ = ["MissingContext", "NGrams", "RepeatedNGram", "backoff_graph"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class NGrams:
    """All n-grams of one length n.

    Attributes:
        words: (m, n) numbers of words.
        score: (m,) log-probabilities of the last word after the others, in nats.
        backoff: (m,) log back-off weights as a context, in nats; 0 where none is given.
    """

    words: Ints
    score: Floats
    backoff: Floats


class MissingContext(Exception):  # noqa: N818 — whoever reads a file says where
    """The n-gram ``row`` of length ``order`` continues one that is not there."""

    def __init__(self, order: int, row: int) -> None:
        super().__init__(order, row)
        self.order, self.row = order, row


class RepeatedNGram(MissingContext):
    """The n-gram ``row`` of length ``order`` was there before."""


@dataclass(frozen=True, slots=True)
class _Trie:
    """Nodes: the root, then the n-grams by length, each in the order given.

    Attributes:
        parent, word: what a node continues, and by which word; −1 for the root.
        fail: the longest n-gram that is a proper suffix of the node's.
        firsts: number of the first node of each length, 0 included, and how many nodes there are.
    """

    parent: Ints
    word: Ints
    fail: Ints
    firsts: list[int]


def _trie(orders: Sequence[NGrams], n_words: int) -> _Trie:
    parent, word, fail = [np.full(1, -1)], [np.full(1, -1)], [np.zeros(1, dtype=np.int64)]
    keys = np.zeros(0, dtype=np.int64)
    nodes = np.zeros(0, dtype=np.int64)
    all_fail = fail[0]
    firsts = [0, 1]

    def child(of: Ints, by: Ints) -> Ints:
        """The nodes that continue others by words; −1 where there is none."""
        if not len(keys):
            return np.full(len(of), -1)
        wanted = of * n_words + by
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(keys[at] == wanted, nodes[at], -1)

    for order, grams in enumerate(orders, 1):
        at = np.zeros(len(grams.words), dtype=np.int64)
        for column in grams.words.T[:-1]:
            at = child(at, column)
            if np.any(at < 0):
                raise MissingContext(order, int(np.argmax(at < 0)))
        last = grams.words[:, -1]
        links = np.zeros(len(at), dtype=np.int64)
        if order > 1:
            pending, shorter = np.arange(len(at)), all_fail[at]
            while len(pending):
                found = child(shorter, last[pending])
                links[pending] = np.maximum(found, 0)
                missing = (found < 0) & (shorter > 0)
                pending, shorter = pending[missing], all_fail[shorter[missing]]
        own = at * n_words + last
        order_of = np.argsort(own, kind="stable")
        own = own[order_of]
        repeated = np.flatnonzero(own[1:] == own[:-1])
        if len(repeated):
            raise RepeatedNGram(order, int(order_of[repeated + 1].min()))
        # Parents of longer n-grams have larger numbers, so the keys stay sorted.
        keys = np.concatenate([keys, own])
        nodes = np.concatenate([nodes, firsts[-1] + order_of])
        parent.append(at)
        word.append(last)
        fail.append(links)
        all_fail = np.concatenate(fail)
        firsts.append(firsts[-1] + len(at))
    return _Trie(np.concatenate(parent), np.concatenate(word), all_fail, firsts)


def backoff_graph(
    orders: Sequence[NGrams],
    labels: Ints,
    begin: int | None,
    end: int | None,
    exact: bool = False,
    limits: Limits | None = None,
) -> BareGraph:
    """The graph of a back-off model; a string's path ends in an arc without a label into the one accept.

    Args:
        orders: the n-grams of length 1, 2, …; every word is a 1-gram.
        labels: (n_words,) the label of each word.
        begin: the word that stands before each string; None: strings begin in the empty context.
        end: the word that stands after each string; None: a string may end anywhere, with weight 0.
        exact: whether contexts have an arc for each word, so that a string has one path, instead of one for the words
            that they list and a back-off arc.
        limits: what the expansion may take.

    Raises:
        MissingContext, RepeatedNGram: the n-grams make no model.
        LimitError: the expansion would be too large.
    """
    trie = _trie(orders, len(labels))
    n_nodes = trie.firsts[-1]
    score = np.concatenate([np.zeros(1), *(grams.score for grams in orders)])
    backoff = np.concatenate([np.zeros(1), *(grams.backoff for grams in orders)])
    word, parent, fail = trie.word, trie.parent, trie.fail
    # No string comes to what goes on after its end, or begins anew within it.
    is_end = word == (-2 if end is None else end)
    is_begin = word == (-2 if begin is None else begin)
    unread = is_end | (is_begin & (parent != 0))
    for first, after in zip(trie.firsts[2:-1], trie.firsts[3:], strict=True):
        unread[first:after] |= unread[parent[first:after]]
    is_state = np.zeros(n_nodes, dtype=np.bool_)
    is_state[parent[1:]] = True
    is_state |= backoff != 0.0
    is_state[trie.firsts[len(orders)] :] = False  # of the greatest length: no contexts
    is_state &= ~unread
    is_state[0] = True
    # Where a word leads: its n-gram, or else the longest context that this ends in.
    target = np.arange(n_nodes)
    while not is_state[target].all():
        target = np.where(is_state[target], target, fail[target])
    number = np.cumsum(is_state) - 1
    n_states = int(number[-1]) + 1
    start_node = 0 if begin is None else int(np.flatnonzero(is_begin & (parent == 0))[0])
    states = np.flatnonzero(is_state)
    listed = 1 + np.flatnonzero(is_state[parent[1:]] & ~is_begin[1:])
    arcs = _Arcs(
        number[parent[listed]],
        np.where(is_end[listed], n_states, number[target[listed]]),
        np.where(is_end[listed], EPSILON, labels[word[listed]]),
        score[listed],
    )
    lower = number[target[fail[states[1:]]]]
    if exact:
        columns = np.unique(word[listed], return_inverse=True)
        width = len(columns[0])
        if limits is not None:
            what = f"the model, expanded to {n_states} contexts and {width} words,"
            limits.check_graph(what, n_states + 1, n_states * width, smaller="keep back-off arcs: backoff='epsilon'")
        levels = np.searchsorted(states, trie.firsts[1:])
        arcs = _expanded(arcs, columns[1].reshape(-1), width, lower, backoff[states], levels)
    else:
        arcs = arcs.joined(np.arange(1, n_states), lower, np.full(n_states - 1, EPSILON), backoff[states[1:]])
    accept = [n_states] if end is not None else np.arange(n_states)
    order = np.argsort(arcs.src, kind="stable")
    return BareGraph(
        arcs.src[order],
        arcs.dst[order],
        arcs.label[order],
        None,
        arcs.weight[order],
        start=(int(number[target[start_node]]),),
        accept=accept,
        n_states=n_states + (end is not None),
    )


@dataclass(frozen=True, slots=True)
class _Arcs:
    src: NDArray[Any]
    dst: NDArray[Any]
    label: NDArray[Any]
    weight: Floats

    def joined(self, src: NDArray[Any], dst: NDArray[Any], label: NDArray[Any], weight: Floats) -> _Arcs:
        return _Arcs(
            np.concatenate([self.src, src]),
            np.concatenate([self.dst, dst]),
            np.concatenate([self.label, label]),
            np.concatenate([self.weight, weight]),
        )


def _expanded(
    arcs: _Arcs, column: NDArray[Any], width: int, lower: NDArray[Any], backoff: Floats, levels: NDArray[Any]
) -> _Arcs:
    """An arc for each context and word: those that the context lists, and those of the shorter context for others."""
    n_states = len(backoff)
    weight = np.full((n_states, width), -np.inf)
    dst = np.zeros((n_states, width), dtype=np.int64)
    label = np.zeros((n_states, width), dtype=np.int64)
    by_level = np.searchsorted(levels, arcs.src, side="right")
    for level, (first, after) in enumerate(zip([0, *levels[:-1].tolist()], levels.tolist(), strict=True)):
        if first:
            shorter = lower[first - 1 : after - 1]
            weight[first:after] = weight[shorter] + backoff[first:after, None]
            dst[first:after], label[first:after] = dst[shorter], label[shorter]
        own = by_level == level
        src, at = arcs.src[own], column[own]
        weight[src, at], dst[src, at], label[src, at] = arcs.weight[own], arcs.dst[own], arcs.label[own]
    src, at = np.nonzero(weight > -np.inf)
    return _Arcs(src, dst[src, at], label[src, at], weight[src, at])
