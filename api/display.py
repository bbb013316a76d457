"""How equations are shown: as pictures of their computation graphs, and in notebooks."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from arcgrad.compiler.frontend.ir import Program
    from arcgrad.runtime.draw.drawing import Drawing

__all__ = ["Displayed"]


class Displayed:
    """What an Equation has of pictures."""

    inputs: tuple[str, ...]
    _program: Program

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
            InputError: a file of another suffix, or a name that is no input.
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

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """The computation graph, the equation in LaTeX, and the text, for notebooks."""
        return {
            "image/svg+xml": self.draw().svg,
            "text/latex": f"$\\displaystyle {self.latex}$",
            "text/plain": repr(self),
        }
