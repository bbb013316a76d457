"""Where the machine code of a compiled function lies, and what it may still ask for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from arcgrad.runtime.jit.background.waiting import NotCompiled
from arcgrad.runtime.jit.declare import Kernel
from arcgrad.runtime.jit.link import not_loaded

__all__ = ["code_of", "load_what_is_ready"]


def code_of(function: Callable[..., Any]) -> tuple[Any, int, tuple[Any, ...]] | None:
    """What keeps a function's code alive, where it lies, and the types that it takes; None for what is not compiled."""
    dispatcher = function.load() if isinstance(function, Kernel) else None
    if dispatcher is None or not hasattr(dispatcher, "overloads"):
        return None
    (compiled,) = dispatcher.overloads.values()
    address = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
    return dispatcher, address, tuple(compiled.signature.args)


def load_what_is_ready() -> None:
    """Load the lazy kernels that loaded code may ask for and that are on disk: else it asks Python when it runs.

    A kernel that was loaded may ask for others.
    """
    seen: set[int] = set()
    while kernels := [kernel for kernel in not_loaded() if id(kernel) not in seen]:
        for kernel in kernels:
            seen.add(id(kernel))
            kernel.look_again()
            try:
                kernel.is_ready  # noqa: B018 - which loads it
            except NotCompiled:
                continue
