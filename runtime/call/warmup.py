"""What ``ag.warmup`` loads or compiles beside the routine: the kernels of the symbolic part.

In ordinary calls these wait until numpy has taken long enough (`arcgrad.runtime.jit.patience`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from arcgrad.runtime.call.stages import StageRun
from arcgrad.runtime.data.inputs import BoundDense
from arcgrad.runtime.jit.background.process import background
from arcgrad.runtime.jit.declare import Kernel
from arcgrad.runtime.jit.interrupts import apart
from arcgrad.runtime.kernels.packing.pack_trellis import pack_trellis_ints
from arcgrad.runtime.threads import n_cores
from arcgrad.runtime.transforms import TWINS

__all__ = ["Sharing", "transform_kernels"]


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


class Sharing:
    """Compiles in two processes what a warm-up asks for, where there are two cores: the other one begins at once.

    Args:
        kernels: what is wanted beside the routines.
    """

    def __init__(self, kernels: Sequence[Kernel[..., Any]]) -> None:
        self._kernels = list(dict.fromkeys(kernels))
        self._other = background if n_cores() > 1 else None
        if self._other is not None:
            self._other.takes(*self._kernels)

    def finish(self) -> None:
        """Load or compile them, and what routines loaded so far would ask for with other graphs or scores."""
        from arcgrad.runtime.jit import link

        while kernels := apart(link.not_loaded):
            self._load(kernels)
        self._load(self._kernels)

    def _load(self, kernels: list[Kernel[..., Any]]) -> None:
        """From the first to the last, while the other process goes from the last to the first."""
        left = [kernel for kernel in kernels if not kernel.is_loaded]
        if self._other is not None:
            self._other.takes(*reversed(left))
        for kernel in left:
            kernel.look_again()
            if not kernel.is_ready and not (self._other is not None and self._other.is_at(kernel)):
                kernel.load()
        for kernel in left:
            if self._other is not None:
                self._other.wait(kernel)
            kernel.load()
