"""Equations over weighted automata, compiled into fused differentiable routines. The names a user meets.

Everything here is found on first use (PEP 562): ``import arcgrad`` loads neither numba nor numpy nor lark.
``arcgrad.torch`` and ``arcgrad.jax`` are the same for PyTorch and JAX, where these are installed
(``pip install arcgrad[torch]``, ``arcgrad[jax]``).

Example:
    >>> import arcgrad as ag
    >>> forward = ag.compile("LSE[A ∘ B]")
    >>> chain = ag.linear([1, 2], weight=[0.5, 0.25])
    >>> round(forward(A=chain, B=chain), 6)
    1.5
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from arcgrad import graphs
    from arcgrad import jax as jax
    from arcgrad import torch as torch
    from arcgrad.compiler.limits import Limits
    from arcgrad.display import heatmap
    from arcgrad.equation import Equation
    from arcgrad.equation import compile_equation as compile
    from arcgrad.grammar.errors import (
        ArcgradError,
        DivergenceError,
        EquationError,
        FormatError,
        InputError,
        LimitError,
        UndefinedError,
        UnsupportedError,
    )
    from arcgrad.repl import run_repl as repl
    from arcgrad.runtime.data.ambiguity import ambiguity
    from arcgrad.runtime.data.archives.files import iter_all, load_all, save_all
    from arcgrad.runtime.data.dense import Dense, dense
    from arcgrad.runtime.data.files import load, load_symbols, save
    from arcgrad.runtime.data.graph import Graph, linear
    from arcgrad.runtime.data.isomorphism import equal, isomorphic
    from arcgrad.runtime.data.symbols import SymbolTable
    from arcgrad.runtime.inspect.equivalence import equivalent
    from arcgrad.runtime.jit.cache import cache
    from arcgrad.warming import warmup

    __version__: str

__all__ = [
    "ArcgradError",
    "Dense",
    "DivergenceError",
    "Equation",
    "EquationError",
    "FormatError",
    "Graph",
    "InputError",
    "LimitError",
    "Limits",
    "SymbolTable",
    "UndefinedError",
    "UnsupportedError",
    "__version__",
    "ambiguity",
    "cache",
    "compile",
    "dense",
    "equal",
    "equivalent",
    "graphs",
    "heatmap",
    "isomorphic",
    "iter_all",
    "linear",
    "load",
    "load_all",
    "load_symbols",
    "repl",
    "save",
    "save_all",
    "warmup",
]

# Where each public name lives: "module", "module:name" where it has another name there, "module:" where it is that.
_HOMES = {
    "ArcgradError": "arcgrad.grammar.errors",
    "Dense": "arcgrad.runtime.data.dense",
    "DivergenceError": "arcgrad.grammar.errors",
    "Equation": "arcgrad.equation",
    "EquationError": "arcgrad.grammar.errors",
    "FormatError": "arcgrad.grammar.errors",
    "Graph": "arcgrad.runtime.data.graph",
    "InputError": "arcgrad.grammar.errors",
    "LimitError": "arcgrad.grammar.errors",
    "Limits": "arcgrad.compiler.limits",
    "SymbolTable": "arcgrad.runtime.data.symbols",
    "UndefinedError": "arcgrad.grammar.errors",
    "UnsupportedError": "arcgrad.grammar.errors",
    "ambiguity": "arcgrad.runtime.data.ambiguity",
    "cache": "arcgrad.runtime.jit.cache",
    "compile": "arcgrad.equation:compile_equation",
    "dense": "arcgrad.runtime.data.dense",
    "equal": "arcgrad.runtime.data.isomorphism",
    "equivalent": "arcgrad.runtime.inspect.equivalence",
    "graphs": "arcgrad.graphs:",
    "heatmap": "arcgrad.display",
    "isomorphic": "arcgrad.runtime.data.isomorphism",
    "iter_all": "arcgrad.runtime.data.archives.files",
    "linear": "arcgrad.runtime.data.graph",
    "load": "arcgrad.runtime.data.files",
    "load_all": "arcgrad.runtime.data.archives.files",
    "load_symbols": "arcgrad.runtime.data.files",
    "repl": "arcgrad.repl:",
    "save": "arcgrad.runtime.data.files",
    "save_all": "arcgrad.runtime.data.archives.files",
    "warmup": "arcgrad.warming",
}

# Modules that need an extra; not in __all__, so that a star import does without.
_EXTRAS = ("jax", "torch")


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("arcgrad")
    elif name in _HOMES:
        home, colon, attribute = _HOMES[name].partition(":")
        module = importlib.import_module(home)
        value = module if colon and not attribute else getattr(module, attribute or name)
    elif name in _EXTRAS:
        value = importlib.import_module(f"arcgrad.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value  # found once
    return value


def load_ipython_extension(shell: Any) -> None:
    """Bring the magics ``%arcgrad`` and ``%%arcgrad`` to a notebook: what ``%load_ext arcgrad`` calls."""
    from arcgrad.notebook import load

    load(shell)


def __dir__() -> list[str]:
    return sorted(__all__)
