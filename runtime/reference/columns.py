"""Refuses graphs with labels for which the dense input that they meet has no column, before a call is prepared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from arcgrad.compiler.frontend.ir import Node, Program
from arcgrad.compiler.limits import Limits
from arcgrad.grammar.errors import ArcgradError
from arcgrad.runtime.build.columns import find_meetings, suspects
from arcgrad.runtime.data.inputs import Bound
from arcgrad.runtime.reference.interpreter import Interpretation, name_item

__all__ = ["check_columns"]


def check_columns(nodes: Iterable[Node], program: Program, bound: Bound, limits: Limits) -> None:
    """Look for labels without a column; where there may be one, build what meets the dense input as it was written.

    Args:
        nodes: the program's inputs and compositions, operands first.
        program: the equation, not rewritten.
        bound: its inputs.
        limits: budget.

    Raises:
        InputError: there is one; it names graph, arc, label and the number of columns.
        LimitError: what meets the dense input is too large to be built.
    """
    for meeting, item in suspects(find_meetings(nodes, bound), bound):
        run = Interpretation(replace(program, result=meeting.graph), bound, item, limits)
        try:
            run.check_columns(meeting)
        except ArcgradError as error:
            name_item(error, bound, item)
            raise
