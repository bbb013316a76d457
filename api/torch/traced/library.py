"""Equations as operators of torch's, ``arcgrad::evaluate`` and ``arcgrad::product``: what torch.compile puts in graphs.

An operator takes tensors and constants alone, so an equation is its text, and inputs are a layout and operands
(`arcgrad.torch.traced.operands`), among them handles of graphs.
"""

from __future__ import annotations

import hashlib
import pickle
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from arcgrad.compiler.limits import DEFAULT_LIMITS
from arcgrad.equation import Equation, compile_equation
from arcgrad.grammar.errors import InputError, UnsupportedError
from arcgrad.runtime.data.inputs import resolve_names
from arcgrad.torch.calls import refuse_gradient, refuse_third
from arcgrad.torch.tensors import as_lent
from arcgrad.torch.traced.encoded import Encoded
from arcgrad.torch.traced.operands import REAL, batch_size, fold, parse, scale, unfold
from arcgrad.torch.traced.tracing import constant_of_trace, encode

__all__ = ["evaluate_traced", "key_of", "plain_names"]

_equations: weakref.WeakValueDictionary[str, Equation] = weakref.WeakValueDictionary()


def key_of(equation: Equation) -> str:
    """A text that names an equation among the operators' constants: its own, and what else it was compiled with."""
    key = equation.text
    if equation._options != (None, None, "auto", DEFAULT_LIMITS):
        digest = hashlib.blake2b(pickle.dumps(equation._options), digest_size=8).hexdigest()
        key = f"{key}  # with other options: {digest}"
    _equations[key] = equation
    return key


def _equation(key: str) -> Equation:
    found = _equations.get(key)
    if found is None:
        if "  # with other options: " in key:
            raise InputError(f"no equation {key!r} is known in this process", hint="make it first, by ag.torch.compile")
        found = compile_equation(key)
    return found


def evaluate_traced(key: str, kinds: Mapping[str, str], given: Mapping[str, Any]) -> Tensor:
    """The value of an equation, in code that torch.compile traces; inputs by plain name."""
    _refuse_derivatives()
    layout, operands, needed = encode(kinds, given, _needs_gradient)
    return torch.ops.arcgrad.evaluate(operands, key, layout, needed)[0]  # type: ignore[no-any-return]


@constant_of_trace
def _refuse_derivatives() -> None:
    """Refuse what torch's operators know nothing of, or drop without a word: forward mode, and torch.func's grad."""
    stack = getattr(torch._C._functorch, "get_interpreter_stack", lambda: None)()
    kinds = {str(interpreter.key()).rpartition(".")[2] for interpreter in stack or ()}
    if forward_ad._current_level >= 0 or kinds & {"Grad", "Jvp"}:
        raise UnsupportedError(
            "torch.compile does not trace an equation that forward mode or torch.func's grad, vjp, jacrev, jvp, jacfwd "
            "or hessian differentiates",
            hint="compile the function and let autograd differentiate it, or call torch.func outside of torch.compile; "
            "torch.func.vmap is traced",
        )


def _needs_gradient(tensor: Tensor) -> bool:
    return torch.is_grad_enabled() and tensor.requires_grad


@constant_of_trace
def plain_names(equation: Equation, names: tuple[str, ...]) -> tuple[str, ...]:
    """The plain names of inputs as they were spelled, while torch.compile traces."""
    plain = resolve_names(equation._program.inputs, {name: name for name in names}, equation.text)
    spelled = {name: key for key, name in plain.items()}
    return tuple(spelled[name] for name in names)


def _value_dtype(equation: Equation, reals: Sequence[Tensor]) -> torch.dtype:
    if equation._evaluator._result[1]:
        return torch.int64
    return torch.float32 if reals and all(as_lent(each) == torch.float32 for each in reals) else torch.float64


def _reals(layout: str, tensors: Sequence[Tensor]) -> list[Tensor]:
    return [t for operand, t in zip(parse(layout), tensors, strict=True) if operand.letter in REAL]


# Given as text: not every version reads annotations that are not evaluated.
_EVALUATE = "(Tensor[] tensors, str equation, str layout, bool[] needed) -> Tensor[]"
_PRODUCT = "(Tensor[] vectors, Tensor[] tensors, str equation, str layout, bool[] needed) -> Tensor[]"


