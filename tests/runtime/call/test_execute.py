"""Batches, scores, cotangents and edges: the routine over kernels, and fused, answers as the interpreter does."""

from __future__ import annotations

import gc
import math
import random
import weakref
from typing import Any

import numpy as np
import pytest

import arcgrad as ag

MODES = ("interpret", "kernels", "fused")
EMPTY = ag.Graph([], [], [], n_states=0, start=[], accept=[])
NO_PATH = ag.Graph([0], [1], [1], n_states=3, start=[0], accept=[2])
LINE = ag.linear([1, 2], [0.5, -1.25])
LOOP = ag.Graph([0, 1, 1], [1, 1, 2], [1, 0, 2], weight=[-1.0, -0.5, -0.25], start=[0], accept=[2])
TIED = ag.Graph([0, 0, 1], [1, 1, 2], [0, 1, 2], weight=[-1.0, 0.5], tie=[1, 0, 1], start=[0], accept=[2])


def frames(steps: int, seed: int = 0, columns: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(steps, columns))


def leaves(value: Any) -> list[np.ndarray]:
    return [np.asarray(v, dtype=np.float64) for v in (value if isinstance(value, list) else [value])]


def agree(
    text: str, modes: tuple[str, ...] = ("kernels",), cotangent: Any = None, **given: Any
) -> tuple[Any, dict[str, Any]]:
    """The interpreter's answer, which the other modes give too: shapes, types, values and gradients without NaN."""
    expected, gradients = ag.compile(text, mode="interpret").value_and_grad(given, cotangent=cotangent)
    for mode in modes:
        value, found = ag.compile(text, mode=mode).value_and_grad(given, cotangent=cotangent)
        assert type(value) is type(expected)
        np.testing.assert_allclose(value, expected, rtol=1e-11, atol=1e-12)
        assert ag.compile(text, mode=mode)(given) == pytest.approx(value, rel=1e-13)
        assert found.keys() == gradients.keys()
        for name, gradient in gradients.items():
            assert type(found[name]) is type(gradient), name
            for one, other in zip(leaves(found[name]), leaves(gradient), strict=True):
                assert not np.isnan(one).any()
                np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12, err_msg=f"{text} by {name}")
    return expected, gradients


# -- batches ----------------------------------------------------------------------------------------------------------


def test_a_list_is_a_batch_and_a_list_of_one_too() -> None:
    value, gradient = agree("LSE[A ∘ B]", A=[LINE, LOOP, EMPTY, NO_PATH], B=LINE)
    assert value.shape == (4,)
    assert value[2:].tolist() == [-np.inf, -np.inf]
    assert [g.shape for g in gradient["A"]] == [(2,), (3,), (0,), (1,)]
    one, gradient = agree("LSE[A ∘ B]", A=[LINE], B=LINE)
    assert one.shape == (1,)
    assert isinstance(gradient["A"], list)
    single, gradient = agree("LSE[A ∘ B]", A=LINE, B=LINE)
    assert type(single) is float
    assert single == one[0]
    assert isinstance(gradient["A"], np.ndarray)


def test_cyclic_and_acyclic_items_share_a_batch_in_every_mode() -> None:
    batch = [LINE, LOOP, TIED, EMPTY, NO_PATH, LINE]
    for text in ("LSE[A]", "MAX[A]"):
        value, gradient = agree(text, modes=("kernels", "fused"), A=batch)
        single = [ag.compile(text, mode="interpret").value_and_grad(A=a) for a in batch]
        np.testing.assert_allclose(value, [v for v, _ in single], rtol=1e-12)
        for mine, (_, theirs) in zip(gradient["A"], single, strict=True):
            np.testing.assert_allclose(mine, theirs["A"], rtol=1e-12)
    agree("COUNT[A]", A=[LINE, TIED, EMPTY])
    assert ag.compile("COUNT[A]", mode="kernels")(A=batch).tolist() == [1, np.inf, 2, 0, 0, 1]


def test_a_shared_graphs_gradient_is_summed_and_a_lists_is_a_list() -> None:
    xs = [frames(t, t) for t in (3, 0, 5, 1)]
    value, gradient = agree("LSE[A ∘ X]", modes=("kernels", "fused"), A=LOOP, X=xs)
    assert [g.shape for g in gradient["X"]] == [(3, 3), (0, 3), (5, 3), (1, 3)]
    singles = [ag.compile("LSE[A ∘ X]", mode="interpret").value_and_grad(A=LOOP, X=x) for x in xs]
    np.testing.assert_allclose(gradient["A"], sum(g["A"] for _, g in singles), rtol=1e-12)
    assert value.tolist() == [v for v, _ in singles]


