"""The names of numba's and llvmlite's insides that this package stands on: each imported here, once, and here alone.

Stage: source → run. Every release of numba may rename them. Where one is missing, `why_plain` says which, and
`arcgrad.runtime.jit.plain` compiles with public means only: slower, never broken. So it does where the variable
``ARCGRAD_PLAIN_JIT`` is 1. Importing this module imports numba.
"""

from __future__ import annotations

import functools
import importlib
import operator
import os
import re
import threading
import warnings
from contextlib import nullcontext
from typing import Any

import numba

from arcgrad.grammar.errors import InputError

__all__ = ["TESTED", "missing", "parsed", "warn_once", "why_plain"]

TESTED = "0.62 to 0.68"
"""Versions of numba with which everything here is tested."""

missing: list[str] = []
"""Private names that this numba does not have."""


def _private(module: str, name: str, *attributes: str) -> Any:
    """A name of numba's insides, with attributes that it must have; None where any of it is missing."""
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        missing.append(f"{module}.{name}")
        return None
    for each in attributes:
        try:
            operator.attrgetter(each)(found)
        except AttributeError:
            missing.append(f"{module}.{name}.{each}")
    return found


llvmlite_version = _private("llvmlite", "__version__")

# -- compiling, and what is kept on disk -------------------------------------------------------------------------------

CompileResult = _private("numba.core.compiler", "CompileResult", "_rebuild", "_reduce")
Compiler = _private("numba.core.compiler", "Compiler", "define_pipelines")
JITCodeLibrary = _private(
    "numba.core.codegen", "JITCodeLibrary",
    "_optimize_final_module", "_finalize_final_module", "codegen", "enable_object_caching", "get_pointer_to_function",
    "has_dynamic_globals",
)  # fmt: skip
CPUCodegen = _private("numba.core.codegen", "JITCPUCodegen", "_module_pass_manager", "magic_tuple")
# Options of a decorator of numba's that users are not told of.
CPUTargetOptions = _private(
    "numba.core.cpu", "CPUTargetOptions", "_nrt", "forceinline", "no_cfunc_wrapper", "no_cpython_wrapper"
)
Dispatcher = _private("numba.core.dispatcher", "Dispatcher", "compile", "disable_compile", "get_call_template")
Listener = _private("numba.core.event", "Listener")
register_listener = _private("numba.core.event", "register")
global_compiler_lock = _private("numba.core.compiler_lock", "global_compiler_lock", "acquire", "release")
cpu_target = _private("numba.core.registry", "cpu_target", "target_context.codegen", "typing_context")
rtsys = _private("numba.core.runtime.nrt", "rtsys", "initialize")
dumps = _private("numba.core.serialize", "dumps")

# -- calls by symbols --------------------------------------------------------------------------------------------------

address_of_symbol = _private("llvmlite.binding", "address_of_symbol")
add_symbol = _private("llvmlite.binding", "add_symbol")
parse_assembly = _private("llvmlite.binding", "parse_assembly")
CPUCallConv = _private(
    "numba.core.callconv", "CPUCallConv",
    "call_function", "get_function_type", "return_status_propagate", "return_user_exc",
)  # fmt: skip
CPUContext = _private("numba.core.cpu", "CPUContext", "insert_func_defn", "make_array", "refresh", "get_data_type")
Function = _private("numba.core.types", "Function")
impl_ret_new_ref = _private("numba.core.imputils", "impl_ret_new_ref")
make_concrete_template = _private("numba.core.typing.templates", "make_concrete_template")
make_signature = _private("numba.core.typing.templates", "signature")

# -- LLVM's code for vectors -------------------------------------------------------------------------------------------

ir = _private(
    "llvmlite", "ir",
    "Constant", "DoubleType", "FloatType", "FunctionType", "GlobalVariable", "IntType", "Undefined", "VectorType",
    "VoidType",
)  # fmt: skip
get_or_insert_function = _private("numba.core.cgutils", "get_or_insert_function")
if_unlikely = _private("numba.core.cgutils", "if_unlikely")
is_null = _private("numba.core.cgutils", "is_null")
unpack_tuple = _private("numba.core.cgutils", "unpack_tuple")
AbstractTemplate = _private("numba.core.typing.templates", "AbstractTemplate")
infer_global = _private("numba.core.typing.templates", "infer_global")

if global_compiler_lock is None:
    global_compiler_lock = threading.RLock()


def holds_compiler_lock() -> bool:
    """Whether this thread compiles: no other one can, for which it waits."""
    owned = getattr(getattr(global_compiler_lock, "_lock", global_compiler_lock), "_is_owned", None)
    return owned is None or bool(owned())


# llvmlite's own lock, which is taken outside of compilations, too, where machine code is dropped.
_llvm_lock = getattr(getattr(importlib.import_module("llvmlite.binding.ffi"), "lib", None), "_lock", nullcontext())


def _before_fork() -> None:
    """Wait for compilations and calls of LLVM: a child forked meanwhile would have locks that nobody releases."""
    global_compiler_lock.acquire()
    _llvm_lock.__enter__()


def _after_fork() -> None:
    _llvm_lock.__exit__(None, None, None)
    global_compiler_lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)


@functools.cache
def why_plain() -> str | None:
    """Why this process compiles in plain mode; None where it does not."""
    if os.environ.get("ARCGRAD_PLAIN_JIT", "0") not in ("", "0"):
        return "ARCGRAD_PLAIN_JIT is set"
    if missing:
        return f"numba {numba.__version__} lacks {', '.join(missing)}; numba {TESTED} are tested"
    return None


@functools.cache
def warn_once() -> None:
    """Say that, and why, this process compiles in plain mode, if it does."""
    reason = why_plain()
    if reason is not None:
        warnings.warn(
            f"arcgrad compiles in plain mode (numba {numba.__version__}), which is slow, and keeps nothing on disk:"
            f" {reason}",
            UserWarning,
            stacklevel=2,
        )


_READ_ONLY = re.compile(r"\bconst\s+(\w+\[[^\]]*\])")


def parsed(signature: str) -> Any:
    """numba's signature of a text, in which ``const`` before an array means that it is not written.

    numba compiles nothing that writes such an array, and takes it whether or not it can be written.

    Raises:
        InputError: the text is not a signature.

    Example:
        >>> [each.mutable for each in parsed("void(const int32[::1], float64[::1])").args]
        [False, True]
    """
    text = _READ_ONLY.sub(r"_read_only(\1)", signature)
    names = {**vars(numba.types), "_read_only": lambda array: array.copy(readonly=True)}
    try:
        found = eval(text, {}, names)
        found.args, found.return_type  # noqa: B018
    except Exception as error:
        raise InputError(f"{signature!r} is not a signature: {error}") from error
    return found
