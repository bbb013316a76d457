"""Numbers at addresses, and calls of functions at addresses, for compiled code that is handed another's structs.

Stage: source → run; used by `arcgrad.runtime.jit.foreign.handler`. All addresses and whole numbers are int64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import extending as _extending
from numba import types as _types

from arcgrad.runtime.jit.compat import ir

__all__ = [
    "CALLS",
    "add_at",
    "call",
    "exchange",
    "load_double",
    "load_float",
    "load_int",
    "load_long",
    "store_double",
    "store_float",
    "store_int",
    "store_long",
]

# numba is typed in part only. LLVM's types are made where they are used: code that names objects of its has no key.
types: Any = _types
intrinsic: Callable[[Callable[..., Any]], Callable[..., Any]] = _extending.intrinsic


def _at(builder: Any, address: Any, type_: Any, k: Any = None) -> Any:
    pointer = builder.inttoptr(address, type_.as_pointer())
    return pointer if k is None else builder.gep(pointer, [k])


@intrinsic
def load_long(context: Any, address: Any, k: Any) -> Any:
    """Number k of the int64 at an address."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(_at(builder, args[0], ir.IntType(64), args[1]))

    return types.int64(types.int64, types.int64), code


@intrinsic
def load_int(context: Any, address: Any, k: Any) -> Any:
    """Number k of the int32 at an address."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.sext(builder.load(_at(builder, args[0], ir.IntType(32), args[1])), ir.IntType(64))

    return types.int64(types.int64, types.int64), code


@intrinsic
def load_double(context: Any, address: Any, k: Any) -> Any:
    """Number k of the float64 at an address."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(_at(builder, args[0], ir.DoubleType(), args[1]))

    return types.float64(types.int64, types.int64), code


@intrinsic
def load_float(context: Any, address: Any, k: Any) -> Any:
    """Number k of the float32 at an address, as a float64."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.fpext(builder.load(_at(builder, args[0], ir.FloatType(), args[1])), ir.DoubleType())

    return types.float64(types.int64, types.int64), code


@intrinsic
def store_long(context: Any, address: Any, k: Any, value: Any) -> Any:
    """Write number k of the int64 at an address."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[2], _at(builder, args[0], ir.IntType(64), args[1]))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), code


@intrinsic
def store_int(context: Any, address: Any, k: Any, value: Any) -> Any:
    """Write number k of the int32 at an address."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(builder.trunc(args[2], ir.IntType(32)), _at(builder, args[0], ir.IntType(32), args[1]))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), code


@intrinsic
def store_double(context: Any, address: Any, k: Any, value: Any) -> Any:
    """Write number k of the float64 at an address."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[2], _at(builder, args[0], ir.DoubleType(), args[1]))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.float64), code


@intrinsic
def store_float(context: Any, address: Any, k: Any, value: Any) -> Any:
    """Write a float64 as number k of the float32 at an address."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(builder.fptrunc(args[2], ir.FloatType()), _at(builder, args[0], ir.FloatType(), args[1]))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.float64), code


@intrinsic
def add_at(context: Any, address: Any, value: Any) -> Any:
    """Add to an int64 that other threads add to, too."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", _at(builder, args[0], ir.IntType(64)), args[1], "seq_cst")

    return types.int64(types.int64, types.int64), code


@intrinsic
def exchange(context: Any, address: Any, value: Any) -> Any:
    """Write an int64, and give what was there: no other thread gets that."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.atomic_rmw("xchg", _at(builder, args[0], ir.IntType(64)), args[1], "seq_cst")

    return types.int64(types.int64, types.int64), code


@intrinsic
def call(context: Any, function: Any, argument: Any) -> Any:
    """Call a function of C's that takes one int64 (a pointer, too) and returns one."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        type_ = ir.FunctionType(ir.IntType(64), [ir.IntType(64)])
        return builder.call(_at(builder, args[0], type_), [args[1]])

    return types.int64(types.int64, types.int64), code


def _call_of(count: int) -> Callable[..., Any]:
    def call_with(context: Any, function: Any, words: Any) -> Any:
        """Call a function that takes so many int64 or pointers, which lie at an address, and returns an int32."""

        def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            type_ = ir.FunctionType(ir.IntType(32), [ir.IntType(64)] * count)
            first = _at(builder, args[1], ir.IntType(64))
            given = [builder.load(builder.gep(first, [ir.Constant(ir.IntType(64), k)])) for k in range(count)]
            return builder.sext(builder.call(_at(builder, args[0], type_), given), ir.IntType(64))

        return types.int64(types.int64, types.int64), code

    return intrinsic(call_with)


# A routine's arguments as numba hands them on: pointers to the result and to an exception; 4 numbers, of arrays 11 with
# one axis (7 words each) and 4 with two (9 words); and for each dense input 3 + 2 arrays and a number.
_ALONE = 2 + 4 + 11 * 7 + 4 * 9
_DENSE = 3 * 7 + 2 * 9 + 1
CALLS = tuple(_call_of(_ALONE + n * _DENSE) for n in range(4))
"""By the number of a routine's dense inputs, how it is called."""
