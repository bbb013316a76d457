"""docs/api.md: the public functions and classes, made from their docstrings."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import arcgrad as ag
from arcgrad.grammar.errors import ArcgradError
from arcgrad.runtime.draw.drawing import Drawing
from arcgrad.runtime.inspect.explain import Explanation
from arcgrad.runtime.inspect.gradient_check import GradientReport
from arcgrad.runtime.inspect.jacobian import Jacobian
from arcgrad.runtime.reference.interpreter import Trace

__all__ = ["page"]

_INTRODUCTION = """\
# Python API

Made from the docstrings by `python docs/make`; do not edit. `help(ag.compile)` and so on show the same. What is in
`ag.torch` is on [a page of its own](pytorch.md)."""

_SECTIONS: dict[str, list[tuple[str, Any]]] = {
    "Equations": [(f"ag.{name}", getattr(ag, name)) for name in ("compile", "Equation", "Limits", "warmup")],
    "Graphs": [
        (f"ag.{name}", getattr(ag, name))
        for name in (
            "Graph",
            "linear",
            "Dense",
            "dense",
            "SymbolTable",
            "equal",
            "isomorphic",
            "equivalent",
            "ambiguity",
        )
    ],
    "Builders": [(f"ag.graphs.{name}", getattr(ag.graphs, name)) for name in ag.graphs.__all__],
    "Files": [
        (f"ag.{name}", getattr(ag, name))
        for name in ("load", "save", "load_symbols", "load_all", "iter_all", "save_all")
    ],
    "Compiled code": [("ag.cache", type(ag.cache))],
    "What calls give back": [
        (thing.__name__, thing) for thing in (Jacobian, Trace, GradientReport, Explanation, Drawing)
    ],
    "Errors": [
        (f"ag.{name}", getattr(ag, name)) for name in ag.__all__ if name.endswith("Error") and name != "ArcgradError"
    ],
}
_SECTIONS["Errors"].insert(0, ("ag.ArcgradError", ArcgradError))

# Of a class with more, what users need.
_MEMBERS = {"ag.cache": ("dir", "info", "clear")}
# What has no underscore, and is for other layers of the package all the same.
_INTERNAL = ("from_topology", "topology", "wrap", "check", "check_graph")
_LISTED = ("Args", "Attributes", "Raises", "Warns")
_HEADING = re.compile(r"^([A-Z][a-z]+):$", re.MULTILINE)


def page() -> str:
    """The whole text of docs/api.md."""
    parts = [_INTRODUCTION]
    for title, things in _SECTIONS.items():
        parts.append(f"## {title}")
        for name, thing in things:
            parts += _described(name, thing)
    return "\n\n".join(parts) + "\n"


def _described(name: str, thing: Any) -> Iterator[str]:
    yield f"### {name}"
    is_class = inspect.isclass(thing)
    is_made_by_users = is_class and name.startswith("ag.") and name not in ("ag.cache", "ag.Equation", "ag.Dense")
    if not is_class or (is_made_by_users and not issubclass(thing, Exception)):
        yield _code(name, thing)
    yield from _docstring(inspect.getdoc(thing) or "")
    for member, found in _members(name, thing) if is_class else ():
        short = name.removeprefix("ag.")
        yield f"#### {short}(…)" if member == "__call__" else f"#### {short}.{member}"
        if not isinstance(found, (property, cached_property)):
            yield _code(member, getattr(thing, member))
        yield from _docstring(inspect.getdoc(found) or "")


def _members(name: str, thing: type) -> Iterator[tuple[str, Any]]:
    if issubclass(thing, Exception):
        return
    owners = [owner for owner in reversed(thing.__mro__) if owner.__module__.startswith("arcgrad")]
    members = {member: found for owner in owners for member, found in vars(owner).items()}
    for member, found in members.items():
        chosen = (member[0] != "_" and member not in _INTERNAL) or member == "__call__"
        chosen = member in _MEMBERS.get(name, (member,)) and chosen
        is_call = inspect.isroutine(found) or isinstance(found, (classmethod, staticmethod))
        if chosen and (is_call or isinstance(found, (property, cached_property))) and inspect.getdoc(found):
            yield member, found


def _code(name: str, function: Any) -> str:
    """The signature, without annotations: what they say stands in the text."""
    signature = inspect.signature(function)
    plain = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in signature.parameters.values()
        if parameter.name not in ("self", "cls")
    ]
    text = str(signature.replace(parameters=plain, return_annotation=inspect.Signature.empty))
    return f"```text\n{name}{re.sub(r'<[^>]*>', '…', text)}\n```"


def _docstring(text: str) -> Iterator[str]:
    """A docstring's parts as Markdown."""
    pieces = _HEADING.split(text)
    yield _prose(pieces[0])
    for heading, body in zip(pieces[1::2], pieces[2::2], strict=True):
        lines = textwrap.dedent(body.strip("\n"))
        # What follows a section without indentation belongs to no section.
        inside = re.split(r"\n(?=\S)", body.strip("\n"), maxsplit=1) if not body.lstrip("\n").startswith(" ") else None
        if inside is not None:
            yield _prose(body)
        elif heading == "Example":
            yield f"```python\n{lines.strip()}\n\n```"
        elif heading in _LISTED and re.match(r"\S+.*?: ", lines):
            yield f"**{heading}**"
            yield "\n".join(_items(lines))
        else:
            yield f"**{heading}**: {_prose(lines)}"


def _items(lines: str) -> Iterator[str]:
    """`name: what it is` as items of a list."""
    for item in re.split(r"\n(?=\S)", lines):
        name, _, what = item.partition(": ")
        yield f"- `{name}`: {_paragraph(_level(what))}" if what else f"- {_paragraph(_level(item))}"


def _level(text: str) -> str:
    """Text without the indentation of its continuation lines."""
    return re.sub(r"\n\s*", "\n", text)


def _prose(text: str) -> str:
    """Text in Markdown: literals as code, line breaks within paragraphs undone."""
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join(_paragraph(paragraph) for paragraph in paragraphs)


def _paragraph(text: str) -> str:
    if text.startswith(("    ", ">>>")) or "\n    " in text:
        return f"```text\n{textwrap.dedent(text)}\n```"
    joined = re.sub(r"::$", ":", " ".join(line.strip() for line in text.splitlines()))
    pieces = re.split(r"(``.+?``|`[^`]+`)", joined)
    outside = [re.sub(r"([*_<|\[\]])", r"\\\1", piece) for piece in pieces[::2]]
    outside = [re.sub(r"docs/([a-z-]+\.md)", r"[\1](\1)", piece) for piece in outside]
    inside = [f"`{piece.strip('`')}`" for piece in pieces[1::2]]
    return "".join(piece for pair in zip(outside, [*inside, ""], strict=True) for piece in pair)
