"""Operators whose output depends on weights: their compiled twins, and how they take dense compositions unbuilt.

Called by `arcgrad.runtime.call.stages` at a stage's end. `TWINS` says which operators have one; it gives the same graph
as the operator's own ``transform``. Importing this module imports no numba.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from arcgrad.compiler.graphs.transforms import Transform
from arcgrad.compiler.limits import Limits
from arcgrad.compiler.operators.base import Parameters
from arcgrad.runtime.jit.declare import Kernel
from arcgrad.runtime.kernels.frames.frames_path import frames_path, frames_path_float32
from arcgrad.runtime.kernels.lattice.graph_max import graph_max_forward, graph_max_path
from arcgrad.runtime.kernels.trellis.trellis_path import trellis_path, trellis_path_float32, trellis_path_walk
from arcgrad.runtime.transforms import nbest, sample
from arcgrad.runtime.transforms.composition import Chosen, Composition
from arcgrad.runtime.transforms.minimal import KERNELS as JOINING
from arcgrad.runtime.transforms.minimal import minimize_of_graph
from arcgrad.runtime.transforms.path import path_of_composition, path_of_graph
from arcgrad.runtime.transforms.pushing import KERNELS as SUMS
from arcgrad.runtime.transforms.pushing import posterior_of_graph, prune_of_graph, push_of_graph
from arcgrad.runtime.transforms.rows import KERNELS as ROWS
from arcgrad.runtime.transforms.rows import rmeps_of_graph
from arcgrad.runtime.transforms.subsets import KERNELS as SUBSETS
from arcgrad.runtime.transforms.subsets import det_of_graph

__all__ = ["TWINS", "Twin"]

Kernels = tuple[Kernel[..., Any], ...]


class Twin(NamedTuple):
    """What serves an operator.

    Attributes:
        built: of a built graph, as the operator's own.
        composed: of a dense composition; None where the operator always takes a built graph.
        kernels: what they may call, by shape of region and dtype of frames ("" for built graphs).
    """

    built: Transform
    composed: Callable[[Composition, Parameters, Limits], Chosen] | None
    kernels: Mapping[tuple[str, str], Kernels]


def _kernels_of(module: Any) -> dict[tuple[str, str], Kernels]:
    """The kernels of a module that has one set of them for trellises and for frames alone."""
    shapes = itertools.product(("frames", "trellis"), ("float64", "float32"))
    return {
        ("", ""): module.KERNELS_OF_GRAPHS,
        **{(shape, dtype): module.trellis_kernels(np.dtype(dtype).char) for shape, dtype in shapes},
    }


TWINS: Mapping[str, Twin] = {
    "path": Twin(
        path_of_graph,
        path_of_composition,
        {
            ("", ""): (graph_max_forward, graph_max_path),
            ("frames", "float64"): (frames_path,),
            ("frames", "float32"): (frames_path_float32,),
            ("trellis", "float64"): (trellis_path, trellis_path_walk),
            ("trellis", "float32"): (trellis_path_float32, trellis_path_walk),
        },
    ),
    "rmeps": Twin(rmeps_of_graph, None, {("", ""): ROWS}),
    "determinize": Twin(det_of_graph, None, {("", ""): SUBSETS}),
    "minimize": Twin(minimize_of_graph, None, {("", ""): JOINING}),
    "push": Twin(push_of_graph, None, {("", ""): SUMS}),
    "posterior": Twin(posterior_of_graph, None, {("", ""): SUMS}),
    "prune": Twin(prune_of_graph, None, {("", ""): SUMS}),
    "nbest": Twin(nbest.nbest_of_graph, nbest.nbest_of_composition, _kernels_of(nbest)),
    "sample": Twin(sample.sample_of_graph, sample.sample_of_composition, _kernels_of(sample)),
}
"""By the operator's registry name."""
