"""Eager calls that are like earlier ones: the same as if none had been; no copies; tensors on other devices."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from support.seeds import for_seeds

import arcgrad as ag

torch = pytest.importorskip("torch")

WIDE = ag.graphs.alignments([1, 2])
LONG = ag.graphs.alignments([2, 1])
TIED = ag.Graph([0, 0, 1], [0, 1, 1], [0, 1, 2], weight=[0.5, -1.0], tie=[0, 0, 1], accept=[1])
TEXT = "s * LSE[X ∘ A] - LSE[X]"


def numbers(rng: np.random.Generator, *shape: int, dtype: Any = torch.float64, grad: bool = False) -> Any:
    tensor = torch.from_numpy(rng.normal(size=shape)).to(dtype)
    return tensor.requires_grad_(grad)


def some_inputs(rng: np.random.Generator) -> tuple[dict[str, Any], list[Any]]:
    """Inputs of one of the forms, and their tensors that require a gradient."""
    n = int(rng.integers(1, 4))
    dtype = (torch.float64, torch.float32, torch.bfloat16)[rng.integers(3)]

    def tensor(*shape: int) -> Any:
        return numbers(rng, *shape, dtype=dtype, grad=bool(rng.integers(2)))

    graph = (WIDE, LONG, TIED)[rng.integers(3)]
    x = tensor(n, 4, 3) if rng.integers(3) else tensor(4, 3)
    lengths = [3] * n if x.ndim == 3 else 3
    scores = [x, (x, lengths), (x, torch.tensor(lengths)), (x, None)][rng.integers(4)]
    if rng.integers(4) == 0:
        x = tensor(3, n, 4).transpose(0, 1).transpose(1, 2)
        scores = x
    weights = tensor(len(graph.weight)) if rng.integers(2) else tensor(n, len(graph.weight))
    handles = ag.torch.handle([graph] * n)
    a = [graph, (graph, weights), [graph] * n, handles, (handles, weights), (handles[0], weights)][rng.integers(6)]
    if isinstance(a, (list, tuple)) and x.ndim == 2 and rng.integers(2):
        a = graph
    factor = [0.5, tensor(), tensor(n)][rng.integers(3)]
    given = {"s": factor, "X": scores, "A": a}
    found = [x, weights, factor]
    return given, [each for each in found if isinstance(each, torch.Tensor) and each.requires_grad]


def outcome(function: Any, given: dict[str, Any], leaves: list[Any]) -> list[Any]:
    """The value, and first and second derivatives."""
    value = function(given)
    found = [value.detach()]
    if value.requires_grad:
        twice = value.dtype == torch.float64  # one kind is enough to compile kernels for
        factors = torch.arange(1.0, 1.0 + value.numel(), dtype=value.dtype).reshape(value.shape)
        first = torch.autograd.grad((value * factors).sum(), leaves, create_graph=twice, allow_unused=True)
        found += first
    if value.requires_grad and twice:
        total = sum(each.double().square().sum() for each in first if each is not None)
        found += torch.autograd.grad(total, leaves, allow_unused=True, retain_graph=True)
    return found


@for_seeds(30)
def test_a_plan_changes_nothing(seed: int) -> None:
    """One function for all seeds against one that remembers no plans, bit by bit."""
    given, leaves = some_inputs(np.random.default_rng(seed))
    plain = ag.torch.Function(PLANNED.equation)
    plain._plans = Forgetful()
    for found, expected in zip(outcome(PLANNED, given, leaves), outcome(plain, given, leaves), strict=True):
        if expected is None:
            assert found is None
        else:
            assert found.dtype == expected.dtype
            assert torch.equal(found, expected)


class Forgetful(dict[Any, Any]):
    """A dictionary in which nothing is found."""

    def __setitem__(self, key: Any, value: Any) -> None:
        pass


PLANNED = ag.torch.compile(TEXT, mode="kernels")


def test_one_function_for_one_equation() -> None:
    first = ag.torch.compile(TEXT, mode="kernels")
    assert ag.torch.compile(TEXT, mode="kernels") is first
    assert ag.torch.compile(TEXT) is not first


def test_plans_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    original = ag.torch.functions.make_plan

    def counting(call: Any) -> Any:
        made.append(call)
        return original(call)

    monkeypatch.setattr("arcgrad.torch.functions.make_plan", counting)
    function = ag.torch.Function(PLANNED.equation)
    rng = np.random.default_rng(0)
    for graph, _ in itertools.product((WIDE, LONG), range(3)):  # of as many arcs
        x = numbers(rng, 2, 4, 3, grad=True)
        value = function(X=x, A=(graph, numbers(rng, graph.n_arcs)), s=0.5)
        right = function.equation(X=x.detach().numpy(), A=graph.with_weight(np.zeros(graph.n_arcs)), s=0.5)
        assert value.tolist() != right.tolist()
    assert len(made) == 1
    for given in ({"s": 0.5, "A": WIDE, "X": x}, {"X": x, "A": WIDE, "s": 0.5}):
        function(given)
    assert len(made) == 2


def test_what_a_plan_does_not_know_is_looked_at_again() -> None:
    function = ag.torch.Function(ag.compile("LSE[X ∘ A]", mode="kernels"))
    rng = np.random.default_rng(1)
    x, w = numbers(rng, 4, 3, grad=True), numbers(rng, WIDE.n_arcs)
    assert function(X=x, A=(WIDE, w)).requires_grad
    assert not function(X=x.detach(), A=(WIDE, w)).requires_grad
    with torch.no_grad():
        assert not function(X=x, A=(WIDE, w)).requires_grad
    assert function(X=x, A=(WIDE, w)).requires_grad
    for bad, message in [
        (
            {"X": (x * float("nan")).detach().requires_grad_(), "A": (WIDE, w)},
            "X.* is nan",
        ),
        ({"X": x, "A": (WIDE, torch.full_like(w, torch.inf))}, "weights of input A.* is inf"),
        ({"X": x.detach().to_sparse().requires_grad_(), "A": (WIDE, w)}, "input X has layout torch.sparse_coo"),
        ({"X": x, "A": (ag.linear([1]), w)}, r"must have shape \(1,\)"),
        ({"X": x.reshape(2, 2, 3), "A": (WIDE, torch.stack([w] * 3))}, "batch sizes differ"),
        ({"X": x.reshape(2, 2, 3), "A": [WIDE] * 3}, "batch sizes differ"),
    ]:
        for _ in range(2):
            with pytest.raises(ag.InputError, match=message):
                function(bad)
    count = ag.torch.compile("COUNT[X ∘ A]", mode="kernels")
    assert count(X=x.detach(), A=WIDE).dtype == torch.int64
    for _ in range(2):
        with pytest.raises(RuntimeError, match="input X requires a gradient, but this equation counts"):
            count(X=x, A=WIDE)
    with torch.no_grad():
        assert count(X=x, A=WIDE).dtype == torch.int64


def test_tensors_that_left_a_transform() -> None:
    left: list[Any] = []

    def score(x: Any) -> Any:
        left.append(x)
        return PLANNED(X=x, A=WIDE, s=0.5)

    x = numbers(np.random.default_rng(4), 4, 3)
    expected = PLANNED(X=x, A=WIDE, s=0.5)
    torch.func.grad(score)(x)
    torch.testing.assert_close(PLANNED(X=left.pop(), A=WIDE, s=0.5), expected)
    torch.vmap(score)(torch.stack([x, x]))
    with pytest.raises(RuntimeError, match="escaped from inside a function being vmapped"):
        PLANNED(X=left.pop(), A=WIDE, s=0.5)


def test_values_beyond_float32() -> None:
    x = torch.full((4, 3), 3e38, requires_grad=True)
    for given in (x, torch.stack([x, x])):
        assert torch.isinf(ag.torch.compile("LSE[X]", mode="kernels")(X=given)).all()


def test_plans_are_not_kept_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arcgrad.torch.functions._MOST_PLANS", 3)
    function = ag.torch.Function(ag.compile("LSE[X]", mode="kernels"))
    for steps in range(1, 9):
        assert function(X=torch.zeros(steps, 1)).item() == 0.0
        assert len(function._plans) <= 3


def test_contiguous_tensors_are_lent_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """By address: the equation's arrays are the tensors' memory, and gradients are the routine's arrays."""
    seen: list[Any] = []
    original = type(PLANNED.equation._evaluator).value_and_grad

    def looking(self: Any, given: Any, *args: Any) -> Any:
        value, gradients = original(self, given, *args)
        seen.append((given, gradients))
        return value, gradients

    monkeypatch.setattr(type(PLANNED.equation._evaluator), "value_and_grad", looking)
    rng = np.random.default_rng(2)
    for dtype in (torch.float64, torch.float32):
        x = numbers(rng, 2, 4, 3, dtype=dtype, grad=True)
        w = numbers(rng, 2, WIDE.n_arcs, grad=True)
        for function in (PLANNED, ag.torch.Function(PLANNED.equation)):
            value = function(X=x, A=(WIDE, w), s=0.5)
            given, gradients = seen.pop()
            assert given["X"].__array_interface__["data"][0] == x.data_ptr()
            for graph, row in zip(given["A"], w, strict=True):
                assert graph.weight.__array_interface__["data"][0] == row.data_ptr()
            kept = [tensor.data_ptr() for tensor in value.grad_fn.saved_tensors]
            assert gradients["X"].__array_interface__["data"][0] in kept
            assert x.data_ptr() in kept


