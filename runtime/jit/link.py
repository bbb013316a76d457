"""How compiled code calls kernels: by symbols, named by a digest of all that a kernel's code depends on.

Stage: source → run; used by `arcgrad.runtime.jit.compile`. numba would link a copy of each callee into each caller,
and optimise it there again.

A *lazy* kernel is called through a cell: a variable with a symbol of its own that holds the kernel's address once it
is loaded. Code that finds the cell empty asks Python to load the kernel. So what a call needs decides what is compiled:
of the formats of a trellis' inner loop one, and the log domain only where scores ask for it.
"""

from __future__ import annotations

import ctypes
import importlib
import threading
from typing import Any, NamedTuple

from arcgrad.runtime.jit.compat import (
    Function,
    add_symbol,
    cpu_target,
    get_or_insert_function,
    global_compiler_lock,
    if_unlikely,
    impl_ret_new_ref,
    ir,
    is_null,
    make_concrete_template,
    make_signature,
    parsed,
)
from arcgrad.runtime.jit.interrupts import apart

__all__ = [
    "SYMBOLS",
    "called_by",
    "export",
    "let_code_load",
    "load_called",
    "load_lazy",
    "not_loaded",
    "raise_what_stopped",
    "type_of",
    "type_of_lazy",
]

_KERNEL = "arcgrad.kernel."
_CELL = "arcgrad.cell."
_LOAD = "arcgrad.load"
_NOT_LOADED = "a kernel could not be loaded"
SYMBOLS = (_KERNEL, _CELL, _LOAD)
"""How the symbols begin that this module makes known to LLVM."""


class _Exported(NamedTuple):
    """A kernel whose code is loaded, where it is defined and for which types."""

    dispatcher: Any
    module: str
    name: str
    signature: str


# Written by holders of `global_compiler_lock` only. By digest: what is loaded now; and all that cells ever led to,
# which may be running still.
_exported: dict[str, _Exported] = {}
_reached: list[Any] = []


class _Cell(NamedTuple):
    kernel: Any
    address: ctypes.c_void_p


_cells: dict[str, _Cell] = {}
_kernels_of_cells: dict[int, Any] = {}


class _Stopped(threading.local):
    """What kept a kernel from being loaded while this thread's compiled code was waiting for it."""

    error: BaseException | None = None


_stopped = _Stopped()


def export(dispatcher: Any, digest: str, module: str, name: str, signature: str) -> None:
    """Let other compiled code call a kernel."""
    descriptor, address = _code_of(dispatcher)
    symbol = _KERNEL + digest
    with global_compiler_lock:
        add_symbol(symbol, address)
        is_new = digest not in _exported
        _exported[digest] = _Exported(dispatcher, module, name, signature)
        dispatcher._symbol = symbol
        if is_new:
            _declare(symbol, descriptor.restype, descriptor.argtypes, _call_directly)
        if digest in _cells:
            _reached.append(dispatcher)
            _cells[digest].address.value = address


def _code_of(dispatcher: Any) -> tuple[Any, int]:
    """Of the one signature that a dispatcher is compiled for: numba's description, and where the code lies."""
    (compiled,) = dispatcher.overloads.values()
    return compiled.fndesc, compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)


