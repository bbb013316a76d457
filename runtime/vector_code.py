"""How numba compiles the vectors of ``kernels.vectors``: a type of eight float64, and LLVM's code for its operations.

Stage: source → run; imported by `arcgrad.runtime.numba_compiler` when compiled code first meets a vector operation.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import datamodel as _datamodel
from numba.core import imputils as _imputils
from numba.core import types as _types
from numba.core.typing import templates as _templates
from numba.extending import intrinsic

__all__ = ["INTRINSICS"]

# numba is typed in part only.
types: Any = _types
datamodel: Any = _datamodel
imputils: Any = _imputils
templates: Any = _templates
signature = templates.signature

LANES = 8

_double = ir.DoubleType()
_vector = ir.VectorType(_double, LANES)
_long = ir.IntType(64)
_longs = ir.VectorType(_long, LANES)
_fused = ("contract",)


class VectorType(types.Type):  # type: ignore[misc]
    """Eight float64."""

    def __init__(self) -> None:
        super().__init__("Vector")


VECTOR = VectorType()


@datamodel.register_default(VectorType)
class _VectorModel(datamodel.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, type_: Any) -> None:
        super().__init__(manager, type_, _vector)


def _constant(value: float) -> Any:
    return ir.Constant(_vector, [value] * LANES)


def _whole(value: int) -> Any:
    return ir.Constant(_longs, [value] * LANES)


def _spread(builder: Any, number: Any) -> Any:
    one = builder.insert_element(ir.Constant(_vector, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(
        one, ir.Constant(_vector, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    )


def _element(builder: Any, vector: Any, lane: int) -> Any:
    return builder.extract_element(vector, ir.Constant(ir.IntType(32), lane))


# -- arithmetic signs --------------------------------------------------------------------------------------------------

_SIGNS = {operator.add: "fadd", operator.sub: "fsub", operator.mul: "fmul"}


class _Arithmetic(templates.AbstractTemplate):  # type: ignore[misc]
    def generic(self, args: Any, kws: Any) -> Any:
        if kws or len(args) != 2 or VECTOR not in args:
            return None
        others = [each for each in args if each is not VECTOR]
        if all(isinstance(each, types.Float) for each in others):
            return signature(VECTOR, *(VECTOR if each is VECTOR else types.float64 for each in args))
        return None


def _declare(sign: Any, name: str) -> None:
    templates.infer_global(sign)(type(f"_Arithmetic_{name}", (_Arithmetic,), {}))

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        a, b = (v if t is VECTOR else _spread(builder, v) for t, v in zip(sig.args, args, strict=True))
        return getattr(builder, name)(a, b, flags=_fused)

    for pair in ((VECTOR, VECTOR), (VECTOR, types.float64), (types.float64, VECTOR)):
        imputils.lower_builtin(sign, *pair)(code)


for _sign, _name in _SIGNS.items():
    _declare(_sign, _name)


# -- operations by name ------------------------------------------------------------------------------------------------


def _place(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    """Pointer to eight numbers from an index on, which is not negative."""
    array = context.make_array(sig.args[0])(context, builder, args[0])
    return builder.bitcast(builder.gep(array.data, [args[1]]), _vector.as_pointer())


_ARRAYS = {"work": types.float64, "ints": types.int32}


def _declared(returns: Any, *takes: Any) -> Callable[[Callable[..., Any]], Any]:
    """An intrinsic of fixed types; "work" and "ints" stand for arrays, "at" for a place in them."""

    def make(code: Callable[..., Any]) -> Any:
        def typed(context: Any, *found: Any) -> Any:
            expected = []
            for each, type_ in zip(takes, found, strict=True):
                if each in _ARRAYS:
                    if not (isinstance(type_, types.Array) and type_.dtype == _ARRAYS[each] and type_.ndim == 1):
                        return None
                    expected.append(type_)
                else:
                    expected.append(types.int64 if each == "at" else each)
            return signature(returns, *expected), code

        return typed

    return make


def _load(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    found = builder.load(_place(context, builder, sig, args))
    found.align = 8
    return found


def _store(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    builder.store(args[2], _place(context, builder, sig, args), align=8)
    return context.get_dummy_value()


def _pointer(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.gep(context.make_array(sig.args[0])(context, builder, args[0]).data, [args[1]])


def _number(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.load(_pointer(context, builder, sig, args))


def _entry(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.sext(builder.load(_pointer(context, builder, sig, args)), _long)


def _put(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    builder.store(args[2], _pointer(context, builder, sig, args))
    return context.get_dummy_value()


def _fold(step: Callable[[Any, Any, Any], Any]) -> Callable[..., Any]:
    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        lanes = [_element(builder, args[0], lane) for lane in range(LANES)]
        fours = [step(builder, lanes[k], lanes[k + 4]) for k in range(4)]
        return step(builder, step(builder, fours[0], fours[2]), step(builder, fours[1], fours[3]))

    return code


def _choose(relation: str) -> Callable[[Any, Any, Any], Any]:
    def step(builder: Any, a: Any, b: Any) -> Any:
        return builder.select(builder.fcmp_ordered(relation, a, b), a, b)

    return step


def _where(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", args[0], args[1]), args[2], args[3])


def _power(builder: Any, rounded: Any) -> Any:
    bits = builder.shl(builder.bitcast(rounded, _longs), _whole(52))
    return builder.bitcast(builder.add(bits, _whole(1023 << 52)), _vector)


def _powers_of_two(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    bound = _constant(1023.0)
    high = builder.select(builder.fcmp_ordered("<", args[0], bound), args[0], bound)
    bound = _constant(-1022.0)
    whole = builder.select(builder.fcmp_ordered(">", high, bound), high, bound)
    power = _power(builder, builder.fadd(whole, _constant(6755399441055744.0)))
    return builder.select(builder.fcmp_ordered(">", args[0], _constant(-1e299)), power, _constant(0.0))


def _exponents(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    bits = builder.lshr(builder.bitcast(args[0], _longs), _whole(52))
    # A whole number below 2^52 in the lowest bits of 2^52's: that many more than 2^52.
    shifted = builder.bitcast(builder.or_(bits, _whole(0x433 << 52)), _vector)
    return builder.fsub(shifted, _constant(4503599627370496.0 + 1023.0))


def _pairwise(step: Callable[[Any, Any, Any], Any]) -> Callable[..., Any]:
    return lambda context, builder, sig, args: step(builder, args[0], args[1])


_CODE: dict[str, tuple[Any, tuple[Any, ...], Callable[..., Any]]] = {
    "load": (VECTOR, ("work", "at"), _load),
    "store": (types.none, ("work", "at", VECTOR), _store),
    "number": (types.float64, ("work", "at"), _number),
    "put": (types.none, ("work", "at", types.float64), _put),
    "entry": (types.int64, ("ints", "at"), _entry),
    "broadcast": (VECTOR, (types.float64,), lambda context, builder, sig, args: _spread(builder, args[0])),
    "sum_of": (types.float64, (VECTOR,), _fold(lambda builder, a, b: builder.fadd(a, b))),
    "greatest_of": (types.float64, (VECTOR,), _fold(_choose(">"))),
    "least_of": (types.float64, (VECTOR,), _fold(_choose("<"))),
    "greater": (VECTOR, (VECTOR, VECTOR), _pairwise(_choose(">"))),
    "lesser": (VECTOR, (VECTOR, VECTOR), _pairwise(_choose("<"))),
    "divide": (VECTOR, (VECTOR, VECTOR), _pairwise(lambda builder, a, b: builder.fdiv(a, b))),
    "where_greater": (VECTOR, (VECTOR, VECTOR, VECTOR, VECTOR), _where),
    "powers_of_two": (VECTOR, (VECTOR,), _powers_of_two),
    "powers_of_rounded": (VECTOR, (VECTOR,), lambda context, builder, sig, args: _power(builder, args[0])),
    "exponents": (VECTOR, (VECTOR,), _exponents),
}


def _intrinsic(name: str) -> Any:
    returns, takes, code = _CODE[name]
    typed = _declared(returns, *takes)(code)
    # numba asks a typing function for its parameters by name.
    names = ", ".join(f"a{k}" for k in range(len(takes)))
    scope: dict[str, Any] = {"typed": typed}
    exec(f"def {name}(context, {names}):\n    return typed(context, {names})\n", scope)
    return intrinsic(scope[name])


INTRINSICS = {name: _intrinsic(name) for name in _CODE}
