"""``linear[1, 7, 3]``: the linear acceptor of those labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arcgrad.compiler.graphs.mapping import label_array
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Category, Law, Operator, Parameters, Size

__all__ = ["OPERATOR"]


def _build(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    n = len(parameters)
    limits.check_graph("the linear graph", n + 1, n)
    states = np.arange(n + 1, dtype=np.int32)
    labels = label_array(parameters, "linear")
    return Built(Topology.make(n + 1, states[:-1], states[1:], labels, start=(0,), accept=(n,)), ())


OPERATOR = Operator(
    name="linear",
    summary="Has one path, of weight 0, that reads and writes the labels in order.",
    category=Category.LITERAL,
    variadic=True,
    names=("linear",),
    parameter_names=("label",),
    build=_build,
    size=lambda sizes, parameters: Size(len(parameters) + 1, len(parameters), len(set(parameters))),
    laws=(
        Law("linear[4] linear[5]", "linear[4, 5]", ("lse", "max", "min", "count"), "one path of weight 0 each"),
        Law("linear[4, 5] @ linear[4, 5]", "linear[4, 5]", ("equal",), "a string matches itself"),
    ),
    example="LSE[linear[1, 7, 3] ∘ X]",
    reference="Hannun, An Introduction to Weighted Automata in Machine Learning (2021)",
)
