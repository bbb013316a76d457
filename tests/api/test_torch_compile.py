"""Equations in what ``torch.compile`` compiles: one graph, the values of eager calls, and what is compiled anew."""

from __future__ import annotations

import gc
import shutil
from typing import Any

import pytest

import arcgrad as ag

torch = pytest.importorskip("torch")

# torch says so of itself where it traces autograd's functions and scripts formulas.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*:UserWarning:torch"),
]

WIDE = ag.graphs.alignments([1, 2])
LONG = ag.graphs.alignments([2, 1])
SCORE = ag.torch.compile("s * LSE[X ∘ A] - LSE[X]", mode="kernels")


def random(*shape: int, seed: int = 0, dtype: Any = torch.float64) -> Any:
    generator = torch.Generator().manual_seed(seed + 10 * sum(shape))
    return torch.randn(shape, dtype=torch.float64, generator=generator).to(dtype)


class Counting:
    """A backend that counts how often it is asked to compile."""

    def __init__(self, name: str = "eager") -> None:
        self.name = name
        self.times = 0

    def __call__(self, module: Any, inputs: Any) -> Any:
        from torch._dynamo.backends.registry import lookup_backend

        self.times += 1
        return lookup_backend(self.name)(module, inputs)


def compiled(function: Any, backend: Any = "eager", **options: Any) -> Any:
    torch._dynamo.reset()
    return torch.compile(function, fullgraph=True, backend=backend, **options)


def value_and_gradients(function: Any, *tensors: Any) -> list[Any]:
    leaves = [tensor.detach().clone().requires_grad_(tensor.is_floating_point()) for tensor in tensors]
    value = function(*leaves)
    asked = [leaf for leaf in leaves if leaf.requires_grad]
    return [value.detach(), *torch.autograd.grad((value * torch.arange(1.0, 1.0 + value.numel())).sum(), asked)]


def assert_same(function: Any, backend: Any, *tensors: Any) -> None:
    for found, expected in zip(
        value_and_gradients(compiled(function, backend), *tensors), value_and_gradients(function, *tensors), strict=True
    ):
        assert found.dtype == expected.dtype
        torch.testing.assert_close(found, expected)


FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "one chain": (lambda x, w: SCORE(X=2 * x, A=(WIDE, w.sin()), s=0.5).exp(), [(4, 3), (WIDE.n_arcs,)]),
    "shared weights": (lambda x, w, s: SCORE(X=(x, [4, 3]), A=(WIDE, w), s=s), [(2, 4, 3), (WIDE.n_arcs,), ()]),
    "tensor of lengths": (
        lambda x, s: SCORE({"X": (x, torch.tensor([4, 3]))}, A=[WIDE, LONG], s=s),
        [(2, 4, 3), (2,)],
    ),
    "lists": (
        lambda x, y, w: SCORE(X=[x, y], A=[WIDE, (LONG, w)], s=1.0),
        [(4, 3), (3, 3), (LONG.n_arcs,)],
    ),
    "mapped": (lambda x, s: torch.vmap(lambda y, t: SCORE(X=y, A=WIDE, s=t))(x, s), [(3, 4, 3), (3,)]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_compiled_in_one_graph(name: str) -> None:
    function, shapes = FUNCTIONS[name]
    tensors = [random(*shape, seed=k) for k, shape in enumerate(shapes)]
    assert_same(function, "aot_eager", *tensors)
    with torch.no_grad():
        torch.testing.assert_close(compiled(function)(*tensors), function(*tensors))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_compiled_dtypes(dtype: Any) -> None:
    assert_same(lambda x: SCORE(X=x, A=WIDE, s=0.5), "aot_eager", random(2, 4, 3, dtype=dtype))


@pytest.mark.slow
def test_compiled_by_inductor() -> None:
    if shutil.which("g++") is None and shutil.which("clang++") is None:
        pytest.skip("torch's inductor needs a C++ compiler")
    assert_same(FUNCTIONS["shared weights"][0], "inductor", random(2, 4, 3), random(WIDE.n_arcs), random())


def test_compiled_modules() -> None:
    model = ag.torch.Equation("LSE[X ∘ G] + s", G=ag.graphs.bigram(torch.zeros(3, 3)), mode="kernels")
    layers = torch.nn.Sequential(torch.nn.Linear(5, 3, dtype=torch.float64), torch.nn.LogSoftmax(-1))

    def loss(x: Any) -> Any:
        return model(X=layers(x), s=0.5).mean()

    x = random(2, 4, 5)
    parameters = [*model.parameters(), *layers.parameters()]
    counting = Counting("aot_eager")
    found = compiled(loss, counting)
    for _ in range(2):
        ours, right = torch.autograd.grad(found(x), parameters), torch.autograd.grad(loss(x), parameters)
        for each, expected in zip(ours, right, strict=True):
            torch.testing.assert_close(each, expected)
        with torch.no_grad():
            for parameter in parameters:
                parameter -= 0.1
    assert counting.times == 1


def test_new_handles_do_not_recompile() -> None:
    counting = Counting("aot_eager")

    def loss(x: Any, a: Any) -> Any:
        return SCORE(X=x.log_softmax(-1), A=a, s=1.0)

    step = compiled(loss, counting)
    x = random(2, 4, 3).requires_grad_()
    for targets in ([WIDE, LONG], [LONG, WIDE], [ag.graphs.alignments([k]) for k in (1, 2)]):
        value = step(x, ag.torch.handle(targets))  # which is gone when the backward pass begins
        gc.collect()
        right = loss(x, targets)
        torch.testing.assert_close(value, right)
        ones = torch.ones(2, dtype=torch.float64)
        torch.testing.assert_close(torch.autograd.grad(value, x, ones), torch.autograd.grad(right, x, ones))
    assert counting.times == 1
    for graph in (WIDE, WIDE, LONG):  # as themselves they are constants of the code, and never mistaken
        torch.testing.assert_close(step(x, graph), loss(x, graph))
    assert counting.times == 3


def test_new_shapes() -> None:
    counting = Counting("aot_eager")

    def loss(x: Any, a: Any) -> Any:
        return SCORE(X=x, A=a, s=1.0)

    step = compiled(loss, counting, dynamic=True)
    for n, steps in ((2, 4), (3, 5), (5, 7)):
        x, a = random(n, steps, 3), ag.torch.handle([WIDE] * n)
        torch.testing.assert_close(step(x, a), loss(x, a))
    assert counting.times == 1


def test_second_derivatives_of_compiled_code() -> None:
    """Where the backend keeps autograd; those that make the backward pass beforehand refuse by themselves."""

    def twice(function: Any) -> Any:
        x, w = random(2, 4, 3).requires_grad_(), random(WIDE.n_arcs).requires_grad_()
        first = torch.autograd.grad(function(x, w).square().sum(), (x, w), create_graph=True)
        return torch.autograd.grad(sum(each.square().sum() for each in first), (x, w), retain_graph=True)

    def score(x: Any, w: Any) -> Any:
        return SCORE(X=x, A=(WIDE, w), s=1.0)

    for found, expected in zip(twice(compiled(score)), twice(score), strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("transform", [torch.func.grad, torch.func.jacfwd, torch.func.hessian])
def test_derivatives_that_are_not_traced_say_so(transform: Any) -> None:
    """torch would drop the tangents of an operator without a word."""
    with pytest.raises(Exception, match=r"does not trace an equation that .*(?s:.*)outside of torch.compile"):
        compiled(lambda x: transform(lambda y: SCORE(X=y, A=WIDE, s=1.0))(x))(random(4, 3))
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(random(4, 3), random(4, 3))
        with pytest.raises(Exception, match=r"does not trace an equation that"):
            compiled(lambda x: SCORE(X=x, A=WIDE, s=1.0))(dual)


def test_equations_with_options() -> None:
    """Each is known by what it was compiled with, so that two of one text are told apart."""
    x = torch.arange(9.0).reshape(3, 3)
    for symbols, definitions in (("abc", "f[A] = LSE[A]"), ("abc", "f[A] = 2 LSE[A]"), ("bac", "f[A] = LSE[A]")):
        score = ag.torch.compile('f[X ∘ ("ab" + "a"*)]', symbols, definitions)
        torch.testing.assert_close(compiled(lambda y, score=score: score(X=y))(x), score(X=x))
    plain = ag.torch.compile("LSE[X]")
    assert compiled(lambda y: plain(X=y))(x).item() == plain(X=x).item()
    with pytest.raises(ag.InputError, match="is known in this process"):
        torch.ops.arcgrad.evaluate([x], "LSE[X]  # with other options: 0", "d", [False])


def test_exported() -> None:
    model = ag.torch.Equation("LSE[X ∘ G]", G=WIDE, mode="kernels")
    x = random(4, 3)
    program = torch.export.export(model, (), {"X": x}, strict=True)
    torch.testing.assert_close(program.module()(X=x + 1), model(X=x + 1))


def test_counts() -> None:
    count = ag.torch.compile("COUNT[A ∘ B]", mode="kernels")

    def counted(a: Any) -> Any:
        return count(A=a, B=WIDE)

    found = compiled(counted)(ag.torch.handle([ag.linear([1, 2]), ag.linear([0, 1, 2])]))
    assert (found.dtype, found.tolist()) == (torch.int64, [1, 1])
    with pytest.raises(ag.InputError, match="infinite or beyond 64 bits"):
        compiled(lambda a: count(A=a, B=WIDE))(ag.torch.handle(WIDE))
    with pytest.raises(Exception, match="requires a gradient, but this equation counts"):
        compiled(lambda x: count(A=x, B=WIDE))(random(2, 3).requires_grad_())


# Of each layout some operands, those in need, and the equation.
OPERATIONS = {
    "batch": ("he;dl", lambda: [ag.torch.handle(WIDE), random(2, WIDE.n_arcs), random(2, 4, 3), torch.tensor([4, 3])]),
    "one": ("hw;d", lambda: [ag.torch.handle(WIDE), random(WIDE.n_arcs), random(4, 3)]),
    "list": (
        "[hw,h];d",
        lambda: [ag.torch.handle(WIDE), random(WIDE.n_arcs), ag.torch.handle(LONG), random(2, 4, 3)],
    ),
    "float32": ("h;d", lambda: [ag.torch.handle([WIDE, LONG]), random(2, 4, 3, dtype=torch.float32)]),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operators_pass_torchs_checks(name: str) -> None:
    layout, make = OPERATIONS[name]
    operands = make()
    needed = [tensor.is_floating_point() for tensor in operands]
    for tensor in operands:
        tensor.requires_grad_(tensor.is_floating_point())
    text = "LSE[A ∘ X] LSE[X]"
    function = ag.torch.compile(text)
    torch.library.opcheck(torch.ops.arcgrad.evaluate, (operands, text, layout, needed))
    plain = [tensor.detach() for tensor in operands]
    torch.library.opcheck(torch.ops.arcgrad.evaluate, (plain, text, layout, [False] * len(plain)))
    vectors = [torch.ones_like(t) for t, n in zip(plain, needed, strict=True) if n]
    torch.library.opcheck(torch.ops.arcgrad.product, (vectors, plain, text, layout, needed))
    assert function.equation.inputs == ("A", "X")


def test_handles_live_as_long_as_their_memory() -> None:
    from arcgrad.torch.traced.handles import _table

    score = ag.torch.compile("LSE[A]")
    gc.collect()
    before = len(_table)
    whole = ag.torch.handle([ag.linear([k], [float(k)]) for k in range(3)])
    assert len(_table) == before + 3
    assert score(A=whole).tolist() == [0.0, 1.0, 2.0]
    part, copied = whole[1], whole.clone()
    del whole
    gc.collect()
    assert score(A=part).item() == 1.0
    assert score(A=copied).tolist() == [0.0, 1.0, 2.0]
    del part
    gc.collect()
    assert len(_table) == before
    with pytest.raises(
        ag.InputError, match=r"input A is a handle .*shape \(3,\).* no graph(?s:.*)is kept(?s:.*)ag.linear"
    ):
        score(A=copied)


def test_handles_are_drawn_at_random() -> None:
    """So that no number of another process, or of a graph that is gone, names a graph here."""
    numbers = ag.torch.handle([WIDE] * 100).tolist() + [int(ag.torch.handle(WIDE)) for _ in range(100)]
    assert len(set(numbers)) == 200
    assert all(number > 1 << 40 for number in numbers)
    assert len({number >> 50 for number in numbers}) > 150


def test_handles_with_weights() -> None:
    w = random(WIDE.n_arcs).requires_grad_()
    found = SCORE(X=random(2, 4, 3), A=(ag.torch.handle(WIDE), w), s=1.0)
    torch.testing.assert_close(found, SCORE(X=random(2, 4, 3), A=(WIDE, w), s=1.0))
    both = SCORE(X=random(2, 4, 3), A=(ag.torch.handle([WIDE, LONG]), w), s=1.0)
    torch.testing.assert_close(both, SCORE(X=random(2, 4, 3), A=[(WIDE, w), (LONG, w)], s=1.0))
    (gradient,) = torch.autograd.grad(both[1], w)
    (expected,) = torch.autograd.grad(SCORE(X=random(2, 4, 3)[1], A=(LONG, w), s=1.0), w)
    torch.testing.assert_close(gradient, expected)


BAD: list[tuple[Any, str]] = [
    (lambda: ag.torch.handle([]), "the list is empty"),
    (lambda: ag.torch.handle([WIDE, 3]), "item 1 of the list is"),
    (lambda: ag.torch.handle("a"), "a handle stands for a graph or a list of graphs, not for"),
    (lambda: SCORE(X=random(4, 3), A=torch.tensor([], dtype=torch.int64), s=1.0), "input A is an empty batch"),
    (lambda: SCORE(X=random(4, 3), A=torch.tensor([1], dtype=torch.int32), s=1.0), "input A has .*int32"),
    (
        lambda: SCORE(X=random(4, 3), A=(ag.torch.handle([WIDE, ag.linear([1])]), random(3)), s=1.0),
        "weights of input A are one tensor, but its graphs have",
    ),
    (
        lambda: SCORE(X=random(4, 3), A=(ag.torch.handle([WIDE, WIDE]), random(3, WIDE.n_arcs)), s=1.0),
        "weights of input A .*but there are 2 graphs",
    ),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_handles(call: Any, message: str) -> None:
    with pytest.raises(ag.InputError, match=message):
        call()


TRACED: list[tuple[Any, str]] = [
    (lambda x: SCORE(X=x[0], A=WIDE, s=1.0), r"input X has shape \(3,\)"),
    (lambda x: SCORE(X=x.long(), A=WIDE, s=1.0), "input X has .*int64"),
    (lambda x: SCORE(X=x, A=(WIDE, x[0]), s=1.0), r"must have shape \(\d+,\)"),
    (lambda x: SCORE(X=x, A=None, s=1.0), "input A is a graph"),
    (lambda x: SCORE(X=x, A=WIDE), "missing input: s"),
    (lambda x: SCORE(X=x, A=WIDE, s=1.0, Y=x), "Y is not an input"),
    (lambda x: SCORE(X=x, A=torch.tensor(3), s=1.0), "stands for no graph"),
]


@pytest.mark.parametrize(("function", "message"), TRACED)
def test_bad_input_is_named_in_compiled_code(function: Any, message: str) -> None:
    with pytest.raises(Exception, match=message):
        compiled(function)(random(4, 3))


def test_ctc_loss_breaks_the_graph() -> None:
    """Compiled code around it goes on, with its gradients; asked for one graph, torch says that there is none."""
    torch._dynamo.reset()
    arguments = torch.tensor([[1, 2], [2, 2]]), torch.tensor([6, 5]), torch.tensor([2, 1])

    def step(x: Any) -> Any:
        return 2 * ag.torch.ctc_loss(x.log_softmax(-1), *arguments)

    found = []
    for function in (step, torch.compile(step, backend="eager")):
        x = torch.randn(6, 2, 3, generator=torch.Generator().manual_seed(2)).requires_grad_()
        value = function(x)
        value.backward()
        found.append((value.detach(), x.grad))
    torch.testing.assert_close(found[1], found[0])
    torch._dynamo.reset()
    with pytest.raises(torch._dynamo.exc.Unsupported):
        torch.compile(step, backend="eager", fullgraph=True)(x.detach())


def test_ctc_loss_is_not_exported() -> None:
    arguments = torch.tensor([[1, 2]]), torch.tensor([6]), torch.tensor([2])

    class Step(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return ag.torch.ctc_loss(x, *arguments)

    with pytest.raises(ag.InputError, match="input_lengths holds no numbers that can be read here"):
        torch.export.export(Step(), (torch.zeros(6, 1, 3),), strict=False)