def test_a_padded_batch_ignores_its_padding() -> None:
    scores = np.random.default_rng(3).normal(size=(3, 5, 3))
    lengths = [5, 0, 2]
    padded = ag.dense(scores, lengths)
    scores[1:, 2:] = 1e300
    _value, gradient = agree("LSE[A ∘ X]", modes=("kernels", "fused"), A=LOOP, X=padded)
    assert gradient["X"].shape == (3, 5, 3)
    assert not gradient["X"][1].any()
    assert not gradient["X"][2, 2:].any()
    ragged = [padded.scores[b, :n] for b, n in enumerate(lengths)]
    equation = ag.compile("LSE[A ∘ X]", mode="kernels")
    np.testing.assert_array_equal(equation(A=LOOP, X=padded), equation(A=LOOP, X=ragged))
    agree("LSE[X]", X=np.zeros((2, 3, 4)))
    agree("LSE[X* ∘ A]", A=LINE, X=[frames(1, 1), frames(2, 2)])


def test_a_dense_input_shared_by_a_batch_of_graphs() -> None:
    value, gradient = agree("LSE[A ∘ X]", modes=("kernels", "fused"), A=[LOOP, LINE, LOOP], X=frames(3))
    assert value.shape == (3,)
    assert gradient["X"].shape == (3, 3)


def test_one_dense_input_met_and_built() -> None:
    agree("LSE[A ∘ X] - LSE[X]", modes=("kernels",), A=LOOP, X=[frames(3), frames(2)])
    agree("LSE[A ∘ X] - MAX[X* ∘ B]", A=LOOP, B=LINE, X=[frames(3), frames(1)])
    agree("LSE[A ∘ X] + LSE[B ∘ Y]", A=LOOP, B=LINE, X=frames(3), Y=[frames(2), frames(4)])


def test_a_batch_without_items() -> None:
    for text, given in [("LSE[A ∘ B]", {"A": [], "B": LINE}), ("LSE[A ∘ X]", {"A": LOOP, "X": np.zeros((0, 4, 3))})]:
        value, gradient = agree(text, **given)
        assert value.shape == (0,)
        assert all(not np.any(g) for part in gradient.values() for g in leaves(part))
    graphs, gradient = ag.compile("A B", mode="kernels").value_and_grad(A=[], B=LINE)
    assert (graphs, gradient["A"], gradient["B"].tolist()) == ([], [], [0.0, 0.0])


def test_no_frames_and_no_states() -> None:
    through = ag.Graph([0], [1], [-1], weight=[-0.5], start=[0], accept=[0, 1])
    for graph, expected in [(LOOP, -np.inf), (through, math.log(1 + math.exp(-0.5))), (EMPTY, -np.inf)]:
        value, gradient = agree("LSE[A ∘ X]", modes=("kernels", "fused"), A=graph, X=np.zeros((0, 3)))
        assert value == pytest.approx(expected)
        assert gradient["X"].shape == (0, 3)
    assert agree("LSE[X]", X=np.zeros((0, 3)))[0] == 0.0
    agree("LSE[A ∘ X]", A=EMPTY, X=frames(2))


# -- scores -----------------------------------------------------------------------------------------------------------


def test_score_inputs_are_numbers_or_one_for_each_item() -> None:
    value, gradient = agree("w LSE[A] + v", A=LINE, w=2.0, v=np.float64(1))
    assert type(gradient["w"]) is float
    value, gradient = agree("w LSE[A] + v", A=LINE, w=np.array([1.0, 2.0, 0.0]), v=3)
    assert value.shape == (3,)
    assert gradient["w"].shape == (3,)
    assert gradient["v"] == 3.0
    np.testing.assert_allclose(gradient["A"], [3.0, 3.0])
    value, gradient = agree("w LSE[A]", A=[LINE, LOOP], w=np.array([1, -2]))
    assert gradient["w"].tolist() == pytest.approx([-0.75, float(ag.compile("LSE[A]")(A=LOOP))])
    agree("LSE[A⟨w⟩ + B]", A=LINE, B=[LINE, EMPTY], w=np.array([0.5, -np.inf]))