def _declare(symbol: str, returns: Any, takes: Any, make_call: Any) -> None:
    """Tell numba what code to write for a call of this symbol."""

    def call(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        status, result = make_call(context, builder, symbol, returns, takes, arguments)
        with if_unlikely(builder, status.is_error):
            context.call_conv.return_status_propagate(builder, status)
        return impl_ret_new_ref(context, builder, returns, result)

    call.signature = takes  # type: ignore[attr-defined]
    cpu_target.target_context.insert_func_defn([(call, symbol, takes)])


def _call_directly(context: Any, builder: Any, symbol: str, returns: Any, takes: Any, arguments: Any) -> Any:
    convention = context.call_conv
    callee = get_or_insert_function(builder.module, convention.get_function_type(returns, takes), symbol)
    return convention.call_function(builder, callee, returns, takes, arguments)


def _call_by_cell(context: Any, builder: Any, symbol: str, returns: Any, takes: Any, arguments: Any) -> Any:
    convention = context.call_conv
    cell = builder.module.globals.get(symbol)
    if cell is None:
        cell = ir.GlobalVariable(builder.module, ir.IntType(8).as_pointer(), symbol)
    with if_unlikely(builder, is_null(builder, builder.load(cell))):
        address = ir.IntType(8).as_pointer()
        load = ir.FunctionType(ir.VoidType(), [address])
        load = get_or_insert_function(builder.module, load, _LOAD)
        builder.call(load, [builder.bitcast(cell, address)])
    found = builder.load(cell)
    with if_unlikely(builder, is_null(builder, found)):
        convention.return_user_exc(builder, RuntimeError, (_NOT_LOADED,))
    callee = builder.bitcast(found, convention.get_function_type(returns, takes).as_pointer())
    return convention.call_function(builder, callee, returns, takes, arguments)


def _load(cell: int) -> None:
    """Called by compiled code, in whichever thread runs it, without Python's lock, which ctypes takes."""
    try:
        _kernels_of_cells[cell].load()
    except BaseException as error:  # Ctrl-C among them: the caller has no way to hand it on
        _stopped.error = error


# Kept, since compiled code has no more than its address.
_load_for_code = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(_load)


def let_code_load() -> None:
    """Make known to LLVM what compiled code calls where a cell is empty."""
    add_symbol(_LOAD, ctypes.cast(_load_for_code, ctypes.c_void_p).value)


def raise_what_stopped(raised: RuntimeError) -> None:
    """Raise what kept a kernel from being loaded in this thread, if it is that for which its code raised this."""
    if raised.args != (_NOT_LOADED,):
        return
    error, _stopped.error = _stopped.error, None
    if error is None and threading.current_thread() is threading.main_thread():
        # An interrupt that came while the code ran is raised as soon as `_load` begins, before it can be caught there.
        error = KeyboardInterrupt()
    if error is not None:
        raise error from None


def type_of(dispatcher: Any) -> Any:
    """The type by which compiled code calls a kernel that is loaded."""
    (compiled,) = dispatcher.overloads.values()
    return Function(make_concrete_template(dispatcher._symbol, dispatcher._symbol, [compiled.signature]))


def type_of_lazy(kernel: Any, digest: str) -> Any:
    """The type by which compiled code calls a kernel through its cell."""
    signature = parsed(kernel.signature)
    takes, returns = signature.args, signature.return_type
    symbol = _CELL + digest
    with global_compiler_lock:
        if digest not in _cells:
            loaded = _exported.get(digest)
            cell = ctypes.c_void_p(None)
            if loaded is not None:
                cell.value = _code_of(loaded.dispatcher)[1]
                _reached.append(loaded.dispatcher)
            place = ctypes.addressof(cell)
            _cells[digest] = _Cell(kernel, cell)
            _kernels_of_cells[place] = kernel
            add_symbol(symbol, place)
            _declare(symbol, returns, takes, _call_by_cell)
    return Function(make_concrete_template(symbol, symbol, [make_signature(returns, *takes)]))


def not_loaded() -> list[Any]:
    """The kernels that loaded code may ask for; in plain mode all are loaded already."""
    with global_compiler_lock:
        return [cell.kernel for cell in _cells.values() if not cell.address.value]


def load_lazy() -> None:
    """Load them, and those that they may ask for."""
    while kernels := apart(not_loaded):
        for kernel in kernels:
            kernel.load()


def called_by(symbols: list[str]) -> tuple[list[Any], list[tuple[str, str, str, str]]]:
    """Of the symbols that some code refers to: dispatchers that are to live as long, and what `load_called` needs."""
    dispatchers = []
    called = []
    for symbol in symbols:
        if symbol.startswith(_KERNEL):
            found = _exported[symbol.removeprefix(_KERNEL)]
            dispatchers.append(found.dispatcher)
            called.append((symbol, found.module, found.name, found.signature))
        elif symbol.startswith(_CELL):
            kernel = _cells[symbol.removeprefix(_CELL)].kernel
            called.append((symbol, kernel.python.__module__, kernel.python.__qualname__, kernel.signature))
    return dispatchers, called


def load_called(called: list[tuple[str, str, str, str]]) -> None:
    """Load the kernels that machine code from disk calls, and make the cells of others.

    Raises:
        LookupError: a kernel is no longer the one that was called.
    """
    for symbol, module, name, signature in called:
        if not _is_known(symbol):
            for value in list(vars(importlib.import_module(module)).values()):
                python = getattr(value, "python", None)
                if getattr(python, "__qualname__", None) == name and getattr(value, "signature", None) == signature:
                    value._numba_type_  # noqa: B018 - which loads it, or makes its cell
        if not _is_known(symbol):
            raise LookupError(symbol)


def _is_known(symbol: str) -> bool:
    return symbol.removeprefix(_KERNEL) in _exported or symbol.removeprefix(_CELL) in _cells
