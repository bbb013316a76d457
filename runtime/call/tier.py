"""Which tier answers a call in mode "auto": the fastest one that costs no wait.

A routine in memory or on disk is taken. Otherwise small work is interpreted, larger work runs over the kernel library
where that is compiled, and once that has cost more than a routine's compilation is worth, it is compiled
(`arcgrad.runtime.jit.patience`).
"""

from __future__ import annotations

import importlib

from arcgrad.runtime.call.prepared import Prepared
from arcgrad.runtime.jit.declare import Code, Kernel
from arcgrad.runtime.jit.patience import Patience

__all__ = ["choose_tier", "seconds_interpreted"]

# The interpreter's seconds an arc-frame, and the most that one call may take before kernels are worth loading.
_INTERPRETED = 4e-6
_AT_ONCE = 0.1


def choose_tier(prepared: Prepared, patience: Patience) -> str:
    """The tier of a call: "interpret", "kernels" or "fused"; only code that is to be had, or to be compiled here.

    Args:
        prepared: the call.
        patience: of its equation.
    """
    if prepared.emitted is None:
        return "kernels"  # no routine: weights are gathered and that is all
    if prepared.loaded("fused") is not None:
        return "fused"
    small_enough = prepared.may_be_fused
    code = [prepared.routine] if small_enough else _kernels(prepared)
    costs = seconds_interpreted(prepared)
    if patience.ends_for(*code, expected=costs, also=lambda: prepared.symbolic_kernels):
        return "fused" if small_enough else "kernels"
    if costs > _AT_ONCE and all(kernel.is_ready for kernel in _kernels(prepared)):
        return "kernels"
    return "interpret"


def seconds_interpreted(prepared: Prepared) -> float:
    """About what the interpreter takes for a call."""
    return (prepared.work + prepared.plan.chained / 10) * _INTERPRETED


def _kernels(prepared: Prepared) -> list[Code]:
    found: list[Code] = []
    for names in prepared.kernels:
        module = importlib.import_module(names.module)
        kernels = [getattr(module, name) for name in (names.forward, names.backward) if name is not None]
        found += [kernel for kernel in kernels if isinstance(kernel, Kernel)]
    return found
