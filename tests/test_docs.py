"""The pages of docs/ are true: their blocks run, and those that are made from the source are up to date."""

from __future__ import annotations

import ast
import doctest
import importlib.util
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import arcgrad as ag
from arcgrad.compiler.frontend.elaborate import elaborate, operator_names
from arcgrad.compiler.frontend.ir import topological
from arcgrad.compiler.operators import Operator, operators
from arcgrad.grammar import parse
from arcgrad.runtime.jit.patience import Patience

DOCS = Path(__file__).parent.parent / "docs"
PAGES = sorted(DOCS.glob("*.md"))
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)

NEEDS = {"pytorch": ("torch",), "jax": ("jax",), "scaling-out": ("torch",)}
"""What a page's blocks import beside the package and numpy."""


@pytest.fixture(autouse=True)
def _compile_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling what would pay takes longer than all that the pages compute."""
    monkeypatch.setattr(Patience, "ends_for", lambda self, *code, **_: all(each.is_ready for each in code))


def blocks(page: Path) -> Iterator[tuple[int, str]]:
    """Each Python block of a page with the number of the line before it, counted from 0."""
    text = page.read_text(encoding="utf-8")
    for match in BLOCK.finditer(text):
        yield text.count("\n", 0, match.start(1)), match[1]


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # torch says so of itself
@pytest.mark.parametrize("page", [page for page in PAGES if page.stem != "api"], ids=lambda page: page.name)
def test_python_blocks_run(page: Path) -> None:
    """In order, in one namespace a page; a block with a prompt as a session, any other as plain code.

    Those of api.md are docstrings', and run in test_docstrings.
    """
    for library in NEEDS.get(page.stem, ()):
        pytest.importorskip(library)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE, verbose=False)
    report: list[str] = []
    for line, code in blocks(page):
        libraries = re.findall(r"^(?:>>> )?import (torch|jax)\b", code, re.MULTILINE)
        if any(importlib.util.find_spec(library) is None for library in libraries):
            continue  # a recipe of its own, on a page that needs no more than numpy
        if ">>>" in code:
            session = doctest.DocTestParser().get_doctest(code, namespace, page.name, str(page), line)
            session.globs = namespace  # the parser gives each session a copy
            runner.run(session, out=report.append, clear_globs=False)
        else:
            exec(compile("\n" * line + code, str(page), "exec"), namespace)
    assert not report, "".join(report)


@pytest.mark.parametrize("list_of_pages", ["docs/index.md", "mkdocs.yml"])
def test_every_page_is_listed(list_of_pages: str) -> None:
    text = (DOCS.parent / list_of_pages).read_text(encoding="utf-8")
    listed = {*re.findall(r"(?:\(|: )([a-z-]+\.md)\)?", text)} | {"index.md"}
    assert [page.name for page in PAGES if page.name not in listed] == [], f"give the page a line in {list_of_pages}"


def test_language_page_names_every_operator() -> None:
    page = (DOCS / "language.md").read_text(encoding="utf-8")
    unnamed = [name for entry in operators().values() for name in entry.names if f"{name}[" not in page]
    assert unnamed == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_equations_compile(page: Path) -> None:
    """Blocks of the language itself, and no block is of a kind that no test looks at."""
    text = page.read_text(encoding="utf-8")
    for equation in re.findall(r"^```arcgrad\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        if "arcgrad> " not in equation:  # else a session of the REPL, which its own test replays
            assert ag.compile(equation).text == equation
    assert {*re.findall(r"^```(\w+)", text, re.MULTILINE)} <= {"python", "arcgrad", "sh", "console", "text"}


def test_what_is_made_from_the_source_is_up_to_date(request: pytest.FixtureRequest) -> None:
    files = dict(runpy.run_path(str(DOCS / "make"), run_name="make")["made"]())
    for path, text in files.items():
        if request.config.getoption("--update-golden"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), f"{path.name} is out of date: run `python docs/make`"
    assert {*DOCS.glob("pictures/*.svg")} <= {*files}


def test_operators_page_says_no_spelling_twice() -> None:
    """A sign means one operator on graphs and one on scores."""
    page = (DOCS / "operators.md").read_text(encoding="utf-8")
    found = re.findall(r"^- (?:Write|Also): (`.*)$", page, re.MULTILINE)
    spellings = [spelling for line in found for spelling in re.findall(r"`([^`]+)`", line)]
    assert len(spellings) > 100
    assert len(spellings) == len(set(spellings))


@pytest.mark.parametrize("entry", operators().values(), ids=lambda entry: entry.name)
def test_operators_page_has_examples_that_can_be_evaluated(entry: Operator) -> None:
    section = (DOCS / "operators.md").read_text(encoding="utf-8").split(f"\n### {entry.name}\n")[1].split("\n### ")[0]
    equation = ag.compile(entry.example)
    # Labels and a negative weight that suit every example, closures and label mappings included.
    inputs: dict[str, Any] = dict.fromkeys(equation.inputs, ag.linear([1, 7, 3], weight=[-0.5, 0.0, -0.25]))
    inputs |= {name: other for name, other in {"m": {1: 2}, "w": 0.5}.items() if name in inputs}
    assert f"\n- Example: `{entry.example}`\n" in section
    assert equation(inputs) is not None


@pytest.mark.parametrize("entry", operators().values(), ids=lambda entry: entry.name)
def test_operators_page_shows_what_each_operator_does(entry: Operator) -> None:
    """An operator that can be written has an example of its own, with the value that it has."""
    section = (DOCS / "operators.md").read_text(encoding="utf-8").split(f"\n### {entry.name}\n")[1].split("\n### ")[0]
    shown = re.search(r"^>>> show\((.+)\)$", section, re.MULTILINE)
    assert (shown is None) == ("has no spelling of its own" in section)
    if shown is not None:
        program = elaborate(parse(ast.literal_eval(shown[1]), operator_names()))
        assert entry.name in {node.operator for node in topological(program.result)}


def test_equations_at_the_head_of_the_operators_page_compile() -> None:
    page = (DOCS / "operators.md").read_text(encoding="utf-8")
    table = page.split("| write | for | see |")[1].split("\n\n")[0]
    equations = re.findall(r"^\| `(.+?)` \|", table, re.MULTILINE)
    assert len(equations) > 12
    for equation in equations:
        if "arcgrad> " not in equation:  # else a session of the REPL, which its own test replays
            assert ag.compile(equation).text == equation
