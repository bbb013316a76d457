"""E, H and KL as users meet them: by enumerated paths, in every mode, at the edges, and of graphs that do not fit."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from oracle.cases import generate
from support.adapter import arcgrad_inputs
from support.seeds import for_seeds

import arcgrad as ag

MODES = ("interpret", "kernels", "auto")
INF = math.inf
A = ag.Graph([0, 0, 1, 1], [1, 1, 2, 2], [5, 6, 5, 6], weight=[0.5, -1.0, 0.25, 0.0], accept=[2])
R = A.with_weight([3.0, -2.0, 0.5, 0.0])
EMPTY = ag.Graph([], [], [], n_states=0, start=[])
DEAD = A.with_weight([-INF, -INF, 0.0, 1.0])
CYCLE = ag.Graph([0, 0], [0, 1], [1, 2], weight=[-0.7, 0.3], accept=[1])


def paths(graph: ag.Graph) -> list[tuple[int, ...]]:
    """The accepting paths of a graph without cycles, as arc numbers; arcs of −inf are absent."""
    found: list[tuple[int, ...]] = []
    stack: list[tuple[int, tuple[int, ...]]] = [(int(state), ()) for state in graph.start]
    while stack:
        state, taken = stack.pop()
        if state in graph.accept:
            found.append(taken)
        for arc in np.flatnonzero((graph.src == state) & (graph.arc_weight > -INF)).tolist():
            stack.append((int(graph.dst[arc]), (*taken, arc)))
    return found


def probabilities(graph: ag.Graph, of: list[tuple[int, ...]]) -> np.ndarray:
    weights = np.array([math.fsum(graph.arc_weight[list(path)]) for path in of])
    raised = np.exp(weights - weights.max(initial=-INF)) if len(of) else weights
    return raised / raised.sum()


def by_enumeration(expression: str, a: ag.Graph, b: ag.Graph) -> float:
    of = paths(a)
    if not of:
        return 0.0
    p = probabilities(a, of)
    if expression == "E":
        return float(p @ [math.fsum(b.arc_weight[list(path)]) for path in of])
    if expression == "H":
        return float(-(p @ np.log(p)))
    others = paths(b)
    if set(of) - set(others):
        return INF
    q = dict(zip(others, probabilities(b, others), strict=True))
    return float(p @ (np.log(p) - np.log([q[path] for path in of])))


def acyclic(rng: np.random.Generator) -> tuple[ag.Graph, ag.Graph]:
    """Two graphs of one topology, with a few arcs of −inf."""
    n = int(rng.integers(1, 5))
    src = rng.integers(0, n, int(rng.integers(0, 8)))
    dst = np.minimum(src + rng.integers(1, 3, len(src)), n)
    weights = rng.normal(size=(2, len(src)))
    weights[0, rng.random(len(src)) < 0.1] = -INF
    weights[1, rng.random(len(src)) < 0.05] = -INF
    accept = sorted({n, *rng.integers(0, n + 1, int(rng.integers(0, 2))).tolist()})
    first = ag.Graph(src, dst, rng.integers(-1, 3, len(src)), weight=weights[0], accept=accept, n_states=n + 1)
    return first, first.with_weight(weights[1])


@pytest.mark.parametrize("mode", MODES)
@for_seeds(40)
def test_values_are_those_of_enumerated_paths(mode: str, seed: int) -> None:
    a, b = acyclic(np.random.default_rng(seed))
    for text in ("E[A, B]", "H[A]", "KL[A, B]"):
        equation = ag.compile(text, mode=mode)
        given = {"A": a, "B": b} if "B" in text else {"A": a}
        value, gradient = equation.value_and_grad(given)
        assert value == pytest.approx(by_enumeration(text.partition("[")[0], a, b), rel=1e-12, abs=1e-12)
        assert all(np.all(np.isfinite(g)) for g in gradient.values())
        for name in given:
            np.testing.assert_array_equal(equation.value_and_grad(given, wrt=name)[1][name], gradient[name])
        if not math.isfinite(value):
            assert not any(np.any(g) for g in gradient.values())
        elif all(np.all(np.isfinite(g.weight)) for g in given.values()):
            assert equation.check_grad(given, tolerance=1e-6).ok


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("text", "given", "expected"),
    [
        ("H[A]", {"A": EMPTY}, 0.0),
        ("H[A]", {"A": DEAD}, 0.0),
        ("H[A]", {"A": ag.linear([1, 2, 3], [5.0, -1e30, 2.0])}, 0.0),
        ("H[A]", {"A": ag.linear([])}, 0.0),
        ("E[A, B]", {"A": EMPTY, "B": EMPTY}, 0.0),
        ("E[A, B]", {"A": DEAD, "B": R}, 0.0),
        ("E[A, B]", {"A": A, "B": DEAD}, -INF),
        ("E[A, B]", {"A": ag.linear([1, 2], [-INF, 0.0]), "B": ag.linear([1, 2], [-INF, 0.0])}, 0.0),
        ("KL[A, B]", {"A": A, "B": A}, 0.0),
        ("KL[A, B]", {"A": A, "B": DEAD}, INF),
        ("KL[A, B]", {"A": DEAD, "B": A}, 0.0),
        ("KL[A, B]", {"A": DEAD, "B": DEAD}, 0.0),
        ("KL[A, B]", {"A": EMPTY, "B": EMPTY}, 0.0),
        ("KL[A, B]", {"A": A, "B": A.with_weight([-INF, 0.0, 0.0, 0.0])}, INF),
        ("KL[A, B]", {"A": A.with_weight([-INF, 0.0, 0.0, 0.0]), "B": A}, None),
    ],
)
def test_the_edges(mode: str, text: str, given: dict[str, Any], expected: float | None) -> None:
    value, gradient = ag.compile(text, mode=mode).value_and_grad(given)
    if expected is None:
        assert value == pytest.approx(by_enumeration("KL", given["A"], given["B"]), rel=1e-12)
    else:
        assert value == pytest.approx(expected, abs=1e-14)
        assert all(np.all(np.abs(g) < 1e-12) for g in gradient.values()) or text == "E[A, B]"
    assert all(np.all(np.isfinite(g)) for g in gradient.values())


@pytest.mark.parametrize("mode", MODES)
def test_cycles_have_closed_forms(mode: str) -> None:
    """The number of turns is geometric."""
    stay, values = math.exp(-0.7), CYCLE.with_weight([2.0, 5.0])
    turns = stay / (1 - stay)
    assert ag.compile("E[A, R]", mode=mode)(A=CYCLE, R=values) == pytest.approx(2 * turns + 5, rel=1e-12)
    entropy = -(math.log(1 - stay) + turns * math.log(stay))
    assert ag.compile("H[A]", mode=mode)(A=CYCLE) == pytest.approx(entropy, rel=1e-12)
    other = CYCLE.with_weight([-1.5, 9.0])
    p, q = stay, math.exp(-1.5)
    expected = math.log((1 - p) / (1 - q)) + turns * math.log(p / q)
    assert ag.compile("KL[A, B]", mode=mode)(A=CYCLE, B=other) == pytest.approx(expected, rel=1e-12)
    with pytest.raises(ag.DivergenceError, match="cycle"):
        ag.compile("H[A]", mode=mode)(A=CYCLE.with_weight([0.1, 0.0]))
    with pytest.raises(ag.DivergenceError, match="cycle"):
        ag.compile("KL[A, B]", mode=mode)(A=CYCLE, B=CYCLE.with_weight([0.1, 0.0]))


@pytest.mark.parametrize("mode", MODES)
def test_offsets_change_no_probability(mode: str) -> None:
    """What all competing arcs share, however large, cancels."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(4, 3))
    for offset in (1e5, -1e15, -1e30):
        moved = x.copy()
        moved[2] = offset  # all alike
        plain = x.copy()
        plain[2] = 0.0
        equation = ag.compile("H[X]", mode=mode)
        value, gradient = equation.value_and_grad(X=moved)
        expected, expected_gradient = equation.value_and_grad(X=plain)
        assert value == pytest.approx(expected, rel=1e-10)
        np.testing.assert_allclose(gradient["X"], expected_gradient["X"], atol=1e-10)
        equation = ag.compile("KL[X, V]", mode=mode)
        value, gradient = equation.value_and_grad(X=moved, V=moved - np.outer([1.0, 0.5, 0.0, 2.0], [0.1, 0.2, 0.3]))
        expected, expected_gradient = equation.value_and_grad(
            X=plain, V=plain - np.outer([1.0, 0.5, 0.0, 2.0], [0.1, 0.2, 0.3])
        )
        assert value == pytest.approx(expected, rel=1e-8)
        for name in "XV":
            np.testing.assert_allclose(gradient[name], expected_gradient[name], atol=1e-8)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("chain", ["{X} ∘ {Y}", "{Y} ∘ {X}", "{X}", "{T} ∘ {X} ∘ {Y}", "{X} ∩ {Y}"])
