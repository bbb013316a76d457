"""What ``ag.warmup`` loads or compiles beside the routine: the kernels of the symbolic part.

In ordinary calls these wait until numpy has taken long enough (`operators.patience`).
"""

from __future__ import annotations

from arcgrad.compiler.frontend.ir import topological
from arcgrad.compiler.types import Type
from arcgrad.runtime.build.operators import KERNELS
from arcgrad.runtime.call.prepared import Prepared
from arcgrad.runtime.call.stages import StageRun
from arcgrad.runtime.data.inputs import BoundDense
from arcgrad.runtime.jit.declare import Kernel
from arcgrad.runtime.kernels.graphs.selections import join_arcs, sum_weights
from arcgrad.runtime.kernels.packing.pack_trellis import pack_trellis_ints
from arcgrad.runtime.transforms import TWINS

__all__ = ["load_lazy_kernels", "load_symbolic_kernels", "symbolic_kernels", "transform_kernels"]


def symbolic_kernels(prepared: Prepared) -> list[Kernel[..., object]]:
    """The kernels that preparing a call of this kind may use, whether or not this one did."""
    plan = prepared.plan
    found: list[Kernel[..., object]] = []
    graphs = [region.graph for region in plan.regions] + [plan.graph]
    for node in {node: None for graph in graphs if graph is not None for node in topological(graph)}:
        found += KERNELS.get(node.operator, ())
        if sum(operand.type is Type.GRAPH for operand in node.operands) == 2:
            found += join_arcs, sum_weights
    if any(region.meeting is not None and region.graph is not None for region in plan.regions):
        found.append(pack_trellis_ints)
    return list(dict.fromkeys(found))


def load_symbolic_kernels(prepared: Prepared) -> None:
    """Load or compile them."""
    for kernel in symbolic_kernels(prepared):
        kernel.load()


def transform_kernels(run: StageRun) -> tuple[Kernel[..., object], ...]:
    """The kernels that an operator whose output depends on weights may use."""
    twin = TWINS.get(run.stage.node.operator)
    if twin is None or run.composed is None:
        return () if twin is None else twin.kernels["", ""]
    dense = run.here.inputs[run.dense]
    assert isinstance(dense, BoundDense)
    if not run.engines:
        return twin.kernels["frames", dense.frames.dtype.name]
    return (pack_trellis_ints, *twin.kernels["trellis", dense.frames.dtype.name])


def load_lazy_kernels() -> None:
    """Load or compile what routines loaded so far would ask for with other graphs or scores."""
    from arcgrad.runtime.jit import link

    link.load_lazy()
