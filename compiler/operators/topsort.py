"""``topsort[A]``: states numbered so that every arc leads forward."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arcgrad.compiler.graphs.orders import components, topological_order
from arcgrad.compiler.graphs.selection import block_selection
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Category, Law, Operator, Parameters
from arcgrad.compiler.types import Type
from arcgrad.grammar.errors import InputError

__all__ = ["OPERATOR"]

_ALL = ("lse", "max", "min", "count")
_SHOWN = 12


def _build(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    (operand,) = topologies
    order = topological_order(operand.n_states, operand.src, operand.dst)
    if order is None:
        raise _cyclic(operand)
    position = np.empty(operand.n_states, dtype=np.int32)
    position[order] = np.arange(operand.n_states, dtype=np.int32)
    made = Topology.make(
        operand.n_states, position[operand.src], position[operand.dst], operand.ilabel,
        None if operand.is_acceptor else operand.olabel,
        np.sort(position[operand.start]), np.sort(position[operand.accept]),
    )  # fmt: skip
    return Built(made, (block_selection(operand.n_arcs, 0, operand.n_arcs),))


def _cyclic(operand: Topology) -> InputError:
    """The error that names the states of a cycle."""
    states, begins = components(operand.n_states, operand.src, operand.dst)
    members: list[int] = []
    for low, high in zip(begins[:-1].tolist(), begins[1:].tolist(), strict=True):
        own = states[low:high]
        if high - low > 1 or bool(np.any((operand.src == own[0]) & (operand.dst == own[0]))):
            members = sorted(own.tolist())
            break
    shown = ", ".join(map(str, members[:_SHOWN])) + (", …" if len(members) > _SHOWN else "")
    where = f"arcs lead from states {shown} to one another"
    if len(members) == 1:
        where = f"state {shown} has an arc to itself"
    return InputError(
        f"topsort takes a graph without cycles, but {where}",
        hint="every operator takes graphs with cycles as they are; g.is_acyclic says whether there is one",
    )


OPERATOR = Operator(
    name="topsort",
    summary="Has A's paths, states numbered so that every arc leads to a larger number; arcs keep their order. A has "
    "no cycle.",
    category=Category.STRUCTURAL,
    operands=(Type.GRAPH,),
    names=("topsort",),
    build=_build,
    size=lambda sizes, parameters: sizes[0],
    laws=(
        Law("topsort[PATH[A]]", "PATH[A]", ("equal",), "a path's states are in order"),
        Law("topsort[linear[1, 0] + linear[2]]", "linear[1, 0] + linear[2]", _ALL, "paths are the same"),
    ),
    example="topsort[PATH[A]]",
    reference="Cormen, Leiserson, Rivest, Stein, Introduction to Algorithms, section 20.4 (2022)",
)
