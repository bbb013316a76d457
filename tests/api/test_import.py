"""What ``import arcgrad`` costs, and that the lazy facade offers exactly the public names."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

import pytest

import arcgrad as ag


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_import_loads_nothing_heavy() -> None:
    loaded = run("import sys, arcgrad; print(*(m for m in ('numba', 'numpy', 'lark') if m in sys.modules))")
    assert loaded.split() == []


def test_import_prints_nothing() -> None:
    assert run("import arcgrad") == ""


@pytest.mark.slow
def test_import_is_quick() -> None:
    def seconds(code: str) -> float:
        begin = time.perf_counter()
        run(code)
        return time.perf_counter() - begin

    for _ in range(3):  # a busy machine may spoil one measurement
        pairs = [(seconds("pass"), seconds("import arcgrad")) for _ in range(7)]
        above = statistics.median(importing - bare for bare, importing in pairs)
        if above < 0.060:
            return
    pytest.fail(f"import arcgrad takes {1000 * above:.0f} ms above bare Python")


@pytest.mark.parametrize("name", ag.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(ag, name) is not None


def test_dir_lists_the_public_names() -> None:
    assert dir(ag) == sorted(ag.__all__)


def test_lazy_table_and_type_checkers_see_the_same_names() -> None:
    assert {*ag._HOMES, "__version__"} == set(ag.__all__)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'composee'"):
        ag.composee  # noqa: B018


def test_version_is_the_installed_one() -> None:
    from importlib.metadata import version

    assert ag.__version__ == version("arcgrad")
