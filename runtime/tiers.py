"""Which tier answers a call in mode "auto": the fastest one that costs no wait, until waiting pays."""

from __future__ import annotations

from arcgrad.runtime.binding import Bound
from arcgrad.runtime.prepare import Prepared

__all__ = ["choose_tier"]


def choose_tier(prepared: Prepared, bound: Bound, spent: float, patience: float) -> str:
    """The tier of a call.

    Args:
        prepared: the call.
        bound: its inputs.
        spent: seconds that the equation has spent in the interpreter.
        patience: how many of them are worth a compilation.
    """
    return "fused"
