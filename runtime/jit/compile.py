"""Compiling one function for one signature by numba's insides, or loading its machine code from disk.

Stage: source → run. `arcgrad.runtime.jit.declare` imports this module at the first call of a kernel or routine, because
importing numba takes longer than all else; or `arcgrad.runtime.jit.plain`, which offers the same by public means, where
`arcgrad.runtime.jit.compat` lacks a name.

numba's own disk cache is not used: it does not notice edits of the functions that a cached one calls, raises on a
damaged file, mixes up entries when processes race, and writes beside installed sources. Instead each dispatcher gets
a cache object of ours (numba asks it before compiling and hands it the result after): one file per function, named by a
digest of everything its code depends on, checked by a digest of its content.
"""

from __future__ import annotations

import functools
import hashlib
import pickle
import sys
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy

from arcgrad.runtime.jit import link, vectors
from arcgrad.runtime.jit.background.waiting import NotCompiled, may_compile, progress
from arcgrad.runtime.jit.cache import Tier, cache
from arcgrad.runtime.jit.compat import (
    CompileResult,
    Listener,
    address_of_symbol,
    cpu_target,
    dumps,
    global_compiler_lock,
    llvmlite_version,
    parse_assembly,
    parsed,
    register_listener,
    rtsys,
)
from arcgrad.runtime.jit.identity import identity_of_function, identity_of_module
from arcgrad.runtime.jit.interrupts import interrupts_held_back
from arcgrad.runtime.jit.libraries import HelperCompiler, KernelCompiler
from arcgrad.runtime.jit.link import raise_what_stopped

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
types: Any = numba.types

# No kernel allocates; without a runtime that counts references to arrays, each of them is spared two locked
# instructions wherever it is handed on or sliced, and the code for them.
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False, "no_cfunc_wrapper": True}


# Changed when the content of a compiled file changes its form.
_FORMAT = 6


def load_or_compile(
    function: Callable[..., Any], signature: str, *, fastmath: frozenset[str], tier: Tier, internal: bool = False
) -> Any:
    """A dispatcher of numba's with machine code for this signature and no other.

    The caller holds `global_compiler_lock`.

    Args:
        function: a module-level function; its module is in `sys.modules`.
        signature: numba's text for the types.
        fastmath: LLVM's fast-math flags.
        tier: under which tier to count.
        internal: leave out what Python needs to call it, a tenth of a second's compilation.

    Returns:
        The dispatcher, or the plain function where ``NUMBA_DISABLE_JIT`` is set.

    Raises:
        InputError: the cache directory can be written by, or belongs to, other users; or the function refers to
            something of which `identity_of_function` cannot say what it is.
    """
    dispatcher: Any = _njit(
        **_OPTIONS, fastmath=set(fastmath) or False, no_cpython_wrapper=internal, pipeline_class=KernelCompiler
    )(function)
    if _config.DISABLE_JIT:
        return dispatcher
    # The attribute by which numba's dispatchers find their disk cache.
    name = _name_on_disk(function, signature, fastmath, tier, internal)
    dispatcher._cache = _DiskCache(name, tier)
    _meter.watch(dispatcher, tier)
    try:
        with progress, interrupts_held_back():
            dispatcher.compile(parsed(signature))
    finally:
        _meter.unwatch(dispatcher)
    dispatcher.disable_compile()
    # Machine code that others call lives as long as they do.
    dispatcher._called_kernels, _ = link.called_by(dispatcher._cache.symbols)
    if tier == "kernels":
        link.export(dispatcher, _digest_in(name), function.__module__, function.__qualname__, signature)
    return dispatcher


def inlined(function: Callable[..., Any], fastmath: frozenset[str]) -> Any:
    """A dispatcher for a plain function that compiled code calls: compiled with its caller, for the types it meets."""
    return _njit(
        **_OPTIONS,
        fastmath=set(fastmath) or False,
        no_cpython_wrapper=True,
        forceinline=True,
        pipeline_class=HelperCompiler,
    )(function)


def type_of_helper(dispatcher: Any) -> Any:
    """The type by which compiled code calls what `inlined` gives, whose code it takes in."""
    return types.Dispatcher(dispatcher)


def type_of_kernel(dispatcher: Any) -> Any:
    """The type by which compiled code calls a kernel that is loaded."""
    return types.Dispatcher(dispatcher) if _config.DISABLE_JIT else link.type_of(dispatcher)


def type_of_lazy_kernel(kernel: Any) -> Any:
    """The type by which compiled code calls a kernel that is loaded when it does."""
    if _config.DISABLE_JIT:
        return types.Dispatcher(kernel.load())
    name = _name_on_disk(kernel.python, kernel.signature, kernel.fastmath, kernel.tier, kernel.internal)
    return link.type_of_lazy(kernel, _digest_in(name))


def type_of_vector_operation(name: str) -> Any:
    """The type by which compiled code calls an operation of `arcgrad.runtime.kernels.math.vectors`."""
    return cpu_target.typing_context.resolve_value_type(vectors.INTRINSICS[name])


def _name_on_disk(
    function: Callable[..., Any], signature: str, fastmath: frozenset[str], tier: Tier, internal: bool
) -> str:
    """Name of the file for a function's machine code: a digest of all that the code depends on."""
    identity = (identity_of_function(function), tier, signature, sorted(fastmath), internal, _identity_of_platform())
    digest = hashlib.sha256(repr(identity).encode()).hexdigest()[:32]
    if tier == "fused":  # the module is named by the digest of its source
        return f"routines/{function.__module__.rpartition('_')[2]}-{digest}.code"
    return f"kernels/{function.__module__}.{function.__qualname__}-{digest}.code"


