"""Compiled functions: the decorators of the kernel library, and the loading of generated routines.

Stage: source → run. The emitter writes a module's text, `load_routine` makes a callable of it; the text calls
functions of the kernel library, `arcgrad.runtime.kernels`, which are declared with the two decorators of this module::

    from arcgrad.runtime.jit.declare import helper, kernel

    @helper                                     # small functions: inlined into every kernel and routine that calls them
    def log_add(a, b): ...

    @kernel("void(int32[::1], float64[::1], float64[::1])")      # compiled for these types only, kept on disk
    def lattice_log(destination, weight, score): ...

Both are called like the plain functions they wrap: from Python, from one another, from emitted source of either tier.

- A *helper* called from Python runs as plain Python; called from compiled code it is compiled for the types it meets.
- A *kernel* is compiled, or its machine code loaded from disk, at its first call, never on import (which does not even
  import numba). Its arguments must have the signature's types; arrays are C-contiguous (``[::1]``, ``[:, ::1]``) and
  may be read-only although the signature cannot say so: it is the kernel's duty not to write its inputs. ``.python``
  is the undecorated function. Options: `fastmath`, a set of LLVM flags such as ``{"reassoc"}`` (never "ninf" or "nnan":
  scores may be −inf). Compiled with ``nogil=True`` and ``error_model="numpy"``: x / 0 is inf or NaN, not an error.
- A kernel calls others by symbols, without a copy of their code in its own: so kernels are units of compilation, and
  what is to melt into a caller's loop is a helper. `loose_helper` gives a helper licences of its own.
- Both must be module-level functions, not closures. Kernels report failure by what they return or write, not by
  raising, allocate nothing, and may use as globals: helpers, other kernels, numbers and tuples of them, modules.
- The machine code of a kernel is keyed by its own bytecode and that of all helpers and kernels it reaches, with the
  values of their globals (`arcgrad.runtime.jit.identity`): an edit rebuilds what depends on it, and nothing else.
  Code that numba reaches in another way (``numba.extending.overload``) would go unnoticed, so do not use that.
"""

from __future__ import annotations

import functools
import hashlib
import io
import linecache
import sys
import tokenize
import types
import weakref
from collections.abc import Callable, Iterable
from typing import Any, Generic, ParamSpec, TypeVar

from arcgrad.grammar.errors import InputError
from arcgrad.runtime.jit.cache import Tier, cache
from arcgrad.runtime.lru import caches

__all__ = [
    "Helper",
    "Kernel",
    "helper",
    "is_ready",
    "kernel",
    "load_routine",
    "loose_helper",
    "vector_operation",
    "without_comments",
]

P = ParamSpec("P")
R = TypeVar("R")


class Helper(Generic[P, R]):
    """A small function that runs as plain Python when Python calls it, and is inlined where compiled code calls it."""

    def __init__(self, python: Callable[P, R], fastmath: frozenset[str] = frozenset()) -> None:
        functools.update_wrapper(self, python)
        self.python = python
        self.fastmath = fastmath

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.python(*args, **kwargs)

    @functools.cached_property
    def _dispatcher(self) -> Any:
        from arcgrad.runtime.jit import compile as numba_compiler

        return numba_compiler.inlined(self.python, self.fastmath)

    @property
    def _numba_type_(self) -> Any:
        """Asked for by numba where compiled code refers to this object; the type refers to its dispatcher weakly."""
        from arcgrad.runtime.jit import compile as numba_compiler

        return numba_compiler.type_of_dispatcher(self._dispatcher)


