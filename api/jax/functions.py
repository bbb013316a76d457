"""``ag.jax.compile``: text → a function of arrays and graphs that JAX traces, differentiates twice, and batches."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from arcgrad.compiler.graphs.mapping import LabelMapping
from arcgrad.compiler.types import Type
from arcgrad.equation import Equation, Mode, compile_equation
from arcgrad.jax.derivatives import evaluate
from arcgrad.jax.evaluation import Call
from arcgrad.jax.handles import keep_forever
from arcgrad.jax.slots import given_as, several
from arcgrad.scores import check_is_score

if TYPE_CHECKING:
    from arcgrad.compiler.limits import Limits

__all__ = ["Function", "compile"]

# Whether nothing is being traced: what is called now runs now. A name that another version of JAX may not have.
try:
    from jax._src.core import trace_state_clean as _runs_now
except ImportError:

    def _runs_now() -> bool:
        return False


class Function:
    """An equation as a function of arrays. Made by ``ag.jax.compile``; call it with its inputs.

    Attributes:
        equation: the ``ag.Equation`` that is evaluated.

    Example:
        >>> import arcgrad as ag
        >>> ag.jax.compile("LSE[X ∘ A]").equation.inputs
        ('X', 'A')
    """

    def __init__(self, equation: Equation) -> None:
        check_is_score(equation, "ag.jax")
        self.equation = equation
        self._types = equation._program.inputs
        self._calls: dict[Any, Call] = {}

    def __call__(self, inputs: Mapping[str, Any] | None = None, /, **named: Any) -> jax.Array:
        """The equation's value, through which JAX's transformations go.

        Where a derivative is taken, one pass gives the value and the gradient, whatever the cotangent will be. A second
        derivative takes one more pass.

        Args:
            inputs: inputs as a mapping, for names that keywords cannot spell.
            named: inputs by name. A graph is an ``ag.Graph``, or a list of them for a batch, which are constants of
                what is traced; what ``ag.jax.graphs`` made of them, which may be an argument; or ``(graph, weights)``
                of either, with an array (n_arcs,) ((n_parameters,) where it is tied), or (B, n) for a batch, whose rows
                may be longer than their graphs need. A dense input is an array of scores (T, C) or (B, T, C), or
                ``(scores, lengths)`` with whole numbers () or (B,). A score is a number, or an array () or (B,). A
                label mapping is a constant.

        Returns:
            An array in nats, (), or (B,) where an input is a batch: float64 where one of the arrays is, else float32;
            counts, too. Sums are in float64, and bfloat16 and float16 are converted to float32; gradients have the
            dtype of their arrays. The work is the CPU's.

        Raises:
            InputError: a wrong kind, shape or dtype, an empty batch, batches that differ in size, or a derivative of a
                count. What only numbers show (NaN, a label without a column, divergence, a handle that is stale) stops
                the program: JAX raises a ``jax.errors.JaxRuntimeError`` or ValueError that says so.
            UnsupportedError: a third derivative.

        Example:
            >>> import arcgrad as ag, jax, jax.numpy as jnp
            >>> a = ag.Graph([0, 0], [1, 1], [1, 2], accept=[1])
            >>> best = ag.jax.compile("MAX[A]")
            >>> jax.grad(lambda w: best(A=(a, w)))(jnp.array([0.0, 1.0])).tolist()
            [0.0, 1.0]
        """
        values = self.equation._given(inputs, named)
        mappings = {name: values[name] for name, type_ in self._types.items() if type_ is Type.MAPPING}
        given = [given_as(name, values[name], type_) for name, type_ in self._types.items() if name not in mappings]
        batch = several(given)
        operands = [operand for each in given for operand in each.operands]
        if not _runs_now():
            for each in given:
                if each.handles is not None:
                    keep_forever(each.handles.reshape(-1).tolist())
        call = self._call_of(tuple(each.slot for each in given), mappings)
        value: jax.Array = _evaluate(call, batch, *operands)
        return value

    def _call_of(self, slots: tuple[Any, ...], mappings: dict[str, Any]) -> Call:
        """The same object for the same slots, by which JAX knows what it has traced."""
        for name, value in mappings.items():
            if not isinstance(value, LabelMapping):
                mappings[name] = LabelMapping.make(value, name)
        key = (slots, *(mapping.fingerprint for mapping in mappings.values()))
        found = self._calls.get(key)
        if found is None:
            found = self._calls.setdefault(key, Call(self.equation, slots, mappings))
        return found

    def __repr__(self) -> str:
        return f"<jax function of {repr(self.equation).removeprefix('<')}"

    def __reduce__(self) -> tuple[Any, ...]:
        return Function, (self.equation,)


@partial(jax.jit, static_argnums=(0, 1), inline=True)
def _evaluate(call: Call, batch: int | None, *operands: Any) -> jax.Array:
    prepared = []
    double = False
    for operand, rank in zip(operands, call.ranks, strict=True):
        if operand.dtype == jnp.bfloat16 or operand.dtype == jnp.float16:
            operand = operand.astype(jnp.float32)
        double = double or operand.dtype == jnp.float64
        if batch is not None and operand.ndim == rank:
            operand = jnp.broadcast_to(operand, (batch, *operand.shape))
        prepared.append(operand)
    return evaluate(call, jnp.dtype(jnp.float64 if double else jnp.float32), *prepared)


def compile(
    text: str,
    symbols: Any = None,
    definitions: str | None = None,
    mode: Mode = "auto",
    *,
    limits: Limits | None = None,
) -> Function:
    """Parse, check and optimise an equation whose value is a score, as a function that JAX traces.

    Args:
        text: as for ``ag.compile``, and so are the others.
        symbols: an ``ag.SymbolTable`` (or what makes one) in which literals look up labels.
        definitions: text of definitions that the equation may use.
        mode: "auto" answers at once, by slower tiers until the equation is compiled.
        limits: budgets of states, arcs and bytes.

    Returns:
        A ``Function`` of the equation's inputs, by keyword.

    Raises:
        EquationError: the text is wrong; the error points at the place.
        InputError: its value is a graph.

    Example:
        >>> import arcgrad as ag, jax, jax.numpy as jnp
        >>> loss = ag.jax.compile("LSE[X] - LSE[X ∘ Y]")
        >>> @jax.jit
        ... def step(x, lengths, targets):
        ...     return jax.value_and_grad(lambda x: loss(X=(x, lengths), Y=targets).mean())(x)
        >>> targets = ag.jax.graphs(ag.graphs.alignments([[1, 2], [3], [4, 4], []]))
        >>> value, gradient = step(jnp.zeros((4, 7, 5)), jnp.array([7, 6, 7, 3]), targets)
        >>> value.shape, value.dtype, gradient.shape
        ((), dtype('float32'), (4, 7, 5))
    """
    return Function(compile_equation(text, symbols, definitions, mode, limits=limits))
