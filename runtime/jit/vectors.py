"""How numba compiles the vectors of ``kernels.math.vectors``: types of 64 bytes, and LLVM's code for their operations.

Stage: source → run; imported by `arcgrad.runtime.jit.compile` when compiled code first meets a vector operation.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from numba import extending as _extending
from numba import types as _types

from arcgrad.runtime.jit.compat import AbstractTemplate, get_or_insert_function, infer_global, ir, unpack_tuple
from arcgrad.runtime.jit.compat import make_signature as signature

__all__ = ["INTRINSICS"]

# numba is typed in part only.
types: Any = _types
extending: Any = _extending

LANES = 8

_double = ir.DoubleType()
_float = ir.FloatType()
_vector = ir.VectorType(_double, LANES)
_short_vector = ir.VectorType(_float, 2 * LANES)
_int = ir.IntType(32)
_long = ir.IntType(64)
_longs = ir.VectorType(_long, LANES)
_fused = ("contract",)


class VectorType(types.Type):  # type: ignore[misc]
    """Some numbers of one kind, 64 bytes of them."""

    def __init__(self, name: str, number: Any, llvm: Any) -> None:
        self.number = number
        self.llvm = llvm
        super().__init__(name)


VECTOR = VectorType("Vector", types.float64, _vector)
SHORT = VectorType("ShortVector", types.float32, _short_vector)
_VECTORS = {types.float64: VECTOR, types.float32: SHORT}


@extending.register_model(VectorType)
class _VectorModel(extending.models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, type_: Any) -> None:
        super().__init__(manager, type_, type_.llvm)


def _constant(value: float) -> Any:
    return ir.Constant(_vector, [value] * LANES)


def _whole(value: int) -> Any:
    return ir.Constant(_longs, [value] * LANES)


def _spread(builder: Any, type_: Any, number: Any) -> Any:
    """A float64 or number of the vector's kind in all its places."""
    if number.type != type_.llvm.element:
        number = builder.fptrunc(number, type_.llvm.element)
    return _repeated(builder, type_.llvm, number)


def _repeated(builder: Any, llvm: Any, number: Any) -> Any:
    """A vector of LLVM's that has one number in all its places."""
    nothing = ir.Constant(llvm, ir.Undefined)
    one = builder.insert_element(nothing, number, ir.Constant(_int, 0))
    return builder.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(_int, llvm.count), [0] * llvm.count))


def _element(builder: Any, vector: Any, lane: int) -> Any:
    return builder.extract_element(vector, ir.Constant(_int, lane))


# -- arithmetic signs --------------------------------------------------------------------------------------------------

_SIGNS = {operator.add: "fadd", operator.sub: "fsub", operator.mul: "fmul"}


class _Arithmetic(AbstractTemplate):  # type: ignore[misc]
    def generic(self, args: Any, kws: Any) -> Any:
        vectors = {each for each in args if isinstance(each, VectorType)}
        if kws or len(args) != 2 or len(vectors) != 1:
            return None
        (vector,) = vectors
        if all(isinstance(each, types.Float) for each in args if each is not vector):
            return signature(vector, *(vector if each is vector else types.float64 for each in args))
        return None


def _declare(sign: Any, name: str) -> None:
    infer_global(sign)(type(f"_Arithmetic_{name}", (_Arithmetic,), {}))

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        type_ = sig.return_type
        a, b = (v if t is type_ else _spread(builder, type_, v) for t, v in zip(sig.args, args, strict=True))
        return getattr(builder, name)(a, b, flags=_fused)

    for vector in (VECTOR, SHORT):
        for pair in ((vector, vector), (vector, types.float64), (types.float64, vector)):
            extending.lower_builtin(sign, *pair)(code)


for _sign, _name in _SIGNS.items():
    _declare(_sign, _name)


# -- operations by name ------------------------------------------------------------------------------------------------


