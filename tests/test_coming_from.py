"""Every row of docs/coming-from.md runs; those of OpenFst in both libraries, with equal results."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

import arcgrad as ag

PAGE = (Path(__file__).parent.parent / "docs" / "coming-from.md").read_text(encoding="utf-8")
CODE = re.compile(r"`([^`]+)`")
SECTIONS = {"GTN": 18, "k2": 20, "OpenFst and Pynini": 40, "Thrax": 11, "torch-struct": 10}
"""Rows that each section has at least."""


def names() -> dict[str, Any]:
    """What the page's first block defines."""
    found: dict[str, Any] = {}
    block = re.search(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert block is not None
    exec(block[1], found)
    return found


def rows(section: str) -> list[tuple[str, list[str]]]:
    """What is written there, and the pieces of Python that are written here instead, of each row."""
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|") and not line.startswith(("| there", "|---"))]
    found = []
    for line in lines:
        there, here = re.split(r"(?<!\\)\|", line.strip("|"))
        found.append((there.strip(), [code for code in CODE.findall(here) if is_call(code)]))
    return found


def is_call(code: str) -> bool:
    """Whether it is Python that runs, and not a name that a sentence mentions."""
    try:
        tree = ast.parse(code, mode="eval")
    except SyntaxError:
        return False
    return not isinstance(tree.body, ast.Name) or code == "a"


@pytest.mark.filterwarnings("ignore:.*cannot express:UserWarning")
@pytest.mark.parametrize("section", SECTIONS)
def test_every_row_runs(section: str) -> None:
    found, namespace = rows(section), names()
    assert len(found) >= SECTIONS[section]
    run = 0
    for there, pieces in found:
        for piece in pieces:
            eval(compile(piece, there, "eval"), namespace)
            run += 1
    assert run >= SECTIONS[section]


def machine(graph: ag.Graph, folder: Path, arc_type: str) -> Any:
    pynini = pytest.importorskip("pynini", reason="pynini (OpenFst) is not installed")
    ag.save(folder / "graph.fst", graph, arc_type=arc_type)
    return pynini.Fst.read(str(folder / "graph.fst"))


def graph_of(fst: Any, folder: Path) -> ag.Graph:
    fst.write(str(folder / "back.fst"))
    return ag.load(folder / "back.fst")


@pytest.mark.filterwarnings("ignore:.*cannot express:UserWarning")
def test_openfst_gives_the_same(tmp_path: Path) -> None:
    """Each row whose left side is one piece of Python that gives a machine."""
    pynini = pytest.importorskip("pynini", reason="pynini (OpenFst) is not installed")
    namespace = names()
    there = {f"p{name}": machine(namespace[name], tmp_path, "log64") for name in "abt"}
    there.update(pynini=pynini, pa_tropical=machine(namespace["a"], tmp_path, "standard"))
    compared = 0
    for left, pieces in rows("OpenFst and Pynini")[:30]:  # those of the table of machines
        codes = CODE.findall(left)
        if len(codes) != 1 or len(pieces) != 1:
            continue
        theirs = eval(codes[0], there)
        ours = eval(pieces[0], namespace)
        found = ag.equivalent(ours, graph_of(theirs, tmp_path), tolerance=1e-5)
        assert found, (left, str(found))
        compared += 1
    assert compared >= 26


@pytest.mark.filterwarnings("ignore:.*cannot express:UserWarning")
def test_a_row_that_differs_is_seen(tmp_path: Path) -> None:
    pynini = pytest.importorskip("pynini", reason="pynini (OpenFst) is not installed")
    namespace = names()
    theirs = pynini.concat(machine(namespace["b"], tmp_path, "log64"), machine(namespace["a"], tmp_path, "log64"))
    assert not ag.equivalent(namespace["run"]("A B", A=namespace["a"], B=namespace["b"]), graph_of(theirs, tmp_path))


def test_what_is_said_of_bytes_and_of_sums() -> None:
    assert ag.linear(list("été".encode())).n_arcs == 5
    assert ag.linear("été").n_arcs == 3
    run = names()["run"]
    assert run('det["a"⟨-1⟩ + "a"⟨-2⟩]').arc_weight.tolist() == pytest.approx([-0.687], abs=1e-3)
    assert run('MAX[det["a"⟨-1⟩ + "a"⟨-2⟩]]') == -1.0
    assert run('support["a"⟨-1⟩ + "a"⟨-2⟩]').arc_weight.tolist() == [0.0]
