"""What no test may do: check nothing, or check what cannot fail. Read off the suite's own source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PYTEST = {"raises", "warns", "fail", "golden"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(TESTS.rglob("*.py"))}


def name_of(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def checks(node: ast.AST, helpers: set[str]) -> bool:
    """Whether something in there can fail a test."""
    for each in ast.walk(node):
        called = name_of(each.func) if isinstance(each, ast.Call) else ""
        checked = any(word.arg == "check" for word in each.keywords) if isinstance(each, ast.Call) else False
        if isinstance(each, ast.Assert) or checked or called in helpers or called.startswith("assert_"):
            return True
    return False


@cache
def helpers() -> set[str]:
    """The functions of the suite that check something, themselves or by others."""
    functions = [node for tree in trees().values() for node in ast.walk(tree) if isinstance(node, Function)]
    found, before = set(PYTEST), -1
    while len(found) > before:
        before = len(found)
        found |= {f.name for f in functions if checks(f, found) and not f.name.startswith("test_")}
    return found


def found_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and fault of what cannot fail."""
    for node in ast.walk(tree):
        if isinstance(node, Function) and node.name.startswith("test_") and not checks(node, helpers()):
            yield node.lineno, f"{node.name} checks nothing"
        if isinstance(node, ast.Expr) and isinstance(node.value, (ast.Compare, ast.BoolOp)):
            yield node.lineno, "the verdict is dropped"
        if isinstance(node, (ast.With, ast.AsyncWith)) and any(
            isinstance(item.context_expr, ast.Call)
            and name_of(item.context_expr.func) == "raises"
            and any(isinstance(statement, ast.Assert) for statement in node.body)
            for item in node.items
        ):
            yield node.lineno, "an assertion where an error is awaited: it is not reached"
        if isinstance(node, ast.Assert):
            test = node.test
            if isinstance(test, (ast.Tuple, ast.List, ast.Set, ast.Dict, ast.GeneratorExp, ast.Lambda, ast.JoinedStr)):
                yield node.lineno, "true whatever is in it"
            if isinstance(test, ast.Constant) and test.value:
                yield node.lineno, "a constant"
            if isinstance(test, ast.BoolOp) and any(isinstance(value, ast.Constant) for value in test.values):
                yield node.lineno, "a constant among alternatives"
            if isinstance(test, ast.Compare):
                sides = [ast.dump(side) for side in (test.left, *test.comparators)]
                # What is made twice may well not be the same.
                if len(set(sides)) < len(sides) and not isinstance(test.left, ast.Call):
                    yield node.lineno, "a comparison with itself"
            if (
                isinstance(test, ast.Compare)
                and isinstance(test.ops[0], (ast.In, ast.NotIn))
                and isinstance(test.left, ast.Constant)
                and "split" in {name_of(call.func) for call in ast.walk(test) if isinstance(call, ast.Call)}
            ):
                yield node.lineno, "a word sought among whole lines or fields"


@pytest.mark.parametrize("path", trees(), ids=lambda path: str(path.relative_to(TESTS)))
def test_every_test_checks_something_that_can_fail(path: Path) -> None:
    assert [f"{path.name}:{line}: {fault}" for line, fault in found_in(trees()[path])] == []


@pytest.mark.parametrize(
    "code",
    [
        "def test_x(): f()",
        "def test_x():\n  assert x\n  a == b",
        "def test_x(): assert (x, 'message')",
        "def test_x(): assert x or True",
        "def test_x(): assert 1",
        "def test_x(): assert x.y == x.y",
        "def test_x(): assert (f(y) for y in x)",
        "def test_x(): assert 'no' not in x.split()[1:]",
        "def test_x():\n  with pytest.raises(E):\n    f()\n    assert x",
    ],
)
def test_what_cannot_fail_is_found(code: str) -> None:
    assert len(list(found_in(ast.parse(code)))) == 1


def test_loops_over_what_is_found_do_not_run_zero_times() -> None:
    """A test whose only checks are in a loop over what it finds in files says that it found something."""
    searches = {"findall", "finditer", "glob", "rglob", "iterdir", "split", "splitlines"}
    faults = []
    for path, tree in trees().items():
        for test in (node for node in ast.walk(tree) if isinstance(node, Function) and node.name.startswith("test_")):
            for loop in (node for node in test.body if isinstance(node, ast.For)):
                called = {name_of(call.func) for call in ast.walk(loop.iter) if isinstance(call, ast.Call)}
                others = [statement for statement in test.body if statement is not loop]
                if called & searches and not any(checks(statement, helpers()) for statement in others):
                    faults.append(f"{path.name}:{loop.lineno}")
    assert faults == []
