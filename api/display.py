"""How equations are shown: as pictures of their computation graphs, and in notebooks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from arcgrad.compiler.frontend.ir import Program
    from arcgrad.runtime.call.evaluator import Evaluator
    from arcgrad.runtime.draw.drawing import Drawing

__all__ = ["Displayed", "heatmap"]

_MOST_SHOWN = 150  # inputs and operations of an equation whose graph notebooks show unasked


class Displayed:
    """What an Equation has of pictures."""

    inputs: tuple[str, ...]
    _program: Program
    _evaluator: Evaluator

    def _given(self, inputs: Mapping[str, Any] | None, named: Mapping[str, Any]) -> dict[str, Any]:
        """The inputs by their plain names."""
        raise NotImplementedError

    @property
    def latex(self) -> str:
        """The equation in LaTeX, in the notation of the textbook.

        Example:
            >>> import arcgrad as ag
            >>> print(ag.compile("LSE[(A1 + A2) ∘ X*]").latex)
            \\operatorname{LSE}[(\\mathcal{A}_{1} + \\mathcal{A}_{2}) \\circ \\mathcal{X}^{*}]
        """
        from arcgrad.grammar import to_latex

        return to_latex(self._program.syntax)

    def draw(
        self, file: str | os.PathLike[str] | None = None, *, data: str | Iterable[str] = (), title: str | None = None
    ) -> Drawing:
        """Draw the computation graph: inputs as solid circles, operations as squares, results G1 … Gn as dashed ones.

        ``trace`` has a ``draw`` of its own, which shows values and gradients, too.

        Args:
            file: where to write the picture: .svg, .png (extra ``plot``) or .dot, by its suffix; None: nowhere.
            data: names of inputs that are data rather than parameters, which are shaded.
            title: a line above the picture.

        Returns:
            A Drawing, which notebooks show; ``svg`` is its text and ``save`` writes it.

        Raises:
            InputError: a file of another suffix, or a name that is not an input.
            UnsupportedError: a PNG without cairosvg.
            OSError: the file cannot be written.

        Example:
            >>> import arcgrad as ag
            >>> ag.compile("LSE[(A1 + A2) ∘ X*]").draw(data="X")
            <Drawing ...: G1 = A1 + A2; G2 = X*; G3 = G1 ∘ G2; G4 = LSE[G3]>
        """
        from arcgrad.runtime.draw.computation import checked_data, draw_computation, steps_of
        from arcgrad.runtime.draw.drawing import checked_file, saved

        if file is not None:
            checked_file(file)
        steps = steps_of(self._program, checked_data(data, self.inputs))
        return saved(draw_computation(steps, title), file)

    def draw_trellis(
        self,
        inputs: Mapping[str, Any] | None = None,
        /,
        *,
        file: str | os.PathLike[str] | None = None,
        of: Literal["states", "labels"] = "states",
        animate: bool = False,
        item: int = 0,
        symbols: Any = None,
        title: str | None = None,
        **named: Any,
    ) -> Drawing:
        """Draw the posteriors of a composition with a dense input, ``X ∘ G`` or ``G ∘ X``, as a heat map over frames.

        The probability of a path is proportional to the exponential of its weight, whatever is made of the composition
        in the equation. Where it has several compositions with dense inputs, it is the first one's.

        Args:
            inputs: inputs as a mapping, for names that keywords cannot spell (or that are arguments here).
            file: where to write the picture: .svg, .png or .gif (extra ``plot``); None: nowhere.
            of: "states" for the probability that a path is in each state of the graph after so many frames; "labels"
                for the probability of each column in each frame, which is the gradient of LSE.
            animate: frame by frame, first forward, where what is shown is given the frames so far alone, then backward.
            item: which item of a batch.
            symbols: a table of labels' symbols, what makes one, or ``chr``; None: labels are numbers.
            title: a line above the picture.
            named: inputs by name.

        Returns:
            A Drawing, which notebooks show; an animated one moves there and in browsers.

        Raises:
            InputError: the equation composes no graph with a dense input, or as for a call and for ``draw``.
            UnsupportedError: the graph has a cycle of ε arcs; a PNG or GIF without cairosvg.
            LimitError: the trellis exceeds the budget of bytes.
            OSError: the file cannot be written.

        Example:
            >>> import arcgrad as ag, numpy as np
            >>> eq = ag.compile("LSE[X ∘ Y]")
            >>> eq.draw_trellis(X=np.zeros((4, 3)), Y=ag.graphs.alignments([1, 2]))
            <Drawing ...: A heat map of 6 states over 5 frames>
        """
        from arcgrad.runtime.data.symbols import namer
        from arcgrad.runtime.draw.drawing import checked_file, saved
        from arcgrad.runtime.inspect.trellis import draw_trellis

        if file is not None:
            checked_file(file)
        bound = self._evaluator.bind(self._given(inputs, named))
        drawing = draw_trellis(
            self._program,
            bound,
            self._evaluator.limits,
            of=of,
            animate=animate,
            item=item,
            names=namer(symbols),
            title=title,
        )
        return saved(drawing, file)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """The computation graph, where it can be drawn, the equation in LaTeX, and the text, for notebooks."""
        bundle = {"text/latex": f"$\\displaystyle {self.latex}$", "text/plain": repr(self)}
        if len(self._program.nodes) <= _MOST_SHOWN:
            bundle["image/svg+xml"] = self.draw().svg
        return bundle


def heatmap(
    values: Any, file: str | os.PathLike[str] | None = None, *, symbols: Any = None, title: str | None = None
) -> Drawing:
    """Draw a matrix over frames as a heat map: scores, or a gradient with respect to a dense input.

    Args:
        values: (T, C) real numbers, T frames from the left to the right, C rows. Where some are below zero, blue is
            below and orange above it. Of more than 180 frames or 72 rows, a cell has the largest of several.
        file: where to write the picture: .svg or .png (extra ``plot``); None: nowhere.
        symbols: a table of the rows' symbols, what makes one, or ``chr``; None: rows have numbers.
        title: a line above the picture.

    Returns:
        A Drawing, which notebooks show; ``svg`` is its text and ``save`` writes it.

    Raises:
        InputError: values of a wrong shape or dtype, a file of another suffix, a row that is not in the table.
        UnsupportedError: a PNG without cairosvg.
        OSError: the file cannot be written.

    Example:
        >>> import arcgrad as ag, numpy as np
        >>> _, grad = ag.compile("LSE[X ∘ Y]").value_and_grad(X=np.zeros((5, 3)), Y=ag.graphs.alignments([1, 2]))
        >>> ag.heatmap(grad["X"], symbols="-ab")
        <Drawing ...: A heat map of 3 labels over 5 frames>
    """
    from arcgrad.runtime.data.symbols import namer
    from arcgrad.runtime.draw.drawing import checked_file, saved
    from arcgrad.runtime.draw.heatmap import draw_heatmap

    if file is not None:
        checked_file(file)
    return saved(draw_heatmap(values, "values", None if symbols is None else namer(symbols), title), file)
