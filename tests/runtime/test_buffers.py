"""Large arrays' memory is used again once no array lies in it, and never before."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

import arcgrad as ag
from arcgrad.runtime import buffers as memory
from arcgrad.runtime.buffers import empty_floats, zero_floats

LARGE = memory._SMALL


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
    arrays = [empty_floats(memory._MOST_IDLE // 3) for _ in range(5)]
    del arrays
    assert sum(len(block) for block in memory._idle) <= memory._MOST_IDLE
    assert len(memory._idle) == 3
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
