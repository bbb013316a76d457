"""What a compiled function depends on, as text that is the same in every process: the heart of the keys on disk.

Stage: source → run; asked by `arcgrad.runtime.jit.compile`. numba freezes everything a function refers to into its
machine code, so the identity follows the function's globals through helpers, kernels and constants, wherever they live.
Two functions of one identity have the same machine code; comments, line numbers and unrelated edits do not show.
"""

from __future__ import annotations

import hashlib
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy

from arcgrad.grammar.errors import InputError

__all__ = ["identity_of_function", "identity_of_module"]

# Their own versions are part of every key.
_KEYED_BY_VERSION = frozenset({"numpy", "numba", "llvmlite"}) | sys.stdlib_module_names


def identity_of_function(function: Callable[..., Any]) -> str:
    """Digest of a function's code and of everything it refers to.

    Raises:
        InputError: it refers to something else than functions, kernels, helpers, numbers, strings, arrays, tuples of
            them, modules, and what numpy, numba and the standard library define.

    Example:
        >>> more = lambda x: x + 1
        >>> identity_of_function(more) == identity_of_function(lambda x: x + 1)  # elsewhere, but the same code
        True
        >>> identity_of_function(more) == identity_of_function(lambda x: x + 2)
        False
    """
    described: list[object] = []
    _describe_function(function, described, {})
    return hashlib.sha256(repr(described).encode()).hexdigest()


def identity_of_module(module: types.ModuleType) -> str:
    """Digest of all code in a module, whatever its values: for modules that write machine code themselves."""
    loader: Any = module.__spec__ and module.__spec__.loader
    described: list[object] = []
    _describe_code(loader.get_code(module.__name__), described)
    return hashlib.sha256(repr(described).encode()).hexdigest()


def _describe_function(function: Any, described: list[object], seen: dict[Any, int]) -> None:
    if function in seen:  # recursion, or a second caller
        described.append(("seen", seen[function]))
        return
    seen[function] = len(seen)
    described.append(("function", function.__module__, function.__qualname__, repr(function.__defaults__)))
    for cell in function.__closure__ or ():
        _describe_value(cell.cell_contents, described, seen, names=())
    _describe_code(function.__code__, described)
    names = sorted(_names(function.__code__))
    for name in names:
        # A name that is no global is a builtin or an attribute.
        if name in function.__globals__:
            described.append(("global", name))
            _describe_value(function.__globals__[name], described, seen, names)


def _describe_code(code: types.CodeType, described: list[object]) -> None:
    described.append(("code", code.co_code, code.co_names, code.co_varnames, code.co_flags))
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            _describe_code(constant, described)
        elif isinstance(constant, frozenset):  # its order changes from process to process
            described.append(sorted(map(repr, constant)))
        else:
            described.append(repr(constant))


def _names(code: types.CodeType) -> set[str]:
    inner = (each for each in code.co_consts if isinstance(each, types.CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _describe_value(value: Any, described: list[object], seen: dict[Any, int], names: Any) -> None:
    python = _python_function_of(value)
    if python is not None:
        flags = sorted(getattr(value, "fastmath", ())), getattr(value, "lazy", False)
        described.append((type(value).__name__, getattr(value, "signature", None), *flags))
        _describe_function(python, described, seen)
    elif value is None or isinstance(value, (bool, int, float, complex, str, bytes, numpy.generic, numpy.dtype)):
        described.append((type(value).__name__, repr(value)))
    elif isinstance(value, tuple):
        described.append(("tuple", len(value)))
        for each in value:
            _describe_value(each, described, seen, names)
    elif isinstance(value, numpy.ndarray) and not value.dtype.hasobject:
        described.append(("array", str(value.dtype), value.shape, value.strides, value.tobytes()))
    elif isinstance(value, types.ModuleType):
        described.append(("module", value.__name__))
        if value.__name__.partition(".")[0] not in _KEYED_BY_VERSION:
            # Whichever of its attributes the code may ask for.
            for name in names:
                if hasattr(value, name):
                    described.append(("attribute", name))
                    _describe_value(getattr(value, name), described, seen, names)
    elif (getattr(value, "__module__", None) or "builtins").partition(".")[0] in _KEYED_BY_VERSION:
        described.append(("library", getattr(value, "__module__", None), _name_in_library(value)))
    else:
        raise _unknown(value)


def _name_in_library(value: Any) -> str:
    """Name of a function, class or ufunc; of instances, numba's types only say who they are."""
    if type(value).__module__.startswith("numba.core.types"):
        return repr(value)
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    if not isinstance(name, str):
        raise _unknown(value)
    return name


def _unknown(value: object) -> InputError:
    return InputError(
        f"a compiled function refers to {value!r}, and what machine code that leads to cannot be said",
        hint="kernels may refer to helpers, other kernels, numbers, tuples of them, and modules",
    )


def _python_function_of(value: Any) -> Any:
    """The plain function of a kernel or helper (`python`), or of one of numba's dispatchers or intrinsics."""
    if isinstance(value, types.FunctionType):
        return None if (value.__module__ or "").partition(".")[0] in _KEYED_BY_VERSION else value
    for attribute in ("python", "py_func", "_defn"):
        inner = getattr(value, attribute, None)
        if isinstance(inner, types.FunctionType):
            return inner
    return None
