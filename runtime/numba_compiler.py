"""All that knows numba's insides: compiling one function for one signature, or loading its machine code from disk.

Stage: source → run. `arcgrad.runtime.routines` imports this module at the first call of a kernel or routine, because
importing numba takes longer than all else.

numba's own disk cache is not used: it does not notice edits of the functions that a cached one calls, raises on a
damaged file, mixes up entries when processes race, and writes beside installed sources. Instead each dispatcher gets
a cache object of ours (numba asks it before compiling and hands it the result after): one file per function, named by a
digest of everything its code depends on, checked by a digest of its content.
"""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
import sys
import time
import types as python_types
from collections.abc import Callable
from typing import Any

import llvmlite
import numba
import numpy
from numba.core import config, event, types
from numba.core.compiler import CompileResult
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.core.serialize import dumps

from arcgrad.runtime.cache import Tier, cache

__all__ = ["admit_read_only", "global_compiler_lock", "inlined", "load_or_compile", "type_of_dispatcher"]

# Changed when the content of a compiled file changes its form.
_FORMAT = 1


def load_or_compile(
    function: Callable[..., Any], signature: str, *, fastmath: frozenset[str], tier: Tier, fingerprint: str | None
) -> Any:
    """A dispatcher of numba's with machine code for this signature and no other.

    The caller holds `global_compiler_lock`.

    Args:
        function: a module-level function; its module is in `sys.modules`.
        signature: numba's text for the types.
        fastmath: LLVM's floating-point licences.
        tier: under which tier to count.
        fingerprint: digest of all source that the machine code depends on; None: do not keep it on disk.

    Returns:
        The dispatcher, or the plain function where ``NUMBA_DISABLE_JIT`` is set.

    Raises:
        InputError: the cache directory can be written by, or belongs to, other users.
    """
    dispatcher = numba.njit(nogil=True, error_model="numpy", fastmath=set(fastmath) or False)(function)
    if config.DISABLE_JIT:
        return dispatcher
    if fingerprint is not None:
        identity = (fingerprint, tier, signature, sorted(fastmath), _identity_of(function), _identity_of_platform())
        digest = hashlib.sha256(repr(identity).encode()).hexdigest()[:32]
        folder = "kernels" if tier == "kernels" else "routines"
        # The attribute by which numba's dispatchers find their disk cache, from 0.13 to this day.
        dispatcher._cache = _DiskCache(f"{folder}/{function.__module__}.{function.__qualname__}-{digest}.code", tier)
    _meter.watch(dispatcher, tier)
    try:
        dispatcher.compile(signature)
    finally:
        _meter.unwatch(dispatcher)
    dispatcher.disable_compile()
    return dispatcher


def inlined(function: Callable[..., Any]) -> Any:
    """A dispatcher for a plain function that compiled code calls: compiled with its caller, for the types it meets."""
    return numba.njit(nogil=True, error_model="numpy")(function)


def type_of_dispatcher(dispatcher: Any) -> Any:
    """The type by which compiled code calls a dispatcher."""
    return types.Dispatcher(dispatcher)


def admit_read_only(dispatcher: Any, arguments: tuple[Any, ...]) -> bool:
    """Let a dispatcher take these arguments if they differ from its signature in being read-only arrays; whether so.

    numba gives read-only arrays a type of their own. Their machine representation is the same, so the code compiled for
    writable ones serves: each combination that occurs is entered into the dispatcher's table of types, once.
    """
    if config.DISABLE_JIT:
        return False
    found = tuple(dispatcher.typeof_pyval(argument) for argument in arguments)
    for expected, compiled in dispatcher.overloads.items():
        if len(found) == len(expected) and found != expected and all(map(_is_read_only_form, found, expected)):
            with global_compiler_lock:
                dispatcher._insert([each._code for each in found], compiled.entry_point, False)
            return True
    return False