def test_dense_compositions_are_those_of_their_graphs(mode: str, dtype: type, chain: str) -> None:
    rng = np.random.default_rng(len(chain))
    x, v = rng.normal(size=(2, 5, 3)).astype(dtype)
    y = ag.Graph([0, 0, 1, 1, 2], [0, 1, 1, 2, 2], [0, 1, 0, 2, 0], weight=rng.normal(size=5), accept=[2])
    t = ag.Graph([0, 0, 0], [0, 0, 0], [0, 1, 2], weight=rng.normal(size=3), accept=[0])
    given = {
        "X": x,
        "V": v,
        "Y": y,
        "Z": y.with_weight(rng.normal(size=5)),
        "T": t,
        "S": t.with_weight(rng.normal(size=3)),
    }
    first = chain.format(X="X", Y="Y", T="T")
    second = chain.format(X="V", Y="Z", T="S")
    tolerance = 1e-10 if dtype is np.float64 else 1e-5
    for text in (f"E[{first}, {second}]", f"H[{first}]", f"KL[{first}, {second}]", f"E[{first}, {first}]"):
        equation = ag.compile(text, mode=mode)
        mine = {name: given[name] for name in equation.inputs}
        built = {n: ag.dense(g).to_graph() if isinstance(g, np.ndarray) else g for n, g in mine.items()}
        value, gradient = equation.value_and_grad(mine)
        expected, expected_gradient = ag.compile(text, mode="interpret").value_and_grad(built)
        assert value == pytest.approx(expected, rel=tolerance, abs=tolerance), text
        for name in mine:
            alone = equation.value_and_grad(mine, wrt=name)[1][name]
            np.testing.assert_array_equal(alone, gradient[name], err_msg=text)
            np.testing.assert_allclose(
                np.ravel(gradient[name]), expected_gradient[name], rtol=tolerance, atol=10 * tolerance, err_msg=text
            )


