"""``ag.equivalent``: whether two graphs give every string, or every pair of strings, the same weight."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache as remembered
from typing import Any

import numpy as np

from arcgrad.compiler.frontend.elaborate import elaborate
from arcgrad.compiler.graphs.adjacency import induced
from arcgrad.compiler.graphs.orders import trim
from arcgrad.compiler.graphs.topology import EPSILON, IntArray, Topology
from arcgrad.compiler.limits import DEFAULT_LIMITS
from arcgrad.grammar import parse
from arcgrad.grammar.errors import InputError, LimitError
from arcgrad.grammar.mistakes import kind_of, shown
from arcgrad.runtime.call.evaluator import Evaluator
from arcgrad.runtime.data.ambiguity import ambiguity_of
from arcgrad.runtime.data.arguments import real_number
from arcgrad.runtime.data.bare_graph import BareGraph
from arcgrad.runtime.data.graph import Graph, linear
from arcgrad.runtime.inspect.exact_equivalence import Difference, TooMuchWorkError, Weighted, difference_of, differs

__all__ = ["Equivalence", "equivalent"]

# Walks drawn through each graph where the question is not decided, and what share of them may differ unnoticed.
_WALKS = 250
_SHARE = 0.01

_Pair = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True)
class Equivalence:
    """What ``ag.equivalent`` found; true where no difference was.

    Attributes:
        equal: whether both graphs are taken to be equivalent.
        witness: where they are not, a string that weighs differently: its labels, or for transducers a pair, what is
            read and what is written; else None.
        weights: its weight in each graph, in nats; −inf: not accepted. None without a witness.
        confidence: 1 where the answer is certain, as with a witness. Else no difference was found among strings drawn
            at random, and this is the probability of finding one if one in a hundred of such strings had one.
    """

    equal: bool
    witness: tuple[int, ...] | _Pair | None = None
    weights: tuple[float, float] | None = None
    confidence: float = 1.0

    def __bool__(self) -> bool:
        return self.equal

    def __str__(self) -> str:
        if self.equal:
            return "equivalent" if self.confidence == 1.0 else f"equivalent with confidence {self.confidence:.4f}"
        assert self.witness is not None
        assert self.weights is not None
        sides = [self.witness] if not self.witness or isinstance(self.witness[0], int) else self.witness
        words = " : ".join(" ".join(map(str, side)) or "ε" for side in sides)
        return f"different: {words} weighs {self.weights[0]:.6g} and {self.weights[1]:.6g}"


def equivalent(
    a: BareGraph, b: BareGraph, tolerance: float = 1e-9, *, semiring: str = "log", seed: int = 0
) -> Equivalence:
    """Whether two graphs give every string the same weight: states, arcs and how paths share it do not matter.

    A string's weight is the log sum of its paths' (``semiring="log"``), or the best of them ("max"). Transducers are
    compared pair of strings by pair of strings.

    - Acceptors are decided under "log": no determinisation is needed, and ε and cycles are summed exactly. Time is
      cubic in the number of states at worst; deterministic acceptors of any size are decided, too.
    - Under "max" they are decided where no string has two paths in either graph.
    - Transducers are decided likewise where every arc reads and writes one label. Where arcs read or write nothing,
      equivalence is undecidable: it is decided where the same sequences of arc labels have the same weights.
    - Else strings are drawn by walks through both graphs, and ``confidence`` says what their agreement is worth.

    Args:
        a: a graph.
        b: a graph.
        tolerance: by how much the two log weights of a string may differ; relative to the larger one where that is
            beyond 1. −inf equals only −inf, and so a string that only one graph accepts is a difference.
        semiring: "log" or "max".
        seed: of the walks.

    Returns:
        Something true where they are equivalent; where they are not, its ``witness`` is a string that weighs
        differently, a shortest one where that was decided (among large deterministic graphs, a short one).

    Raises:
        InputError: an argument that is not a graph, a tolerance that is not a number ≥ 0, or no such semiring.
        DivergenceError: a string has no finite weight, because of a cycle of ε.

    Source:
        Schützenberger, On the Definition of a Family of Automata (1961); Tzeng, A Polynomial-time Algorithm for the
        Equivalence of Probabilistic Automata (1992); undecidable for transducers: Griffiths (1968).

    Example:
        >>> import arcgrad as ag
        >>> a = ag.Graph([0, 0], [1, 2], [5, 5], weight=[-1.0, -1.0], accept=[1, 2])
        >>> b = ag.linear([5], weight=[-0.3068528194400547])
        >>> bool(ag.equivalent(a, b)), bool(ag.equivalent(a, b, semiring="max"))
        (True, False)
        >>> print(ag.equivalent(a, ag.linear([5, 6])))
        different: 5 weighs -0.306853 and -inf
    """
    for name, graph in (("a", a), ("b", b)):
        if not isinstance(graph, BareGraph):
            hint = "compare a dense input as its .to_graph()" if hasattr(graph, "to_graph") else None
            raise InputError(f"{name} is {kind_of(graph)}, but must be a Graph", hint=hint)
    tolerance = real_number(tolerance, "tolerance", "a number ≥ 0", lambda number: number >= 0)
    if semiring not in ("log", "max"):
        raise InputError(f"semiring is {shown(semiring)}, but must be 'log' or 'max'")
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise InputError(f"seed is {shown(seed)}, but must be a whole number")
    pair = _Comparison(a, b, tolerance, semiring)
    try:
        found = pair.decided()
    except (TooMuchWorkError, LimitError):
        found = None
    return pair.drawn(random.Random(seed)) if found is None else found  # what is false is an answer


@remembered
def _evaluator(text: str) -> Evaluator:
    return Evaluator(elaborate(parse(text)), "auto", DEFAULT_LIMITS)


class _Comparison:
    def __init__(self, a: BareGraph, b: BareGraph, tolerance: float, semiring: str) -> None:
        self.graphs, self.tolerance, self.semiring = [_useful(a), _useful(b)], tolerance, semiring
        self.acceptors = all(graph.is_acceptor for graph in self.graphs)
        # Both sides of an arc as one label: sequences of those are pairs of strings where no arc lacks one side.
        sides = [np.stack([graph.ilabel, graph.olabel], axis=1) for graph in self.graphs]
        self.letters, inverse = np.unique(np.concatenate([*sides, [[EPSILON, EPSILON]]]), axis=0, return_inverse=True)
        codes: IntArray = (inverse.reshape(-1)[:-1] - 1).astype(np.int32)  # ε:ε sorts first
        self.letters = self.letters[1:]
        self.is_exact = not bool(np.any((self.letters == EPSILON).any(axis=1)))
        self.encoded = []
        for graph, code in zip(self.graphs, np.split(codes, [self.graphs[0].n_arcs]), strict=True):
            topology = Topology.make(graph.n_states, graph.src, graph.dst, code, None, graph.start, graph.accept)
            self.encoded.append(Graph.from_topology(topology, graph.arc_weight))

    def decided(self) -> Equivalence | None:
        """The answer where it is certain; None where it is not to be had."""
        if self.semiring == "max" and any(ambiguity_of(graph.topology) is not None for graph in self.encoded):
            return None
        sides = []
        for name, graph in zip("ab", self.encoded, strict=True):
            made = _evaluator(f"connect[rmeps[{name}]]").value({name: graph})
            sides.append(Weighted(made.topology, made.arc_weight))
        found = difference_of(sides[0], sides[1], self.tolerance)
        if found is None:
            return Equivalence(True)
        letters = self.letters[list(found.string)].tolist()
        read, written = (tuple(each[side] for each in letters if each[side] != EPSILON) for side in range(2))
        if not self.is_exact:  # other sequences of arcs have the same strings
            return self._compared([(read, written)])
        return self._different(read, written, found)

    def _different(self, read: tuple[int, ...], written: tuple[int, ...], found: Difference) -> Equivalence:
        return Equivalence(False, read if self.acceptors else (read, written), found.weights)

    def drawn(self, rng: random.Random) -> Equivalence:
        """The answer of strings drawn by walks through each graph in turn."""
        pairs = [pair for graph in self.graphs for pair in _walks(graph, rng)]
        found = self._compared(list(dict.fromkeys(pairs)))
        if found is not None:
            return found
        return Equivalence(True, confidence=1.0 - (1.0 - _SHARE) ** len(pairs))

    def _compared(self, pairs: Sequence[_Pair]) -> Equivalence | None:
        """The shortest of the pairs of strings that weighs differently, None where none does."""
        if not pairs:
            return None
        given: dict[str, Any] = {"U": [linear(read) for read, _ in pairs]}
        text = "U ∘ A"
        if not self.acceptors:
            given["V"] = [linear(written) for _, written in pairs]
            text = "U ∘ A ∘ V"
        evaluator = _evaluator(f"{'LSE' if self.semiring == 'log' else 'MAX'}[{text}]")
        one, other = (evaluator.value({**given, "A": graph}).tolist() for graph in self.graphs)
        different = [k for k in range(len(pairs)) if differs(one[k], other[k], self.tolerance)]
        if not different:
            return None
        best = min(different, key=lambda k: (len(pairs[k][0]) + len(pairs[k][1]), k))
        return self._different(*pairs[best], Difference((), (one[best], other[best])))


def _useful(graph: BareGraph) -> Graph:
    """What lies on accepting paths, without arcs of weight −inf."""
    t, weights = graph.topology, graph.arc_weight
    arcs = np.flatnonzero(weights > -np.inf)
    olabel = None if t.is_acceptor else t.olabel[arcs]
    present = Topology.make(t.n_states, t.src[arcs], t.dst[arcs], t.ilabel[arcs], olabel, t.start, t.accept)
    kept, chosen = induced(present, trim(t.n_states, present.src, present.dst, present.start, present.accept))
    return Graph.from_topology(kept, weights[arcs][chosen])


def _walks(graph: Graph, rng: random.Random) -> list[_Pair]:
    """The strings of random walks: each way to go on is as likely as any other, and as ending where that may be."""
    if not len(graph.start):
        return []
    leaving: list[list[int]] = [[] for _ in range(graph.n_states)]
    entering: list[list[int]] = [[] for _ in range(graph.n_states)]
    src, dst = graph.src.tolist(), graph.dst.tolist()
    for arc, state in enumerate(src):
        leaving[state].append(arc)
        entering[dst[arc]].append(arc)
    homewards = [-1] * graph.n_states  # the first arc of a shortest way to an accept
    accepts = set(graph.accept.tolist())
    for state in (queue := list(accepts)):
        for arc in entering[state]:
            if homewards[src[arc]] < 0 and src[arc] not in accepts:
                homewards[src[arc]] = arc
                queue.append(src[arc])
    reads, writes, found = graph.ilabel.tolist(), graph.olabel.tolist(), []
    for _ in range(_WALKS):
        path: list[int] = []
        state = rng.choice(graph.start.tolist())
        longest = rng.randint(0, 2 * graph.n_states + 10)
        while True:
            ways = leaving[state] if len(path) < longest else [homewards[state]][: state not in accepts]
            choice = rng.randrange(len(ways) + (state in accepts))
            if choice == len(ways):
                break
            path.append(ways[choice])
            state = dst[ways[choice]]
        read, written = (tuple(labels[k] for k in path if labels[k] != EPSILON) for labels in (reads, writes))
        found.append((read, written))
    return found
