"""Find the steps that a routine may differentiate while it evaluates them: those whose cotangents are known by then.

Used by ``lower``: LSE[X] over many columns is then read from memory once.
"""

from __future__ import annotations

from collections.abc import Collection
from string import Formatter

from arcgrad.compiler.frontend.ir import Node
from arcgrad.compiler.plan.plan import Plan

__all__ = ["early_steps"]


def early_steps(plan: Plan, regions: Collection[Node]) -> frozenset[Node]:
    """Find the steps whose cotangents are known before any value: those that enter linearly."""
    late: set[Node] = set(plan.leaf_numbers)
    for step in reversed(plan.steps):
        if step in regions:
            continue
        known = {o for o in step.operands if o.is_input or o.is_number}
        for operand, template in zip(step.operands, step.definition.gradient_code, strict=True):
            used = {name for _, name, _, _ in Formatter().parse(template) if name is not None} - {"cotangent"}
            if step in late or "value" in used or not all(step.operands[int(name)] in known for name in used):
                late.add(operand)
    return frozenset(step for step in plan.steps if step not in late)
