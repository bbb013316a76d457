"""The comparison with the oracle can fail: each kernel, broken on purpose, is noticed by the random cases.

A kernel is broken by a wrapper that changes its answer by a little more than the tolerances; the "kernels" tier, which
looks kernels up by name, then runs the wrapper.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from oracle.cases import Case, generate
from support.adapter import arcgrad_inputs, disagreement

import arcgrad as ag
from arcgrad.runtime.kernels import KERNELS

pytestmark = pytest.mark.slow

MOST_CASES = 1500

_using: dict[str, list[Case]] = {}
_next_seed = 0


def cases_using(function: str, wanted: int) -> list[Case]:
    """Random cases whose routine calls a kernel, as far as there are any among the first MOST_CASES."""
    global _next_seed
    while len(_using.get(function, ())) < wanted and _next_seed < MOST_CASES:
        case = generate(_next_seed)
        _next_seed += 1
        if case.error is None:
            source = ag.compile(case.text).source(**arcgrad_inputs(case))
            for names in KERNELS.values():
                for name in filter(None, (names.forward, names.backward, names.seeded)):
                    if f"{name}(" in source:
                        _using.setdefault(name, []).append(case)
    return _using.get(function, [])


def broken_forward(kernel: Callable[..., float], counts: bool) -> Callable[..., float]:
    def wrapper(*arguments: Any) -> float:
        value = kernel(*arguments)
        return value + 1 if counts else value * (1 + 1e-6) + 1e-6

    return wrapper


def broken_backward(kernel: Callable[..., None], takes_frames: bool) -> Callable[..., None]:
    seed = 6 if takes_frames else 5

    def wrapper(*arguments: Any) -> None:
        kernel(*arguments[:seed], arguments[seed] * (1 + 1e-5), *arguments[seed + 1 :])

    return wrapper


def broken_seeded(kernel: Callable[..., float]) -> Callable[..., float]:
    """Answers the right value, and differentiates it by a little too much."""

    def wrapper(*arguments: Any) -> float:
        return kernel(arguments[0], arguments[1] * (1 + 1e-5), *arguments[2:])

    return wrapper


FUNCTIONS = sorted(
    {(names.module, names.forward, "forward") for names in KERNELS.values()}
    | {(names.module, names.backward, "backward") for names in KERNELS.values() if names.backward is not None}
    | {
        (names.module, names.seeded, direction)
        for names in KERNELS.values()
        if names.seeded is not None
        for direction in ("forward", "seeded")
    }
)


@pytest.mark.parametrize(("module", "name", "direction"), FUNCTIONS, ids=lambda value: str(value).rpartition(".")[2])
def test_a_broken_kernel_is_noticed(module: str, name: str, direction: str, monkeypatch: pytest.MonkeyPatch):
    cases = cases_using(name, 12)
    assert cases, f"no random case reaches {name}"
    loaded = importlib.import_module(module)
    kernel = getattr(loaded, name)
    takes_frames = name.startswith(("frames", "trellis"))
    if direction == "forward":
        replacement: Callable[..., Any] = broken_forward(kernel, "count" in name)
    elif direction == "seeded":
        replacement = broken_seeded(kernel)
    else:
        replacement = broken_backward(kernel, takes_frames)
    monkeypatch.setattr(loaded, name, replacement)
    ag.cache.clear(disk=False)  # routines hold the kernels that they imported
    try:
        with np.errstate(all="ignore"):
            noticed = sum(disagreement(case, "kernels") is not None for case in cases)
    finally:
        monkeypatch.undo()
        ag.cache.clear(disk=False)
    assert noticed, f"{name} answers wrongly and none of {len(cases)} cases that use it disagrees"
    assert all(disagreement(case, "kernels") is None for case in cases)
