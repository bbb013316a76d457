"""The examples in docstrings run, and every public name has one that says enough to use it."""

from __future__ import annotations

import doctest
import importlib
import inspect
import os
import pkgutil
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

import arcgrad as ag


def modules() -> list[str]:
    found = ["arcgrad"]
    for package in ("arcgrad", "arcgrad.grammar", "arcgrad.compiler", "arcgrad.runtime"):
        path = importlib.import_module(package).__path__
        found += [module.name for module in pkgutil.walk_packages(path, f"{package}.")]
    return sorted({*found} - {"arcgrad.__main__"})


@pytest.fixture(autouse=True)
def _environment() -> Iterator[None]:
    """What examples set, or delete, is as before for the tests that follow."""
    with mock.patch.dict(os.environ):
        yield


@pytest.mark.parametrize("name", modules())
def test_examples_run(name: str) -> None:
    if name.startswith(("arcgrad.torch", "arcgrad.jax")):
        pytest.importorskip(name.split(".")[1])
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    report: list[str] = []
    for case in doctest.DocTestFinder(exclude_empty=True).find(module, name):
        runner.run(case, out=report.append)
    assert not runner.failures, "".join(report)


ERRORS = [name for name in ag.__all__ if name.endswith("Error")]
DOCUMENTED = [name for name in ag.__all__ if name not in (*ERRORS, "__version__")]


@pytest.mark.parametrize("name", DOCUMENTED)
def test_public_name_has_an_example(name: str) -> None:
    docstring = described(getattr(ag, name))
    assert ">>>" in docstring, f"ag.{name} has no example"


def described(thing: Any) -> str:
    if not (inspect.isclass(thing) or inspect.isroutine(thing) or inspect.ismodule(thing)):
        thing = type(thing)
    return inspect.getdoc(thing) or ""


def public_functions() -> list[Any]:
    """The public functions, and the public methods of the public classes, each under its full name."""
    found = []
    for name in DOCUMENTED:
        thing = getattr(ag, name)
        owner = thing if inspect.isclass(thing) else type(thing)
        if inspect.isroutine(thing):
            found.append(pytest.param(thing, id=name))
        elif owner.__module__.startswith("arcgrad"):
            found += [
                pytest.param(member, id=f"{name}.{member_name}")
                for member_name, member in vars(owner).items()
                if not member_name.startswith("_")
                and (inspect.isroutine(member) or isinstance(member, (property, classmethod, staticmethod)))
            ]
    return found


@pytest.mark.parametrize("member", public_functions())
def test_public_member_has_a_docstring(member: Any) -> None:
    assert len(inspect.getdoc(member) or "") >= 10


@pytest.mark.parametrize("name", ERRORS)
def test_error_says_when_it_is_raised(name: str) -> None:
    assert vars(getattr(ag, name)).get("__doc__")
