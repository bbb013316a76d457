"""What the functions of other frameworks ask of an equation."""

from __future__ import annotations

from arcgrad.compiler.types import Type
from arcgrad.equation import Equation
from arcgrad.grammar.errors import InputError

__all__ = ["check_is_score"]


def check_is_score(equation: Equation, module: str) -> None:
    """Refuse an equation whose value is a graph, which is not an array.

    Args:
        equation: what is to become a function of arrays.
        module: the name that users call, for the message.

    Raises:
        InputError: its value is a graph.

    Example:
        >>> import arcgrad as ag
        >>> from arcgrad.scores import check_is_score
        >>> check_is_score(ag.compile("LSE[A]"), "ag.torch")
    """
    if equation._program.result.type is not Type.SCORE:
        raise InputError(
            f"{module} takes equations whose value is a score, but this one's is a graph",
            hint=f"reduce it, as in LSE[{equation.text.strip()}]; ag.compile has graphs as values",
        )
