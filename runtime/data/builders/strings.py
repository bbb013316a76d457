"""Tries: maps from strings to strings, and from spellings to words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from arcgrad.compiler.graphs.topology import EPSILON, Topology
from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import kind_of, shown
from arcgrad.runtime.data.arguments import listed, real_number, whole_number
from arcgrad.runtime.data.builders.alphabet import labels_of
from arcgrad.runtime.data.builders.options import checked_flag
from arcgrad.runtime.data.checks import LARGEST, freeze, labels_array
from arcgrad.runtime.data.graph import Graph
from arcgrad.runtime.data.symbols import SymbolTable

__all__ = ["lexicon", "string_map"]

String = str | Iterable[int]


def string_map(pairs: Iterable[tuple[String, String]]) -> Graph:
    """Build the transducer that maps each first string to its second: a trie, where pairs share what they begin with.

    The strings of a pair go side by side, label by label, the shorter one followed by ε; pairs that begin with the same
    steps share states and arcs, as ``a:x`` here::

        string_map([("ab", "xy"), ("ac", "x")])      0 --a:x--> 1 --b:y--> (2)
                                                                1 --c:ε--> (3)

    Args:
        pairs: of strings, whose characters stand for their Unicode code points, or of sequences of labels.

    Returns:
        A transducer with one path, of weight 0, for each distinct pair. State 0 is the start; states are numbered in
        the order in which the pairs come to them, and so are arcs.

    Raises:
        InputError: something that is not a pair, or labels of a wrong kind or range.

    Example:
        >>> import arcgrad as ag
        >>> plurals = ag.graphs.string_map([("cat", "cats"), ("cow", "cows"), ("calf", "calves")])
        >>> plurals
        Graph(12 states, 11 arcs, transducer, start 0, accept 4 7 11)
        >>> spoken = ag.compile('out["cow" ∘ M]')(M=plurals).olabel
        >>> "".join(map(chr, spoken))
        'cows'
    """
    steps: dict[tuple[int, int, int], int] = {}
    accept: dict[int, None] = {}
    for number, pair in enumerate(pairs):
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise InputError(f"pairs[{number}] is {pair!r}, but must be a pair: what is read, and what is written")
        read, written = (_labels(side, f"pairs[{number}][{k}]") for k, side in enumerate(pair))
        state, length = 0, max(len(read), len(written))
        read += [EPSILON] * (length - len(read))
        written += [EPSILON] * (length - len(written))
        for label, output in zip(read, written, strict=True):
            state = steps.setdefault((state, label, output), len(steps) + 1)
        accept[state] = None
    src, ilabel, olabel = zip(*steps, strict=True) if steps else ((), (), ())
    n_states = len(steps) + 1 if accept else 0
    start = [0] if accept else []
    return Graph.from_topology(
        Topology.make(n_states, src, list(steps.values()), ilabel, olabel, start, sorted(accept))
    )


def _labels(side: String, name: str) -> list[int]:
    if isinstance(side, str):
        return [ord(c) for c in side]
    labels: list[int] = labels_array(list(side) if isinstance(side, Iterable) else side, name).tolist()
    return labels


Spelling = str | Iterable[int] | Iterable[str]
Spellings = Spelling | Iterable[Spelling] | Mapping[Spelling, float]


def lexicon(
    spellings: Mapping[int | str, Spellings],
    *,
    words: SymbolTable | Iterable[str] | Mapping[str, int] | None = None,
    tokens: SymbolTable | Iterable[str] | Mapping[str, int] | None = None,
    output: str = "last",
    repeat: bool = False,
) -> Graph:
    """Build the transducer from spellings, or pronunciations, to words: a trie, where they share what they begin with.

    Drawn for two words, of which one has two spellings::

        lexicon({7: ["ab"], 8: ["ac", "b"]})      0 --a:ε--> 1 --b:7--> (2)      or, with repeat=True, back to 0
                                                             1 --c:8--> (2)
                                                  0 --b:8--> (2)

    Args:
        spellings: for each word its spelling, or a list of them, or a mapping from them to scores in nats (of
            pronunciations: log-probabilities). A word is a label, or a symbol of ``words``. A spelling is a text, or a
            sequence of labels, or of symbols of ``tokens``; in a mapping, a text or a tuple.
        words: the table of words, an ``ag.SymbolTable`` or what makes one.
        tokens: the table of what spellings are made of; None: characters stand for their code points.
        output: whether the word is written on the "last" arc of its spelling, where it is certain, or on the "first".
        repeat: read any number of words, from none on, one after the other; else one.

    Returns:
        A transducer with one path for each word and spelling, homophones included. State 0 is the start; the accept is
        the last state, or with ``repeat`` state 0. Where scores are given, weights are these, one for each spelling in
        order, and a last one, 0, to which all other arcs are tied: so is the gradient.

    Raises:
        InputError: a word or spelling that is none, one that is given twice, or an empty one with ``repeat``.

    Example:
        >>> import arcgrad as ag
        >>> words = ag.SymbolTable(["the", "cat", "them"], first=1)
        >>> L = ag.graphs.lexicon({"the": "the", "cat": ["cat", "kat"], "them": "them"}, words=words)
        >>> L
        Graph(9 states, 11 arcs, transducer, start 0, accept 8)
        >>> best = ag.compile('PATH["kat" ∘ L]')(L=L)
        >>> [words.symbol(label) for label in best.olabel if label >= 0]
        ['cat']
    """
    if not isinstance(spellings, Mapping):
        raise InputError(f"spellings is {kind_of(spellings)}, but must be a mapping from words to their spellings")
    if output not in ("first", "last"):
        raise InputError(f"output is {shown(output)}, but must be 'first' or 'last'")
    repeat = checked_flag(repeat, "repeat")
    tables = [t if t is None or isinstance(t, SymbolTable) else SymbolTable(t) for t in (words, tokens)]
    steps: dict[tuple[int, int, int], int] = {}
    inner: list[tuple[int, int, int, int]] = []
    ends: list[tuple[int, int, int]] = []
    scores: list[float] = []
    is_scored = False
    for word, given in spellings.items():
        label = _word(word, tables[0])
        known: set[tuple[int, ...]] = set()
        for name, spelling, score in _spellings(word, given):
            read = tuple(labels_of(spelling, name, tables[1]))
            if read in known:
                raise InputError(f"{name} is {shown(spelling)}, which is a spelling of {shown(word)} already")
            if not read and repeat:
                raise InputError(f"{name} is empty: with repeat=True, {shown(word)} could be written without end")
            known.add(read)
            is_scored = is_scored or score is not None
            scores.append(0.0 if score is None else score)
            written = [EPSILON] * len(read)
            if read:
                written[0 if output == "first" else -1] = label
            state = 0
            for step in zip(read[:-1], written[:-1], strict=True):
                key = (state, *step)
                if key not in steps:
                    steps[key] = len(steps) + 1
                    inner.append((state, steps[key], *step))
                state = steps[key]
            ends.append((state, read[-1] if read else EPSILON, written[-1] if read else label))
    accept = 0 if repeat else len(steps) + 1
    rows = [(*arc, -1) for arc in inner]
    rows += [(state, accept, label, written, number) for number, (state, label, written) in enumerate(ends)]
    rows.sort(key=lambda row: row[0])
    src, dst, ilabel, olabel, tie = np.array(rows, dtype=np.int32).reshape(-1, 5).T
    n_states = len(steps) + 2 - repeat
    topology = Topology.make(n_states, src, dst, ilabel, olabel, [0], [accept])
    if not is_scored:
        return Graph.from_topology(topology)
    tie = np.where(tie < 0, len(scores), tie).astype(np.int32)
    return Graph.from_topology(topology, np.array([*scores, 0.0]), freeze(tie))


def _word(word: Any, table: SymbolTable | None) -> int:
    if isinstance(word, str):
        if table is None:
            raise InputError(
                f"the word {shown(word)} is a text, but words are labels",
                hint="give words=ag.SymbolTable([…]), in which words are looked up",
            )
        return table[word]
    return whole_number(word, "a word", f"a label from 0 to {LARGEST}, or a symbol of words=", 0, LARGEST)


def _spellings(word: Any, given: Any) -> Iterator[tuple[str, Any, float | None]]:
    """Each spelling of a word, with what messages call it and its score."""
    name = f"spellings[{shown(word)}]"
    if isinstance(given, str):
        yield name, given, None
    elif isinstance(given, Mapping):
        expected = "a score in nats: a real number up to 1e300, or −inf"
        for spelling, score in given.items():
            value = real_number(score, f"{name}[{shown(spelling)}]", expected, lambda s: s <= 1e300)
            yield f"a spelling in {name}", spelling, value
    else:
        expected = "a spelling, a list of these, or a mapping from these to scores"
        for k, spelling in enumerate(listed(given, name, expected)):
            if not isinstance(spelling, Iterable):
                hint = f"a list of spellings was expected; for one spelling of labels write [{shown(given)}]"
                raise InputError(f"{name}[{k}] is {shown(spelling)}, but must be a spelling", hint=hint)
            yield f"{name}[{k}]", spelling, None
