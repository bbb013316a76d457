"""A function's identity follows all that its machine code depends on, and nothing else."""

from __future__ import annotations

import importlib.util
import types
from pathlib import Path
from typing import Any

import pytest

from arcgrad.grammar.errors import InputError
from arcgrad.runtime.jit.identity import identity_of_function, identity_of_module

SOURCE = """
import math
import numpy as np
from arcgrad.runtime.jit.declare import helper, kernel

STEP = 0.5
TABLE = np.array([1.0, 2.0])
BOUNDS = (1, 2.0, "a")

@helper
def inner(x):
    return x * STEP

@helper
def outer(x):
    return inner(x) + math.exp(x) + TABLE[0] + BOUNDS[0] + np.float64(settings.LIMIT) + len(TABLE)

@kernel("float64(float64)")
def wanted(x):
    return outer(x) if x > 1.0 else wanted(x - 1.0)
"""


def identity(
    source: str = SOURCE,
    limit: float = 3.0,
) -> str:
    module = types.ModuleType("toy_identity_module")
    settings = types.ModuleType("toy_settings_module")
    settings.LIMIT = limit  # type: ignore[attr-defined]
    settings.unrelated = object()  # type: ignore[attr-defined]
    module.settings = settings  # type: ignore[attr-defined]
    exec(compile(source, "<toy>", "exec"), module.__dict__)
    wanted: Any = module.wanted
    return identity_of_function(wanted.python)


def test_the_same_code_has_the_same_identity_wherever_it_stands() -> None:
    commented = SOURCE.replace("@helper", "# a comment\n\n\n@helper").replace(
        "return x * STEP", "return x *  STEP  # so"
    )
    assert identity(commented) == identity()
    assert identity(SOURCE + "\ndef unrelated(x):\n    return x\n") == identity()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x * STEP", "x / STEP"),
        ("STEP = 0.5", "STEP = 0.25"),
        ("[1.0, 2.0]", "[1.0, 2.5]"),
        ('(1, 2.0, "a")', '(1, 2, "a")'),
        ("math.exp(x)", "math.expm1(x)"),
        ("import math", "import cmath as math"),
        ("x - 1.0", "x - 2.0"),
        ("len(TABLE)", "abs(TABLE[1])"),
        ("def inner(x)", "def inner(x, y=1.0)"),
    ],
)
def test_an_edit_of_anything_it_reaches_changes_it(old: str, new: str) -> None:
    assert old in SOURCE
    assert identity(SOURCE.replace(old, new)) != identity()


def test_a_value_in_another_module_counts() -> None:
    assert identity(limit=4.0) != identity()


def test_the_options_of_a_kernel_it_calls_count() -> None:
    calling = SOURCE + "\ncalled = wanted\n@kernel('float64(float64)')\ndef wanted(x):\n    return called(x)\n"
    faster = calling.replace('@kernel("float64(float64)")', '@kernel("float64(float64)", fastmath={"reassoc"})', 1)
    assert identity(calling) != identity(faster)


@pytest.mark.parametrize("value", ["object()", "[1.0]", "np.array([None])", "np.random.default_rng(1)"])
def test_what_cannot_be_identified_is_an_error(value: str) -> None:
    with pytest.raises(InputError, match="what machine code that leads to cannot be said"):
        identity(SOURCE.replace("STEP = 0.5", f"STEP = {value}"))


def test_a_module_that_writes_machine_code_counts_with_all_its_code(tmp_path: Path) -> None:
    text = "BITS = 52\n\ndef shifted(builder, a):\n    return builder.shl(a, lambda: BITS)\n"
    found = []
    for k, each in enumerate([text, "# so\n\n" + text, text.replace("shl", "lshr"), text.replace("52", "51")]):
        path = tmp_path / f"{k}.py"
        path.write_text(each)
        spec = importlib.util.spec_from_file_location("toy_vector_code", path)
        assert spec is not None
        found.append(identity_of_module(importlib.util.module_from_spec(spec)))
    assert found[0] == found[1]
    assert len(set(found)) == 3
