"""The comparison with the oracle can fail: each kernel, broken on purpose, is noticed by the random cases.

A kernel is broken by a wrapper that changes its answer by a little more than the tolerances; the "kernels" tier, which
looks kernels up by name, then runs the wrapper.
"""

from __future__ import annotations

import importlib
import inspect
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


def broken_backward(kernel: Any) -> Callable[..., None]:
    seed = list(inspect.signature(kernel.python).parameters).index("cotangent")

    def wrapper(*arguments: Any) -> None:
        kernel(*arguments[:seed], arguments[seed] * (1 + 1e-5), *arguments[seed + 1 :])

    return wrapper


def broken_seeded(kernel: Callable[..., float]) -> Callable[..., float]:
    """Answers the right value, and differentiates it by a little too much."""

    def wrapper(*arguments: Any) -> float:
        return kernel(arguments[0], arguments[1] * (1 + 1e-5), *arguments[2:])

    return wrapper


# Those that the oracle's random equations have; of the others, the interpreter is the oracle.
DRAWN = [names for (_, semiring), names in KERNELS.items() if semiring in ("log", "max", "min", "count")]

FUNCTIONS = sorted(
    {(names.module, names.forward, "forward") for names in DRAWN}
    | {(names.module, names.backward, "backward") for names in DRAWN if names.backward is not None}
    | {
        (names.module, names.seeded, direction)
        for names in DRAWN
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
    if direction == "forward":
        replacement: Callable[..., Any] = broken_forward(kernel, "count" in name)
    elif direction == "seeded":
        replacement = broken_seeded(kernel)
    else:
        replacement = broken_backward(kernel)
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


LINE = ag.Graph([0, 0, 1], [1, 1, 2], [0, 1, 1], weight=[-0.5, 0.25, -1.0], accept=[2])
LOOPS = ag.Graph([0, 0, 1], [0, 1, 0], [0, 1, 1], weight=[-1.5, -0.5, -1.0], accept=[1])
FRAMES = np.random.default_rng(0).normal(size=(4, 2))
INPUTS = {
    "A": LINE, "R": LINE.with_weight([1.0, -2.0, 0.5]), "B": LOOPS, "S": LOOPS.with_weight([1.0, -2.0, 0.5]),
    "X": FRAMES, "V": FRAMES[::-1].copy(),
}  # fmt: skip
BODIES = {"lattice": ("A", "R"), "cyclic": ("B", "S"), "trellis": ("X ∘ B", "V ∘ S"), "frames": ("X", "V")}
TEXTS = {"boolean": "ANY[{}]", "entropy": "H[{}]", "expectation": "E[{}, {}]"}
SECOND = {"entropy_along": "H[{}]", "covariance": "E[{}, {}]"}
"""Regions of equations, and of their Hessian-vector products."""


def answer(text: str, mode: str, second: bool) -> np.ndarray:
    """The value and its gradient, or the Hessian times a vector, flat."""
    equation = ag.compile(text, mode=mode)
    given = {name: INPUTS[name] for name in equation.inputs}
    if second:
        shapes = {name: np.shape(getattr(value, "weight", value)) for name, value in given.items()}
        vector = {name: np.arange(1.0, 1.0 + np.prod(shape)).reshape(shape) for name, shape in shapes.items()}
        return np.concatenate([np.ravel(part) for part in equation.hvp(vector, given).values()])
    if text.startswith("ANY"):
        return np.array([equation(given)])
    value, gradient = equation.value_and_grad(given)
    return np.concatenate([[value], *map(np.ravel, gradient.values())])


OTHERS = [
    (shape, semiring, role)
    for (shape, semiring), names in KERNELS.items()
    if names not in DRAWN
    for role in ("forward", "backward")
    if names.kernel(role) is not None and not (semiring in SECOND and role == "forward")  # whose value nobody asks for
]


@pytest.mark.parametrize(("shape", "semiring", "role"), OTHERS)
def test_a_broken_kernel_differs_from_the_interpreter(
    shape: str, semiring: str, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = KERNELS[shape, semiring].kernel(role)
    assert found is not None
    second = semiring in SECOND
    text = (SECOND if second else TEXTS)[semiring].format(*BODIES[shape])
    right = answer(text, "interpret", second)
    np.testing.assert_allclose(answer(text, "kernels", second), right, rtol=1e-9, atol=1e-9)
    loaded = importlib.import_module(found[0])
    kernel = getattr(loaded, found[1])
    broken = broken_forward(kernel, semiring == "boolean") if role == "forward" else broken_backward(kernel)
    monkeypatch.setattr(loaded, found[1], broken)
    ag.cache.clear(disk=False)
    try:
        assert not np.allclose(answer(text, "kernels", second), right, rtol=1e-9, atol=1e-9)
    finally:
        monkeypatch.undo()
        ag.cache.clear(disk=False)
