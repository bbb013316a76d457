"""arcgrad's JSON: exact for every graph, strict in what it reads."""

from __future__ import annotations

import json

import numpy as np
import pytest
from graph_strategies import graphs
from hypothesis import given

from arcgrad.grammar.errors import FormatError
from arcgrad.runtime.data.formats.json import read, write
from arcgrad.runtime.data.graph import Graph, linear
from arcgrad.runtime.data.isomorphism import equal


@given(graphs(tied=True))
def test_round_trip(g: Graph) -> None:
    text = write(g)
    h = read(text)
    assert equal(g, h)
    assert (g.tie is None) == (h.tie is None)
    assert g.weight.tolist() == h.weight.tolist()
    assert write(h) == text


def test_it_is_strict_json() -> None:
    text = write(linear([1], weight=[-np.inf]))
    assert json.loads(text, parse_constant=pytest.fail)["weight"] == ["-inf"]


def changed(**changes: object) -> str:
    return json.dumps(json.loads(write(linear([1, 2]))) | changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "g.json:1:1: not JSON"),
        ('{\n "format": x}', "g.json:2:12: not JSON"),
        ("[" * 100_000, "not JSON of a graph"),
        ("9" * 10_000, "not JSON of a graph"),
        ("[]", "not a graph"),
        ("{}", "not a graph"),
        (changed(version=2), "version 2 of the form"),
        ('{"format": "arcgrad graph", "version": 1}', "has no 'n_states'"),
        (changed(arcs={}), "arcs must be a list, but is {}"),
        (changed(arcs=[[0, 1, 2]]), r"arcs\[0\] must be \[src, dst, ilabel, olabel\], but is \[0, 1, 2\]"),
        (changed(arcs=[[0, 1, 2, 3], [0, 1, 2, True]]), r"arcs\[1\]"),
        (changed(arcs=[[0, 1, 2, 3.0]]), r"arcs\[0\]"),
        (changed(arcs=[[0, 1, 2, 2**70], [0, 1, 2, 3]]), r"olabel\[0\]"),
        (changed(arcs=[[0, 9, 2, 3], [0, 1, 2, 3]]), r"dst\[0\] is 9"),
        (changed(start=[True]), "start must be a list of integers"),
        (changed(accept=None), "accept must be a list of integers"),
        (changed(tie=[0.0, 1.0]), "tie must be a list of integers"),
        (changed(tie=[0, 2]), r"tie\[1\] is 2"),
        (changed(weight=None), "weight must be a list"),
        (changed(weight=[0.0]), "weight has 1 entries"),
        (changed(weight=[0.0, "inf"]), r"weight\[1\]"),
        (changed(weight=[0.0, True]), r"weight\[1\]"),
        (changed(weight=[0.0, 10**400]), r"weight\[1\]"),
        (changed(weight=[0.0, float("nan")]), "NaN is not JSON"),
        (changed(weight=[0.0, 1.25]).replace("1.25", "1e999"), r"weight\[1\] must be a number within float64"),
        (changed(n_states=-1), "n_states is -1"),
        (changed(n_states=2.0), "n_states must be an integer, but is 2.0"),
        (changed(n_states=None), "n_states"),
    ],
)
def test_malformed(text: str, message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        read(text, "g.json")
    assert caught.value.file == "g.json"
