"""The benchmarks run, agree with their references, notice what does not, and report what they measured."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import arcgrad as ag

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is no part of the installed package; a run sets variables, which are put back."""
    monkeypatch.syspath_prepend(str(ROOT))
    for name in ("ARCGRAD_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")


def run(arguments: list[str]) -> int:
    from benchmarks.__main__ import main

    return main(arguments)


def test_tiny_run_writes_its_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "figures.json"
    assert run(["--quick", "--only", "tiny-gradient", "bigram", "--clock", "wall", "--json", str(path)]) == 0
    figures = json.loads(path.read_text(encoding="utf-8"))
    assert [case["name"] for case in figures["cases"]] == ["bigram", "tiny-gradient"]
    for case in figures["cases"]:
        own = case["measured"]["arcgrad"]
        assert case["sides"]["arcgrad"] == pytest.approx(np.median(own["wall"]))
        assert own["value_error"] <= 1e-6
        assert own["gradient_error"] <= 1e-5
        for peer, ratio in case["ratios"].items():
            assert ratio == pytest.approx(case["sides"][peer] / case["sides"]["arcgrad"])
    assert figures["machine"]["multiply_adds"] > 0
    assert "tiny-gradient" in capsys.readouterr().out


def test_unknown_case_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--only", "nonsense"]) == 2
    assert "no case is called nonsense" in capsys.readouterr().err


def test_case_without_its_data_is_skipped(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("ARCGRAD_DATA", raising=False)
    assert run(["--quick", "--only", "compose-lexicon"]) == 0
    assert "compose-lexicon    skipped: needs cmudict/cmudict.dict" in capsys.readouterr().out


def contender(value: float, gradient: Any) -> Any:
    from benchmarks.case import Contender, Outcome

    return Contender(lambda step: None, lambda raw: Outcome.of(value, {"X": gradient}), (1e-6, 1e-5))


def case(arcgrad: Any, **peers: Any) -> Any:
    from benchmarks.case import Case, Outcome

    return Case(arcgrad, peers, lambda: Outcome.of(1000.0, {"X": np.ones(3)}), 1.0, 1.0, 1.0)


@pytest.mark.parametrize(("value", "gradient"), [(1000.01, 1.0), (1000.0, 1.001), (np.nan, 1.0), (1000.0, np.nan)])
def test_wrong_results_are_not_timed(value: float, gradient: float) -> None:
    from benchmarks.measure import Disagreement, measure

    right, wrong = contender(1000.0005, np.ones(3)), contender(value, np.array([1.0, gradient, 1.0]))
    with pytest.raises(Disagreement):
        measure(case(wrong), 0.0)
    sides, remarks = measure(case(right, other=wrong), 0.0)
    if value == 1000.0:
        assert list(sides) == ["arcgrad", "other"]
        assert "other's gradient is off" in remarks[0]
    else:
        assert list(sides) == ["arcgrad"]
        assert "other computes something else" in remarks[0]


def test_failing_peer_stops_nobody() -> None:
    from benchmarks.case import Contender, Outcome
    from benchmarks.measure import measure

    broken = Contender(lambda step: 1 // 0, Outcome.of)
    right = contender(1000.0, np.ones(3))
    sides, remarks = measure(case(right, broken=broken, other=right), 0.0)
    assert list(sides) == ["arcgrad", "other"]
    assert len(sides["other"].cpu) == 3
    assert remarks == ["broken failed: ZeroDivisionError: integer division or modulo by zero"]


def test_no_two_calls_get_the_same_inputs() -> None:
    from benchmarks.case import Contender, Outcome
    from benchmarks.measure import measure

    steps: list[int] = []
    measure(case(Contender(steps.append, lambda raw: Outcome.of(1000.0))), 0.0)
    assert steps == list(range(len(steps)))


def test_references_agree_with_the_interpreter() -> None:
    from benchmarks.graphs import backoff_model, chain_crf, lattice
    from benchmarks.reference import graph_score, log_normaliser, trellis_score

    random = np.random.default_rng(3)
    for model in (backoff_model(3, 4, 5, random), chain_crf(random.normal(size=(3, 3)))):
        frames = random.normal(size=(4, 3))
        truth, gradient = ag.compile("LSE[X ∘ Y]", mode="interpret").value_and_grad(X=frames, Y=model)
        value, by_frames, by_arcs = trellis_score(model, frames)
        assert value == pytest.approx(truth)
        np.testing.assert_allclose(by_frames, gradient["X"], atol=1e-12)
        np.testing.assert_allclose(by_arcs, gradient["Y"], atol=1e-12)
    graph = lattice(12, 3, 4, random)
    truth, gradient = ag.compile("LSE[A]", mode="interpret").value_and_grad(A=graph)
    value, by_arcs = graph_score(graph)
    assert value == pytest.approx(truth)
    np.testing.assert_allclose(by_arcs, gradient["A"], atol=1e-12)
    values, shares = log_normaliser(random.normal(size=(2, 4, 3)).astype(np.float32) * 50)
    assert np.all(np.isfinite(values))
    np.testing.assert_allclose(shares.sum(axis=-1), 1.0)


def test_graphs_have_the_sizes_that_the_titles_name() -> None:
    from benchmarks.graphs import backoff_model, ctc_target, dense_model, tokens

    random = np.random.default_rng(0)
    trigram, backoff = dense_model(3, 28, random), backoff_model(28, 400, 3000, random)
    assert (trigram.n_states, trigram.n_arcs) == (784, 21952)
    assert (backoff.n_states, backoff.n_arcs) == (429, 3856)
    # A target's graph is the token graph composed with it, whichever way it is made.
    labels, frames = np.array([1, 1, 2]), random.normal(size=(6, 3))
    composed = ag.compile("LSE[X ∘ (T ∘ Y)]", mode="interpret")(X=frames, T=tokens(3), Y=ag.linear(labels))
    assert ag.compile("LSE[X ∘ Y]", mode="interpret")(X=frames, Y=ctc_target(labels)) == pytest.approx(composed)


def test_lexicon_reads_a_pronouncing_dictionary(tmp_path: Path) -> None:
    from benchmarks.graphs import lexicon

    path = tmp_path / "words.dict"
    path.write_text("a AH0\na(2) EY1\nan AE1 N # a comment\n", encoding="utf-8")
    graph, n_words = lexicon(path)
    assert n_words == 2
    assert ag.isomorphic(
        graph,
        ag.Graph.from_arcs([(0, 0, 0, 0, 0.0), (0, 0, 1, 0, 0.0), (0, 1, 2, 1, 0.0), (1, 0, 3, -1, 0.0)], accept=[0]),
    )


def test_scaling_finds_the_exponent() -> None:
    from benchmarks.scaling import slope

    assert slope([{"size": n, "seconds": 1e-6 * n**2} for n in (10, 100, 1000)]) == pytest.approx(2.0)
    assert slope([{"size": 1, "seconds": 1.0}]) is None


def test_plot_draws_a_file(tmp_path: Path) -> None:
    matplotlib: ModuleType = pytest.importorskip("matplotlib")
    assert matplotlib.__name__ == "matplotlib"
    from benchmarks.report import plot

    curve = {"name": "frames", "points": [{"size": 1, "seconds": 1.0, "bytes": None}], "slope": None}
    plot([], [curve], tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 0


def test_start_up_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.startup import measure

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    first = measure("warm-up", str(tmp_path), {"ARCGRAD_COMPILE": "background"})
    assert 0 < first["compiled here"] < 30
    second = measure("a second process", str(tmp_path))
    assert second["compiled here"] == 0
    assert second["cpu"] < 1.5  # 0.3 s on an idle machine
