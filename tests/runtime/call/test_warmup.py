"""``ag.warmup`` compiles or loads everything that a call like the given one may use."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import arcgrad as ag
from arcgrad.runtime.kernels.frames.frames_path import frames_path
from arcgrad.runtime.kernels.graphs.compose import compose_arcs
from arcgrad.runtime.kernels.graphs.label_index import index_arcs
from arcgrad.runtime.kernels.graphs.order import trim_ints
from arcgrad.runtime.kernels.graphs.selections import join_arcs, sum_weights
from arcgrad.runtime.kernels.lattice.graph_max import graph_max_forward, graph_max_path
from arcgrad.runtime.kernels.packing.pack_trellis import pack_trellis_ints
from arcgrad.runtime.kernels.trellis.trellis_path import trellis_path_float32, trellis_path_walk

pytestmark = pytest.mark.slow

COMPOSING = {compose_arcs, index_arcs, join_arcs, sum_weights}
LINE = ag.linear([1, 2])
X = np.zeros((3, 4))


@pytest.mark.parametrize(
    ("text", "inputs", "expected"),
    [
        ("LSE[A]", {"A": LINE}, set()),
        ("LSE[X]", {"X": X}, set()),
        ("LSE[X ∘ A]", {"X": X, "A": LINE}, {pack_trellis_ints}),
        ("LSE[X ∘ (A ∘ B)]", {"X": X, "A": LINE, "B": LINE}, {pack_trellis_ints, *COMPOSING}),
        ("LSE[A ∩ B]", {"A": LINE, "B": LINE}, COMPOSING),
        ("connect[A ∘ B]", {"A": LINE, "B": LINE}, {trim_ints, *COMPOSING}),
        ("MAX[X ∘ (A + B)]", {"X": X, "A": LINE, "B": LINE}, {pack_trellis_ints, join_arcs, sum_weights}),
        ("LSE[PATH[A]]", {"A": LINE}, {graph_max_forward, graph_max_path}),
        ("PATH[X]", {"X": X}, {frames_path}),
        ("PATH[X ∘ A]", {"X": X.astype("f"), "A": LINE}, {pack_trellis_ints, trellis_path_float32, trellis_path_walk}),
    ],
)
def test_what_is_loaded_beside_the_routine(text: str, inputs: dict[str, Any], expected: set[object]) -> None:
    assert set(ag.compile(text)._evaluator.kernels_beside(inputs)) == expected


def test_warmup_loads_what_new_graphs_need() -> None:
    pack_trellis_ints.forget()
    ag.warmup("LSE[X] - LSE[X ∘ A]", X=X, A=LINE, gradient=False)
    ag.warmup("LSE[X] - LSE[X ∘ A]", X=X, A=LINE)
    assert pack_trellis_ints._compiled is not None
