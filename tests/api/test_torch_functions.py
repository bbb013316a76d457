"""``ag.torch.compile``: values and both derivatives against arcgrad's own and finite differences, and bad tensors."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest
from support.seeds import for_seeds

import arcgrad as ag

torch = pytest.importorskip("torch")

CHAIN = ag.linear([1, 2])
# For what looks at the last bits: the tier that mode "auto" begins with is not the one it ends with.
STEADY = "kernels"
WIDE = ag.graphs.alignments([1, 2])
LONG = ag.graphs.alignments([2, 2])
CTC = "LSE[X] - LSE[X ∘ A]"


def random(*shape: int, dtype: Any = torch.float64, grad: bool = True, seed: int = 0) -> Any:
    generator = torch.Generator().manual_seed(seed + 100 * sum(shape))
    return torch.randn(shape, dtype=torch.float64, generator=generator).to(dtype).requires_grad_(grad)


# Each takes tensors and returns the inputs; the tensors' shapes follow.
FORMS: dict[str, tuple[Any, list[tuple[int, ...]]]] = {
    "one of each": (lambda x, w, s: {"X": x, "A": (WIDE, w), "s": s}, [(4, 3), (WIDE.n_arcs,), ()]),
    "batch": (lambda x, w, s: {"X": x, "A": (WIDE, w), "s": s}, [(2, 4, 3), (2, WIDE.n_arcs), (2,)]),
    "shared graph": (lambda x, w, s: {"X": (x, [3, 4]), "A": (WIDE, w), "s": s}, [(2, 4, 3), (WIDE.n_arcs,), ()]),
    "shared scores": (
        lambda x, v, w: {"X": (x, 3), "A": [(WIDE, v), LONG, (LONG, w)], "s": 0.5},
        [(4, 3), (WIDE.n_arcs,), (LONG.n_arcs,)],
    ),
    "list": (lambda x, y, w: {"X": [x, y], "A": (WIDE, w), "s": [0.5, 1.5]}, [(4, 3), (3, 3), (WIDE.n_arcs,)]),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("text", ["s * LSE[X ∘ A] + LSE[X]", "LSE[X] * MAX[A] - s * s * LSE[X ∘ A]"])
def test_derivatives(form: str, text: str) -> None:
    """Both against finite differences, with an upstream gradient of its own for each item."""
    make, shapes = FORMS[form]
    function = ag.torch.compile(text, mode=STEADY)
    tensors = tuple((random(*shape, grad=False, seed=k) - 3.0).requires_grad_() for k, shape in enumerate(shapes))

    def value(*given: Any) -> Any:
        return function(make(*given))

    assert torch.autograd.gradcheck(value, tensors)
    assert torch.autograd.gradgradcheck(value, tensors)


@for_seeds(5)
def test_agrees_with_the_equation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, steps, columns = (int(rng.integers(low, low + 3)) for low in (1, 2, 3))
    x = random(n, steps, columns, seed=seed)
    targets = [ag.graphs.alignments(rng.integers(1, columns, size=2)) for _ in range(n)]
    lengths = rng.integers(1, steps + 1, size=n)
    value = ag.torch.compile(CTC)(X=(x, torch.from_numpy(lengths)), A=targets)
    scores = ag.dense(x.detach().numpy(), lengths)
    expected, gradient = ag.compile(CTC).value_and_grad(X=scores, A=targets, wrt="X")
    assert value.tolist() == expected.tolist()
    upstream = torch.arange(1.0, n + 1, dtype=torch.float64)
    value.backward(upstream)
    np.testing.assert_array_equal(x.grad.numpy(), gradient["X"] * upstream.numpy()[:, None, None])


def test_one_pass_whatever_the_upstream_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for name in ("value_and_grad", "value", "pullback", "hvp"):
        original = getattr(type(ag.compile(CTC)._evaluator), name)

        def counting(self: Any, *args: Any, _name: str = name, _original: Any = original, **kwargs: Any) -> Any:
            calls.append(_name)
            return _original(self, *args, **kwargs)

        monkeypatch.setattr(type(ag.compile(CTC)._evaluator), name, counting)
    x, w = random(3, 4, 3), random(WIDE.n_arcs)
    values = ag.torch.compile(CTC)(X=x, A=(WIDE, w))
    (values * torch.tensor([1.0, 2.0, -3.0])).sum().backward()
    assert calls == ["value_and_grad"]
    expected = torch.zeros_like(w)
    for item, factor in enumerate([1.0, 2.0, -3.0]):
        one = w.detach().clone().requires_grad_()
        ag.torch.compile(CTC)(X=x[item].detach(), A=(WIDE, one)).backward()
        expected += factor * one.grad
    torch.testing.assert_close(w.grad, expected, rtol=1e-12, atol=1e-12)
    calls.clear()
    with torch.no_grad():
        assert ag.torch.compile(CTC)(X=x, A=(WIDE, w)).tolist() == values.tolist()
    assert calls == ["value"]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_dtypes(dtype: Any) -> None:
    x = random(2, 4, 3, dtype=dtype)
    value = ag.torch.compile(CTC)(X=x, A=WIDE)
    assert value.dtype == (torch.float64 if dtype is torch.float64 else torch.float32)
    (gradient,) = torch.autograd.grad(value.sum(), x, create_graph=True)
    assert gradient.dtype == dtype
    exact = x.detach().double().requires_grad_()
    (expected,) = torch.autograd.grad(ag.torch.compile(CTC)(X=exact, A=WIDE).sum(), exact)
    room = 2 * torch.finfo(dtype).eps
    torch.testing.assert_close(gradient.double(), expected, rtol=room, atol=room)
    (second,) = torch.autograd.grad(gradient.square().sum(), x)
    assert second.dtype == dtype
    assert second.isfinite().all()


def test_dtype_of_the_value() -> None:
    x = random(4, 3, dtype=torch.float32)
    function = ag.torch.compile("LSE[X] + s")
    assert function(X=x, s=random()).dtype == torch.float64
    assert function(X=x, s=0.5).dtype == torch.float32
    assert function(X=CHAIN, s=0.5).dtype == torch.float64
    count = ag.torch.compile("COUNT[A]")
    assert (count(A=CHAIN).dtype, count(A=CHAIN).item()) == (torch.int64, 1)
    assert count(A=[CHAIN, CHAIN]).tolist() == [1, 1]
    assert count(A=WIDE).item() == float("inf")


def test_contiguous_tensors_are_not_copied() -> None:
    from arcgrad.torch.tensors import lend

    for dtype in (torch.float64, torch.float32):
        x = random(2, 4, 3, dtype=dtype)
        assert lend(x).__array_interface__["data"][0] == x.data_ptr()
        x = random(4, 2, 3, dtype=dtype).transpose(0, 1)
        assert np.array_equal(lend(x), x.detach().numpy())


def test_layouts_of_memory() -> None:
    x = random(4, 2, 3)
    for view in (x.transpose(0, 1), x.permute(1, 0, 2)[:, ::2], x[:1].expand(4, 2, 3)):
        function = ag.torch.compile(CTC)
        assert function(X=view, A=CHAIN).tolist() == function(X=view.contiguous(), A=CHAIN).tolist()
        (one,) = torch.autograd.grad(function(X=view, A=CHAIN).sum(), x, retain_graph=True)
        (other,) = torch.autograd.grad(function(X=view.contiguous(), A=CHAIN).sum(), x)
        assert torch.equal(one, other)


def test_only_what_requires_a_gradient_has_one() -> None:
    x, w, s = random(2, 4, 3, grad=False), random(WIDE.n_arcs), random(grad=False)
    value = ag.torch.compile("s * LSE[X ∘ A]")(X=x, A=(WIDE, w), s=s)
    value.sum().backward()
    assert w.grad is not None
    assert x.grad is None
    assert s.grad is None
    assert not ag.torch.compile("s * LSE[X ∘ A]")(X=x, A=WIDE, s=s).requires_grad


def test_changed_in_place_before_backward() -> None:
    x = random(2, 4, 3)
    y = x * 1.0
    value = ag.torch.compile(CTC)(X=y, A=WIDE)
    y.mul_(2.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.sum().backward()


def test_infinite_values_and_gradients() -> None:
    """No path: −∞, with a gradient of zeros; a NaN upstream stays one, and is no error."""
    x = random(1, 1, 3)
    value = ag.torch.compile("LSE[X ∘ A]")(X=x, A=CHAIN)
    assert value.tolist() == [-float("inf")]
    (gradient,) = torch.autograd.grad(value.sum(), x, create_graph=True)
    assert gradient.tolist() == [[[0.0, 0.0, 0.0]]]
    x = random(2, 2, 3)
    (gradient,) = torch.autograd.grad(ag.torch.compile(CTC)(X=x, A=CHAIN).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad((gradient * float("nan")).sum(), x)
    assert second.isnan().all()


def test_third_derivatives_are_refused() -> None:
    x = random(2, 3)
    (first,) = torch.autograd.grad(ag.torch.compile("LSE[X]")(X=x), x, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="third derivative is not implemented"):
        second.sum().backward()


def test_autocast_and_func_grad() -> None:
    function = ag.torch.compile(CTC)
    weight = random(3, 3, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        x = torch.ones(2, 4, 3) @ weight
        assert x.dtype == torch.bfloat16
        value = function(X=x, A=WIDE).mean()
    value.backward()
    assert weight.grad.dtype == torch.float32
    assert value.dtype == torch.float32
    x = random(4, 3, grad=False)
    gradient = torch.func.grad(lambda scores: function(X=scores, A=WIDE))(x)
    y = x.clone().requires_grad_()
    function(X=y, A=WIDE).backward()
    assert torch.equal(gradient, y.grad)


def test_pickle_and_copy() -> None:
    function = ag.torch.compile(CTC)
    x = random(4, 3)
    for other in (copy.deepcopy(function), pickle.loads(pickle.dumps(function))):
        assert other(X=x, A=WIDE).item() == function(X=x, A=WIDE).item()
    assert repr(function) == f"<torch function of arcgrad equation '{CTC}' of X, A>"


def test_two_threads() -> None:
    function = ag.torch.compile(CTC, mode=STEADY)
    expected = [function(X=random(3, 4, 3, seed=k), A=WIDE).tolist() for k in range(4)]
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(5):
                for k in range(4):
                    x = random(3, 4, 3, seed=k)
                    value = function(X=x, A=WIDE)
                    value.sum().backward()
                    assert value.tolist() == expected[k]
                    assert x.grad.isfinite().all()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("LSE[X]", {"X": torch.zeros(2, 3, dtype=torch.int64)}, r"input X has .*torch.int64(?s:.*)torch.float32"),
    ("LSE[X]", {"X": torch.zeros(2, 3, dtype=torch.bool)}, "input X has .*torch.bool"),
    ("LSE[X]", {"X": torch.zeros(2, 3, dtype=torch.complex64)}, r"input X has .*torch.complex64(?s:.*)real part"),
    ("LSE[X]", {"X": torch.zeros(3)}, r"input X is a graph .* has shape \(3,\)"),
    ("LSE[X]", {"X": torch.zeros(0, 2, 3)}, "input X is an empty batch"),
    ("LSE[X]", {"X": []}, "input X is an empty batch"),
    ("LSE[X]", {"X": torch.zeros(2, 3, device="meta")}, "input X lies on the device 'meta'"),
    ("LSE[X]", {"X": torch.zeros(2, 3).to_sparse()}, r"input X has layout torch.sparse_coo(?s:.*)to_dense"),
    ("LSE[X]", {"X": torch.full((2, 3), float("nan"))}, "input X.* is nan"),
    ("LSE[X]", {"X": (torch.zeros(2, 3), 4)}, "input X's lengths"),
    ("LSE[X]", {"X": (torch.zeros(2, 2, 3), torch.tensor([1.0, 2.0]))}, "input X's lengths"),
    ("LSE[X]", {"X": [torch.zeros(2, 3), torch.zeros(3)]}, r"item 1 of input X has shape \(3,\)"),
    ("LSE[X]", {"X": [torch.zeros(2, 3), CHAIN]}, "input X mixes graphs and tensors"),
    ("LSE[X]", {"X": [torch.zeros(2, 3), torch.zeros(2, 3).double()]}, "tensors of input X have different dtypes"),
    ("LSE[X]", {"X": [torch.zeros(2, 3), "a"]}, "item 1 of input X is"),
    ("LSE[X]", {"X": (CHAIN, torch.zeros(3))}, r"weights of input X have shape \(3,\).*must have shape \(2,\)"),
    ("LSE[X]", {"X": (CHAIN, torch.zeros(2, dtype=torch.int32))}, "the weights of input X has .*int32"),
    ("LSE[X]", {"X": (CHAIN, torch.full((2,), float("inf")))}, "the weights of input X.*inf"),
    ("LSE[X]", {"X": [CHAIN, (CHAIN, torch.zeros(3))]}, "weights of item 1 of input X have"),
    ("LSE[X] + s", {"X": CHAIN, "s": torch.zeros(2, 2)}, r"input s, a score .* has shape \(2, 2\)"),
    ("LSE[X] + s", {"X": CHAIN, "s": torch.tensor(1)}, "input s, a score .*torch.int64"),
    ("LSE[X] + s", {"X": torch.zeros(2, 2, 3), "s": torch.zeros(3)}, "batch sizes differ: X has 2 items, s has 3"),
    ("LSE[X] + s", {"X": CHAIN, "s": torch.zeros((), device="meta")}, "input s.*'meta'"),
    ("COUNT[X]", {"X": torch.zeros(2, 3, requires_grad=True)}, r"input X requires a gradient.*counts(?s:.*)detach"),
    ("LSE[X]", {"Y": torch.zeros(2, 3)}, "Y is not an input"),
    ("LSE[relabel[X, m]]", {"X": CHAIN, "m": torch.zeros(2)}, "input m is a label mapping"),
]


@pytest.mark.parametrize(("text", "inputs", "message"), BAD)
def test_bad_input(text: str, inputs: dict[str, Any], message: str) -> None:
    with pytest.raises(ag.InputError, match=message):
        ag.torch.compile(text)(inputs)


def test_symbolic_shapes() -> None:
    from torch.fx.experimental.proxy_tensor import make_fx

    for mode, message in [("symbolic", "input X has the symbolic shape"), ("fake", "a FakeTensor does not show")]:
        with pytest.raises(ag.InputError, match=message):
            make_fx(lambda x: ag.torch.compile("LSE[X]")(X=x), tracing_mode=mode)(torch.zeros(5, 7))


def test_equations_of_graphs_are_refused() -> None:
    with pytest.raises(ag.InputError, match=r"value is a score(?s:.*)LSE\[A ∘ B\]"):
        ag.torch.compile("A ∘ B")
    with pytest.raises(ag.EquationError):
        ag.torch.compile("LSE[A")


def test_arcgrad_does_not_import_torch() -> None:
    code = "import sys, arcgrad as ag; ag.compile('LSE[A]')(A=ag.linear([1])); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_without_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import arcgrad as ag\n"
        "from arcgrad import *\n"
        "try:\n    ag.torch\nexcept ImportError as error:\n    print(error)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "pip install arcgrad[torch]" in printed


def test_says_how_inputs_are_given() -> None:
    """By name, targets as graphs, and batches first; under transforms, too."""
    loss = ag.torch.compile("LSE[X] - LSE[X ∘ Y]")
    scores, labels = torch.zeros(3, 2, 5), torch.tensor([[1, 2], [3, 3]])
    x, graphs = scores.transpose(0, 1), ag.graphs.alignments(labels)
    module = ag.torch.Equation("LSE[X ∘ Y] - LSE[X ∘ G]", G=ag.linear([1, 2, 1]))
    cases: list[tuple[Any, type[Exception], str]] = [
        (lambda: loss(x, graphs), TypeError, r"given by name.*\n?.*X=…, Y=…"),
        (lambda: module(x, graphs), TypeError, r"given by name.*\n?.*\(X=…, Y=…\)"),
        (lambda: loss(X=x, Y=labels), RuntimeError, r"input Y has .*int64.*\n.*ag.graphs.alignments"),
        (lambda: loss(X=scores, Y=graphs), RuntimeError, r"X has 3 items, others have 2\n.*X.transpose\(0, 1\)"),
        (lambda: loss(X=scores, Y=ag.torch.handle(graphs)), RuntimeError, r"X.transpose\(0, 1\)"),
    ]
    for lengths in ([3, 2], torch.tensor([3, 2]), np.array([3, 2])):
        cases.append((lambda n=lengths: loss(X=(scores, n), Y=graphs), RuntimeError, r"2 lengths\n.*transpose"))
    for given in ([[1, 2], [3, 3]], [(1, 2), (3, 3)], [[1, 2, 3]], [1, 2], (1, 2)):
        cases.append((lambda y=given: loss(X=x, Y=y), ValueError, r"item 0 of input Y .*\n.*ag.graphs.alignments"))
        mapped = torch.vmap(lambda each, y=given: loss(X=each, Y=y))
        cases.append((lambda f=mapped: f(x), ValueError, r"item of input Y is .*\n.*ag.graphs.alignments"))
    for call, kind, message in cases:
        with pytest.raises(ag.InputError, match=message) as found:
            call()
        assert isinstance(found.value, kind)
    with pytest.raises(ag.InputError, match="batch sizes differ") as plain:
        loss(X=scores[:, :1], Y=graphs)
    assert "transpose" not in str(plain.value)
