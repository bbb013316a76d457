"""What a topology knows of itself."""

from __future__ import annotations

import numpy as np
import pytest

from arcgrad.compiler.graphs.topology import Topology


@pytest.mark.parametrize(
    "labels", [[], [-1], [-1, -1, 0], [0], [5, 5, 2, -1], [2**31 - 1, 0, -1], list(range(50)), [-1, 1003], [-1, 1009]]
)
def test_number_of_labels(labels: list[int]) -> None:
    n = len(labels)
    topology = Topology.make(1, np.zeros(n), np.zeros(n), labels)
    assert topology.n_labels == len(set(labels) - {-1})
