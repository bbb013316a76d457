"""Sums over paths as they were made of one another, so that derivatives find their way back.

Under the operators whose output depends on weights. A *node* is a sum, in the log or the max semiring, of terms; a term
is the product of nodes and of an arc's weight, over a node or not. A pivot's *star*, 1 / (1 − node), is a node, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from arcgrad.compiler.graphs.transforms import FloatArray

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