class OnMeta:
    """Has tensors on the device "meta" taken for such on a GPU: what is lent is made up, what comes back lies there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lent: list[Any] = []
        original = torch.Tensor.cpu

        def to_cpu(tensor: Any) -> Any:
            if tensor.device.type != "meta":
                return original(tensor)
            self.lent.append(tuple(tensor.shape))
            return torch.zeros(tensor.shape, dtype=tensor.dtype)

        monkeypatch.setattr(torch.Tensor, "cpu", to_cpu)
        monkeypatch.setattr("arcgrad.torch.slots.check_tensor", lambda tensor, *_: tensor)


def test_other_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tensors are moved to the CPU, and value and gradients to where the tensors were."""
    moved = OnMeta(monkeypatch)
    for dtype in (torch.float64, torch.float32, torch.float16):
        x = torch.zeros(2, 4, 3, device="meta", dtype=dtype, requires_grad=True)
        w = torch.zeros(WIDE.n_arcs, device="meta", dtype=dtype, requires_grad=True)
        value = PLANNED(X=x, A=(WIDE, w), s=0.5)
        assert moved.lent == [(2, 4, 3), (2, WIDE.n_arcs)]
        assert (value.device.type, value.shape) == ("meta", (2,))
        gradients = torch.autograd.grad(value.sum(), [x, w])
        assert [(g.device.type, g.dtype, g.shape) for g in gradients] == [("meta", dtype, t.shape) for t in (x, w)]
        moved.lent.clear()
    with pytest.raises(RuntimeError, match=r"input s is on cpu and input X on meta(?s:.*)X.to\('cpu'\)"):
        PLANNED(X=x, A=WIDE, s=torch.zeros(()))


