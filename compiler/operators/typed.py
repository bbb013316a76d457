"""A graph as typed, ``graph"0 1 a 0.5; 1 2 b; 2"``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Category, Operator, Parameters, Size
from arcgrad.compiler.types import Type

__all__ = ["OPERATOR"]


def _build(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    """Parameters: the number of states; for each arc source, destination, labels and operand (or −1); the ends."""
    n_states, arcs, starts, accepts = _taken_apart(parameters)
    limits.check_graph("the typed graph", n_states, len(arcs))
    src, dst, ilabel, olabel, operand = np.array(arcs, dtype=np.int32).reshape(-1, 5).T
    outputs = None if np.array_equal(ilabel, olabel) else olabel
    topology = Topology.make(n_states, src, dst, ilabel, outputs, starts, accepts)
    selections = (np.where(operand == k, 0, -1).astype(np.int32) for k in range(len(topologies)))
    return Built(topology, tuple(selections))


def _size(sizes: Sequence[Size], parameters: Parameters) -> Size:
    n_states, arcs, _, _ = _taken_apart(parameters)
    return Size(n_states, len(arcs), len({arc[2] for arc in arcs}))


def _taken_apart(parameters: Parameters) -> Any:
    return parameters


OPERATOR = Operator(
    name="typed",
    summary="Has the states and arcs that were typed, with the scores typed beside them as weights.",
    category=Category.STRUCTURAL,
    operands=(Type.SCORE,),
    variadic=True,
    build=_build,
    size=_size,
    example='LSE[graph"0 1 a 0.5; 1 2 b:x; 1 2 c -1; 2"]',
    reference="AT&T FSM library, text form of automata (acceptor and transducer files)",
)
