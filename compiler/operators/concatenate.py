"""Concatenation ``A B``: a path of A, then a path of B."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from arcgrad.compiler.graphs.selection import block_selection
from arcgrad.compiler.graphs.topology import EPSILON, Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Category, Law, Operator, Parameters, Size
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR", "concatenated"]

_ALL = ("lse", "max", "min", "count")


def concatenated(topologies: Sequence[Topology], limits: Limits) -> Built:
    """One graph or more, each linked to the next by ε arcs: what nested concatenations of two make."""
    n_links = [len(a.accept) * len(b.start) for a, b in pairwise(topologies)]
    n_states = sum(t.n_states for t in topologies)
    n_arcs = sum(t.n_arcs for t in topologies) + sum(n_links)
    limits.check_graph("the concatenation", n_states, n_arcs)
    first_states = np.cumsum([0, *(t.n_states for t in topologies)])

    src, dst, ilabel, olabel, begins, filled = [], [], [], [], [], 0
    for i, operand in enumerate(topologies):
        if i:
            before = topologies[i - 1]
            src.append(np.repeat(before.accept, len(operand.start)) + first_states[i - 1])
            dst.append(np.tile(operand.start, len(before.accept)) + first_states[i])
            epsilons = np.full(n_links[i - 1], EPSILON, dtype=np.int32)
            ilabel.append(epsilons)
            olabel.append(epsilons)
            filled += n_links[i - 1]
        src.append(operand.src + first_states[i])
        dst.append(operand.dst + first_states[i])
        ilabel.append(operand.ilabel)
        olabel.append(operand.olabel)
        begins.append(filled)
        filled += operand.n_arcs

    topology = Topology.make(
        n_states,
        np.concatenate(src),
        np.concatenate(dst),
        np.concatenate(ilabel),
        None if all(t.is_acceptor for t in topologies) else np.concatenate(olabel),
        topologies[0].start,
        topologies[-1].accept + first_states[-2],
    )
    return Built(topology, tuple(block_selection(n_arcs, b, t.n_arcs) for b, t in zip(begins, topologies, strict=True)))


def _build(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    return concatenated(topologies, limits)


def _size(sizes: Sequence[Size], parameters: Parameters) -> Size:
    links = len(sizes) - 1
    return Size(sum(s.states for s in sizes), sum(s.arcs for s in sizes) + links, max(s.labels for s in sizes))


OPERATOR = Operator(
    name="concatenate",
    summary="Has a path for each path of A followed by a path of B; its weight is the sum of theirs.",
    category=Category.STRUCTURAL,
    operands=(Type.GRAPH, Type.GRAPH),
    tag="concatenate",
    sign="juxtaposition",
    overload="multiply",
    build=_build,
    size=_size,
    laws=(
        Law("(A B) C", "A (B C)", ("equal",), "the links are the same either way"),
        Law("A (B + C)", "A B + A C", _ALL, "what follows A is a path of B or one of C"),
        Law("(A + B) C", "A C + B C", _ALL, "what comes before C is a path of A or one of B"),
        Law(
            "LSE[A B]",
            "LSE[A] + LSE[B]",
            (),
            "a sum of products over all pairs factors; where one side alone has no path, the gradients differ "
            "(a sum of scores always has one), so a rewrite must use path_product",
        ),
        Law("MAX[A B]", "MAX[A] + MAX[B]", (), "the best pair is the pair of the best; without a path, as for LSE"),
        Law(
            "MIN[A B]",
            "MIN[A] + MIN[B]",
            (),
            "the worst pair is the pair of the worst; undefined (−inf + inf) where MIN[A B] is not, so no rewrite",
        ),
        Law(
            "COUNT[A B]",
            "COUNT[A] × COUNT[B]",
            (),
            "every pair is a path; undefined (0 × inf) where COUNT[A B] is 0, so no rewrite",
        ),
    ),
    example="LSE[A B]",
    reference="Hannun, An Introduction to Weighted Automata in Machine Learning (2021)",
)
