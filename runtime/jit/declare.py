"""Declares compiled functions: the decorators of the kernel library.

Stage: source → run. The text of a generated routine (`arcgrad.runtime.jit.routine`) calls functions of the kernel
library, `arcgrad.runtime.kernels`, which are declared with the two decorators of this module::

    from arcgrad.runtime.jit.declare import helper, kernel

    @helper                                     # small functions: inlined into every kernel and routine that calls them
    def log_add(a, b): ...

    @kernel("void(const int32[::1], const float64[::1], float64[::1])")  # compiled for these types only, kept on disk
    def lattice_log(destination, weight, score): ...

Both are called like the plain functions they wrap: from Python, from one another, from emitted source of either tier.

- A *helper* called from Python runs as plain Python; called from compiled code it is compiled for the types it meets.
- A *kernel* is compiled, or its machine code loaded from disk, at its first call, never on import (which does not even
  import numba). Its arguments must have the signature's types; arrays are C-contiguous (``[::1]``, ``[:, ::1]``). One
  that is declared ``const`` may be read-only or not; a kernel that writes to it is not compiled. ``.python`` is the
  undecorated function. Options: `fastmath`, a set of LLVM's fast-math flags such as ``{"reassoc"}`` (never "ninf" or
  "nnan": scores may be −inf). Compiled with ``nogil=True`` and ``error_model="numpy"``: x / 0 is inf or NaN, not an
  error.
- A kernel calls others by symbols, without a copy of their code in its own: so kernels are units of compilation, and
  what is to be inlined into a caller's loop is a helper. `loose_helper` gives a helper fast-math flags of its own.
- Both must be module-level functions, not closures. Kernels report failure by what they return or write, not by
  raising, allocate nothing, and may use as globals: helpers, other kernels, numbers and tuples of them, modules.
- The machine code of a kernel is keyed by its own bytecode and that of all helpers and kernels it reaches, with the
  values of their globals (`arcgrad.runtime.jit.identity`): an edit rebuilds what depends on it, and nothing else.
  Code that numba reaches in another way (``numba.extending.overload``) would go unnoticed, so do not use that.
- Where numba's insides are not what they should be, all is compiled by public means (`arcgrad.runtime.jit.plain`).
"""

from __future__ import annotations

import functools
import importlib
import math
import os
import sys
import time
import weakref
from collections.abc import Callable, Iterable
from typing import Any, Generic, ParamSpec, TypeVar

from arcgrad.runtime.forks import forks_held_back
from arcgrad.runtime.jit.background.waiting import NotCompiled, compiling, is_plain
from arcgrad.runtime.jit.cache import Tier, cache
from arcgrad.runtime.jit.interrupts import apart, interrupts_held_back
from arcgrad.runtime.lru import caches

__all__ = [
    "Code",
    "Helper",
    "Kernel",
    "find_kernel",
    "helper",
    "keeps_on_disk",
    "kernel",
    "loose_helper",
    "vector_operation",
]

P = ParamSpec("P")
R = TypeVar("R")

# Seconds after which the disk is asked again for code, which another process may have compiled.
_ASK_AGAIN = 0.25


def _is_imported() -> bool:
    return hasattr(sys.modules.get("arcgrad.runtime.jit.compat"), "why_plain")


def _compiler() -> Any:
    """The module that compiles: of numba's insides, or by its public means."""
    if not _is_imported():
        # An interrupt within numba's import leaves it half imported for good, and a child forked meanwhile has modules
        # that are never unlocked.
        with interrupts_held_back(), forks_held_back:
            importlib.import_module("arcgrad.runtime.jit.compat")
    from arcgrad.runtime.jit import compat

    if compat.why_plain() is None:
        from arcgrad.runtime.jit import compile as found

        return found
    from arcgrad.runtime.jit import plain

    compat.warn_once()
    return plain


def keeps_on_disk() -> bool:
    """Whether compiled code is kept on disk, as far as this can be told without importing numba."""
    # Another thread may be importing it, and then it has no names yet.
    why_plain = getattr(sys.modules.get("arcgrad.runtime.jit.compat"), "why_plain", None)
    return os.environ.get("ARCGRAD_PLAIN_JIT", "0") in ("", "0") if why_plain is None else why_plain() is None


