"""Emission: plan → instructions → the text of one routine that evaluates and differentiates it.

The last stage of the compiler. ``lower`` makes the list of instructions, ``render_python`` writes it; another target is
another renderer of the same list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arcgrad.compiler.emit.instructions import KernelChoice
from arcgrad.compiler.emit.lower import lower
from arcgrad.compiler.emit.render_python import render_python, signature
from arcgrad.compiler.frontend.ir import Node
from arcgrad.compiler.plan.plan import Plan

__all__ = ["Emitted", "KernelChoice", "emit", "signature"]


@dataclass(frozen=True)
class Emitted:
    """A routine's text and what its caller must know.

    Attributes:
        source: the module's text.
        entries: nodes whose leaf entries the argument ``entries`` holds, in order.
        dense: index of each dense input among the arguments, by name.
    """

    source: str
    entries: tuple[Node, ...]
    dense: Mapping[str, int]


def emit(
    plan: Plan, kernels: Sequence[KernelChoice], dtypes: Mapping[str, str], functions: Mapping[str, str]
) -> Emitted:
    """Write the routine of a plan.

    Args:
        plan: what to evaluate.
        kernels: for each of the plan's regions, its kernels.
        dtypes: "float32" or "float64" for each dense input that is met in a region.
        functions: modules of the functions that templates of score operators and routines may call, by name.
    """
    routine = lower(plan, kernels, dtypes)
    return Emitted(render_python(routine, functions), routine.entries, routine.dense)
