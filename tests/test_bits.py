"""Equal bits: an item's value and gradient do not depend on how the call was made, within one tier."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import arcgrad as ag
from arcgrad.runtime import threads
from arcgrad.runtime.call import prepared

N_ITEMS = 3
WIDTH = 19  # a whole vector of float32 and a rest


def line(rng: np.random.Generator) -> ag.Graph:
    """A lattice: parallel arcs, arcs that skip, ε."""
    n = int(rng.integers(2, 12))
    src = np.repeat(np.arange(n), 3)
    dst = np.minimum(src + np.tile([1, 1, 2], n), n)
    return ag.Graph(src, dst, rng.integers(-1, WIDTH, 3 * n), weight=rng.normal(size=3 * n), accept=[n])


def cycle(rng: np.random.Generator) -> ag.Graph:
    """A graph with cycles, without ε."""
    n = int(rng.integers(1, 6))
    src, dst = np.divmod(np.arange(n * n), n)
    return ag.Graph(src, dst, rng.integers(0, WIDTH, n * n), weight=rng.normal(size=n * n) - 4, accept=range(n))


def alignments(rng: np.random.Generator) -> ag.Graph:
    """All alignments of a target, as CTC has them: diagonals."""
    n = int(rng.integers(1, 4)) * 2 + 1
    labels = np.where(np.arange(n) % 2, rng.integers(1, WIDTH, n), 0)
    arcs = [(s, s + d, int(labels[s + d])) for s in range(n) for d in (0, 1) if s + d < n]
    return ag.Graph(*map(list, zip(*arcs, strict=True)), start=[0], accept=[n - 1])


def bigram(rng: np.random.Generator) -> ag.Graph:
    """Every label after every other: matrices."""
    src, dst = np.divmod(np.arange(WIDTH * WIDTH), WIDTH)
    return ag.Graph(src, dst, dst, weight=rng.normal(size=len(src)), start=range(WIDTH), accept=range(WIDTH))


SHAPES: dict[str, tuple[str, Any]] = {
    "lattice": ("{0}[A]", line),
    "cyclic": ("LSE[A]", cycle),
    "frames": ("{0}[X]", None),
    "diagonals": ("{0}[A ∘ X]", alignments),
    "matrix": ("{0}[A ∘ X]", bigram),
    "arcs": ("{0}[A ∘ X]", cycle),
    "loss": ("LSE[X] - {0}[A ∘ X]", alignments),
}


def as_bits(values: Any, gradients: dict[str, Any] | None = None) -> list[tuple[bytes, ...]]:
    """For each item, the bytes of its value, and of its gradients where they are given."""
    found = [(np.float64(value).tobytes(),) for value in np.atleast_1d(values)]
    for name in sorted(gradients or ()):
        parts = gradients[name] if isinstance(gradients[name], (list, np.ndarray)) else [gradients[name]]
        found = [(*bits, np.ascontiguousarray(part).tobytes()) for bits, part in zip(found, parts, strict=True)]
    return found


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mode", ["interpret", "kernels", pytest.param("fused", marks=pytest.mark.slow)])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reduction", ["LSE", "MAX", "H"])
def test_an_item_has_the_same_bits_however_it_is_asked_for(reduction: str, shape: str, mode: str, dtype: type) -> None:
    text, graph = SHAPES[shape]
    if reduction != "LSE" and "{0}" not in text:
        pytest.skip("MAX of these cycles may diverge")
    equation = ag.compile(text.format(reduction), mode=mode)

    @settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 2**32 - 1), st.integers(8, 24))
    def check(seed: int, n_frames: int) -> None:
        rng = np.random.default_rng(seed)
        items: dict[str, Any] = {}
        if "A" in equation.inputs:
            items["A"] = [graph(rng) for _ in range(N_ITEMS)]
        if "X" in equation.inputs:
            items["X"] = (3 * rng.normal(size=(N_ITEMS, n_frames, WIDTH))).astype(dtype)

        def permuted(order: Any) -> dict[str, Any]:
            return {name: [v[k] for k in order] if name == "A" else v[order] for name, v in items.items()}

        values, gradients = equation.value_and_grad(items)
        whole = as_bits(values, gradients)
        assert as_bits(equation(items)) == [bits[:1] for bits in whole]
        found, pull = equation.pullback(items)
        assert as_bits(found, pull(np.ones(N_ITEMS))) == whole
        if "X" in items:
            out = {"X": np.full_like(items["X"], np.nan)}
            assert as_bits(*equation.value_and_grad(items, out=out)) == whole
        order = rng.permutation(N_ITEMS)
        assert as_bits(*equation.value_and_grad(permuted(order))) == [whole[k] for k in order]
        for k in range(N_ITEMS):
            alone = {name: value[k] for name, value in items.items()}
            assert as_bits(equation(alone)) == [whole[k][:1]]
            value, gradients = equation.value_and_grad(alone)
            assert as_bits(value, {name: [each] for name, each in gradients.items()}) == [whole[k]]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(threads, "PARALLEL_THRESHOLD", 0.0)
            patch.setattr(prepared, "SLICING_THRESHOLD", 0.0)
            for n in ("1", "2"):
                patch.setenv("ARCGRAD_THREADS", n)
                assert as_bits(*equation.value_and_grad(permuted(np.arange(N_ITEMS)))) == whole

    check()