def _digest_in(name: str) -> str:
    return name.rpartition("-")[2].partition(".")[0]


@functools.cache
def _identity_of_platform() -> tuple[Any, ...]:
    """Whatever else decides the machine code: versions, CPU and its features, numba's settings."""
    return (
        _FORMAT,
        identity_of_module(vectors),  # no function refers to what it tells numba
        numba.__version__,
        llvmlite_version,
        numpy.__version__,
        sys.implementation.cache_tag,
        sys.version_info[:3],
        cpu_target.target_context.codegen().magic_tuple(),
        str(_config.OPT),
        _config.BOUNDSCHECK,
        _config.DEBUGINFO_DEFAULT,
    )


class _DiskCache:
    """What a dispatcher of numba's asks for machine code before compiling, and hands it to after."""

    cache_path = None

    def __init__(self, name: str, tier: Tier) -> None:
        self._name = name
        self._tier = tier
        self.symbols: list[str] = []  # of the kernels that the code calls

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        directory = cache.directory
        content = directory.read_code(self._name)
        if content is None:
            return self._compile()
        try:
            symbols, kernels, parts = pickle.loads(content)
            link.load_called(kernels)
            _make_known(symbols, target_context)
            compiled = CompileResult._rebuild(target_context, *parts)
        except NotCompiled:  # something that it calls
            raise
        except Exception:
            # Anything: the file is whole, but something it refers to is not as it was. Compiling anew is always right.
            directory.remove(self._name)
            return self._compile()
        cache.count_disk_hit(self._tier)
        self.symbols = [symbol for symbol, *_ in kernels]
        return compiled

    def _compile(self) -> None:
        """Have numba compile, for which it is told that there is nothing."""
        if not may_compile():
            raise NotCompiled
        progress.show(self._name.rpartition("/")[2].rpartition("-")[0].rpartition(".")[2] or "a routine")

    def save_overload(self, signature: Any, compiled: Any) -> None:
        module = compiled.library._final_module
        symbols = [each.name for each in (*module.functions, *module.global_variables) if each.is_declaration]
        symbols = sorted(name for name in symbols if not name.startswith("llvm."))
        self.symbols = [name for name in symbols if name.startswith(link.SYMBOLS)]
        # Code that holds addresses of this process cannot be kept.
        if not compiled.library.has_dynamic_globals and not compiled.lifted:
            _, kernels = link.called_by(self.symbols)
            symbols = [name for name in symbols if name not in self.symbols]
            cache.directory.write_code(self._name, dumps((symbols, kernels, _reduced(compiled))))

    def enable(self) -> None:
        """Always enabled."""

    def disable(self) -> None:
        """Always enabled."""

    def flush(self) -> None:
        """Nothing is kept back."""


def _reduced(compiled: Any) -> tuple[Any, ...]:
    """What numba makes the compiled function of again, without the code for inlining it into others, which nobody does.

    In its place stand definitions of nothing by the same names, from which numba knows what the machine code defines.
    """
    (name, kind, (machine_code, _)), *rest = compiled._reduce()
    module = compiled.library._final_module
    functions = [f'define void @"{each.name}"() {{ ret void }}' for each in module.functions if not each.is_declaration]
    variables = [f'@"{each.name}" = global i8 0' for each in module.global_variables if not each.is_declaration]
    stub = parse_assembly("\n".join([f'target triple = "{module.triple}"', *functions, *variables]))
    stub.name = module.name
    rest[5] = ""  # the types of all variables, as text for people
    return (name, kind, (machine_code, stub.as_bitcode())), *rest


def _make_known(symbols: list[str], target_context: Any) -> None:
    """Make the external symbols of machine code known to LLVM, which ends the process over an unknown one.

    numba's way is to load all that it can compile, 0.25 s and scipy with it. What kernels need is known without that:
    mathematical functions, and the reference counting of arrays. Loading everything stays for whatever else turns up.
    """
    for provide in (lambda: rtsys.initialize(target_context), target_context.refresh):
        if all(address_of_symbol(name) is not None for name in symbols):
            return
        provide()


class _Meter(Listener):  # type: ignore[misc]
    """Counts what numba compiles, by its own events, with CPU time.

    Compilations nest: a routine's contains those of its helpers (counted as part of it) and of kernels that it is the
    first to use (counted as their own). Only ever called by the holder of numba's compiler lock.
    """

    def __init__(self) -> None:
        self._tiers: dict[int, Tier] = {}
        # Of each compilation under way: its dispatcher's id, its start, the seconds counted for those within it.
        self._stack: list[tuple[int, float, list[float]]] = []

    def watch(self, dispatcher: Any, tier: Tier) -> None:
        self._tiers[id(dispatcher)] = tier

    def unwatch(self, dispatcher: Any) -> None:
        del self._tiers[id(dispatcher)]

    def on_start(self, event: Any) -> None:
        self._stack.append((id(event.data["dispatcher"]), time.thread_time(), []))

    def on_end(self, event: Any) -> None:
        dispatcher = id(event.data["dispatcher"])
        if all(identity != dispatcher for identity, _, _ in self._stack):
            return  # Ctrl-C came before its start was noted
        while True:
            identity, start, inner = self._stack.pop()
            if identity == dispatcher:
                break
        seconds = time.thread_time() - start
        tier = self._tiers.get(dispatcher)
        if tier is not None:
            cache.count_compilation(tier, seconds - sum(inner))
            inner = [seconds]
        if self._stack:
            self._stack[-1][2].extend(inner)


_meter = _Meter()
register_listener("numba:compile", _meter)
link.let_code_load()
