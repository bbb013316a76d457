"""Values of graph-valued equations without scores: no routine runs, the built graphs' arcs take their leaves' weights.

Stage: run, called by `evaluate`. What only few arcs of a large input enter costs no time for the rest of it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from arcgrad.runtime.call.carry import of_built
from arcgrad.runtime.call.prepared import Prepared
from arcgrad.runtime.data.graph import Graph
from arcgrad.runtime.data.inputs import Bound, BoundScore

__all__ = ["graph_values"]

FloatArray = NDArray[np.float64]


def graph_values(prepared: Prepared, bound: Bound) -> Iterator[Graph]:
    """The value of each item; ``prepared`` is of an equation that has a graph for its value, and no scores."""
    leaves, layout = prepared.plan.leaves, prepared.layout
    flat: FloatArray | None = None
    for item, graph in enumerate(prepared.graphs):

        def leaf_weights(number: int, item: int = item) -> FloatArray:
            leaf = leaves[number]
            if leaf.is_number:
                return np.array([leaf.parameters[0]], dtype=np.float64)
            found = bound.inputs[str(leaf.parameters[0])]
            if isinstance(found, BoundScore):
                return found.values if found.shared else found.values[item : item + 1]
            return found.weights(item)

        weights = graph.weights(leaf_weights)
        if weights is None:
            flat = layout.weights(bound) if flat is None else flat
            weights = graph.selection.weights(flat, layout.flat_offsets(item))
        elif graph.leaf is not None:
            weights = weights.copy()  # what the user may write to, as a dense input's scores, is not a graph's
        yield Graph.from_topology(graph.topology, weights, None, of_built(graph, prepared.plan, bound, item))