def _is_read_only_form(found: Any, expected: Any) -> bool:
    return found == expected or (
        isinstance(found, types.Array)
        and isinstance(expected, types.Array)
        and not found.mutable
        and found.copy(readonly=False) == expected
    )


def _identity_of(function: Callable[..., Any]) -> tuple[Any, ...]:
    """The function's own code; its source text is in the fingerprint, but may have been edited since it was imported."""

    def of_code(code: python_types.CodeType) -> tuple[Any, ...]:
        constants = [of_code(each) if isinstance(each, python_types.CodeType) else repr(each) for each in code.co_consts]
        return code.co_name, code.co_code.hex(), code.co_names, constants

    return function.__module__, function.__qualname__, of_code(function.__code__)


@functools.cache
def _identity_of_platform() -> tuple[Any, ...]:
    """Whatever else decides the machine code: versions, CPU and its features, numba's settings."""
    return (
        _FORMAT,
        numba.__version__,
        llvmlite.__version__,
        numpy.__version__,
        sys.implementation.cache_tag,
        sys.version_info[:3],
        cpu_target.target_context.codegen().magic_tuple(),
        str(config.OPT),
        config.BOUNDSCHECK,
        config.DEBUGINFO_DEFAULT,
    )


class _DiskCache:
    """What a dispatcher of numba's asks for machine code before compiling, and hands it to after."""

    cache_path = None

    def __init__(self, name: str, tier: Tier) -> None:
        self._name = name
        self._tier = tier

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        directory = cache.directory
        content = directory.read_code(self._name)
        if content is None:
            return None
        target_context.refresh()  # as numba does: the context fills itself at its first use
        try:
            compiled = CompileResult._rebuild(target_context, *pickle.loads(content))
        except Exception:
            # Anything: the file is whole, but something it refers to is not as it was. Compiling anew is always right.
            directory.remove(self._name)
            return None
        cache.count_disk_hit(self._tier)
        return compiled

    def save_overload(self, signature: Any, compiled: Any) -> None:
        # Code that holds addresses of this process cannot be kept.
        if not compiled.library.has_dynamic_globals and not compiled.lifted:
            cache.directory.write_code(self._name, dumps(compiled._reduce()))

    def enable(self) -> None:
        """Always enabled."""

    def disable(self) -> None:
        """Always enabled."""

    def flush(self) -> None:
        """Nothing is kept back."""


class _Meter(event.Listener):  # type: ignore[misc]
    """Counts what numba compiles, by its own events, with CPU time.

    Compilations nest: a routine's contains those of its helpers (counted as part of it) and of kernels that it is the first
    to use (counted as their own). Only ever called by the holder of numba's compiler lock.
    """

    def __init__(self) -> None:
        self._tiers: dict[int, Tier] = {}
        self._started: list[tuple[int, float]] = []
        self._inner_seconds: list[float] = [0.0]

    def watch(self, dispatcher: Any, tier: Tier) -> None:
        self._tiers[id(dispatcher)] = tier

    def unwatch(self, dispatcher: Any) -> None:
        del self._tiers[id(dispatcher)]

    def on_start(self, event: Any) -> None:
        self._started.append((id(event.data["dispatcher"]), time.thread_time()))
        self._inner_seconds.append(0.0)

    def on_end(self, event: Any) -> None:
        identity, start = self._started.pop()
        seconds = time.thread_time() - start
        counted_inside = self._inner_seconds.pop()
        tier = self._tiers.get(identity)
        if tier is None:
            self._inner_seconds[-1] += counted_inside
        else:
            cache.count_compilation(tier, seconds - counted_inside)
            self._inner_seconds[-1] += seconds


_meter = _Meter()
event.register("numba:compile", _meter)

if hasattr(os, "register_at_fork"):
    # A child forked while another thread compiles would inherit locks (numba's, LLVM's) that nobody releases: wait for it.
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=global_compiler_lock.release,
    )