@torch.library.custom_op("arcgrad::evaluate", mutates_args=(), schema=_EVALUATE)
def _evaluate(tensors: list[Tensor], equation: str, layout: str, needed: list[bool]) -> list[Tensor]:
    found = Encoded(_equation(equation), layout).value_and_gradients(tensors, needed)
    if found[0].dtype != _value_dtype(_equation(equation), _reals(layout, tensors)):
        raise InputError(
            "a count that is infinite or beyond 64 bits has no place in the int64 tensor that compiled code expects",
            hint="count outside of what torch.compile traces",
        )
    return list(found)


@_evaluate.register_fake
def _(tensors: list[Tensor], equation: str, layout: str, needed: list[bool]) -> list[Tensor]:
    known = _equation(equation)
    if known._evaluator._result[1] and any(needed):
        refuse_gradient(known.inputs[parse(layout)[needed.index(True)].piece])
    reals = _reals(layout, tensors)
    batch = batch_size(layout, tensors)
    like = reals[0] if reals else tensors[0] if tensors else torch.empty(0)
    shape = () if batch is None else (batch,)
    value = torch.empty(shape, dtype=_value_dtype(known, reals), device=like.device)
    return [value, *(t.new_empty(t.shape, dtype=as_lent(t)) for t, n in zip(tensors, needed, strict=True) if n)]


def _keep(ctx: Any, inputs: Any, output: list[Tensor]) -> None:
    tensors, ctx.equation, ctx.layout, ctx.needed = inputs
    ctx.save_for_backward(*tensors, *output[1:])
    ctx.set_materialize_grads(False)


def _backward(ctx: Any, upstream: list[Tensor | None]) -> Any:
    """The gradients for ones times the value's; and, where these were used, too, the Hessian times theirs."""
    count = len(ctx.needed)
    tensors, kept = list(ctx.saved_tensors[:count]), iter(ctx.saved_tensors[count:])
    ones = [next(kept) if needed else None for needed in ctx.needed]
    found: list[Tensor | None] = [None] * count
    if upstream[0] is not None:
        found = scale(ctx.layout, ones, upstream[0], tensors)
    if any(each is not None for each in upstream[1:]):
        pairs = zip([each for each in ones if each is not None], upstream[1:], strict=True)
        vectors = [torch.zeros_like(one) if each is None else each for one, each in pairs]
        products = iter(torch.ops.arcgrad.product(vectors, tensors, ctx.equation, ctx.layout, ctx.needed))
        for k, needed in enumerate(ctx.needed):
            if needed:
                product, before = next(products), found[k]
                found[k] = product if before is None else before + product
    return found, None, None, None


def _map(info: Any, in_dims: Any, tensors: list[Tensor], equation: str, layout: str, needed: list[bool]) -> Any:
    dims = [None] * len(tensors) if in_dims[0] is None else list(in_dims[0])
    count = info.batch_size
    # Mapped tensors do not say whether a gradient is needed; below the map, they do.
    below = [
        n or (_needs_gradient(t) and operand.letter in REAL)
        for operand, t, n in zip(parse(layout), tensors, needed, strict=True)
    ]
    folded_layout, folded, needs = fold(layout, tensors, dims, count, below)
    value, *kept = torch.ops.arcgrad.evaluate(folded, equation, folded_layout, needs)
    batch = batch_size(layout, [t if d is None else t.select(d, 0) for t, d in zip(tensors, dims, strict=True)])
    value = value if batch is None else value.reshape(count, batch)
    asked = [n for n, is_below in zip(needed, below, strict=True) if is_below]
    unfolded = zip(unfold(layout, kept, below, count, batch), asked, strict=True)
    found = [value, *(gradient for gradient, is_asked in unfolded if is_asked)]
    return found, [0] * len(found)


_evaluate.register_autograd(_backward, setup_context=_keep)
if hasattr(_evaluate, "register_vmap"):  # from 2.5 on
    _evaluate.register_vmap(_map)


@torch.library.custom_op("arcgrad::product", mutates_args=(), schema=_PRODUCT)
def _product(
    vectors: list[Tensor], tensors: list[Tensor], equation: str, layout: str, needed: list[bool]
) -> list[Tensor]:
    return list(Encoded(_equation(equation), layout).product(vectors, tensors, needed))


@_product.register_fake
def _(vectors: list[Tensor], tensors: list[Tensor], equation: str, layout: str, needed: list[bool]) -> list[Tensor]:
    return [t.new_empty(t.shape) for t, n in zip(tensors, needed, strict=True) if n]


def _refuse(ctx: Any, *upstream: Any) -> Any:
    refuse_third()


_product.register_autograd(_refuse)
