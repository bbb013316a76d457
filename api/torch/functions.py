"""``ag.torch.compile``: text → a function of tensors and graphs that autograd differentiates, twice if asked."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.compiler import is_compiling

from arcgrad.equation import Equation, Mode, compile_equation
from arcgrad.scores import check_is_score
from arcgrad.torch.autograd import evaluate, evaluate_planned
from arcgrad.torch.calls import make_call, refuse_positions
from arcgrad.torch.plans import Plan, make_plan, signature
from arcgrad.torch.traced.library import evaluate_traced, key_of, plain_names
from arcgrad.torch.traced.transforms import evaluate_transformed, is_transformed

if TYPE_CHECKING:
    from arcgrad.compiler.limits import Limits

__all__ = ["Function", "compile"]

# Plans of calls that a function remembers: a few hundred bytes each.
_MOST_PLANS = 256


class Function:
    """An equation as a function of tensors. Made by ``ag.torch.compile``; call it with its inputs.

    Attributes:
        equation: the ``ag.Equation`` that is evaluated.

    Example:
        >>> import arcgrad as ag
        >>> ag.torch.compile("LSE[X ∘ A]").equation.inputs
        ('X', 'A')
    """

    def __init__(self, equation: Equation) -> None:
        check_is_score(equation, "ag.torch")
        self.equation = equation
        self._kinds = {name: str(type_) for name, type_ in equation._program.inputs.items()}
        self._names = equation.inputs
        self._key = key_of(equation)
        self._plans: dict[tuple[Any, ...], Plan] = {}

    def __call__(self, inputs: Mapping[str, Any] | None = None, /, *others: Any, **named: Any) -> Tensor:
        """The equation's value, through which gradients flow to the tensors.

        One pass gives the value and, where a tensor requires it, the gradient, whatever the upstream gradient will be;
        a second derivative takes one more.

        Args:
            inputs: inputs as a mapping, for names that keywords cannot spell.
            others: none, ever: inputs go by name.
            named: inputs by name. A graph is an ``ag.Graph``; ``(graph, weights)`` with a tensor (n_arcs,)
                ((n_parameters,) where it is tied), or (B, n_arcs) for a batch; a tensor of scores (T, C) or (B, T, C);
                ``(scores, lengths)`` with one length, or (B,) of them, None meaning all; or a list of graphs, of
                (graph, weights) pairs, or of tensors (T, C). A score is a number, or a tensor () or (B,). What
                ``ag.compile`` takes beside these is taken, too, without gradients.

        Returns:
            A tensor in nats, (), or (B,) where an input is a batch: float64 where one of the tensors is or there is
            none, else float32, and int64 for a COUNT (float64 where one is infinite or beyond 64 bits). Sums are in
            float64. It lies on the tensors' device.

            A contiguous float64 or float32 tensor on the CPU is not copied; bfloat16 and float16 are converted to
            float32. The work is the CPU's: tensors on another device are moved to the CPU, and values and gradients
            back to that device, which waits. Gradients have the dtype and device of their tensors.

        Raises:
            InputError: as ``ag.compile``'s equations; several positional arguments (also a TypeError); a tensor of
                integers or complex numbers, on another device than the others, of a shape that is symbolic, or that
                requires a gradient of a COUNT; an empty batch.
            DivergenceError, UndefinedError, LimitError, UnsupportedError: see each.

        Example:
            >>> import arcgrad as ag, torch
            >>> a = ag.Graph([0, 0], [1, 1], [1, 2], accept=[1])
            >>> w = torch.tensor([0.0, 1.0], dtype=torch.float64, requires_grad=True)
            >>> value = ag.torch.compile("MAX[A]")(A=(a, w))
            >>> value.backward()
            >>> value.item(), w.grad.tolist()
            (1.0, [0.0, 1.0])
        """
        if others:
            refuse_positions(self._names)
        if is_compiling():
            return evaluate_traced(self._key, self._kinds, self._resolved(inputs, named))
        given = named if inputs is None and tuple(named) == self._names else self.equation._given(inputs, named)
        if is_transformed():
            return evaluate_transformed(self.equation, self._kinds, given)
        signed = signature(given)
        if signed is None:
            return evaluate(make_call(self.equation, given))
        key, tensors = signed
        plan = self._plans.get(key)
        if plan is None:
            call = make_call(self.equation, given)
            plan = make_plan(call)
            if plan is None:
                return evaluate(call)
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            self._plans[key] = plan
        return evaluate_planned(plan, given, tensors)

    def _resolved(self, inputs: Mapping[str, Any] | None, named: dict[str, Any]) -> dict[str, Any]:
        """Inputs by plain name, as `torch.compile` can trace it."""
        given = {**named} if inputs is None else {**inputs, **named}
        plain = plain_names(self.equation, tuple(given))
        return {plain[k]: value for k, value in enumerate(given.values())}

    def __repr__(self) -> str:
        return f"<torch function of {repr(self.equation).removeprefix('<')}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _function, (self.equation,)


def compile(
    text: str,
    symbols: Any = None,
    definitions: str | None = None,
    mode: Mode = "auto",
    *,
    limits: Limits | None = None,
) -> Function:
    """Parse, check and optimise an equation whose value is a score, as a function of tensors.

    Args:
        text: as for ``ag.compile``, and so are the others.
        symbols: an ``ag.SymbolTable`` (or what makes one) in which literals look up labels.
        definitions: text of definitions that the equation may use.
        mode: "auto" answers at once, by slower tiers until the equation is compiled, whose last bits may differ:
            ``gradcheck`` wants another ("kernels", "fused" or "interpret"), or ``nondet_tol=1e-12``.
        limits: budgets of states, arcs and bytes.

    Returns:
        A ``Function`` of the equation's inputs, by keyword; the same for the same arguments, as long as it is kept. It
        pickles, and works in forked and spawned processes.

    Raises:
        EquationError: the text is wrong; the error points at the place.
        InputError: its value is a graph.

    Example:
        >>> import arcgrad as ag, torch
        >>> loss = ag.torch.compile("LSE[X] - LSE[X ∘ Y]")
        >>> x = torch.randn(4, 7, 5, requires_grad=True)
        >>> targets = ag.graphs.alignments([[1, 2], [3], [4, 4], []])
        >>> values = loss(X=(x, [7, 6, 7, 3]), Y=targets)
        >>> values.mean().backward()
        >>> values.shape, values.dtype, x.grad.shape
        (torch.Size([4]), torch.float32, torch.Size([4, 7, 5]))
    """
    return _function(compile_equation(text, symbols, definitions, mode, limits=limits))


@lru_cache(maxsize=128)
def _function(equation: Equation) -> Function:
    """The one function of an equation, with its plans, as long as it is kept."""
    return Function(equation)