def test_cotangents_multiply() -> None:
    agree("LSE[A ∘ X]", modes=("kernels", "fused"), cotangent=-2.5, A=LOOP, X=frames(3))
    cotangent = np.array([0.5, 0.0, -2.0])
    _, gradient = agree("LSE[A ∘ X] w", cotangent=cotangent, A=LOOP, X=[frames(2), frames(3), frames(4)], w=1.5)
    assert not gradient["X"][1].any()
    for bad, message in [([1.0, 2.0], "cotangent has shape"), (np.nan, "not finite"), ("x", "real numbers")]:
        for mode in ("interpret", "kernels"):
            with pytest.raises(ag.InputError, match=message):
                ag.compile("LSE[A]", mode=mode).value_and_grad(A=[LINE, LINE, LINE], cotangent=bad)


def test_constants_alone() -> None:
    for mode in (*MODES, "auto"):
        assert ag.compile("2 + 3 × 4", mode=mode)() == 14.0
        assert ag.compile("-7.5", mode=mode).value_and_grad() == (-7.5, {})
        assert ag.compile("0 + w", mode=mode).value_and_grad(w=np.arange(2.0))[1]["w"].tolist() == [1.0, 1.0]


def test_scores_inside_graphs_have_gradients() -> None:
    given = {"A": LINE, "B": LOOP, "X": frames(3), "w": 0.3}
    for text in (
        "LSE[A⟨LSE[B]⟩]",
        "LSE[A⟨LSE[B] × w⟩ + B]",
        "LSE[B⟨LSE[A⟨w⟩ + B]⟩ ∘ X]",
        "MAX[A⟨MAX[B] - LSE[B]⟩ + B]",
        "LSE[B⟨LSE[B ∘ X]⟩]",
        "LSE[PATH[B ∘ X]] - w",
        "LSE[PATH[A + B⟨w⟩] B]",
    ):
        used = {k: v for k, v in given.items() if k in text.replace("LSE", "").replace("MAX", "").replace("PATH", "")}
        agree(text, **used)
        batch = {k: [v, v, v] if k == "B" else v for k, v in used.items()}
        agree(text, **batch)


def test_minus_infinity_weights_a_path_away_and_plus_infinity_is_refused() -> None:
    value, gradient = agree("LSE[A⟨w⟩ + B]", A=LINE, B=LINE, w=-np.inf)
    assert value == -0.75
    assert gradient["A"].tolist() == [0.0, 0.0]
    assert agree("LSE[A⟨log[0]⟩]", A=LINE)[0] == -np.inf
    assert agree("LSE[A⟨LSE[B]⟩ + A]", A=LINE, B=NO_PATH)[0] == -0.75
    for mode in ("interpret", "kernels"):
        for text, given in [
            ("LSE[A⟨w⟩]", {"w": np.inf}),
            ("LSE[A⟨-LSE[B]⟩]", {"B": NO_PATH}),
            ("A⟨MIN[B]⟩", {"B": EMPTY}),
        ]:
            with pytest.raises(ag.ArcgradError, match="inf"):
                ag.compile(text, mode=mode)(A=LINE, **given)
        with pytest.raises(ag.InputError, match="item 1"):
            ag.compile("LSE[A⟨w⟩]", mode=mode)(A=LINE, w=np.array([0.0, np.inf]))


# -- reductions -------------------------------------------------------------------------------------------------------


def test_best_and_worst_paths() -> None:
    for text in ("MAX[A ∘ X]", "MIN[A ∘ X]", "MAX[X]", "MIN[X ∘ A]"):
        x = [frames(4, 1), frames(3, 2)]
        agree(text, modes=("kernels",), **({"A": LOOP, "X": x} if "A ∘" in text or "∘ A" in text else {"X": x}))
    assert agree("MIN[A]", A=NO_PATH)[0] == np.inf
    assert agree("MAX[A]", A=[EMPTY, LINE])[0].tolist() == [-np.inf, -0.75]