class Helper(Generic[P, R]):
    """A small function that runs as plain Python when Python calls it, and is inlined where compiled code calls it."""

    def __init__(self, python: Callable[P, R], fastmath: frozenset[str] = frozenset()) -> None:
        functools.update_wrapper(self, python)
        self.python = python
        self.fastmath = fastmath
        self._compiled: Any = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.python(*args, **kwargs)

    @property
    def _numba_type_(self) -> Any:
        """Asked for by numba where compiled code refers to this object; the type refers to its dispatcher weakly.

        Whoever compiles holds numba's lock.
        """
        compiler = _compiler()
        if self._compiled is None:
            self._compiled = compiler.inlined(self.python, self.fastmath)
        return compiler.type_of_helper(self._compiled)


class Code:
    """What is compiled as one, and kept on disk as one file: a kernel or a routine."""

    _asked = -math.inf
    unit: tuple[str, ...] | None = None
    """By what another process knows it; None: only this one does."""
    pattern = ""
    """Its file in the cache directory."""

    @property
    def is_loaded(self) -> bool:
        """Whether a call answers at once."""
        raise NotImplementedError

    def load(self) -> Any:
        """Load it from disk, or compile it where this thread may."""
        raise NotImplementedError

    def look_again(self) -> None:
        """Have `is_ready` look at the disk, however short ago it did."""
        self._asked = -math.inf

    @property
    def is_ready(self) -> bool:
        """Whether a call answers at once; code that is found on disk, now and then, is loaded."""
        if is_plain():
            return False
        if self.is_loaded:
            return True
        now = time.monotonic()
        if now - self._asked < _ASK_AGAIN or not keeps_on_disk():
            return False
        self._asked = now
        if not cache.directory.has(self.pattern):
            return False
        try:
            with compiling(False):
                self.load()
        except NotCompiled:
            return False
        return True


class Kernel(Code, Generic[P, R]):
    """A function compiled for one signature, at its first call or loaded from disk then; see this module's docstring.

    Attributes:
        python: the plain function.
        signature: text for the types, such as ``"float64(const float64[::1])"``.
        tier: under which tier it is counted.
        fastmath: LLVM's flags.
        internal: whether only compiled code calls it; from Python, it runs as plain Python.
        lazy: whether compiled code that calls it has it loaded when it does, not before.
    """

    def __init__(
        self,
        python: Callable[P, R],
        signature: str,
        fastmath: frozenset[str],
        tier: Tier,
        internal: bool = False,
        lazy: bool = False,
    ) -> None:
        functools.update_wrapper(self, python)
        self.python = python
        self.signature = signature
        self.fastmath = fastmath
        self.tier = tier
        self.internal = internal
        self.lazy = lazy
        self._compiled: Any = None
        module, name = python.__module__, python.__qualname__
        self.pattern = f"kernels/{module}.{name}-*.code"
        if module.startswith("arcgrad.runtime.kernels."):
            self.unit = "kernel", module, name, signature
        _every_kernel.append(weakref.ref(self))

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        compiled = self._compiled
        if self.internal or is_plain():
            return self.python(*args, **kwargs)
        if compiled is None:
            compiled = self.load()
        try:
            return compiled(*args, **kwargs)  # type: ignore[no-any-return]
        except RuntimeError as error:
            _compiler().raise_what_stopped(error)
            raise

    def load(self) -> Any:
        """Compile, or load the machine code from disk, if that has not happened; numba's dispatcher.

        Raises:
            InputError: the cache directory can be written by, or belongs to, other users.
        """
        _compiler()
        return self._compiled or apart(self._load)

    def _load(self) -> Any:
        compiler = _compiler()
        with compiler.global_compiler_lock:
            if self._compiled is None:
                try:
                    self._compiled = compiler.load_or_compile(
                        self.python, self.signature, fastmath=self.fastmath, tier=self.tier, internal=self.internal
                    )
                except NotCompiled as signal:
                    signal.code = self
                    raise
            return self._compiled

    @property
    def _numba_type_(self) -> Any:
        """Asked for by numba where compiled code refers to this object."""
        compiler = _compiler()
        return compiler.type_of_lazy_kernel(self) if self.lazy else compiler.type_of_kernel(self.load())

    @property
    def is_loaded(self) -> bool:
        """Whether a call answers at once."""
        return self._compiled is not None

    def __repr__(self) -> str:
        return f"<kernel {self.python.__module__}.{self.python.__qualname__}: {self.signature}>"

    def forget(self) -> None:
        """Drop the compiled code: the next call loads or compiles it anew."""
        self._compiled = None
        self.look_again()


