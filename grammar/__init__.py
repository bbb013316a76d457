"""The language layer: the text of an equation becomes a syntax tree, and a tree becomes text again.

First stage of the flow text → syntax → IR → plan → source → run; it imports nothing else of arcgrad. Names are looked
up lazily (PEP 562), so that ``import arcgrad.grammar.errors`` loads no lark.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from arcgrad.grammar.names import normalise_name
    from arcgrad.grammar.parser import parse, parse_definitions
    from arcgrad.grammar.render import to_latex, unparse

__all__ = ["normalise_name", "parse", "parse_definitions", "to_latex", "unparse"]

_MODULES = {
    "normalise_name": "arcgrad.grammar.names",
    "parse": "arcgrad.grammar.parser",
    "parse_definitions": "arcgrad.grammar.parser",
    "to_latex": "arcgrad.grammar.render",
    "unparse": "arcgrad.grammar.render",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
