"""Graphs that models are made of, from plain data: what users import as ``arcgrad.graphs``."""

from __future__ import annotations

from collections.abc import Iterable

from arcgrad.compiler.graphs.topology import EPSILON, Topology
from arcgrad.grammar.errors import InputError
from arcgrad.runtime.data.checks import labels_array
from arcgrad.runtime.data.graph import Graph

__all__ = ["string_map"]

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
