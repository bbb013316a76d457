"""The graphs that cases run on: CTC targets, token graphs, label models, lattices, transducers, a lexicon."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

import arcgrad as ag
from benchmarks.case import Array

__all__ = [
    "backoff_model",
    "chain_crf",
    "ctc_target",
    "ctc_targets",
    "dense_model",
    "lattice",
    "lexicon",
    "log_softmax",
    "random_transducer",
    "tokens",
    "word_bigram",
]

EPSILON = -1


def log_softmax(scores: Array) -> Array:
    """Scores (…, C) normalised over the last axis, in their own dtype."""
    top = scores.max(axis=-1, keepdims=True)
    return np.ascontiguousarray(scores - top - np.log(np.exp(scores - top).sum(axis=-1, keepdims=True)))


def ctc_target(labels: Array) -> ag.Graph:
    """All alignments of a target (n,), blank 0; see `ctc_targets`."""
    return ctc_targets(labels[None])[0]


def ctc_targets(labels: Array) -> list[ag.Graph]:
    """All alignments of each of some targets (B, n), blank 0: what a training step has to build for new targets.

    State 0 is the start; state i + 1 says that symbol i of ``blank l1 blank l2 … blank`` was read last.
    """
    batch, length = labels.shape
    n = 2 * length + 1
    symbols = np.zeros((batch, n + 1), dtype=np.int32)
    symbols[:, 2::2] = labels
    src, dst, n_always = _alignment_arcs(n)
    # A label is entered from the one before it, or from the start, unless that is the same label.
    exists = np.ones((batch, len(src)), dtype=np.bool_)
    np.not_equal(labels[:, 1:], labels[:, :-1], out=exists[:, n_always + 1 :])
    read = symbols.take(dst, axis=1)
    accept = [n - 1, n]
    return [
        ag.Graph(src[kept], dst[kept], label[kept], accept=accept) for kept, label in zip(exists, read, strict=True)
    ]


@cache
def _alignment_arcs(n: int) -> tuple[Array, Array, int]:
    """The arcs of a target of n symbols whose labels all differ, and how many there are before those to skip blanks."""
    stay = np.arange(n, dtype=np.int32)
    skip = stay[1::2] + np.int32(1)
    return np.concatenate([stay + 1, stay, skip - 2]), np.concatenate([stay + 1, stay + 1, skip]), 2 * n


def tokens(n_labels: int) -> ag.Graph:
    """CTC's token graph: reads frames, writes labels. State c says that c was read last; 0 is the blank."""
    arcs = [
        (state, label, label, EPSILON if label in (0, state) else label, 0.0)
        for state in range(n_labels)
        for label in range(n_labels)
    ]
    return ag.Graph.from_arcs(arcs, start=[0], accept=range(n_labels))


def chain_crf(transitions: Array) -> ag.Graph:
    """A linear-chain CRF over n tags with weights (n, n) from tag to tag: state 0 starts, state 1 + i is tag i."""
    n = len(transitions)
    before, after = np.divmod(np.arange(n * n), n)
    tags = np.arange(n)
    src = np.concatenate([np.zeros(n, dtype=np.int64), 1 + before])
    dst = np.concatenate([1 + tags, 1 + after])
    weight = np.concatenate([np.zeros(n), transitions.reshape(-1)])
    return ag.Graph(src, dst, np.concatenate([tags, after]), weight=weight, accept=1 + tags)


def dense_model(order: int, n_symbols: int, random: np.random.Generator) -> ag.Graph:
    """An n-gram model with an arc for every n-gram; a state is the last ``order − 1`` symbols, and all are starts."""
    n_states = n_symbols ** (order - 1)
    src, label = np.divmod(np.arange(n_states * n_symbols), n_symbols)
    dst = (src * n_symbols + label) % n_states
    weight = log_softmax(random.normal(size=(n_states, n_symbols))).reshape(-1)
    states = np.arange(n_states)
    return ag.Graph(src, dst, label, weight=weight, start=states, accept=states)


