"""How JAX differentiates an equation: by rules that ask for value and gradient at once.

The rule for the value's tangent evaluates value and gradient in one pass, so that in reverse mode the gradient is
computed in the forward pass and kept as the residual. The gradient's own tangent is a Hessian-vector product, a linear
primitive whose transpose is itself. A third derivative is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from arcgrad.grammar.errors import InputError, UnsupportedError
from arcgrad.jax.calls import run_task
from arcgrad.jax.evaluation import Call, Task

__all__ = ["evaluate"]


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def evaluate(call: Call, dtype: Any, *operands: jax.Array) -> jax.Array:
    """The value of each item.

    Args:
        call: of what.
        dtype: of the value.
        operands: all with the items' axes before their own.
    """
    items = operands[0].shape[: operands[0].ndim - call.ranks[0]] if operands else ()
    (value,) = run_task(Task(call, "value"), [jax.ShapeDtypeStruct(items, dtype)], operands)
    return value


@partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
def _value_and_gradients(call: Call, dtype: Any, wrt: tuple[str, ...], *operands: jax.Array) -> list[jax.Array]:
    """The value of each item, and the gradients of each with respect to some inputs."""
    items = operands[0].shape[: operands[0].ndim - call.ranks[0]]
    places = [call.places[name] for name in wrt]
    shapes = [jax.ShapeDtypeStruct(items, dtype), *(jax.ShapeDtypeStruct(*_like(operands[k])) for k in places)]
    return run_task(Task(call, "gradient", wrt), shapes, operands)


def _like(operand: Any) -> tuple[Any, Any]:
    return operand.shape, operand.dtype


def _moving(call: Call, tangents: Sequence[Any]) -> tuple[str, ...]:
    """The inputs along which something changes."""
    found = tuple(name for name, k in call.places.items() if not isinstance(tangents[k], SymbolicZero))
    if found and call.equation._evaluator._result[1]:
        raise InputError(
            f"a derivative with respect to input {found[0]} is asked for, but this equation counts, and a count has "
            "none",
            hint=f"give jax.lax.stop_gradient({found[0]})",
        )
    return found


def _along(call: Call, dtype: Any, wrt: Sequence[str], gradients: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """Each item's derivative along the tangents."""
    total: Any = 0.0
    for name, gradient in zip(wrt, gradients, strict=True):
        place = call.places[name]
        own = tuple(range(gradient.ndim - call.ranks[place], gradient.ndim))
        total = total + jnp.sum(gradient * tangents[place], axis=own).astype(dtype)
    return total


def _value_tangent(call: Call, dtype: Any, primals: Any, tangents: Any) -> Any:
    wrt = _moving(call, tangents)
    if not wrt:
        value = evaluate(call, dtype, *primals)
        return value, jnp.zeros_like(value)
    value, *gradients = _value_and_gradients(call, dtype, wrt, *primals)
    return value, _along(call, dtype, wrt, gradients, tangents)


def _gradient_tangent(call: Call, dtype: Any, wrt: tuple[str, ...], primals: Any, tangents: Any) -> Any:
    moving = _moving(call, tangents)
    found = _value_and_gradients(call, dtype, wrt, *primals)
    if not moving:
        return found, [jnp.zeros_like(each) for each in found]
    every = (*wrt, *(name for name in moving if name not in wrt))
    gradients = found[1:]
    if every != wrt:  # of which a value's tangent needs some
        gradients = _value_and_gradients(call, dtype, every, *primals)[1:]
    moved = [gradients[every.index(name)] for name in moving]
    vectors = [
        tangents[call.places[name]] if name in moving else jnp.zeros_like(primals[call.places[name]]) for name in every
    ]
    products = _product.bind(*primals, *vectors, call=call, wrt=every)
    return found, [_along(call, dtype, moving, moved, tangents), *products[: len(wrt)]]


evaluate.defjvp(_value_tangent, symbolic_zeros=True)
_value_and_gradients.defjvp(_gradient_tangent, symbolic_zeros=True)


# -- Hessian-vector products -------------------------------------------------------------------------------------------

_product = Primitive("arcgrad_hessian_vector_product")
_product.multiple_results = True


def _multiply(*operands: jax.Array, call: Call, wrt: tuple[str, ...]) -> list[jax.Array]:
    vectors = operands[len(call.ranks) :]
    return run_task(Task(call, "product", wrt), [jax.ShapeDtypeStruct(*_like(each)) for each in vectors], operands)


def _product_shapes(*operands: Any, call: Call, wrt: tuple[str, ...]) -> list[Any]:
    return [each.update(weak_type=False) for each in operands[len(call.ranks) :]]


def _product_tangent(primals: Any, tangents: Any, *, call: Call, wrt: tuple[str, ...]) -> Any:
    n = len(call.ranks)
    # Handles and lengths have tangents that are zeros of no type.
    if not all(isinstance(each, ad.Zero) for each in tangents[:n]):
        raise UnsupportedError(
            f"a third derivative of {call.equation.text.strip()[:80]!r} is asked for; there are two",
            hint="jax.lax.stop_gradient keeps one from being taken",
        )
    along = [ad.instantiate_zeros(each) for each in tangents[n:]]
    known = primals[:n]
    return _product.bind(*primals, call=call, wrt=wrt), _product.bind(*known, *along, call=call, wrt=wrt)


def _product_transposed(cotangents: Any, *operands: Any, call: Call, wrt: tuple[str, ...]) -> Any:
    """The Hessian is symmetric."""
    n = len(call.ranks)
    given = [ad.instantiate_zeros(each) for each in cotangents]
    found = _product.bind(*operands[:n], *given, call=call, wrt=wrt)
    linear = [each if ad.is_undefined_primal(o) else None for each, o in zip(found, operands[n:], strict=True)]
    return [None] * n + linear


def _product_of_batch(operands: Any, axes: Any, *, call: Call, wrt: tuple[str, ...]) -> Any:
    size = next(each.shape[axis] for each, axis in zip(operands, axes, strict=True) if axis is not None)
    moved = [batching.bdim_at_front(each, axis, size) for each, axis in zip(operands, axes, strict=True)]
    found = _product.bind(*moved, call=call, wrt=wrt)
    return found, [0] * len(found)


_product.def_impl(jax.jit(_multiply, static_argnames=("call", "wrt")))
_product.def_abstract_eval(_product_shapes)
ad.primitive_jvps[_product] = _product_tangent
ad.primitive_transposes[_product] = _product_transposed
batching.primitive_batchers[_product] = _product_of_batch
mlir.register_lowering(_product, mlir.lower_fun(_multiply, multiple_results=True))
