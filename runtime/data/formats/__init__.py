"""The registry of file formats: every module of this folder that is one, found by listing the folder."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import MappingProxyType

from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import described, nearest, shown
from arcgrad.runtime.data.formats.base import Format

__all__ = ["Format", "format_named", "formats"]

_HELPERS = ("arrays", "backoff", "base", "fst_bytes", "lines", "rebuild", "text")


@cache
def formats() -> MappingProxyType[str, Format]:
    """All formats by name, in alphabetical order."""
    found = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        if module.name in _HELPERS:
            continue
        entry: Format = importlib.import_module(f"{__name__}.{module.name}").FORMAT
        if entry.name != module.name:
            raise AssertionError(f"runtime/data/formats/{module.name}.py defines the format {entry.name!r}")
        found[entry.name] = entry
    return MappingProxyType(found)


def format_named(name: str) -> Format:
    """The format of that name, or of that suffix without its dot: "att".

    Raises:
        InputError: there is none; the message lists them and the hint gives the nearest.
    """
    if isinstance(name, str) and name in formats():
        return formats()[name]
    suffixed = [entry for entry in formats().values() if isinstance(name, str) and f".{name}" in entry.suffixes]
    if suffixed:
        return suffixed[0]
    near = nearest(str(name), formats()) if isinstance(name, str) else None
    known = ", ".join(repr(known) for known in formats())
    hint = None if near is None else f"did you mean {described(near, name, repr(near))}?"
    raise InputError(f"no graph format {shown(name)}; there are {known}", hint=hint)