class Kernel(Generic[P, R]):
    """A function compiled for one signature, at its first call or loaded from disk then; see this module's docstring.

    Attributes:
        python: the plain function.
        signature: numba's text for the types, such as ``"float64(float64[::1])"``.
        tier: under which tier it is counted.
        fastmath: LLVM's flags.
        internal: whether only compiled code calls it; from Python, it runs as plain Python.
        seldom: whether compiled code that calls it has it loaded when it does, not before.
    """

    def __init__(
        self,
        python: Callable[P, R],
        signature: str,
        fastmath: frozenset[str],
        tier: Tier,
        internal: bool = False,
        seldom: bool = False,
    ) -> None:
        functools.update_wrapper(self, python)
        self.python = python
        self.signature = signature
        self.fastmath = fastmath
        self.tier = tier
        self.internal = internal
        self.seldom = seldom
        self._compiled: Any = None
        _every_kernel.add(self)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        compiled = self._compiled
        if self.internal:
            return self.python(*args, **kwargs)
        if compiled is None:
            compiled = self.load()
        try:
            return compiled(*args, **kwargs)  # type: ignore[no-any-return]
        except TypeError:
            from arcgrad.runtime.jit import compile as numba_compiler

            # Raised before anything ran where the types are not the signature's, as read-only arrays' are not.
            if kwargs or not numba_compiler.admit_read_only(compiled, args):
                raise
        except RuntimeError:
            from arcgrad.runtime.jit import link as numba_linking

            numba_linking.raise_what_stopped()
            raise
        return compiled(*args)  # type: ignore[no-any-return]

    def load(self) -> Any:
        """Compile, or load the machine code from disk, if that has not happened; numba's dispatcher.

        Raises:
            InputError: the cache directory can be written by, or belongs to, other users.
        """
        from arcgrad.runtime.jit import compile as numba_compiler

        with numba_compiler.global_compiler_lock:
            if self._compiled is None:
                self._compiled = numba_compiler.load_or_compile(
                    self.python, self.signature, fastmath=self.fastmath, tier=self.tier, internal=self.internal
                )
            return self._compiled

    @property
    def _numba_type_(self) -> Any:
        """Asked for by numba where compiled code refers to this object."""
        from arcgrad.runtime.jit import compile as numba_compiler

        if self.seldom:
            return numba_compiler.type_of_seldom_kernel(self)
        return numba_compiler.type_of_kernel(self.load())

    @property
    def is_ready(self) -> bool:
        """Whether a call answers at once: the code is loaded, or lies on disk (unless it is of an older version)."""
        if self._compiled is not None:
            return True
        return cache.directory.has(f"kernels/{self.python.__module__}.{self.python.__qualname__}-*.code")

    def __repr__(self) -> str:
        return f"<kernel {self.python.__module__}.{self.python.__qualname__}: {self.signature}>"

    def forget(self) -> None:
        """Drop the compiled code: the next call loads or compiles it anew."""
        self._compiled = None


_every_kernel: weakref.WeakSet[Kernel[Any, Any]] = weakref.WeakSet()


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


def loose_helper(*licences: str) -> Callable[[Callable[P, R]], Helper[P, R]]:
    """Declare a `helper` with licences of LLVM's, such as "reassoc", which hold for its own arithmetic only.

    Example:
        >>> @loose_helper("contract")
        ... def multiply_add(a: float, b: float, c: float) -> float:
        ...     return a * b + c
        >>> multiply_add(2.0, 3.0, 1.0)
        7.0
    """

    def declare(function: Callable[P, R]) -> Helper[P, R]:
        return Helper(function, frozenset(licences))

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
        from arcgrad.runtime.jit import compile as numba_compiler

        return numba_compiler.type_of_vector_operation(self.python.__name__)


def vector_operation(function: Callable[P, R]) -> VectorOperation[P, R]:
    """Declare an operation that ``runtime.vector_code`` compiles under the function's name."""
    return VectorOperation(function)


def kernel(
    signature: str, *, fastmath: Iterable[str] = (), internal: bool = False, seldom: bool = False
) -> Callable[[Callable[P, R]], Kernel[P, R]]:
    """Declare a function of the kernel library: compiled for the signature, kept on disk, loaded at its first call.

    Args:
        signature: return type and argument types in numba's notation, such as ``"float64(int32[::1], float64)"``.
        fastmath: LLVM's floating-point licences, such as ``{"reassoc", "contract"}``; none by default.
        internal: called by other kernels only, which spares the code by which Python would call it.
        seldom: most runs of its callers do without it: it is compiled or loaded when one calls it, not with them.

    Example (compiled when first called)::

        @kernel("float64(float64[::1])")
        def total(values):
            result = 0.0
            for value in values:
                result += value
            return result
    """

    def declare(function: Callable[P, R]) -> Kernel[P, R]:
        return Kernel(function, signature, frozenset(fastmath), "kernels", internal, seldom)

    return declare


