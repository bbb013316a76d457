"""``ag.warmup``: equations are compiled before they are called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from arcgrad.equation import Equation, compile_equation
from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import kind_of

__all__ = ["warmup"]


def warmup(
    equations: str | Equation | Callable[..., Any] | Iterable[str | Equation],
    inputs: Mapping[str, Any] | None = None,
    /,
    *,
    gradient: bool = True,
    **named: Any,
) -> None:
    """Compile now, or load from disk, all that these equations need for inputs like the given ones.

    That is their routines, with the parts of them that only some graphs and scores ask for, which otherwise are
    compiled when these come; and the code that composes and packs graphs, which otherwise is compiled when that has
    taken long enough without it. Where there are two cores, another process compiles its share.

    Values of the inputs do not matter, only their kinds: which are dense and of which dtype, and whether graphs have
    cycles.

    Args:
        equations: one equation or several that take the same inputs; or ``ag.torch.ctc_loss``, without inputs.
        inputs: inputs as a mapping.
        gradient: also run the gradient once.
        named: inputs by name.

    Raises:
        EquationError, InputError: see ``compile`` and ``Equation``.

    Example:
        >>> import arcgrad as ag
        >>> ag.warmup("LSE[A]", A=ag.linear([1, 2]))
    """
    own_kernels = getattr(equations, "kernels_of_its_own", None)
    if own_kernels is not None:
        if inputs is not None or named:
            raise InputError("a loss is compiled for all inputs, so that none are given here")
        _load(own_kernels())
        return
    if not isinstance(inputs, (Mapping, type(None))):
        raise InputError(f"inputs are a mapping from names to inputs, not {kind_of(inputs)}")
    from arcgrad.runtime.call.warmup import Sharing
    from arcgrad.runtime.data.arguments import listed
    from arcgrad.runtime.jit.background.waiting import progress

    given = {**(inputs or {}), **named}
    runs: list[tuple[Equation, dict[str, Any]]] = []
    kernels: list[Any] = []
    several = [equations] if isinstance(equations, (str, Equation)) else None
    with progress:
        for each in several or listed(equations, "equations", "an equation or a text of one, or several"):
            text: Any = each
            symbols, definitions, limits = None, None, None
            if isinstance(each, Equation):
                text = each.text
                symbols, definitions, _, limits = each._options
            equation = compile_equation(text, symbols, definitions, "fused", limits=limits)
            own = {name: value for name, value in given.items() if name in equation.inputs} or given
            kernels += equation._evaluator.kernels_beside(equation._given(own, {}))
            runs.append((equation, own))
        sharing = Sharing(kernels)
        for equation, own in runs:
            if gradient:
                equation.value_and_grad(own)
            else:
                equation(own)
        sharing.finish()


def _load(kernels: Sequence[Any]) -> None:
    """Load or compile kernels that no equation's routine calls."""
    from arcgrad.runtime.call.warmup import Sharing
    from arcgrad.runtime.jit.background.waiting import progress

    with progress:
        sharing = Sharing(kernels)
        for kernel in kernels:
            kernel.load()
        sharing.finish()
