"""What push, POST and prune have in common: weights moved along the paths, in the semiring of a reduction.

Under the operators of these names. Weights under MIN are those under MAX with the sign turned.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import partial

import numpy as np

from arcgrad.compiler.graphs.topology import EPSILON, IntArray, Topology
from arcgrad.compiler.graphs.transforms import FloatArray, Transform, Transformed
from arcgrad.compiler.graphs.weighted.path_sums import path_sums
from arcgrad.compiler.graphs.weighted.tape import Term
from arcgrad.compiler.limits import Limits
from arcgrad.grammar.errors import InputError

__all__ = ["in_semiring", "pushed", "reversed_topology", "with_ends"]

Work = Callable[[Topology, FloatArray, int, Limits], Transformed]


def in_semiring(name: str, work: Work) -> Transform:
    """The transform that works in the semiring that its last parameter names ("max", "min"), or else in "log".

    Args:
        name: the operator's spelling, for messages.
        work: ``work(topology, weights, best, limits)``; what ``best`` means says `Tape`.
    """

    def transform(
        topology: Topology, weights: FloatArray, parameters: tuple[Hashable, ...], limits: Limits
    ) -> Transformed:
        semiring = parameters[-1] if parameters and parameters[-1] in ("max", "min") else "log"
        if semiring != "min":
            return work(topology, weights, int(semiring == "max"), limits)
        infinite = np.flatnonzero(weights == -math.inf)
        if len(infinite):
            raise InputError(
                f"{name} under MIN takes finite weights, but arc {infinite[0]} of its operand has weight -inf: "
                "what such an arc leaves for others is not defined",
                hint="under LSE and MAX an arc of weight -inf is absent; for a large cost give a large finite weight",
            )
        made = work(topology, -weights, -1, limits)
        return replace(made, weights=0.0 - made.weights)

    return transform


def reversed_topology(topology: Topology) -> Topology:
    """The graph with every arc turned round, its arcs and states in order."""
    olabel = None if topology.is_acceptor else topology.olabel
    return Topology.make(
        topology.n_states, topology.dst, topology.src, topology.ilabel, olabel, topology.accept, topology.start
    )


def with_ends(
    topology: Topology,
    kept_states: IntArray,
    kept_arcs: IntArray,
    first: IntArray,
    last: IntArray,
    plain: IntArray,
) -> Topology:
    """Some states and arcs of a graph, behind a new start and before a new accept, with ε arcs from and to these.

    States are the new start, those kept in order, and where ``last`` has any, the new accept. Arcs are one from the
    start to each state of ``first``, those kept in order, and one from each state of ``last`` to the accept.

    Args:
        topology: the graph.
        kept_states: states, ascending; none: the empty graph.
        kept_arcs: arcs between them, ascending.
        first: states that paths begin at.
        last: states that paths end at with a weight.
        plain: states that paths end at without.
    """
    if not len(kept_states):
        return Topology.make(0, [], [], [])
    number = np.zeros(topology.n_states, dtype=np.int32)
    number[kept_states] = np.arange(1, len(kept_states) + 1, dtype=np.int32)
    accept = len(kept_states) + 1

    def labels(own: IntArray) -> IntArray:
        ends = np.full(len(first), EPSILON, dtype=np.int32), np.full(len(last), EPSILON, dtype=np.int32)
        return np.concatenate([ends[0], own[kept_arcs], ends[1]]).astype(np.int32)

    src = np.concatenate([np.zeros(len(first), dtype=np.int32), number[topology.src[kept_arcs]], number[last]])
    dst = np.concatenate([number[first], number[topology.dst[kept_arcs]], np.full(len(last), accept, dtype=np.int32)])
    ends = np.append(number[plain], accept) if len(last) else number[plain]
    return Topology.make(
        accept + (len(last) > 0), src, dst, labels(topology.ilabel),
        None if topology.is_acceptor else labels(topology.olabel), [0], np.sort(ends),
    )  # fmt: skip


def pushed(topology: Topology, weights: FloatArray, best: int, limits: Limits) -> Transformed:
    """Weights moved towards the starts, so that what leaves a state sums to 1 (``best``: is at most 0).

    A new start has an ε arc to each old one with the sum over the paths from there. A state at which paths end or go on
    has an ε arc to a new accept with what ending has of the state's sum. What lies on no path is dropped.

    Raises:
        DivergenceError: the sum over all paths is not finite.
    """
    sums = path_sums(topology, weights, best)
    graph, values, ahead = sums.graph, sums.tape.values, sums.ahead
    states = np.array(sorted(ahead), dtype=np.int32)
    arcs = sorted((arc, state, other, weight) for state in ahead for arc, other, weight in graph.out[state])
    first = [state for state in graph.start if values[ahead[state]] > -math.inf]
    # Where a path may only end, ending is all there is: exactly 1.
    ends = {state: graph.accept[state] - values[ahead[state]] for state in graph.accept}
    last = [state for state in graph.accept if graph.out[state] and ends[state] != 0.0]
    plain = [state for state in graph.accept if not (graph.out[state] and ends[state] != 0.0)]
    terms = [Term((ahead[state],), weight=graph.start[state] + sums.top) for state in first]
    terms += [Term((ahead[other],), arc, weight, over=(ahead[state],)) for arc, state, other, weight in arcs]
    terms += [Term((), weight=graph.accept[state], over=(ahead[state],)) for state in last]
    kept = np.array([each[0] for each in arcs], dtype=np.int32)
    made = with_ends(topology, states, kept, *(np.array(sorted(each), dtype=np.int32) for each in (first, last, plain)))
    found = np.array([sums.tape.value(term) for term in terms], dtype=np.float64)
    # Rounding makes a little more than 1 of what is all that leaves a state.
    found[len(first) :] = np.minimum(found[len(first) :], 0.0)

    def pull_back(cotangent: FloatArray) -> FloatArray:
        return sums.tape.pull_back(zip(terms, cotangent.tolist(), strict=True))

    return Transformed(made, found, pull_back, along=partial(sums.tape.along, terms))
