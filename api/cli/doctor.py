"""``arcgrad doctor``: what this installation is like, and whether it works."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import importlib.util
import os
import platform
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

__all__ = ["Check", "checks", "doctor"]

_SIGNS = "∘ ∩ ⟨⟩ ε ∅ ₁ ⁺ −"
_EXTRAS = {
    "torch": ("torch", "ag.torch: equations in PyTorch"),
    "jax": ("jax", "ag.jax: equations in JAX"),
    "prompt_toolkit": ("repl", "the prompt: history, colours, completion"),
    "pygments": ("repl", "colours of equations"),
    "cairosvg": ("plot", "pictures as PNG"),
}


class Check(NamedTuple):
    """One thing looked at.

    Attributes:
        name: what.
        status: "ok", "note" (works, but might be better) or "problem".
        what: was found, and where it is a problem, what to do.
    """

    name: str
    status: str
    what: str


def doctor(arguments: argparse.Namespace) -> int:
    """``arcgrad doctor``: 1 where there is a problem."""
    found = []
    for check in checks():
        found.append(check)
        if not arguments.json:
            sign = {"ok": "ok", "note": "note", "problem": "PROBLEM"}[check.status]
            print(f"{sign:8}{check.name:16}{check.what}", flush=True)
    healthy = all(check.status != "problem" for check in found)
    if arguments.json:
        from arcgrad.cli.given import print_json

        print_json({"ok": healthy, "checks": [check._asdict() for check in found]})
    return 0 if healthy else 1


def checks() -> Iterator[Check]:
    """Everything that is looked at, in order; one that fails of itself is a problem.

    Example:
        >>> [check.status for check in checks() if check.name == "python"]
        ['ok']
    """
    for name, look in _LOOKS.items():
        try:
            status, what = look()
        except Exception as error:
            status, what = "problem", f"{type(error).__name__}: {error}"
        yield Check(name, status, " ".join(what.split()))


def _python() -> tuple[str, str]:
    return "ok", f"{platform.python_implementation()} {platform.python_version()} on {platform.platform()}"


def _arcgrad() -> tuple[str, str]:
    import arcgrad

    return "ok", f"{arcgrad.__version__} in {os.path.dirname(arcgrad.__file__)}"


def _numpy() -> tuple[str, str]:
    import numpy as np

    return "ok", np.__version__


def _lark() -> tuple[str, str]:
    return "ok", importlib.metadata.version("lark")


def _numba() -> tuple[str, str]:
    """The compiler, and whether its private parts are where they should be."""
    from arcgrad.runtime.jit import compat

    version = importlib.metadata.version("numba")
    why = compat.why_plain()
    if why is None:
        return "ok", f"{version} (llvmlite {importlib.metadata.version('llvmlite')}), tested with {compat.TESTED}"
    return "note", f"{version}, in plain mode: {why}; compiling takes longer. Tested are {compat.TESTED}"


def _cache() -> tuple[str, str]:
    """The directory of compiled routines: whether it is this user's alone."""
    from arcgrad.runtime.jit.cache import cache

    directory = cache.directory
    directory.check()  # raises InputError where others may write there
    if not directory.may_write():
        return "note", f"{directory.path} cannot be written to: routines are compiled anew in every process"
    info = cache.info()
    return "ok", f"{info.dir}: {info.files} files, {info.bytes / 1e6:.1f} MB, this user's alone"


def _compiler() -> tuple[str, str]:
    chosen = os.environ.get("ARCGRAD_COMPILE", "background")
    if chosen not in ("background", "inline"):
        return "problem", f"ARCGRAD_COMPILE={chosen[:40]!r} must be background or inline"
    how = "another process compiles meanwhile" if chosen == "background" else "calls wait for the compiler"
    return "ok", f"ARCGRAD_COMPILE={chosen}: {how}"


def _threads() -> tuple[str, str]:
    from arcgrad.runtime.threads import n_cores, n_threads

    return "ok", f"{n_threads()}, of {n_cores()} usable cores"


def _extra(module: str) -> Callable[[], tuple[str, str]]:
    extra, what = _EXTRAS[module]

    def look() -> tuple[str, str]:
        if importlib.util.find_spec(module) is None:
            return "note", f"not installed; {what} (pip install arcgrad[{extra}])"
        return "ok", f"{importlib.metadata.version(module)}; {what}"

    return look


def _terminal() -> tuple[str, str]:
    """Whether the signs of equations can be printed."""
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    try:
        _SIGNS.encode(encoding)
    except (UnicodeError, LookupError):
        return (
            "note",
            f"{encoding} lacks signs of the language, which are printed as escapes (PYTHONUTF8=1 helps)",
        )
    return "ok", f"{encoding}: {_SIGNS}"


def _self_test() -> tuple[str, str]:
    """A loss and its gradient, interpreted and through compiled kernels, beside the formula."""
    import math

    import numpy as np

    from arcgrad.equation import compile_equation
    from arcgrad.runtime.data.graph import Graph

    graph = Graph([0, 0, 1], [1, 1, 2], [5, 6, 7], weight=[0.5, 0.25, -1.0], accept=[2])
    expected = math.log(math.exp(0.5) + math.exp(0.25)) - 1.0
    share = 1.0 / (1.0 + math.exp(-0.25))
    for mode in ("interpret", "kernels"):
        value, gradient = compile_equation("LSE[A]", mode=mode).value_and_grad(A=graph)
        if not math.isclose(value, expected, rel_tol=1e-12):
            return "problem", f"LSE[A] is {value!r} by mode={mode!r}, but should be {expected!r}"
        if not np.allclose(gradient["A"], [share, 1.0 - share, 1.0], rtol=1e-12):
            return "problem", f"the gradient of LSE[A] is {gradient['A']!r} by mode={mode!r}"
    return "ok", "LSE[A] and its gradient, interpreted and compiled, are what they should be"


_LOOKS: dict[str, Callable[[], tuple[str, str]]] = {
    "python": _python,
    "arcgrad": _arcgrad,
    "numpy": _numpy,
    "lark": _lark,
    "numba": _numba,
    "cache": _cache,
    "compiler": _compiler,
    "threads": _threads,
    **{module: _extra(module) for module in _EXTRAS},
    "terminal": _terminal,
    "self-test": _self_test,
}