def in_mode(text: str, mode: str, given: dict[str, Any], wrt: tuple[str, ...]) -> list[np.ndarray] | str:
    """Value and gradients of an equation, as arrays; or the name of the error."""
    try:
        value, gradient = ag.compile(text, mode=mode).value_and_grad(given, wrt=wrt)
    except (ag.DivergenceError, ag.UndefinedError) as error:
        return type(error).__name__
    found = [np.asarray(value)]
    for name in wrt:
        found += map(np.asarray, gradient[name] if isinstance(gradient[name], list) else [gradient[name]])
    return found


@for_seeds(40)
def test_random_equations_have_one_value_and_gradient_in_all_tiers(seed: int) -> None:
    check_random_equation(seed)


@pytest.mark.slow
@for_seeds(460)
def test_many_random_equations_have_one_value_and_gradient_in_all_tiers(seed: int) -> None:
    check_random_equation(40 + seed)


def check_random_equation(seed: int) -> None:
    case = generate(seed)
    if case.shape not in ("LSE[{}]", "MAX[{}]") or not case.wrt:
        pytest.skip("of another shape")
    graph, given = case.text[4:-1], arcgrad_inputs(case)
    for text in (f"H[{graph}]", f"E[{graph}, {graph}]", f"KL[{graph}, {graph}]"):
        one, other = (in_mode(text, mode, given, case.wrt) for mode in ("interpret", "kernels"))
        assert isinstance(one, str) == isinstance(other, str), (text, one, other)
        if isinstance(one, str) or isinstance(other, str):
            assert one == other
            continue
        size = max(1.0, *(float(np.abs(w[np.isfinite(w)]).max(initial=0.0)) for w in map(weights, given.values())))
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-8, atol=1e-9 * size, err_msg=text)


def weights(value: Any) -> np.ndarray:
    """All weights of an input."""
    if isinstance(value, list):
        return np.concatenate([weights(item) for item in value] or [np.zeros(0)])
    found = getattr(value, "weight", getattr(value, "scores", value))
    return np.zeros(0) if isinstance(found, dict) else np.ravel(np.asarray(found, dtype=np.float64))


