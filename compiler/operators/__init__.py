"""The registry: every operator of the language, one file each, found by listing this folder."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import MappingProxyType

from arcgrad.compiler.operators.base import Built, Category, Joined, Law, Operator, Size

__all__ = [
    "Built",
    "Category",
    "Joined",
    "Law",
    "Operator",
    "Size",
    "named_operators",
    "operator",
    "operators",
    "registered",
    "tagged_operators",
]


@cache
def operators() -> MappingProxyType[str, Operator]:
    """All operators by registry name, in alphabetical order."""
    found = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        if module.name in ("base",):
            continue
        entry: Operator = importlib.import_module(f"{__name__}.{module.name}").OPERATOR
        if entry.name != module.name:
            raise AssertionError(f"compiler/operators/{module.name}.py defines the operator {entry.name!r}")
        found[entry.name] = entry
    found.update(_further)
    return MappingProxyType(found)


_further: dict[str, Operator] = {}


@contextmanager
def registered(entry: Operator) -> Iterator[None]:
    """Within the block there is one more operator: one that lives elsewhere than in this folder, as in a test."""
    _further[entry.name] = entry
    _forget()
    try:
        yield
    finally:
        del _further[entry.name]
        _forget()


def _forget() -> None:
    for remembered in (operators, named_operators, tagged_operators):
        remembered.cache_clear()


def operator(name: str) -> Operator:
    """The operator of that registry name."""
    return operators()[name]


@cache
def named_operators() -> MappingProxyType[str, Operator]:
    """Operators by each spelling that may stand before ``[``."""
    return MappingProxyType({name: op for op in operators().values() for name in op.names})


@cache
def tagged_operators() -> MappingProxyType[str, Operator]:
    """Operators by the syntax tag of their sign. Overloaded signs give the operator on graphs."""
    return MappingProxyType({op.tag: op for op in operators().values() if op.tag is not None})
