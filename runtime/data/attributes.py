"""Attributes of arcs: integers or strings that are kept beside the weights and follow arcs into what is made of them.

They play no part in any value. Those of a result are looked up through the selection when somebody asks for them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arcgrad.compiler.graphs.selection import Selection
from arcgrad.compiler.graphs.topology import IntArray
from arcgrad.grammar.errors import InputError
from arcgrad.grammar.mistakes import kind_of, shown
from arcgrad.runtime.data.arguments import listed

__all__ = ["NO_ATTRIBUTES", "Attributes", "Later", "carried", "checked_attributes", "selected", "taken"]

Attributes = Mapping[str, NDArray[Any]]
"""By name, (n_arcs,) int64, −1 for none, or strings as objects, "" for none; read-only."""

Later = Callable[[], Attributes]
"""Gives attributes that nobody may ask for."""

NO_ATTRIBUTES: Attributes = MappingProxyType({})


def checked_attributes(given: Any, n_arcs: int) -> Attributes:
    """What a user gave as a graph's attributes.

    Raises:
        InputError: no mapping from names to as many integers or strings as there are arcs.
    """
    if not isinstance(given, Mapping):
        raise InputError(
            f"attributes is {kind_of(given)}, but must be a mapping from names to one integer or string an arc",
            hint='for example attributes={"word": ["the", "", "cat"]}',
        )
    return MappingProxyType(
        {_checked_name(name): _checked_values(name, values, n_arcs) for name, values in given.items()}
    )


def _checked_name(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise InputError(f"an attribute's name is {shown(name)}, but must be a str that is not empty")
    return name


def _checked_values(name: str, values: Any, n_arcs: int) -> NDArray[Any]:
    what = f"attributes[{name!r}]"
    expected = "one integer or string an arc"
    entries = listed(values.tolist() if isinstance(values, np.ndarray) else values, what, expected)
    if len(entries) != n_arcs:
        raise InputError(f"{what} has {len(entries)} entries, but there are {n_arcs} arcs: give {expected}")
    are_strings = bool(entries) and isinstance(entries[0], str)
    for k, entry in enumerate(entries):
        is_whole = isinstance(entry, (int, np.integer)) and not isinstance(entry, bool) and -(2**63) <= entry < 2**63
        if not (isinstance(entry, str) if are_strings else is_whole):
            kind = "a string, as the first one" if are_strings else "an integer of 64 bits" + " or a string" * (k == 0)
            raise InputError(f"{what}[{k}] is {shown(entry)}, but must be {kind}", hint='"" and -1 stand for none')
    return _frozen(np.array(entries, dtype=object if are_strings else np.int64))


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


def _none_like(values: NDArray[Any], n: int) -> NDArray[Any]:
    return np.full(n, "" if values.dtype == object else -1, dtype=values.dtype)


def _is_given(values: NDArray[Any]) -> NDArray[np.bool_]:
    given: NDArray[np.bool_] = values != ("" if values.dtype == object else -1)
    return given


def taken(source: Attributes, arcs: NDArray[np.integer]) -> Attributes:
    """The attributes of a graph whose arc k is a copy of arc ``arcs[k]``."""
    return MappingProxyType({name: _frozen(values[arcs]) for name, values in source.items()})


def carried(n_arcs: int, parts: Sequence[tuple[Attributes, NDArray[np.integer], NDArray[np.integer]]]) -> Attributes:
    """The attributes of a graph whose arcs are made of others: each takes the first that is not none.

    Args:
        n_arcs: number of its arcs.
        parts: attributes of a graph, arcs of the result, and for each the graph's arc; in order of precedence.

    Raises:
        InputError: one name is of integers in one graph and of strings in another.
    """
    found: dict[str, NDArray[Any]] = {}
    for name in dict.fromkeys(name for source, _, _ in parts for name in source):
        values = [source[name] for source, _, _ in parts if name in source]
        given = [each for each in values if _is_given(each).any()] or [each for each in values if len(each)] or values
        if any(each.dtype != given[0].dtype for each in given) and any(_is_given(each).any() for each in given):
            raise InputError(
                f"the attribute {name!r} is of integers in one of the graphs and of strings in another",
                hint="give them different names",
            )
        found[name] = _none_like(given[0], n_arcs)
    for source, rows, arcs in reversed(parts):
        for name, values in source.items():
            chosen = values[arcs]
            here = np.flatnonzero(_is_given(chosen))
            found[name][rows[here]] = chosen[here]
    return MappingProxyType({name: _frozen(values) for name, values in found.items()})


def selected(selection: Selection, leaves: Mapping[int, Attributes]) -> Attributes:
    """The attributes that arcs take from the leaves that their weights are made of, the first ones first.

    Args:
        selection: of the graph.
        leaves: attributes of leaves, by number.
    """
    rows = np.repeat(np.arange(selection.n_arcs), np.diff(selection.offsets))
    ranks = np.arange(len(rows)) - selection.offsets[:-1][rows]
    parts: list[tuple[Attributes, NDArray[Any], IntArray]] = []
    for rank in range(int(ranks.max(initial=0)) + 1):
        for number, source in leaves.items():
            here = np.flatnonzero((ranks == rank) & (selection.leaf == number))
            parts.append((source, rows[here], selection.arc[here]))
    return carried(selection.n_arcs, parts)
