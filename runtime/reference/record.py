"""The record of an evaluation by the interpreter: what ``eq.trace`` gives."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from arcgrad.compiler.frontend.ir import Program
from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import shown

if TYPE_CHECKING:
    from arcgrad.runtime.draw.drawing import Drawing

__all__ = ["Trace", "TraceNode"]


@dataclass(eq=False)
class TraceNode:
    """One value of an evaluation: an input, or the result of an operator.

    Attributes:
        name: the input's name, or G1, G2, … in order of evaluation.
        expression: the operator on the names of its inputs, such as ``G1 ∘ G2``.
        value: a Graph or a number.
        gradient: derivative of the equation's value (for a graph: of the sum of its arc weights, unless a cotangent was
            given) by this node's value: (n_arcs,) for a graph, a number for a score; None before the backward pass.
        inputs: the nodes it was made from.
    """

    name: str
    expression: str
    value: Any
    gradient: Any
    inputs: tuple[TraceNode, ...]

    def __repr__(self) -> str:
        return f"{self.name} = {self.expression}: {self.value!r}"


class _NoNodeError(InputError, KeyError):
    pass


@dataclass(eq=False)
class Trace:
    """The record of one evaluation: ``nodes`` in order, the last being the equation's result.

    Attributes:
        nodes: inputs and results.
        program: the equation.
        dense: names of inputs that were given as dense inputs.
    """

    nodes: tuple[TraceNode, ...]
    program: Program = field(repr=False)
    dense: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> TraceNode:
        for node in self.nodes:
            if node.name == name:
                return node
        names = [node.name for node in self.nodes]
        listed = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
        raise _NoNodeError(f"the trace has no node {shown(name)}", hint=f"its nodes are {listed}")

    def __str__(self) -> str:
        return "\n".join(map(repr, self.nodes))

    def draw(
        self,
        file: str | os.PathLike[str] | None = None,
        *,
        data: str | Iterable[str] | None = None,
        symbols: Any = None,
        title: str | None = None,
    ) -> Drawing:
        """Draw the computation graph with what was computed, each graph within its node.

        Arcs have their gradients as colours and widths. Of graphs of more than 40 arcs or states there are the numbers
        of both, of scores the value and the gradient.

        Args:
            file: where to write the picture: .svg, .png (extra ``plot``) or .dot; None: nowhere.
            data: names of inputs that are data rather than parameters, which are shaded; None: the dense inputs.
            symbols: a table of labels' symbols, what makes one, or ``chr``; None: labels are numbers.
            title: a line above the picture.

        Raises:
            InputError: a file of another suffix, a name that is not an input, a label that is not in the table.
            UnsupportedError: a PNG without cairosvg.
            OSError: the file cannot be written.

        Example:
            >>> import arcgrad as ag
            >>> a, x = ag.linear("ab"), ag.linear("ab", weight=[-0.5, -1.0])
            >>> ag.compile("LSE[A ∘ X]").trace(A=a, X=x).draw(data="X", symbols=chr)
            <Drawing ...: G1 = A ∘ X; G2 = LSE[G1]>
        """
        from arcgrad.runtime.data.symbols import namer
        from arcgrad.runtime.draw.computation import checked_data, draw_computation, steps_of
        from arcgrad.runtime.draw.drawing import checked_file, saved
        from arcgrad.runtime.draw.values import with_values

        if file is not None:
            checked_file(file)
        values = {node.name: node for node in self.nodes}
        steps = steps_of(self.program, checked_data(self.dense if data is None else data, self.program.inputs))
        names = namer(symbols)
        shown = [with_values(step, values[step.name], names) if step.name in values else step for step in steps]
        return saved(draw_computation(shown, title), file)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """The picture and the text, for notebooks."""
        return {"image/svg+xml": self.draw().svg, "text/plain": str(self)}
