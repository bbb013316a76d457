"""Which tier answers a call in mode "auto": the fastest one that costs no wait, until waiting pays.

A routine in memory or on disk is taken. Otherwise small work is interpreted at once, larger work runs over the kernel
library where that needs no compiling, and what has cost more than a routine's compilation is worth gets compiled.
"""

from __future__ import annotations

import importlib
import time

from arcgrad.runtime.call.prepared import Prepared
from arcgrad.runtime.jit.declare import Kernel
from arcgrad.runtime.jit.routine import is_ready

__all__ = ["PATIENCE", "choose_tier"]

# Seconds that an equation may spend in the slower tiers before its routine is compiled.
PATIENCE = 0.25
# The interpreter's seconds an arc-frame, and the most that one call may take before kernels are worth loading.
_INTERPRETED = 4e-6
_AT_ONCE = 0.1
# Seconds after which the disk is asked again for a routine, which another process may have compiled.
_ASK_AGAIN = 0.25
# Steps beyond which nobody wants to wait for numba: a step is a handful of lines, and each line costs about 25 ms.
MAX_COMPILED_STEPS = 200


def choose_tier(prepared: Prepared, spent: float) -> str:
    """The tier of a call: "interpret", "kernels" or "fused".

    Args:
        prepared: the call.
        spent: seconds that the equation has spent in slower tiers so far.
    """
    if prepared.emitted is None:
        return "kernels"  # no routine: weights are gathered and that is all
    small_enough = len(prepared.plan.steps) <= MAX_COMPILED_STEPS
    if prepared.loaded("fused") is not None:
        return "fused"
    if (spent > PATIENCE and small_enough) or _is_on_disk(prepared):
        return "fused"
    if prepared.work * _INTERPRETED <= _AT_ONCE:
        return "interpret"
    return "kernels" if not small_enough or _kernels_are_ready(prepared) else "fused"


def _is_on_disk(prepared: Prepared) -> bool:
    """Whether the routine need not be compiled; asked of the disk now and then, which takes as long as a small call."""
    assert prepared.emitted is not None
    now = time.monotonic()
    asked: float | None = prepared.memo.get("asked the disk")
    if asked is not None and now - asked < _ASK_AGAIN:
        return False
    prepared.memo["asked the disk"] = now
    return is_ready(prepared.emitted.source, signature=prepared.signature)


def _kernels_are_ready(prepared: Prepared) -> bool:
    for names in prepared.kernels:
        module = importlib.import_module(names.module)
        for name in (names.forward, names.backward):
            kernel = getattr(module, name) if name is not None else None
            if isinstance(kernel, Kernel) and not kernel.is_ready:
                return False
    return True
