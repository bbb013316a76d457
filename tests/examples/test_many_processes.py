"""The examples of several processes: DistributedDataParallel, and a Dask cluster that loses a worker."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
from support.examples import FOLDER, load

import arcgrad as ag

pytestmark = pytest.mark.slow


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """New processes get this one's path, and import what they are to do by the name of its module."""
    monkeypatch.syspath_prepend(str(FOLDER))


def test_ddp_training_gives_every_process_the_gradients_of_one(
    importable: None, capsys: pytest.CaptureFixture[str]
) -> None:
    torch = pytest.importorskip("torch")
    if not (torch.distributed.is_available() and torch.distributed.is_gloo_available()):
        pytest.skip("this torch is built without gloo")
    import ddp_training

    many, one = ddp_training.main(["--steps", "8"])
    assert len(many) == 2
    assert len(one.gradients) == 8
    for outcome in many:
        np.testing.assert_allclose(outcome.losses, one.losses, rtol=1e-10)
        assert torch.equal(outcome.parameters, many[0].parameters)
        for mine, theirs, whole in zip(outcome.gradients, many[0].gradients, one.gradients, strict=True):
            assert torch.equal(mine, theirs)
            torch.testing.assert_close(mine, whole, rtol=1e-9, atol=1e-9)
            assert mine[:30].abs().max() > 1e-3  # those of the layer, and of the graph
            assert mine[30:].abs().max() > 1e-3
    assert one.losses[-1] < one.losses[0]
    assert "the gradients of 2 processes differ by 0e+00" in capsys.readouterr().out


def test_ddp_shares_are_halves_of_the_batch() -> None:
    """Without processes: the mean of the gradients of both shares is that of the batch, and they differ."""
    pytest.importorskip("torch")
    example = load("ddp_training")
    seen, tags = example.draw(0)
    found = []
    for part in (slice(0, None, 2), slice(1, None, 2), slice(None)):
        example.torch.manual_seed(0)
        tagger = example.Tagger()
        tagger(seen[part], tags[part]).backward()
        found.append(tagger.loss.weights["G"].grad)
    example.torch.testing.assert_close((found[0] + found[1]) / 2, found[2], rtol=1e-9, atol=1e-9)
    assert (found[0] - found[1]).abs().max() > 1e-3


def test_ddp_refuses_uneven_shares(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    with pytest.raises(SystemExit):
        load("ddp_training").main(["--processes", "3"])
    assert "--processes 3 does not divide the batch of 16" in capsys.readouterr().err


SCORE = """
import numpy as np
import arcgrad as ag
import dask_scoring as example

lattices, grammar = example.make_corpus(24)
equation = example.EQUATION
ag.warmup(equation, A=lattices[:2], G=grammar)
values, found = example.score_corpus(lattices, grammar, kill=True, pause=0.05)
alone = np.asarray(equation(A=lattices, G=grammar))
np.testing.assert_array_equal(values, alone)
assert np.isfinite(alone).all()
assert len(set(alone.tolist())) == len(alone)
assert len(found) == 8
killed = found[3].worker  # what it had not handed over by then is computed again
assert all(result.worker != killed for result in found[4:])
assert all(result.compiled == 0 and result.loaded > 0 for result in found), found
"""


def test_a_dask_cluster_loses_a_worker_and_no_result() -> None:
    """In a process of its own: what is compiled in one, and what only on disk, depends on all that it ran before."""
    pytest.importorskip("distributed", reason="needs dask and distributed: arcgrad[dask]")
    path = os.pathsep.join([str(FOLDER), *filter(None, [os.environ.get("PYTHONPATH")])])
    ran = subprocess.run(
        [sys.executable, "-c", SCORE], env={**os.environ, "ARCGRAD_THREADS": "1", "PYTHONPATH": path},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]


def test_dask_shards_cost_about_the_same() -> None:
    example = load("dask_scoring")
    costs = np.random.default_rng(0).integers(1, 100, 60).tolist()
    for count in (1, 2, 7, 60):
        shards = example.cut(costs, count)
        assert sorted(itertools.chain(*shards)) == list(range(60))
        sums = [sum(costs[i] for i in shard) for shard in shards]
        assert len(sums) == count
        assert max(sums) - min(sums) <= max(costs)
    assert example.cut([1.0, 2.0], 5) == [[1], [0]]


def test_dask_costs_are_arcs_of_the_composition() -> None:
    example = load("dask_scoring")
    lattices, grammar = example.make_corpus(3)
    for lattice in lattices:
        built = ag.compile("A ∘ G")(A=lattice, G=grammar)
        assert example.EQUATION.explain(A=lattice, G=grammar).arc_frames == built.n_arcs + lattice.n_arcs