def without_comments(source: str) -> str:
    """The tokens of a Python source, one a line, without comments and layout: what a routine is keyed by."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    dropped = (tokenize.COMMENT, tokenize.NL)
    # The width of an indentation means nothing.
    return "\n".join(
        f"{token.type} {'' if token.type == tokenize.INDENT else token.string!r}"
        for token in tokens
        if token.type not in dropped
    )


# Changed when the same source would be loaded as something else.
_FORMAT = 1

# Generated modules live under this name in sys.modules, where numba's loading of machine code looks them up.
_PACKAGE = "arcgrad.runtime.generated"


def load_routine(
    source: str,
    *,
    name: str = "routine",
    signature: str | None = None,
    tier: Tier,
    fastmath: Iterable[str] = (),
) -> Callable[..., Any]:
    """The function that a generated module defines: as plain Python over kernels, or compiled as a whole.

    A source that differs from an earlier one, of this process or another, in comments only shares its routine.

    Args:
        source: text of a Python module; it imports what it calls from `arcgrad.runtime.kernels` by absolute name.
        name: the function in it that is wanted.
        signature: numba's text for its types; needed by tier "fused" only.
        tier: "kernels": executed as plain Python; "fused": compiled, or loaded from disk.
        fastmath: LLVM's floating-point licences, for tier "fused".

    Returns:
        A callable; of tier "fused", it takes arrays as `kernel` says.

    Raises:
        InputError: tier "fused" without a signature, or the cache directory can be written by other users.

    Example:
        >>> source = "def routine(x):\\n    return x + 1  # any comment\\n"
        >>> load_routine(source, tier="kernels")(2)
        3
    """
    if tier == "fused" and signature is None:
        raise InputError("load_routine needs a signature to compile a routine of tier 'fused'")
    flags = frozenset(fastmath)
    key = _key(source, tier, name, signature, tuple(sorted(flags)))

    def build() -> Callable[..., Any]:
        text, filename = _keep_source(source, key) if tier == "fused" else (source, f"<arcgrad routine {key}>")
        module = types.ModuleType(f"{_PACKAGE}_{key}", f"Routine generated by arcgrad, tier {tier}.")
        module.__file__ = filename
        # Tracebacks and debuggers show the text even where no file could be written.
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
        sys.modules[module.__name__] = module
        try:
            exec(compile(text, filename, "exec"), module.__dict__)
            function: Callable[..., Any] = module.__dict__[name]
            if tier == "fused":
                assert signature is not None
                function = Kernel(function, signature, flags, "fused")
                function.load()
        except BaseException:
            _remove_module(key)
            raise
        return function

    return cache.routine(key, tier, build)


def is_ready(source: str, *, name: str = "routine", signature: str) -> bool:
    """Whether `load_routine` gives the routine of tier "fused" without compiling: it is in memory or on disk.

    Code on disk that an edit of a kernel or another version of numba made stale counts as ready, and is then compiled.
    """
    key = _key(source, "fused", name, signature, ())
    return cache.has_routine(key, "fused") or cache.directory.has(f"routines/{key}-*.code")


@functools.lru_cache(maxsize=1024)
def _key(source: str, tier: Tier, name: str, signature: str | None, flags: tuple[str, ...]) -> str:
    identity = (_FORMAT, tier, name, signature, list(flags), without_comments(source))
    return hashlib.sha256(repr(identity).encode()).hexdigest()[:32]


def _keep_source(source: str, key: str) -> tuple[str, str]:
    """Write the source beside its machine code, for people to read; text to execute and name of the file.

    Where a file is there that says the same in other comments, it stays, and its lines are those of tracebacks.
    """
    name = f"routines/{key}.py"
    filename = str(cache.directory.path / name)
    kept = cache.directory.read_text(name)
    if kept is not None and kept != source:
        try:
            same = without_comments(kept) == without_comments(source)
        except (SyntaxError, tokenize.TokenError):
            same = False
        kept = kept if same else None
    if kept is None:
        cache.directory.write_text(name, source)
    return kept or source, filename


def _remove_module(key: object) -> None:
    module = sys.modules.pop(f"{_PACKAGE}_{key}", None)
    if module is not None:
        linecache.cache.pop(str(module.__file__), None)


def _forget_compiled() -> None:
    for each in list(_every_kernel):
        each.forget()


caches.when_cleared(_forget_compiled)
cache.when_removed(_remove_module)
