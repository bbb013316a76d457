"""What ``ag.warmup`` loads or compiles beside the routine: the kernels of the symbolic part.

In ordinary calls these wait until numpy has taken long enough (`operators.patience`).
"""

from __future__ import annotations

from arcgrad.compiler.frontend.ir import Node, topological
from arcgrad.compiler.types import Type
from arcgrad.runtime.build.operators import KERNELS
from arcgrad.runtime.call.prepared import Prepared
from arcgrad.runtime.call.transforms import TRANSFORM_KERNELS
from arcgrad.runtime.jit.declare import Kernel
from arcgrad.runtime.kernels.graphs.selections import join_arcs, sum_weights
from arcgrad.runtime.kernels.packing.pack_trellis import pack_trellis_ints

__all__ = ["load_lazy_kernels", "load_symbolic_kernels", "load_transforms", "symbolic_kernels"]


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


def load_transforms(node: Node) -> None:
    """Load or compile the kernels of an operator whose output depends on weights."""
    for kernel in TRANSFORM_KERNELS.get(node.operator, ()):
        kernel.load()


def load_lazy_kernels() -> None:
    """Load or compile what routines loaded so far would ask for with other graphs or scores."""
    from arcgrad.runtime.jit import link

    link.load_lazy()