def test_wrong_tensors_raise_what_torch_raises() -> None:
    for given, message in [
        ({"X": torch.zeros(4, 3, dtype=torch.int64), "A": WIDE, "s": 1.0}, "input X has"),
        ({"X": torch.zeros(4), "A": WIDE, "s": 1.0}, "input X is a graph"),
        ({"X": torch.zeros(4, 3, device="meta"), "A": WIDE, "s": 1.0}, "input X lies on the device 'meta'"),
        ({"X": torch.zeros(0, 4, 3), "A": WIDE, "s": 1.0}, "input X is an empty batch"),
        ({"X": torch.zeros(4, 3), "A": torch.tensor([1, 2, 3]), "s": 1.0}, "input A is a handle.*stands for no graph"),
    ]:
        for kind in (RuntimeError, ValueError, ag.InputError):
            with pytest.raises(kind, match=message):
                PLANNED(given)


def test_lengths_of_any_whole_kind() -> None:
    x = torch.zeros(2, 4, 3)
    for kind in (torch.int64, torch.int32, torch.int16, torch.uint8):
        lengths = torch.tensor([4, 3]).to(kind)
        assert PLANNED(X=(x, lengths), A=WIDE, s=1.0).tolist() == PLANNED(X=(x, [4, 3]), A=WIDE, s=1.0).tolist()
    for bad in (torch.tensor([4.0, 3.0]), torch.tensor([True, True]), torch.tensor([4, 5]), torch.tensor([4])):
        with pytest.raises(ag.InputError, match="input X's lengths"):
            PLANNED(X=(x, bad), A=WIDE, s=1.0)


def test_threads_share_plans() -> None:
    function = ag.torch.Function(PLANNED.equation)
    rng = np.random.default_rng(3)
    inputs = [(numbers(rng, n, 4, 3, grad=True), numbers(rng, WIDE.n_arcs, grad=True)) for n in (1, 2, 3) for _ in "ab"]

    def gradients(x: Any, w: Any) -> Iterator[Any]:
        value = function(X=x, A=(WIDE, w), s=0.5)
        yield from torch.autograd.grad((value * torch.arange(1.0, 1 + len(value))).sum(), (x, w))

    expected = [list(gradients(*pair)) for pair in inputs]
    function._plans.clear()
    wrong: list[Any] = []

    def work() -> None:
        for _ in range(10):
            for pair, right in zip(inputs, expected, strict=True):
                wrong.extend(
                    1 for one, other in zip(gradients(*pair), right, strict=True) if not torch.equal(one, other)
                )

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
