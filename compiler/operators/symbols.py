"""One symbol out of a set, from a character class such as ``re"[a-z]"``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arcgrad.compiler.graphs.mapping import label_array
from arcgrad.compiler.graphs.topology import Topology
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Built, Category, Operator, Parameters, Size

__all__ = ["OPERATOR"]


def _build(topologies: Sequence[Topology], parameters: Parameters, limits: Limits) -> Built:
    n = len(parameters)
    limits.check_graph("the set of symbols", 2, n)
    zeros, ones = np.zeros(n, dtype=np.int32), np.ones(n, dtype=np.int32)
    labels = label_array(parameters, "a set of symbols")
    return Built(Topology.make(2, zeros, ones, labels, start=(0,), accept=(1,)), ())


OPERATOR = Operator(
    name="symbols",
    summary="Has one path of one arc, of weight 0, for each of the labels.",
    category=Category.LITERAL,
    variadic=True,
    parameter_names=("label",),
    build=_build,
    size=lambda sizes, parameters: Size(2, len(parameters), len(parameters)),
    example='COUNT[re"[a-z]"]',
    reference="IEEE Std 1003.1 (POSIX), section 9.3.5, RE Bracket Expression",
)
