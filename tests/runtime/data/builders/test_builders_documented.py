"""What the builders' docstrings must say."""

from __future__ import annotations

import inspect

import pytest

import arcgrad as ag


@pytest.mark.parametrize("name", ag.graphs.__all__)
def test_every_builder_draws_its_graph_and_has_an_example(name: str) -> None:
    docstring = inspect.getdoc(getattr(ag.graphs, name)) or ""
    assert "::\n\n" in docstring
    assert "--" in docstring, "no arc is drawn"
    for part in ("Args:", "Returns:", "Raises:", "Example:", ">>> "):
        assert part in docstring, part
