"""``ag.torch.Equation``: parameters that are learnt, kept, copied and moved."""

from __future__ import annotations

import copy
import io
import math
import pickle
from typing import Any

import pytest

import arcgrad as ag

torch = pytest.importorskip("torch")

LOOP = ag.Graph([0, 0, 0], [0, 0, 0], [0, 1, 2], weight=[0.0, 0.0, -math.inf], accept=[0])
TEXT = "LSE[Y ∘ G] - LSE[X ∘ G]"
X = torch.zeros(2, 3, dtype=torch.float64)


def model(**options: Any) -> Any:
    return ag.torch.Equation(TEXT, G=LOOP, **options)


def test_parameters_are_the_weights() -> None:
    module = model()
    assert [(name, p.tolist()) for name, p in module.named_parameters()] == [("weights.G", [0.0, 0.0, -math.inf])]
    assert list(module.state_dict()) == ["weights.G"]
    assert module.weights["G"].dtype == torch.float64
    assert model(dtype=torch.float32).weights["G"].dtype == torch.float32
    assert model().float().weights["G"].dtype == torch.float32
    assert LOOP.weight.tolist() == [0.0, 0.0, -math.inf]


def test_learns() -> None:
    """The likeliest weights of two strings with labels 0, 0, 0, 1 are their frequencies, to a common constant."""
    module = model()
    optimizer = torch.optim.Adam(module.parameters(), lr=0.1)
    for _ in range(300):
        optimizer.zero_grad()
        loss = -module(X=X, Y=[ag.linear([0, 0]), ag.linear([0, 1])]).mean()
        loss.backward()
        optimizer.step()
    weights = module.learned("G").weight
    assert abs(weights[0] - weights[1] - math.log(3)) < 1e-3
    assert weights[2] == -math.inf
    assert LOOP.weight.tolist() == [0.0, 0.0, -math.inf]


def test_state_is_kept() -> None:
    module = model()
    with torch.no_grad():
        module.weights["G"].copy_(torch.tensor([1.0, 2.0, 3.0]))
    inputs = {"X": X, "Y": ag.linear([0, 1])}
    expected = module(inputs).item()
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    fresh = model()
    fresh.load_state_dict(torch.load(file, weights_only=True))
    for other in (fresh, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert other(inputs).item() == pytest.approx(expected, abs=1e-12)
        assert other.weights["G"] is not module.weights["G"]
        assert other.weights["G"].requires_grad


def test_repr_shows_the_equation() -> None:
    shown = f"Equation('{TEXT}', G={LOOP})"
    assert repr(model()) == shown
    assert model().extra_repr() == shown.removeprefix("Equation(").removesuffix(")")
    assert f"(0): {shown}" in repr(torch.nn.Sequential(model()))


def test_frozen_graphs_are_no_parameters() -> None:
    module = ag.torch.Equation("LSE[X ∘ A ∘ B]", {"A": LOOP}, B=LOOP, frozen=["A"])
    assert list(module.state_dict()) == ["weights.B"]
    assert module.learned("A") is LOOP
    module(X=X).backward()
    assert module.weights["B"].grad.tolist() == [1.0, 1.0, 0.0]


def test_tied_weights() -> None:
    tied = ag.Graph([0, 0], [0, 0], [0, 1], weight=[0.25], tie=[0, 0], accept=[0])
    module = ag.torch.Equation("LSE[X ∘ G]", G=tied)
    assert module.weights["G"].tolist() == [0.25]
    module(X=X).backward()
    assert module.weights["G"].grad.tolist() == pytest.approx([2.0])


BAD: list[tuple[Any, str]] = [
    (lambda: ag.torch.Equation("LSE[A]", B=LOOP), "'B' is not an input"),
    (lambda: ag.torch.Equation("LSE[A]", A=torch.zeros(2)), "A is a graph in this equation, and .*Tensor"),
    (lambda: ag.torch.Equation("LSE[A] + s", s=LOOP), "s is a score in this equation"),
    (lambda: ag.torch.Equation("LSE[A]", {"A": LOOP}, A=LOOP), "A is given twice"),
    (lambda: ag.torch.Equation("LSE[A]", LOOP), "a mapping from names to graphs"),
    (lambda: ag.torch.Equation("LSE[A]", A=LOOP, frozen="B"), "frozen='B' is none of the graphs: A"),
    (lambda: ag.torch.Equation("LSE[A]", A=LOOP, frozen=1), "frozen is 1"),
    (lambda: ag.torch.Equation("LSE[A]", A=LOOP, dtype=torch.int64), "dtype is torch.int64"),
    (lambda: ag.torch.Equation("A", A=LOOP), "value is a score"),
    (lambda: model()(X=X), "missing input: Y"),
    (lambda: model()(X=X, Y=LOOP, G=LOOP), "G is the module's own"),
    (lambda: model()(X), "one positional argument is a mapping"),
    (lambda: model().learned("X"), "'X' is none of the module's graphs: G"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_arguments(call: Any, message: str) -> None:
    with pytest.raises(ag.InputError, match=message):
        call()
