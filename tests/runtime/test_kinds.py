"""Arrays of other libraries: taken where they lie, and what comes back is of their kind."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import arcgrad as ag
from arcgrad.runtime.data.inputs import bind

EQUATION = ag.compile("s * LSE[X ∘ A]", mode="interpret")
A = ag.linear([1, 2])
X = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], np.float32)


class Plain:
    """What DLPack asks for, and nothing beside."""

    def __init__(self, array: Any, device: int = 1) -> None:
        self.array, self.device = array, device

    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device, 0


def library(name: str) -> Any:
    return pytest.importorskip("jax.numpy" if name == "jax" else "torch")


def make(name: str, array: Any) -> Any:
    return library(name).asarray(array) if name == "jax" else library(name).tensor(array)


@pytest.mark.parametrize("name", ["torch", "jax"])
def test_values_and_gradients_are_of_the_inputs_kind(name: str) -> None:
    x = make(name, np.stack([X, X + 1]))
    kind = type(x)
    s = make(name, np.array([1.0, 2.0], np.float32))
    expected, gradients = EQUATION.value_and_grad(X=np.stack([X, X + 1]), A=A, s=[1.0, 2.0])
    value = EQUATION(X=x, A=A, s=s)
    other, found = EQUATION.value_and_grad(X=x, A=A, s=s)
    third, pull = EQUATION.pullback(X=x, A=A, s=s, wrt="X")
    for each in (value, other, third):
        assert isinstance(each, kind)
        np.testing.assert_allclose(np.asarray(each), expected, rtol=1e-7)
    for each in (found["X"], pull()["X"]):
        assert isinstance(each, kind)
        assert each.dtype == x.dtype
        np.testing.assert_array_equal(np.asarray(each), gradients["X"])
    assert isinstance(found["s"], kind)
    assert isinstance(found["A"], np.ndarray)
    product = EQUATION.hvp(x, X=x, A=A, s=s, wrt="X")
    assert isinstance(product, kind)
    # One item's value is a number; lists come back as lists; a dense input remembers.
    assert isinstance(EQUATION(X=x[0], A=A, s=1.0), float)
    assert isinstance(EQUATION.value_and_grad(X=x[0], A=A, s=1.0)[1]["X"], kind)
    pieces = EQUATION.value_and_grad(X=[x[0], x[1][:1]], A=A, s=1.0)[1]["X"]
    assert [(isinstance(each, kind), tuple(each.shape)) for each in pieces] == [(True, (2, 3)), (True, (1, 3))]
    kept = EQUATION.value_and_grad(X=ag.dense(x, [2, 1]), A=A, s=1.0)[1]["X"]
    assert isinstance(kept, kind)
    out = np.empty((2, 2, 3), np.float32)
    assert EQUATION.value_and_grad(X=x, A=A, s=1.0, wrt="X", out={"X": out})[1]["X"] is out


@pytest.mark.parametrize("name", ["torch", "jax"])
def test_nothing_is_copied(name: str) -> None:
    x = make(name, X)
    address = x.data_ptr() if name == "torch" else x.unsafe_buffer_pointer()
    bound = bind(EQUATION._program.inputs, {"X": x, "A": A, "s": 1.0})
    assert bound.inputs["X"].frames.ctypes.data == address  # type: ignore[union-attr]


def test_what_has_dlpack_alone_is_taken_in_place() -> None:
    bound = bind(EQUATION._program.inputs, {"X": Plain(X), "A": A, "s": 1.0})
    assert bound.inputs["X"].frames.ctypes.data == X.ctypes.data  # type: ignore[union-attr]
    value, gradient = EQUATION.value_and_grad(X=[Plain(X), Plain(X)], A=A, s=1.0, wrt="X")
    np.testing.assert_array_equal(value, EQUATION(X=[X, X], A=A, s=1.0))
    assert isinstance(gradient["X"][0], np.ndarray)  # its library has no from_dlpack
    assert ag.dense(Plain(X)).scores.tolist() == X.tolist()


@pytest.mark.parametrize("give", [lambda x: {"X": x}, lambda x: {"X": [x]}, lambda x: {"X": X, "s": x}])
def test_other_devices_are_refused(give: Any) -> None:
    given = {"A": A, "s": 1.0} | give(Plain(X, device=2))
    with pytest.raises(ag.InputError, match=r"input \w.* lies on another device than the CPU"):
        EQUATION(given)
    with pytest.raises(ag.InputError, match="scores lies on another device"):
        ag.dense(Plain(X, device=2))


def test_no_library_is_imported() -> None:
    import subprocess

    code = (
        "import sys, numpy as np, arcgrad as ag; "
        "ag.compile('LSE[X]')(X=np.zeros((2, 3))); "
        "assert not {'torch', 'jax'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
