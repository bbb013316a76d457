"""A graph that meets a dense input carries only labels that this has columns for: in every form, tier and dtype."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import arcgrad as ag

MODES = ("interpret", "auto", "kernels", "fused")
R = ag.Graph([0, 0], [0, 0], [0, 3], accept=[0])  # any string of 0 and 3
Y = ag.Graph([0, 1], [1, 2], [-1, 3], [0, 3], accept=[2])  # reads ε and 3, writes 0 and 3
FINE = ag.Graph([0, 0], [0, 0], [-1, 2], accept=[0])

# An equation, and what the message says of the arc whose label is 3 where X has three columns.
FORMS = {
    "LSE[X ∘ Y]": "arc 1 of Y has the input label 3",
    "MAX[Y ∘ X]": "arc 1 of Y has the output label 3",
    "LSE[X ∩ in[Y]]": "arc 1 of Y has in `in[Y]` the label 3",
    "LSE[out[Y] ∩ X]": "arc 1 of Y has in `out[Y]` the label 3",
    "MIN[X ∘ (R ∘ Y)]": "arc 1 of R with arc 1 of Y has in `R ∘ Y` the input label 3",
    "COUNT[(Y ∘ R) ∘ X]": "arc 1 of Y with arc 1 of R has in `Y ∘ R` the output label 3",
    "LSE[X ∘ Y ∘ R]": "arc 1 of Y has the input label 3",
    "LSE[R ∘ X ∘ Y]": "arc 1 of R has the label 3",
    "LSE[(X ∩ Z) ∘ Y]": "arc 1 of Y has the input label 3",
    "PATH[X ∘ Y⁻¹]": "arc 1 of Y has in `Y⁻¹` the input label 3",
    "X ∘ (ε + Y*)": "arc 1 of Y has in `ε + Y*` the input label 3",
    "LSE[X] - LSE[X ∘ linear[0, 3]]": "arc 1 of `linear[0, 3]` has the label 3",
    "COUNT[X ∘ (in[Y] : R)]": "arc 1 of Y has in `in[Y] : R` the input label 3",
    "MAX[X ∘ relabel_in[F, m]]": "arc 1 of F has in `relabel_in[F, m]` the input label 3",
    "LSE[X ∘ W]": "column 3 of W has the label 3",
    "LSE[PATH[X ∘ F] ∘ X ∘ rev[Y]]": "arc 1 of Y has in `rev[Y]` the input label 3",
}  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("text", FORMS)
def test_a_label_without_a_column_is_named(text: str, dtype: type, mode: str) -> None:
    equation = ag.compile(text, mode=mode)
    known = {"Y": Y, "R": R, "F": FINE, "m": {2: 3}, "X": np.zeros((2, 3), dtype), "Z": np.zeros((2, 3), dtype)}
    known["W"] = np.zeros((2, 4), dtype)
    inputs = {name: known[name] for name in equation.inputs}
    words = re.escape(FORMS[text]).replace("3\\ of\\ W", "3 of (frame 0 of )?W")
    calls = [equation, equation.explain] + [equation.value_and_grad] * ("COUNT" not in text)
    for call in calls:
        for _ in range(2):  # what was refused is not remembered as prepared
            with pytest.raises(ag.InputError, match=f"^{words}, but X has 3 columns: labels 0 to 2") as caught:
                call(inputs)
            assert caught.value.place is not None
    if mode != "fused":  # which would compile for most of these
        equation({name: np.zeros((2, 4), dtype) if name in "XZ" else given for name, given in inputs.items()})


@given(
    labels=st.lists(st.lists(st.integers(-1, 4), min_size=1, max_size=3), min_size=1, max_size=3),
    width=st.integers(0, 5),
    shared=st.booleans(),
    left=st.booleans(),
    mode=st.sampled_from(MODES[:3]),
)
def test_batches_name_the_first_item(labels: list[list[int]], width: int, shared: bool, left: bool, mode: str) -> None:
    graphs = [ag.Graph(range(len(row)), range(1, len(row) + 1), row, accept=[len(row)]) for row in labels]
    equation = ag.compile("LSE[Y ∘ X]" if left else "LSE[X ∘ Y]", mode=mode)
    inputs = {"X": np.zeros((2, width)) if shared else np.zeros((len(labels), 2, width)), "Y": graphs}
    bad = [(item, arc) for item, row in enumerate(labels) for arc, label in enumerate(row) if label >= width]
    if not bad:
        assert len(equation(inputs)) == len(labels)
        return
    item, arc = bad[0]
    message = f"item {item} of the batch: arc {arc} of Y has the label {labels[item][arc]}, but X has {width} column"
    with pytest.raises(ag.InputError, match=re.escape(message)):
        equation(inputs)


@pytest.mark.parametrize("mode", MODES)
def test_what_is_composed_away_meets_nothing(mode: str) -> None:
    """`X ∘ (T ∘ Y)` is met by what `T ∘ Y` builds; ε has no column; a graph that is no dense input has no columns."""
    x, t = np.zeros((1, 3)), ag.Graph([0, 0], [1, 1], [2, 9], accept=[1])
    assert ag.compile("LSE[X ∘ (T ∘ Y)]", mode=mode)(X=x, T=t, Y=ag.linear([2])) == 0.0
    assert ag.compile("LSE[X ∘ (T ∩ Y)]", mode=mode)(X=x, T=t, Y=ag.linear([2])) == 0.0
    assert ag.compile("LSE[X ∘ T]", mode=mode)(X=ag.dense(x).to_graph(), T=t) == 0.0
    assert ag.compile("LSE[X ∘ T]", mode=mode)(X=np.zeros((0, 2, 3)), T=[]).shape == (0,)
    with pytest.raises(ag.InputError, match="arc 1 of T has the label 9"):
        ag.compile("LSE[X ∘ T ∘ Y]", mode=mode)(X=x, T=t, Y=ag.linear([2]))
