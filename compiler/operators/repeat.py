"""Powers and ranges ``A{n}``, ``A{m,}``, ``A{m,n}``: so many paths of A, one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arcgrad.compiler.graphs.topology import EPSILON, IntArray, Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Category, Law, Operator, Parameters, Size
from arcgrad.compiler.operators.closure import closed
from arcgrad.compiler.operators.concatenate import concatenated
from arcgrad.compiler.operators.epsilon import EPSILON_GRAPH
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]


def _bounds(parameters: Parameters) -> tuple[int, int | None]:
    least, most = parameters
    assert isinstance(least, int)
    assert most is None or isinstance(most, int)
    return least, most


def _chain(operand: Topology, count: int, skippable: bool) -> Built:
    """``A{count}``, or with ``skippable`` the nested ``ε + A (ε + A …)`` of that depth; count ≥ 1.

    Each copy is a block of the same arcs: A's own, then links to the next copy's starts, which the last copy lacks. A
    skippable copy begins with one more state, both a start and an accept.
    """
    extra = int(skippable)
    starts = np.concatenate([np.zeros(extra, dtype=np.int32), operand.start + extra])
    n_block_states = operand.n_states + extra
    n_links = len(operand.accept) * len(starts)
    epsilons = np.full(n_links, EPSILON, dtype=np.int32)

    def copies(own: IntArray, links: IntArray, step: int) -> IntArray:
        block = np.concatenate([own, links])
        whole = block + np.arange(0, count * step, step, dtype=np.int32)[:, None] if step else np.tile(block, count)
        return whole.reshape(-1)[: count * len(block) - n_links]

    ilabel = copies(operand.ilabel, epsilons, 0)
    last = (count - 1) * n_block_states
    accept = operand.accept + extra + last
    if skippable:
        accept = np.union1d(np.arange(0, count * n_block_states, n_block_states), accept)
    topology = Topology.make(
        count * n_block_states,
        copies(operand.src + extra, np.repeat(operand.accept + extra, len(starts)), n_block_states),
        copies(operand.dst + extra, np.tile(starts, len(operand.accept)) + n_block_states, n_block_states),
        ilabel,
        None if operand.is_acceptor else copies(operand.olabel, epsilons, 0),
        starts,
        accept,
    )
    selection = copies(np.arange(operand.n_arcs, dtype=np.int32), epsilons, 0)  # a link's −1 says "no arc of A"
    return Built(topology, (selection,))


def _counts(states: int, arcs: int, starts: int, accepts: int, least: int, most: int | None) -> tuple[int, int]:
    """Exact numbers of states and arcs of the result, from those of A."""
    optional = 0 if most is None else most - least
    links = accepts * starts * max(least - 1, 0) + accepts * (starts + 1) * max(optional - 1, 0)
    n_states = states * least + (states + 1) * optional
    n_arcs = arcs * (least + optional) + links
    if most is None:
        n_states, n_arcs = n_states + states + 1, n_arcs + starts + arcs + accepts + (accepts if least else 0)
    elif least and optional:
        n_arcs += accepts * (starts + 1)
    elif not least and not optional:
        n_states = 1
    return n_states, n_arcs


def _build(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    (operand,) = topologies
    least, most = _bounds(parameters)
    shown = f"{{{least}}}" if most == least else f"{{{least},{'' if most is None else most}}}"
    limits.check_graph(
        f"the repetition {shown}",
        *_counts(operand.n_states, operand.n_arcs, len(operand.start), len(operand.accept), least, most),
        smaller="repeat less, or something smaller",
    )
    parts = [_chain(operand, least, skippable=False)] if least else []
    if most is None:
        parts.append(closed(operand, limits))
    elif most > least:
        parts.append(_chain(operand, most - least, skippable=True))
    if not parts:
        return Built(EPSILON_GRAPH, (np.empty(0, dtype=np.int32),))
    if len(parts) == 1:
        return parts[0]
    both = concatenated([part.topology for part in parts], limits)
    return Built(both.topology, (both.local([part.selections[0] for part in parts]),))


def _size(sizes: Sequence[Size], parameters: Parameters) -> Size:
    least, most = _bounds(parameters)
    copies = least + 1 if most is None else most
    return Size(sizes[0].states * copies + 1, (sizes[0].arcs + 1) * copies, sizes[0].labels)


OPERATOR = Operator(
    name="repeat",
    summary="Has a path for each sequence of m to n paths of A; each number of repetitions is there once.",
    category=Category.STRUCTURAL,
    operands=(Type.GRAPH,),
    tag="repeat",
    sign="{m,n}",
    build=_build,
    size=_size,
    laws=(
        Law("A{0}", "ε", ("equal",), "its definition"),
        Law("A{1}", "A", ("equal",), "its definition"),
        Law("A{2}", "A A", ("equal",), "its definition"),
        Law("A{3}", "A A A", ("equal",), "its definition"),
        Law("A{0,1}", "A?", ("equal",), "both are ε + A"),
        Law("A{0,}", "A*", ("equal",), "both are any number of repetitions"),
        Law("A{1,}", "A^+", ("equal",), "both are A A*"),
        Law("A{2,}", "A A A*", ("equal",), "its definition"),
        Law("A{0,2}", "ε + A (ε + A)", ("equal",), "its definition"),
        Law("A{1,3}", "A (ε + A (ε + A))", ("equal",), "its definition"),
        Law("A{1,3}", "A + A A + A A A", ("lse", "max", "min", "count"), "each number of repetitions counts once"),
    ),
    example="LSE[A{2,5} ∘ X]",
    reference="IEEE Std 1003.1 (POSIX), section 9.4.6, EREs Matching Multiple Characters",
)