@pytest.mark.parametrize("mode", ["interpret", "kernels", "fused"])
def test_counts_are_exact_whole_numbers(mode: str) -> None:
    doubled = ag.Graph([0, 0], [1, 1], [0, 1], start=[0], accept=[1])
    count = ag.compile("COUNT[A{60}]", mode=mode)(A=doubled)
    assert (type(count), count) == (int, 2**60)
    assert ag.compile("COUNT[A{2000}]", mode=mode)(A=doubled) == 2**2000
    assert ag.compile("COUNT[A{53}] + 1", mode=mode)(A=doubled) == 2**53 + 1
    three = ag.Graph([0, 0, 0], [1, 1, 1], [0, 1, 2], start=[0], accept=[1])
    assert ag.compile("COUNT[A{30}] × COUNT[A{20}] - COUNT[A{50}] + 1", mode=mode)(A=three) == 1
    assert ag.compile("COUNT[A{200}] × COUNT[A{100}] - 1", mode=mode)(A=doubled) == 2**300 - 1
    assert ag.compile("COUNT[X]", mode=mode)(X=np.zeros((100, 10))) == 10**100
    assert ag.compile("COUNT[A ∘ X]", mode=mode)(A=LOOP, X=np.full((4, 3), -np.inf)) == 1  # arcs of −inf count
    assert ag.compile("COUNT[A]", mode=mode)(A=LOOP) == np.inf
    batch = ag.compile("COUNT[A{k}]".replace("k", "62"), mode=mode)(A=[doubled, LINE])
    assert (batch.dtype, batch.tolist()) == (np.int64, [2**62, 1])
    huge = ag.compile("COUNT[A{70}]", mode=mode)(A=[doubled, LINE, LOOP])
    assert huge.tolist() == [2**70, 1, np.inf]
    assert type(ag.compile("COUNT[A] / 1", mode=mode)(A=doubled)) is float
    assert ag.compile("log[COUNT[A{2000}]]", mode=mode)(A=doubled) == pytest.approx(2000 * math.log(2))


# -- graphs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["A B", "(A + B)⟨w⟩", "A⟨LSE[B]⟩ B⟨w⟩", "PATH[A + B]", "PATH[(A + B)⟨w⟩]", "A ∘ B"])
def test_graph_valued_equations_and_their_cotangents(text: str) -> None:
    rng = np.random.default_rng(1)
    for batch in (False, True):
        b: Any = [LOOP, LINE, LOOP] if batch else LOOP
        given = {"A": LINE, "B": b} | ({"w": 0.5} if "w" in text else {})
        reference = ag.compile(text, mode="interpret")
        expected = reference(given)
        one = [expected] if not batch else expected
        weights: Any = [rng.normal(size=g.n_arcs) for g in one]
        for cotangent in (None, weights if batch else weights[0]):
            _, theirs = reference.value_and_grad(given, cotangent=cotangent)
            value, mine = ag.compile(text, mode="kernels").value_and_grad(given, cotangent=cotangent)
            for got, want in zip([value] if not batch else value, one, strict=True):
                assert ag.equal(got, want, tolerance=1e-12)
            for name in given:
                for a, c in zip(leaves(mine[name]), leaves(theirs[name]), strict=True):
                    np.testing.assert_allclose(a, c, rtol=1e-12, atol=1e-12)
    for mode in ("interpret", "kernels"):
        with pytest.raises(ag.InputError, match="item 1 of the batch: cotangent has shape"):
            ag.compile(text, mode=mode).value_and_grad(
                given, cotangent=[weights[0], np.zeros(len(weights[1]) + 1), weights[2]]
            )


# -- tied weights, float32 --------------------------------------------------------------------------------------------


def test_tied_arcs_share_a_gradient_entry() -> None:
    _value, gradient = agree("LSE[A]", modes=("kernels", "fused"), A=TIED)
    assert gradient["A"].shape == (2,)
    assert gradient["A"].sum() == pytest.approx(2.0)  # every path has two arcs
    agree("LSE[A ∘ A⁻¹ ∘ X]", A=TIED, X=frames(2))
    agree("LSE[A]", A=[TIED, LINE, TIED])


def test_float32_frames_give_float32_gradients() -> None:
    x = frames(40).astype(np.float32)
    for text in ("LSE[A ∘ X]", "LSE[X]", "MAX[A ∘ X]", "LSE[A ∘ X] - LSE[X]"):
        own = {"A": LOOP} if "A" in text.replace("MAX", "") else {}
        expected, gradients = ag.compile(text, mode="interpret").value_and_grad(**own, X=x.astype(np.float64))
        value, gradient = ag.compile(text, mode="kernels").value_and_grad(**own, X=x)
        assert gradient["X"].dtype == np.float32
        assert value == pytest.approx(expected, rel=1e-6)
        np.testing.assert_allclose(gradient["X"], gradients["X"], atol=2e-6)
        mixed = ag.compile(text, mode="kernels").value_and_grad(**own, X=[x[:3], x[:5].astype(np.float64)])[1]["X"]
        assert {g.dtype for g in mixed} == {np.dtype(np.float64)}


