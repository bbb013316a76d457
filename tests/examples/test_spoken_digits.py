"""The example that recognises spoken digits: its parts against oracles, and a short run on recordings made of tones."""

from __future__ import annotations

import itertools
import os
import wave
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from support.examples import load

import arcgrad as ag

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.slow

DICTIONARY = """\
zero Z IH1 R OW0
zero(2) Z IY1 R OW0
zeroes Z IH1 R OW0 Z
one W AH1 N # a comment
two T UW1
three TH R IY1
four F AO1 R
five F AY1 V
six S IH1 K S
seven S EH1 V AH0 N
eight EY1 T
nine N AY1 N
"""
SHARED = Path(os.environ.get("ARCGRAD_DATA") or Path(__file__).parents[2] / "../shared/data").resolve()


@pytest.fixture(scope="module")
def example() -> ModuleType:
    return load("spoken_digits")


@pytest.fixture(scope="module")
def data(example: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the example wants it: of each digit ten recordings of one speaker, a tone for each letter."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "cmudict").mkdir()
    (folder / "cmudict" / "cmudict.dict").write_text(DICTIONARY, encoding="utf-8")
    recordings = folder / "fsdd" / "recordings"
    recordings.mkdir(parents=True)
    random = np.random.default_rng(0)
    for digit, number in itertools.product(range(10), range(10)):
        pitches = [300 + 120 * (ord(letter) - ord("a")) for letter in example.WORDS[digit]]
        time = np.arange(480) / 8000
        tones = np.concatenate([np.sin(2 * np.pi * pitch * time) for pitch in pitches])
        samples = (8000 * tones + 30 * random.standard_normal(len(tones))).astype("<i2")
        with wave.open(str(recordings / f"{digit}_ann_{number}.wav"), "wb") as file:
            file.setparams((1, 2, 8000, len(samples), "NONE", ""))
            file.writeframes(samples.tobytes())
    return folder


def test_a_short_run_learns_what_torch_learns(
    example: ModuleType, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "plot.svg"
    equation, other = example.main(["--quick", "--data", str(data), "--threads", "1", "--plot", str(picture)])
    assert len(equation.history) == 20
    np.testing.assert_allclose(equation.history, other.history, rtol=1e-3)
    assert np.mean(equation.history[-5:]) < 0.5 * np.mean(equation.history[:5])
    assert [step for step, _ in equation.errors] == [10, 20]
    assert all(0 < loss < step for step, loss in equation.seconds)
    out = capsys.readouterr().out
    assert "step   20 of 20" in out
    assert "as the network of the equation heard them" in out
    assert "word errors     a step   its loss   share" in out
    assert picture.read_text(encoding="utf-8").startswith("<?xml")
    assert picture.stat().st_size < 100_000


@pytest.mark.parametrize("kind", ["letters", "phones"])
def test_losses_and_gradients_are_torchs(example: ModuleType, data: Path, kind: str) -> None:
    spelling = example.read_spelling(kind, data / "cmudict" / "cmudict.dict")
    random = np.random.default_rng(1)
    texts = [example.Text("ann", tuple(random.integers(10, size=n).tolist())) for n in (2, 3, 5, 2)]
    lengths = torch.tensor([60, 80, 80, 70])
    scores = torch.from_numpy(random.normal(size=(4, 80, spelling.n_labels)))
    found = []
    for losses in example.make_losses(spelling, texts).values():
        leaf = scores.clone().requires_grad_()
        value = losses(leaf, lengths, [2, 0, 1, 3])
        value.sum().backward()
        found.append((value.detach(), leaf.grad))
    assert bool((found[0][0] > 10).all())
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_pronunciations_are_summed_over(example: ModuleType, data: Path) -> None:
    """The oracle: torch's loss of each way to spell the words."""
    spelling = example.read_spelling("phones", data / "cmudict" / "cmudict.dict")
    assert [len(spellings) for spellings in spelling.of.values()] == [2, *[1] * 9]
    digits = (0, 8, 0)
    scores = torch.from_numpy(np.random.default_rng(2).normal(size=(1, 40, spelling.n_labels)))
    losses = example.make_losses(spelling, [example.Text("ann", digits)], pronunciations=True)
    found = losses[example.EQUATION](scores, torch.tensor([40]), [0])
    ways = [list(itertools.chain(*way)) for way in itertools.product(*(spelling.of[digit] for digit in digits))]
    assert len(ways) == 4
    each = [
        torch.nn.functional.ctc_loss(
            scores.log_softmax(-1).transpose(0, 1), torch.tensor([way]), [40], [len(way)], reduction="sum"
        )
        for way in ways
    ]
    torch.testing.assert_close(found[0], -torch.logsumexp(-torch.stack(each), 0), rtol=1e-9, atol=0)


def test_the_decoder_finds_the_best_of_all_words(example: ModuleType, data: Path) -> None:
    """The oracle: the best alignment of each sequence of words that fits into so few frames."""
    spelling = example.read_spelling("phones", data / "cmudict" / "cmudict.dict")
    graphs = spelling.graphs()
    texts = [text for n in (2, 3) for text in itertools.product(range(10), repeat=n)]
    ways = [
        (t, list(itertools.chain(*way)))
        for t in texts
        for way in itertools.product(*(spelling.of[digit] for digit in t))
    ]
    alignments = ag.graphs.alignments([labels for _, labels in ways])
    best = ag.compile("MAX[X ∘ Y]")
    scores = 3 * np.random.default_rng(3).normal(size=(4, 8, spelling.n_labels))
    lengths = [8, 7, 8, 6]
    heard = example.decode(torch.from_numpy(scores), torch.tensor(lengths), graphs)
    for frames, length, digits in zip(scores, lengths, heard, strict=True):
        values = np.asarray(best(X=ag.dense(frames[:length]), Y=alignments))
        assert tuple(digits) == ways[int(values.argmax())][0]
    assert len({tuple(digits) for digits in heard}) > 1


def test_the_decoder_reads_two_to_five_words(example: ModuleType) -> None:
    spelling = example.read_spelling("letters", Path())
    random = np.random.default_rng(5)
    for n in range(1, 7):
        digits = random.integers(10, size=n).tolist()
        labels = [[label, 0] for label in spelling.labels(digits)]  # a blank between any two
        scores = torch.from_numpy(8 * np.eye(spelling.n_labels)[list(itertools.chain(*labels))])
        (heard,) = example.decode(scores[None], torch.tensor([len(scores)]), spelling.graphs())
        assert (heard == digits) == (2 <= n <= 5)
        assert 2 <= len(heard) <= 5 or n == 1


def test_too_short_for_two_words_is_nothing(example: ModuleType) -> None:
    spelling = example.read_spelling("letters", Path())
    assert example.decode(torch.zeros(1, 5, spelling.n_labels), torch.tensor([5]), spelling.graphs()) == [[]]


def test_word_error_rate(example: ModuleType) -> None:
    random = np.random.default_rng(4)
    said = [random.integers(4, size=n).tolist() for n in random.integers(1, 6, 40)]
    heard = [random.integers(4, size=n).tolist() for n in random.integers(0, 6, 40)]

    def distance(one: list[int], other: list[int]) -> int:
        row = list(range(len(other) + 1))
        for i, a in enumerate(one, 1):
            diagonal, row[0] = row[0], i
            for j, b in enumerate(other, 1):
                diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (a != b))
        return row[-1]

    expected = sum(map(distance, said, heard)) / sum(map(len, said))
    assert example.word_error_rate(said, heard) == pytest.approx(expected, rel=1e-12)
    assert example.word_error_rate(said, said) == 0 < expected


def test_features_do_not_depend_on_the_batch_and_show_the_pitch(example: ModuleType) -> None:
    time = torch.arange(4000) / 8000
    waves = [torch.sin(2 * torch.pi * 1000 * time), torch.sin(2 * torch.pi * 3000 * time[:2400])]
    both, lengths = example.features(waves)
    assert lengths.tolist() == [50, 30]
    assert both.shape == (2, 50, 32)
    assert not both[1, 30:].any()
    alone, _ = example.features(waves[1:])
    torch.testing.assert_close(both[1, :28], alone[0, :28], rtol=0, atol=0.2)  # its last frames see the padding
    # Where half of it is one tone and half another, each band is above its mean while its tone sounds.
    (mixed,), _ = example.features([torch.cat([waves[0][:2000], waves[1][:2000]])])
    mel = 2595 * np.log10(1 + np.array([60, 4000, 1000, 3000]) / 700)  # 32 bands between the first two
    bands = np.round(33 * (mel[2:] - mel[0]) / (mel[1] - mel[0])).astype(int) - 1
    assert bool((mixed[2:22, bands[0]] > 0.5).all() and (mixed[28:48, bands[0]] < -0.5).all())
    assert bool((mixed[2:22, bands[1]] < -0.5).all() and (mixed[28:48, bands[1]] > 0.5).all())


def test_held_out_recordings_are_not_trained_on(example: ModuleType, data: Path) -> None:
    train, test = example.read_recordings(data / "fsdd" / "recordings")
    assert {len(found) for found in train.values()} == {len(found) for found in test.values()} == {5}
    assert len(train) == len(test) == 10
    seen = {tuple(samples.tolist()) for found in train.values() for samples in found}
    assert not any(tuple(samples.tolist()) in seen for found in test.values() for samples in found)
    few, _ = example.read_recordings(data / "fsdd" / "recordings", 2)
    assert {len(found) for found in few.values()} == {2}


def test_missing_data_and_wrong_options_are_said(
    example: ModuleType, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ARCGRAD_DATA", raising=False)
    with pytest.raises(SystemExit):
        example.main([])
    assert "--data FOLDER, or ARCGRAD_DATA" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        example.main(["--data", str(data), "--steps", "1"])
    assert "--steps is 5 or more" in capsys.readouterr().err
    with pytest.raises(SystemExit, match=r"holds no recordings such as[^$]*git clone"):
        example.main(["--data", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"there is no .*cmudict\.dict; get it from"):
        example.read_spelling("phones", tmp_path / "cmudict.dict")


def test_the_public_recordings(example: ModuleType) -> None:
    """The data set itself, where it is: what its page says of it, and that a few steps can be taken."""
    folder = SHARED / "fsdd" / "recordings"
    if not folder.is_dir():
        pytest.skip(f"the Free Spoken Digit Dataset is not in {SHARED}; ARCGRAD_DATA says where it is")
    train, test = example.read_recordings(folder)
    assert len(train) == len(test) == 60
    assert {len(found) for found in train.values()} == {45}
    assert {len(found) for found in test.values()} == {5}
    learner = example.main(["--quick", "--steps", "5", "--alone", "--data", str(SHARED), "--threads", "1"])[0]
    assert learner.history[-1] < learner.history[0]
    phones = SHARED / "cmudict" / "cmudict.dict"
    if phones.exists():
        assert len(example.read_spelling("phones", phones).symbols) == 19