# A list, which threads may lengthen while another goes through a copy; a WeakSet is Python code.
_every_kernel: list[weakref.ref[Kernel[Any, Any]]] = []


def helper(function: Callable[P, R]) -> Helper[P, R]:
    """Declare a small function of the kernel library that kernels and routines inline.

    Example:
        >>> @helper
        ... def twice(x: float) -> float:
        ...     return 2.0 * x
        >>> twice(1.5)
        3.0
    """
    return Helper(function)


def loose_helper(*fast_math_flags: str) -> Callable[[Callable[P, R]], Helper[P, R]]:
    """Declare a `helper` with fast-math flags of LLVM's, such as "reassoc", which hold for its own arithmetic only.

    Example:
        >>> @loose_helper("contract")
        ... def multiply_add(a: float, b: float, c: float) -> float:
        ...     return a * b + c
        >>> multiply_add(2.0, 3.0, 1.0)
        7.0
    """

    def declare(function: Callable[P, R]) -> Helper[P, R]:
        return Helper(function, frozenset(fast_math_flags))

    return declare


class VectorOperation(Generic[P, R]):
    """An operation on vectors of ``kernels.math.vectors``: plain Python over arrays, LLVM's own in kernels."""

    def __init__(self, python: Callable[P, R]) -> None:
        functools.update_wrapper(self, python)
        self.python = python

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.python(*args, **kwargs)

    @property
    def _numba_type_(self) -> Any:
        return _compiler().type_of_vector_operation(self.python.__name__)


def vector_operation(function: Callable[P, R]) -> VectorOperation[P, R]:
    """Declare an operation that `arcgrad.runtime.jit.vectors` compiles under the function's name."""
    return VectorOperation(function)


def kernel(
    signature: str, *, fastmath: Iterable[str] = (), internal: bool = False, lazy: bool = False
) -> Callable[[Callable[P, R]], Kernel[P, R]]:
    """Declare a function of the kernel library: compiled for the signature, kept on disk, loaded at its first call.

    Args:
        signature: return type and argument types in numba's notation, with ``const`` before arrays that are not
            written, such as ``"float64(const int32[::1], float64)"``.
        fastmath: LLVM's fast-math flags, such as ``{"reassoc", "contract"}``; none by default.
        internal: called by other kernels only, which spares the code by which Python would call it.
        lazy: most runs of its callers do without it: it is compiled or loaded when one calls it, not with them.

    Example (compiled when first called)::

        @kernel("float64(const float64[::1])")
        def total(values):
            result = 0.0
            for value in values:
                result += value
            return result
    """

    def declare(function: Callable[P, R]) -> Kernel[P, R]:
        return Kernel(function, signature, frozenset(fastmath), "kernels", internal, lazy)

    return declare


def find_kernel(module: str, name: str, signature: str) -> Kernel[..., Any]:
    """The kernel of a module whose function has this name, with this signature.

    Raises:
        LookupError: there is none.
    """
    for value in list(vars(importlib.import_module(module)).values()):
        if isinstance(value, Kernel) and (value.python.__qualname__, value.signature) == (name, signature):
            return value
    raise LookupError(f"{module} has no kernel {name}: {signature}")


def _forget_compiled() -> None:
    for reference in list(_every_kernel):
        kernel = reference()
        if kernel is not None:
            kernel.forget()


caches.when_cleared(_forget_compiled)
