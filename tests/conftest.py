"""Settings of the whole suite."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable

import pytest
from hypothesis import settings

pytest.register_assert_rewrite("support.adapter")

# The same examples in every run; HYPOTHESIS_PROFILE=long draws many, and others each time.
settings.register_profile("short", derandomize=True, deadline=None)
settings.register_profile("long", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))

# Compiled routines of this run go to a directory of their own, shared by its processes, so that no run can pass on
# what an earlier one left. Set the variable yourself to keep them from run to run.
if "ARCGRAD_CACHE_DIR" not in os.environ:
    _directory = tempfile.TemporaryDirectory(prefix="arcgrad-test-cache-", ignore_cleanup_errors=True)
    os.environ["ARCGRAD_CACHE_DIR"] = _directory.name


# Which call compiles is the same in every run: no other process does it meanwhile. test_background has one.
os.environ["ARCGRAD_COMPILE"] = "inline"


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--update-golden`` rewrites the files that the ``golden`` fixture compares with."""
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files instead of comparing")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """``golden(name, text)``: the text equals ``golden/name`` beside the test file, or is written to it on request."""

    def compare(name: str, text: str) -> None:
        path = request.path.parent / "golden" / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"{path} is missing; make it with --update-golden"
        assert text == path.read_text(encoding="utf-8"), f"{path.name} differs; see the change with --update-golden"

    return compare
