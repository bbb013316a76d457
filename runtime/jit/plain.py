"""Compiling by numba's public means only: for releases whose insides are not what this package knows.

Stage: source → run; imported by `arcgrad.runtime.jit.declare` in place of `arcgrad.runtime.jit.compile`, of which it
offers what is called there. Every kernel takes in the code of all that it calls, nothing is lazy, vectors are tuples of
numbers (`arcgrad.runtime.jit.plain_vectors`), and nothing is kept on disk: compiling takes minutes where it took
seconds. Values differ by rounding.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numba

from arcgrad.runtime.jit.background.waiting import progress
from arcgrad.runtime.jit.cache import Tier, cache
from arcgrad.runtime.jit.compat import global_compiler_lock, parsed
from arcgrad.runtime.jit.interrupts import interrupts_held_back
from arcgrad.runtime.jit.plain_vectors import OPERATIONS

__all__ = [
    "global_compiler_lock",
    "inlined",
    "load_or_compile",
    "raise_what_stopped",
    "type_of_helper",
    "type_of_kernel",
    "type_of_lazy_kernel",
    "type_of_vector_operation",
]

# numba is typed in part only.
_config: Any = numba.config
_njit: Any = numba.njit
_typeof: Any = numba.typeof

# CPU seconds of compilations within the one under way: a kernel's contains those that it is the first to call.
_inner = [0.0]


def load_or_compile(
    function: Callable[..., Any], signature: str, *, fastmath: frozenset[str], tier: Tier, internal: bool = False
) -> Any:
    """A dispatcher of numba's with machine code for this signature and no other.

    The caller holds the lock of `arcgrad.runtime.jit.compat`.
    """
    dispatcher: Any = _njit(nogil=True, error_model="numpy", fastmath=set(fastmath) or False)(function)
    if _config.DISABLE_JIT:
        return dispatcher
    began = time.thread_time()
    _inner.append(0.0)
    try:
        with progress, interrupts_held_back():
            progress.show(function.__name__)
            dispatcher.compile(parsed(signature))
    finally:
        inner, seconds = _inner.pop(), time.thread_time() - began
        _inner[-1] += seconds
    cache.count_compilation(tier, seconds - inner)
    dispatcher.disable_compile()
    return dispatcher


def inlined(function: Callable[..., Any], fastmath: frozenset[str]) -> Any:
    """A dispatcher for a plain function that compiled code calls: compiled with its caller, for the types it meets."""
    return _njit(nogil=True, error_model="numpy", fastmath=set(fastmath) or False)(function)


def type_of_helper(dispatcher: Any) -> Any:
    """The type by which compiled code calls what `inlined` gives."""
    return _typeof(dispatcher)


def type_of_kernel(dispatcher: Any) -> Any:
    """The type by which compiled code calls a kernel that is loaded."""
    return _typeof(dispatcher)


def type_of_lazy_kernel(kernel: Any) -> Any:
    """The same: here compiled code has all that it may call."""
    return _typeof(kernel.load())


def type_of_vector_operation(name: str) -> Any:
    """The type by which compiled code calls an operation of `arcgrad.runtime.kernels.math.vectors`."""
    return _typeof(OPERATIONS[name])


def raise_what_stopped(raised: RuntimeError) -> None:
    """Nothing does: compiled code loads no kernels here."""