def backoff_model(n_symbols: int, pairs: int, triples: int, random: np.random.Generator) -> ag.Graph:
    """A back-off model: state 0 knows nothing, 1 + a the last symbol, and one state each of ``pairs`` the last two.

    Every state of pairs has some of ``triples`` arcs, and all but state 0 an ε arc to a shorter history.
    """
    chosen = np.sort(random.choice(n_symbols**2, pairs, replace=False))
    state_of = {int(pair): 1 + n_symbols + i for i, pair in enumerate(chosen)}
    arcs = [(0, 1 + a, a) for a in range(n_symbols)]
    for pair, state in state_of.items():
        arcs.append((1 + pair // n_symbols, state, pair % n_symbols))
        arcs.append((state, 1 + pair % n_symbols, EPSILON))
    arcs += [(1 + a, 0, EPSILON) for a in range(n_symbols)]
    if triples:
        for cell in np.sort(random.choice(pairs * n_symbols, triples, replace=False)).tolist():
            pair, label = int(chosen[cell // n_symbols]), cell % n_symbols
            next_pair = (pair % n_symbols) * n_symbols + label
            arcs.append((state_of[pair], state_of.get(next_pair, 1 + label), label))
    table = np.array(arcs)
    weight = random.normal(-2.0, 1.0, len(table))
    states = range(1 + n_symbols + pairs)
    return ag.Graph(table[:, 0], table[:, 1], table[:, 2], weight=weight, start=states, accept=states)


def lattice(n_states: int, out_degree: int, reach: int, random: np.random.Generator) -> ag.Graph:
    """An acyclic graph as a decoder stores it: arcs lead at most ``reach`` states on, one of them to the next state."""
    src = np.repeat(np.arange(n_states - 1), out_degree)
    step = random.integers(1, reach, len(src))
    step[::out_degree] = 1
    dst = np.minimum(src + step, n_states - 1)
    label = random.integers(0, 1000, len(src))
    return ag.Graph(src, dst, label, weight=random.normal(-1.0, 1.0, len(src)), accept=[n_states - 1])


def random_transducer(n_states: int, n_labels: int, random: np.random.Generator) -> ag.Graph:
    """10 to 30 arcs a state to anywhere, labels and weights at random; one state in ten accepts."""
    src = np.repeat(np.arange(n_states), random.integers(10, 31, n_states))
    dst = random.integers(0, n_states, len(src))
    ilabel, olabel = random.integers(0, n_labels, (2, len(src)))
    weight = random.uniform(-5.0, 0.0, len(src)).astype(np.float32)
    return ag.Graph(src, dst, ilabel, olabel, weight, accept=range(0, n_states, 10), n_states=n_states)


def lexicon(path: Path, most: int | None = None) -> tuple[ag.Graph, int]:
    """The closed lexicon of a pronouncing dictionary, phones → words, and its number of words.

    A word is written on its first phone. Words are labelled in order of appearance, phones without their stress.
    """
    phones: dict[str, int] = {}
    words: dict[str, int] = {}
    arcs: list[tuple[int, int, int, int]] = []
    n_states = 1
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            word, *sounds = line.partition(" #")[0].split()
            label = words.setdefault(word.partition("(")[0], len(words))
            state = 0
            for i, sound in enumerate(sounds):
                phone = phones.setdefault(sound.rstrip("012"), len(phones))
                following = 0 if i == len(sounds) - 1 else n_states
                n_states += following != 0
                arcs.append((state, following, phone, EPSILON if i else label))
                state = following
            if most is not None and len(words) >= most:
                break
    table = np.array(arcs)
    graph = ag.Graph(table[:, 0], table[:, 1], table[:, 2], table[:, 3], accept=[0], n_states=n_states)
    return graph, len(words)


def word_bigram(vocabulary: Array, out_degree: int, random: np.random.Generator) -> ag.Graph:
    """A bigram graph over these words: state 0 starts, state 1 + i says that word i was read last."""
    n = len(vocabulary)
    src = np.concatenate([np.zeros(n, dtype=np.int64), 1 + np.repeat(np.arange(n), out_degree)])
    follower = np.concatenate([np.arange(n), *(random.choice(n, out_degree, replace=False) for _ in range(n))])
    weight = random.uniform(-8.0, 0.0, len(src)).astype(np.float32)
    return ag.Graph(src, 1 + follower, vocabulary[follower], weight=weight, accept=range(n + 1))
