"""Large arrays' memory is used again once no array lies in it, and never before."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

import arcgrad as ag
from arcgrad.runtime import buffers as memory
from arcgrad.runtime.buffers import empty_array, empty_floats, zero_floats

LARGE = memory._SMALL // 8


@pytest.fixture(autouse=True)
def nothing_idle() -> Iterator[None]:
    memory._idle.clear()
    yield
    memory._idle.clear()


def address(array: np.ndarray) -> int:
    return int(array.ctypes.data)


def test_memory_comes_back_when_the_last_view_goes() -> None:
    array = empty_floats(LARGE)
    where = address(array)
    part = array[10:20].reshape(2, 5)
    del array
    assert not memory._idle
    part[:] = 7.0
    assert address(empty_floats(LARGE)) != where
    del part
    assert where in [address(block) for block in memory._idle]


@pytest.mark.parametrize("make", [empty_floats, zero_floats])
def test_it_is_lent_again_to_arrays_of_about_the_size(make) -> None:
    where = address(make(3 * LARGE))
    assert address(make(LARGE)) != where
    memory._idle.clear()
    where = address(make(3 * LARGE))
    again = make(2 * LARGE)
    assert address(again) == where
    assert again.shape == (2 * LARGE,)
    assert again.flags.writeable
    assert again.flags.c_contiguous


def test_it_is_lent_to_one_array_at_a_time() -> None:
    where = address(empty_floats(LARGE))
    one, other = empty_floats(LARGE), empty_floats(LARGE)
    assert address(one) == where
    assert not np.shares_memory(one, other)


def test_zeros_are_zeros() -> None:
    empty_floats(LARGE)[:] = np.nan
    assert memory._idle
    assert not zero_floats(LARGE).any()
    assert not zero_floats(5).any()


def test_no_more_than_the_bound_lies_idle() -> None:
    arrays = [empty_array((memory._MOST_IDLE // 3,), np.uint8) for _ in range(5)]
    last = address(arrays[-1])
    while arrays:
        del arrays[0]
    assert sum(len(block) for block in memory._idle) <= memory._MOST_IDLE
    assert [address(block) for block in memory._idle][2:] == [last]  # the newest stay
    ag.cache.clear(disk=False)
    assert not memory._idle


def test_threads_never_share_it() -> None:
    wrong: list[float] = []

    def work(mark: float) -> None:
        for _ in range(300):
            array = empty_floats(LARGE)
            array[::1000] = mark
            if not (array[::1000] == mark).all():
                wrong.append(mark)

    threads = [threading.Thread(target=work, args=(float(k),)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_gradients_and_weights_stay_as_they_were() -> None:
    n = 2 * LARGE
    chain = ag.linear(np.zeros(n, dtype=int), weight=np.full(n, -1.0))
    score = ag.compile("LSE[A]", mode="fused")
    _, first = score.value_and_grad(A=chain)
    other = chain.with_weight(np.full(n, -2.0))
    for _ in range(3):
        score.value_and_grad(A=chain.with_weight(np.zeros(n)), cotangent=3.0)
    np.testing.assert_allclose(first["A"], 1.0, rtol=1e-12)
    assert (other.weight == -2.0).all()
    assert (chain.weight == -1.0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("text", ["LSE[X]", "LSE[X ∘ A]", "LSE[X ∘ A] - LSE[A]"])
def test_a_dense_gradient_takes_the_memory_that_an_earlier_one_left(text: str, dtype: type) -> None:
    """Not while anything of that one is held, and no two of them ever share any."""
    equation = ag.compile(text, mode="kernels")
    scores = np.random.default_rng(0).normal(size=(2, 200, 700)).astype(dtype)
    given = {
        "X": scores,
        "A": ag.linear([1, 2])
        if text == "LSE[X]"
        else ag.Graph([0, 0], [0, 1], [1, 2], weight=[-1.0, -1.0], accept=[1]),
    }
    given = {name: given[name] for name in equation.inputs}

    def gradient() -> np.ndarray:
        _, found = equation.value_and_grad(given, wrt="X")
        return found["X"]

    first = gradient()
    expected, where, view = first.copy(), address(first), first[0, :3]
    del first
    second = gradient()
    assert address(second) != where  # a view is held
    assert (view == expected[0, :3]).all()
    del view
    assert address(gradient()) == where
    _, pull = equation.pullback(given, wrt="X")
    assert not np.may_share_memory(pull(2.0)["X"], second)
    np.testing.assert_array_equal(second, expected)