def _place(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    """Pointer to eight numbers from an index on, which is not negative."""
    array = context.make_array(sig.args[0])(context, builder, args[0])
    return builder.bitcast(builder.gep(array.data, [args[1]]), _vector.as_pointer())


_ARRAYS = {"work": types.float64, "ints": types.int32}


def _declared(returns: Any, *takes: Any) -> Callable[[Callable[..., Any]], Any]:
    """An intrinsic of types of which some have names.

    "work" and "ints" are arrays, "at" is a place in them; "rows" is a matrix of float64 or float32, and "each" the kind
    of vector that all so called have in common, that of the rows if there are any.
    """

    def make(code: Callable[..., Any]) -> Any:
        def typed(context: Any, *found: Any) -> Any:
            expected = []
            common = None
            for each, type_ in zip(takes, found, strict=True):
                if each in _ARRAYS:
                    if not (isinstance(type_, types.Array) and type_.dtype == _ARRAYS[each] and type_.ndim == 1):
                        return None
                    expected.append(type_)
                elif each == "rows":
                    if not (isinstance(type_, types.Array) and type_.ndim == 2 and type_.layout == "C"):
                        return None
                    common = _VECTORS.get(type_.dtype)
                    expected.append(type_)
                elif each == "each":
                    common = common or type_
                    expected.append(common)
                else:
                    expected.append(types.int64 if each == "at" else each)
            if "each" in (returns, *takes) and not isinstance(common, VectorType):
                return None
            return signature(common if returns == "each" else returns, *expected), code

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
    found = builder.load(_pointer(context, builder, sig, args))
    # No kernel that reads packed arrays by this writes one: so loops that store elsewhere need not read it again.
    found.set_metadata("invariant.load", builder.module.add_metadata([]))
    return builder.sext(found, _long)


def _put(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    builder.store(args[2], _pointer(context, builder, sig, args))
    return context.get_dummy_value()


def _fold(step: Callable[[Any, Any, Any], Any]) -> Callable[..., Any]:
    """One number of all: the two halves of a vector, those of what comes out, and so on."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        found = args[0]
        while found.type.count > 1:
            half = found.type.count // 2
            nothing = ir.Constant(found.type, ir.Undefined)
            low, high = (
                builder.shuffle_vector(
                    found, nothing, ir.Constant(ir.VectorType(_int, half), list(range(first, first + half)))
                )
                for first in (0, half)
            )
            found = step(builder, low, high)
        one = _element(builder, found, 0)
        return one if one.type == _double else builder.fpext(one, _double)

    return code


def _choose(relation: str) -> Callable[[Any, Any, Any], Any]:
    def step(builder: Any, a: Any, b: Any) -> Any:
        return builder.select(builder.fcmp_ordered(relation, a, b), a, b)

    return step


def _where(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", args[0], args[1]), args[2], args[3])


def _power(builder: Any, rounded: Any) -> Any:
    """2^k from k beside a power of two that leaves the lowest bits to it."""
    digits, bias, bits = (52, 1023, 64) if rounded.type.count == LANES else (23, 127, 32)
    whole = ir.VectorType(ir.IntType(bits), rounded.type.count)
    shifted = builder.shl(builder.bitcast(rounded, whole), ir.Constant(whole, [digits] * whole.count))
    one = ir.Constant(whole, [bias << digits] * whole.count)
    return builder.bitcast(builder.add(shifted, one), rounded.type)


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


# -- rows of a matrix --------------------------------------------------------------------------------------------------


def _place_in_row(context: Any, builder: Any, sig: Any, args: Any) -> tuple[Any, Any]:
    """Pointer to the vector that begins at a column of a row, and the type of its elements' kind of vector."""
    array = context.make_array(sig.args[0])(context, builder, args[0])
    _, n_columns = unpack_tuple(builder, array.shape, 2)
    at = builder.add(builder.mul(args[1], n_columns), args[2])
    type_ = _VECTORS[sig.args[0].dtype]
    return builder.bitcast(builder.gep(array.data, [at]), type_.llvm.as_pointer()), type_


def _load_row(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    place, type_ = _place_in_row(context, builder, sig, args)
    found = builder.load(place)
    found.align = type_.number.bitwidth // 8
    return found


def _store_row(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    place, type_ = _place_in_row(context, builder, sig, args)
    builder.store(args[3], place, align=type_.number.bitwidth // 8)
    return context.get_dummy_value()


def _mask(builder: Any, type_: Any, count: Any) -> Any:
    """Which places are among the first so many."""
    numbers = ir.VectorType(_long, type_.llvm.count)
    places = ir.Constant(numbers, list(range(numbers.count)))
    return builder.icmp_signed("<", places, _repeated(builder, numbers, count))


def _masked(builder: Any, name: str, type_: Any, returns: Any, takes: list[Any]) -> Any:
    """LLVM's operation on the places of a vector that a mask names."""
    full = f"llvm.masked.{name}.v{type_.llvm.count}f{type_.number.bitwidth}.p0"
    return get_or_insert_function(builder.module, ir.FunctionType(returns, takes), full)


def _load_rest(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    place, type_ = _place_in_row(context, builder, sig, args)
    mask = _mask(builder, type_, args[3])
    function = _masked(builder, "load", type_, type_.llvm, [place.type, _int, mask.type, type_.llvm])
    align = ir.Constant(_int, type_.number.bitwidth // 8)
    return builder.call(function, [place, align, mask, _spread(builder, type_, args[4])])


def _store_rest(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    place, type_ = _place_in_row(context, builder, sig, args)
    mask = _mask(builder, type_, args[3])
    function = _masked(builder, "store", type_, ir.VoidType(), [type_.llvm, place.type, _int, mask.type])
    builder.call(function, [args[4], place, ir.Constant(_int, type_.number.bitwidth // 8), mask])
    return context.get_dummy_value()


def _add_up(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    total, added = args
    if sig.args[1] is VECTOR:
        return builder.fadd(total, added)
    nothing = ir.Constant(_short_vector, ir.Undefined)
    for first in (0, LANES):
        places = ir.Constant(ir.VectorType(_int, LANES), list(range(first, first + LANES)))
        total = builder.fadd(total, builder.fpext(builder.shuffle_vector(added, nothing, places), _vector))
    return total


def _columns(context: Any, builder: Any, sig: Any, args: Any) -> list[Any]:
    """Pointers to the eight elements of a row whose columns stand from some place on."""
    array = context.make_array(sig.args[0])(context, builder, args[0])
    _, n_columns = unpack_tuple(builder, array.shape, 2)
    row = builder.gep(array.data, [builder.mul(args[1], n_columns)])
    ints = context.make_array(sig.args[2])(context, builder, args[2]).data
    places = []
    for lane in range(LANES):
        column = builder.load(builder.gep(ints, [builder.add(args[3], ir.Constant(_long, lane))]))
        places.append(builder.gep(row, [builder.zext(column, _long)]))
    return places


def _picked(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    kind = context.get_data_type(sig.args[0].dtype)
    found = ir.Constant(ir.VectorType(kind, LANES), ir.Undefined)
    for lane, place in enumerate(_columns(context, builder, sig, args)):
        found = builder.insert_element(found, builder.load(place), ir.Constant(_int, lane))
    return found if kind == _double else builder.fpext(found, _vector)


def _add_picked(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    kind = context.get_data_type(sig.args[0].dtype)
    added = args[4] if kind == _double else builder.fptrunc(args[4], ir.VectorType(kind, LANES))
    for lane, place in enumerate(_columns(context, builder, sig, args)):  # one by one: columns may be the same
        builder.store(builder.fadd(builder.load(place), _element(builder, added, lane)), place)
    return context.get_dummy_value()


def _at_least(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    least = _spread(builder, sig.return_type, args[1])
    return builder.select(builder.fcmp_ordered(">", least, args[0]), least, args[0])


_CODE: dict[str, tuple[Any, tuple[Any, ...], Callable[..., Any]]] = {
    "load": (VECTOR, ("work", "at"), _load),
    "store": (types.none, ("work", "at", VECTOR), _store),
    "number": (types.float64, ("work", "at"), _number),
    "put": (types.none, ("work", "at", types.float64), _put),
    "entry": (types.int64, ("ints", "at"), _entry),
    "load_row": ("each", ("rows", "at", "at"), _load_row),
    "store_row": (types.none, ("rows", "at", "at", "each"), _store_row),
    "load_rest": ("each", ("rows", "at", "at", "at", types.float64), _load_rest),
    "store_rest": (types.none, ("rows", "at", "at", "at", "each"), _store_rest),
    "picked": (VECTOR, ("rows", "at", "ints", "at"), _picked),
    "add_picked": (types.none, ("rows", "at", "ints", "at", VECTOR), _add_picked),
    "broadcast": (
        VECTOR, (types.float64,), lambda context, builder, sig, args: _spread(builder, VECTOR, args[0])
    ),
    "broadcast_like": (
        "each", ("rows", types.float64), lambda context, builder, sig, args: _spread(builder, sig.return_type, args[1])
    ),
    "is_short": (
        types.boolean, ("each",), lambda context, builder, sig, args: ir.Constant(ir.IntType(1), sig.args[0] is SHORT)
    ),
    "add_up": (VECTOR, (VECTOR, "each"), _add_up),
    "sum_of": (types.float64, (VECTOR,), _fold(lambda builder, a, b: builder.fadd(a, b))),
    "greatest_of": (types.float64, ("each",), _fold(_choose(">"))),
    "least_of": (types.float64, (VECTOR,), _fold(_choose("<"))),
    "greater": ("each", ("each", "each"), _pairwise(_choose(">"))),
    "lesser": ("each", ("each", "each"), _pairwise(_choose("<"))),
    "at_least": ("each", ("each", types.float64), _at_least),
    "divide": (VECTOR, (VECTOR, VECTOR), _pairwise(lambda builder, a, b: builder.fdiv(a, b))),
    "where_greater": ("each", ("each", "each", "each", "each"), _where),
    "powers_of_two": (VECTOR, (VECTOR,), _powers_of_two),
    "powers_of_rounded": ("each", ("each",), lambda context, builder, sig, args: _power(builder, args[0])),
    "exponents": (VECTOR, (VECTOR,), _exponents),
}  # fmt: skip


def _intrinsic(name: str) -> Any:
    returns, takes, code = _CODE[name]
    typed = _declared(returns, *takes)(code)
    # numba asks a typing function for its parameters by name.
    names = ", ".join(f"a{k}" for k in range(len(takes)))
    scope: dict[str, Any] = {"typed": typed}
    exec(f"def {name}(context, {names}):\n    return typed(context, {names})\n", scope)
    return extending.intrinsic(scope[name])


INTRINSICS = {name: _intrinsic(name) for name in _CODE}