@pytest.mark.parametrize("mode", MODES)
def test_batches_shared_and_tied(mode: str) -> None:
    rng = np.random.default_rng(5)
    frames = rng.normal(size=(3, 4, 2))
    values = rng.normal(size=(4, 2))
    tied = ag.Graph([0, 0, 1], [0, 1, 1], [0, 1, 0], weight=[0.3], accept=[1], tie=[0, 0, 0])
    graphs = [tied, tied.with_weight([-1.0]), tied.with_weight([2.0])]
    equation = ag.compile("E[X ∘ Y, V ∘ Z] + H[X ∘ Y] - KL[Y, Z]", mode=mode)
    cold = [g.with_weight(g.weight - 4.0) for g in graphs]
    value, gradient = equation.value_and_grad(X=frames, Y=cold, V=values, Z=cold[0])
    summed: dict[str, Any] = {}
    for item, (x, y) in enumerate(zip(frames, cold, strict=True)):
        alone, of_item = equation.value_and_grad(X=x, Y=y, V=values, Z=cold[0])
        assert value[item] == pytest.approx(alone, rel=1e-12)
        np.testing.assert_allclose(gradient["X"][item], of_item["X"], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(gradient["Y"][item], of_item["Y"], rtol=1e-10, atol=1e-12)
        for name in ("V", "Z"):
            summed[name] = summed.get(name, 0.0) + of_item[name]
    for name, total in summed.items():
        np.testing.assert_allclose(gradient[name], total, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("other", "fragments"),
    [
        (ag.Graph([0, 0, 1], [1, 1, 2], [5, 6, 5], accept=[2]), ("4 and 3 arcs", "arc 3 is in A alone")),
        (
            ag.Graph([0, 0, 1, 0], [1, 1, 2, 2], [5, 6, 5, 6], accept=[2]),
            ("arc 3 leads from state 1 to state 2 in A, and from state 0 to state 2 in R",),
        ),
        (ag.Graph([0, 0, 1, 1], [1, 1, 2, 2], [5, 6, 5, 6], accept=[1, 2]), ("state 1 is an accept of R alone",)),
        (ag.Graph([0, 0, 1, 1], [1, 1, 2, 2], [5, 6, 5, 6], start=[1], accept=[2]), ("state 0 is a start of A alone",)),
        (ag.Graph([0, 0, 1, 1], [1, 1, 2, 2], [5, 6, 5, 6], accept=[2], n_states=4), ("3 and 4 states",)),
    ],
)
def test_graphs_of_two_topologies_are_refused_where_they_differ(
    mode: str, other: ag.Graph, fragments: tuple[str, ...]
) -> None:
    for text in ("E[A, R]", "KL[A, R]", "2 E[A, R] + 1"):
        with pytest.raises(ag.InputError, match="of one topology, but A and R differ") as caught:
            ag.compile(text, mode=mode)(A=A, R=other)
        assert caught.value.place is not None
        for fragment in fragments:
            assert fragment in str(caught.value)
    with pytest.raises(ag.InputError, match="item 1 of the batch"):
        ag.compile("E[A, R]", mode=mode)(A=A, R=[R, other])


@pytest.mark.parametrize("mode", MODES)
def test_dense_compositions_of_two_topologies_are_refused(mode: str) -> None:
    x = np.zeros((3, 3))
    y = ag.Graph([0, 0, 1], [0, 1, 1], [0, 1, 0], accept=[1])
    z = ag.Graph([0, 0, 1], [0, 1, 1], [1, 2, 1], accept=[1])  # meets other columns, but in the same order
    equation = ag.compile("E[X ∘ Y, V ∘ Z]", mode=mode)
    assert equation(X=x, Y=y, V=x, Z=y) == 0.0
    for given in (
        {"X": x, "Y": y, "V": np.zeros((4, 3)), "Z": y},
        {"X": x, "Y": y, "V": x, "Z": ag.Graph([0, 0], [0, 1], [0, 1], accept=[1])},
        {"X": x, "Y": y, "V": x, "Z": ag.Graph([0, 0, 1], [0, 1, 1], [0, 1, 0], start=[1], accept=[1])},
    ):
        with pytest.raises(ag.InputError, match="of one topology, but `X ∘ Y` and `V ∘ Z` differ"):
            equation(given)
    v = np.arange(9.0).reshape(3, 3)
    assert equation(X=x, Y=y, V=v, Z=z) == pytest.approx(13.0)  # 2 + 4 + 7, 1 + 5 + 7, 1 + 4 + 8
    mixed = {"X": x, "Y": y, "V": x.astype(np.float32), "Z": y}
    assert equation(mixed) == 0.0


def test_labels_are_not_looked_at() -> None:
    relabelled = ag.Graph(R.src, R.dst, [9, 8, 7, 6], [1, 2, 3, 4], weight=R.weight, accept=[2])
    for mode in MODES:
        equation = ag.compile("E[A, R]", mode=mode)
        assert equation(A=A, R=relabelled) == pytest.approx(equation(A=A, R=R), rel=1e-14)


def test_types_say_what_they_need() -> None:
    for text in ("E[A]", "E[A, 2]", "H[A, B]", "H[LSE[A]]", "KL[A]", "LSE[H[A]]", "covariance[A, A, A]", "H[A] ∘ B"):
        with pytest.raises(ag.EquationError):
            ag.compile(text)


def test_names_of_one_letter_stay_names() -> None:
    """``H ∘ C ∘ L ∘ G`` is the chain of speech recognition."""
    text = "LSE[H ∘ C]"
    assert ag.compile(text).inputs == ("H", "C")
    assert math.isclose(ag.compile("E = A A\nLSE[E] - 2 LSE[A]")(A=A), 0.0, abs_tol=1e-14)
    for one, other in itertools.combinations(MODES, 2):
        assert ag.compile("H[H]", mode=one)(H=A) == pytest.approx(ag.compile("H[H]", mode=other)(H=A), rel=1e-14)