# -- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("mode", ["interpret", "kernels"])
@pytest.mark.parametrize(
    ("text", "item", "columns"),
    [
        ("LSE[A] - LSE[B]", 2, (1, 16)),
        ("1 + 0 × LSE[A]", 2, (5, 15)),
        ("log[LSE[A] + 1]", 1, (1, 16)),
        ("LSE[A] / 0", 0, (1, 11)),
    ],
)
def test_an_undefined_operation_names_item_and_place(mode: str, text: str, item: int, columns: tuple[int, int]) -> None:
    batch = [ag.linear([1], [1.0]), ag.linear([1], [-3.0]), NO_PATH]
    given = {"A": batch, "B": batch}
    equation = ag.compile(text, mode=mode)
    with pytest.raises(ag.UndefinedError, match=f"item {item} of the batch: ") as caught:
        equation.value_and_grad({n: given[n] for n in equation.inputs})
    place = caught.value.place
    assert (place.column, place.end_column) == columns
    single = {n: given[n][item] for n in equation.inputs}
    with pytest.raises(ag.UndefinedError, match="is undefined") as caught:
        equation(single)
    assert "item" not in caught.value.message


def test_no_path_has_zero_gradient_everywhere() -> None:
    dead = ag.Graph([0, 1], [1, 2], [0, 1], weight=[0.5, -np.inf], start=[0], accept=[2])
    x = np.full((3, 3), -np.inf)
    for text, given in [
        ("LSE[A]", {"A": dead}),
        ("MAX[A]", {"A": dead}),
        ("LSE[A ∘ X]", {"A": LOOP, "X": x}),
        ("MAX[A ∘ X]", {"A": LOOP, "X": x}),
        ("LSE[X]", {"X": x}),
        ("LSE[A ∘ B]", {"A": LOOP, "B": EMPTY}),
        ("LSE[A B]", {"A": LOOP, "B": NO_PATH}),
        ("LSE[A + X]", {"A": dead, "X": x}),
    ]:
        value, gradient = agree(text, modes=("kernels",), **given)
        assert value == -np.inf
        assert all(not np.any(g) for g in gradient.values()), text


def test_no_call_changes_its_inputs_or_the_next_one() -> None:
    x, a = frames(5), LOOP
    before = x.copy()
    equation = ag.compile("LSE[A ∘ X]", mode="kernels")
    first = equation.value_and_grad(A=a, X=x)
    equation.value_and_grad(A=LINE, X=frames(2))
    second = equation.value_and_grad(A=a.with_weight(a.weight), X=x)
    assert first[0] == second[0]
    np.testing.assert_array_equal(first[1]["X"], second[1]["X"])
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(a.weight, [-1.0, -0.5, -0.25])


def test_weights_change_and_topologies_stay_in_one_batch() -> None:
    """What is remembered of a call depends on topologies only."""
    rng = random.Random(0)
    equation, reference = (ag.compile("LSE[A ∘ X] - w", mode=m) for m in ("kernels", "interpret"))
    for seed in range(6):
        graphs = [LOOP.with_weight([rng.gauss(-2, 1) for _ in range(3)]) for _ in range(2)]
        given = {"A": graphs, "X": [frames(3, seed), frames(2, seed)], "w": rng.random()}
        if seed % 2:
            given["X"] = np.stack([frames(3, seed), frames(3, seed + 9)])
        np.testing.assert_allclose(equation(given), reference(given), rtol=1e-12)


@pytest.mark.parametrize("text", ["LSE[A]", "PATH[A]", "LSE[PATH[A] + A]", "A A"])
def test_a_call_s_weights_go_with_it(text: str):
    """Without garbage collection: a step's weights may be most of what fits into memory."""
    graph = ag.linear([1, 2, 3]).with_weight([0.5, 1.0, 1.5])
    reference = weakref.ref(graph)
    gc.disable()
    try:
        ag.compile(text, mode="kernels").value_and_grad(A=graph)
        del graph
        assert reference() is None
    finally:
        gc.enable()
