"""Sums over paths as they were made of one another, so that derivatives find their way back.

Under the operators whose output depends on weights. A *node* is a sum, in the log or the max semiring, of terms; a term
is the product of nodes and of an arc's weight, over a node or not. A pivot's *star*, 1 / (1 − node), is a node, too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from arcgrad.compiler.graphs.transforms import Along, FloatArray

__all__ = ["NO_ARC", "Tape", "Term"]

NO_ARC = -1


class Term(NamedTuple):
    """What a sum adds up: ``weight``, which is of ``arc``, + Σ values of ``nodes`` − Σ of ``over``.

    Attributes:
        nodes: factors.
        arc: an arc of the operand, or NO_ARC.
        weight: its weight, or that of the term where it has no arc.
        over: nodes to divide by.
    """

    nodes: tuple[int, ...] = ()
    arc: int = NO_ARC
    weight: float = 0.0
    over: tuple[int, ...] = ()


class Tape:
    """Records sums, each of which is evaluated when it is made.

    Args:
        n_arcs: arcs of the operand, with respect to whose weights sums are differentiated.
        best: 0: a sum is the log of the sum of its terms' exponentials; 1: its greatest term, the first of those;
            −1: the same of weights that are the negatives of those under MIN.

    Attributes:
        values: of the nodes.
    """

    def __init__(self, n_arcs: int, *, best: int = 0) -> None:
        self.n_arcs = n_arcs
        self.best = best
        self.values: list[float] = []
        self._terms: list[Sequence[Term] | int] = []

    def value(self, term: Term) -> float:
        """What a term adds."""
        values = self.values
        total = term.weight
        for node in term.nodes:
            total += values[node]
        for node in term.over:
            total -= values[node]
        return total

    def total(self, terms: Sequence[Term]) -> int:
        """The node of a sum; that of no terms has the value −inf."""
        values = [self.value(term) for term in terms]
        top = max(values, default=-math.inf)
        if self.best:
            terms = [terms[values.index(top)]] if terms else []
        elif -math.inf < top < math.inf and len(values) > 1:
            top += math.log(math.fsum(math.exp(value - top) for value in values))
        return self._add(top, terms)

    def star(self, loop: int) -> int:
        """The node of Σ over n ≥ 0 of the n-th power of a node, whose value is below 0 (``best``: not above)."""
        value = self.values[loop]
        return self._add(0.0 if self.best or value == -math.inf else -math.log(-math.expm1(value)), loop)

    def _add(self, value: float, terms: Sequence[Term] | int) -> int:
        self.values.append(value)
        self._terms.append(terms)
        return len(self.values) - 1

    def pull_back(self, cotangents: Iterable[tuple[Term, float]]) -> FloatArray:
        """(n_arcs,) the cotangent of the arcs' weights, from those of terms."""
        found = np.zeros(self.n_arcs)
        bars = [0.0] * len(self.values)

        def add(term: Term, bar: float) -> None:
            for node in term.nodes:
                bars[node] += bar
            for node in term.over:
                bars[node] -= bar
            if term.arc != NO_ARC:
                found[term.arc] += bar

        for term, bar in cotangents:
            if bar and self.value(term) > -math.inf:
                add(term, bar)
        for node in range(len(bars) - 1, -1, -1):
            bar, value = bars[node], self.values[node]
            if not bar or value == -math.inf:
                continue
            terms = self._terms[node]
            if isinstance(terms, int):
                if not self.best:
                    bars[terms] += bar * math.exp(self.values[terms] + value)
            else:
                for term in terms:  # of a greatest term, that one alone
                    share = 1.0 if self.best else math.exp(self.value(term) - value)
                    if share:
                        add(term, bar * share)
        return found

    def along(self, terms: Sequence[Term | None], direction: FloatArray) -> Along:
        """How terms change where the arcs' weights move in a direction; None stands for what does not.

        A sum moves as its terms do, by their shares; a term's share grows as the term moves faster than the sum. Under
        ``best`` shares are 1 or 0.
        """
        moves: list[float] = []

        def move(term: Term) -> float:
            total = float(direction[term.arc]) if term.arc != NO_ARC else 0.0
            for node in term.nodes:
                total += moves[node]
            for node in term.over:
                total -= moves[node]
            return total

        for node, (value, made_of) in enumerate(zip(self.values, self._terms, strict=True)):
            total = 0.0
            if value == -math.inf:
                pass
            elif not isinstance(made_of, int):
                for term in made_of:
                    share = self._share(term, node)
                    total += share * move(term) if share else 0.0
            elif not self.best:
                total = math.exp(self.values[made_of] + value) * moves[made_of]
            moves.append(total)
        counted = [term if term is not None and self.value(term) > -math.inf else None for term in terms]
        weights = np.array([0.0 if term is None else move(term) for term in counted], dtype=np.float64)
        return Along(weights, partial(self._pull_back_along, counted, moves, move))

    def _share(self, term: Term, node: int) -> float:
        return 1.0 if self.best else math.exp(self.value(term) - self.values[node])

    def _pull_back_along(
        self,
        terms: Sequence[Term | None],
        moves: Sequence[float],
        move: Callable[[Term], float],
        cotangent: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """(n_arcs,) cotangents of the arcs' weights, and of the direction, from those of the terms' moves."""
        found, turned = np.zeros(self.n_arcs), np.zeros(self.n_arcs)
        bars, move_bars = [0.0] * len(self.values), [0.0] * len(self.values)

        def add(term: Term, bar: float, move_bar: float) -> None:
            for sign, nodes in ((1.0, term.nodes), (-1.0, term.over)):
                for node in nodes:
                    bars[node] += sign * bar
                    move_bars[node] += sign * move_bar
            if term.arc != NO_ARC:
                found[term.arc] += bar
                turned[term.arc] += move_bar

        for term, move_bar in zip(terms, cotangent.tolist(), strict=True):
            if term is not None:
                add(term, 0.0, move_bar)
        for node in range(len(bars) - 1, -1, -1):
            bar, move_bar, made_of = bars[node], move_bars[node], self._terms[node]
            if self.values[node] == -math.inf or not (bar or move_bar):
                continue
            if not isinstance(made_of, int):
                for term in made_of:
                    share = self._share(term, node)
                    if share:
                        faster = 0.0 if self.best else move(term) - moves[node]
                        add(term, share * (bar + move_bar * faster), share * move_bar)
            elif not self.best:
                slope = math.exp(self.values[made_of] + self.values[node])
                bars[made_of] += slope * (bar + move_bar * (1.0 + slope) * moves[made_of])
                move_bars[made_of] += slope * move_bar
        return found, turned
