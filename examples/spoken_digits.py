"""Recognise spoken digits: train a network in PyTorch with a loss that is an equation, and decode with another one.

    LSE[X] - LSE[X ∘ Y]           the loss: −log p(Y), CTC
    PATH[X ∘ (T ∘ L ∘ G)]         the decoder

X are the network's scores, one for each letter and the blank at each frame of 20 ms; Y all alignments of what was said.
T merges repeated letters and drops blanks, L spells words, and G says which sequences of words there are: two to five
digits. Both run over the frames of a batch; neither composition with X is ever built. Beside it, a network with the
same weights learns from the same batches by torch's own ctc_loss, to compare losses, word errors and times.

The data: the Free Spoken Digit Dataset, 3,000 recordings of six speakers, CC BY-SA 4.0
(https://github.com/Jakobovski/free-spoken-digit-dataset), and for --targets phones the CMU Pronouncing Dictionary
(https://github.com/cmusphinx/cmudict). They are not part of this repository: put them into a folder as
fsdd/recordings/*.wav and cmudict/cmudict.dict, and say where it is. Utterances are two to five recordings of one
speaker with short silences between them. As the data set's authors have it, recordings 0 to 4 of each digit and speaker
are held out for the test; all speakers are heard in training.

Run: python examples/spoken_digits.py --data FOLDER (or ARCGRAD_DATA=FOLDER), see --help. Needs torch; --plot
matplotlib, too.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from speech.data import MELS, Recordings, Text, draw_texts, features, read_recordings, say
from torch import Tensor, nn

import arcgrad as ag

STRIDE = 2  # frames of features to one of scores
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
FEWEST_STEPS = 5  # that the schedule of the learning rate can do with
EQUATION = "LSE[X] - LSE[X ∘ Y]"

LOSS = ag.torch.compile(f"{EQUATION}  # the negative log-likelihood of the target Y")
DECODER = ag.compile("PATH[X ∘ (T ∘ L ∘ G)]")
ALIGNMENTS = ag.compile("in[T ∘ (L ∘ W)]  # the alignments of all spellings of the words W")
EDITS = ag.compile("-MAX[A ∘ E ∘ B]  # the edit distance of A and B")

Losses = Callable[[Tensor, Tensor, Sequence[int]], Tensor]


# Words and what they are spelled with.


@dataclass(frozen=True)
class Spelling:
    """Letters or phones: label 0 is the blank, label 1 + i is symbols[i]."""

    symbols: list[str]
    of: dict[int | str, list[list[int]]]  # of each digit, its spellings

    @property
    def n_labels(self) -> int:
        return 1 + len(self.symbols)

    def labels(self, digits: Sequence[int]) -> list[int]:
        """The first spelling of each digit, one after the other."""
        return [label for digit in digits for label in self.of[digit][0]]

    def graphs(self) -> dict[str, ag.Graph]:
        """T, L and G of the decoder."""
        digits = ag.graphs.string_map([((digit,), (digit,)) for digit in range(len(WORDS))])
        return {
            "T": ag.graphs.ctc_topology(self.n_labels),
            "L": ag.graphs.lexicon(self.of, repeat=True),
            "G": ag.compile("minimize[D{2,5}]")(D=digits),
        }


def read_spelling(kind: str, dictionary: Path) -> Spelling:
    """Letters, or the phones of CMU's dictionary without their stress; there, zero has two pronunciations."""
    if kind == "letters":
        texts: list[list[list[str]]] = [[list(word)] for word in WORDS]
    elif dictionary.exists():
        pronounced: dict[str, list[list[str]]] = {word: [] for word in WORDS}
        for line in dictionary.read_text(encoding="utf-8").splitlines():
            word, *phones = line.partition("#")[0].split() or [""]
            if word.partition("(")[0] in pronounced:
                pronounced[word.partition("(")[0]].append([phone.rstrip("012") for phone in phones])
        texts = list(pronounced.values())
    else:
        sys.exit(f"there is no {dictionary}; get it from https://github.com/cmusphinx/cmudict, or train on letters")
    symbols = sorted({symbol for spellings in texts for text in spellings for symbol in text})
    label = {symbol: 1 + i for i, symbol in enumerate(symbols)}
    return Spelling(symbols, {digit: [[label[s] for s in text] for text in given] for digit, given in enumerate(texts)})


# The network, and what it learns by.


class Network(nn.Module):
    """Two convolutions over time, a GRU in both directions, and a score for each label every 20 ms."""

    def __init__(self, n_labels: int, width: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv1d(MELS, width, 5, stride=STRIDE, padding=2), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.2),
            nn.Conv1d(width, width, 5, padding=2), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.2),
        )  # fmt: skip
        self.gru = nn.GRU(width, 2 * width // 3, num_layers=2, dropout=0.2, batch_first=True, bidirectional=True)
        self.last = nn.Linear(4 * width // 3, n_labels)

    def forward(self, spectra: Tensor) -> Tensor:
        """Scores (B, T / 2, n_labels) of spectra (B, T, MELS)."""
        hidden = self.convolutions(spectra.transpose(1, 2)).transpose(1, 2)
        scores: Tensor = self.last(self.gru(hidden)[0])
        return scores


def equation_loss(graphs: Sequence[ag.Graph]) -> Losses:
    """The equation; the graph of each text of the corpus is made once, before training."""
    return lambda scores, lengths, chosen: LOSS(X=(scores, lengths), Y=[graphs[i] for i in chosen])


def torch_loss(targets: Sequence[Sequence[int]]) -> Losses:
    """torch's own loss, with the log_softmax that the equation has as LSE[X]."""
    tensors = [torch.tensor(target) for target in targets]

    def loss(scores: Tensor, lengths: Tensor, chosen: Sequence[int]) -> Tensor:
        given = [tensors[i] for i in chosen]
        counts = torch.tensor([len(target) for target in given])
        log_probs = scores.log_softmax(-1).transpose(0, 1)
        return nn.functional.ctc_loss(log_probs, torch.cat(given), lengths, counts, reduction="none")

    return loss


def make_losses(spelling: Spelling, texts: Sequence[Text], *, pronunciations: bool = False) -> dict[str, Losses]:
    """The losses to compare, by name; with ``pronunciations`` the equation sums over all spellings of each word."""
    targets = [spelling.labels(text.digits) for text in texts]
    if pronunciations:
        given = spelling.graphs()
        graphs = ALIGNMENTS(T=given["T"], L=given["L"], W=[ag.linear(text.digits) for text in texts])
    else:
        graphs = ag.graphs.alignments(targets, n_labels=spelling.n_labels)
    return {EQUATION: equation_loss(graphs), "torch's ctc_loss": torch_loss(targets)}


@dataclass
class Learner:
    """A network with its loss and optimiser, and what is to be told of it."""

    name: str
    network: Network
    losses: Losses
    steps: int
    clock: Callable[[], float] = time.perf_counter
    history: list[float] = field(default_factory=list)  # the mean loss of each step, nats a label
    errors: list[tuple[int, float]] = field(default_factory=list)  # after so many steps, the word error rate
    seconds: list[tuple[float, float]] = field(default_factory=list)  # of each step, and of its loss

    def __post_init__(self) -> None:
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=4e-3, weight_decay=1e-2)
        warming = max(0.2, 2 / self.steps)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, 4e-3, total_steps=self.steps, pct_start=warming
        )

    def step(self, spectra: Tensor, lengths: Tensor, chosen: Sequence[int], labels: int) -> None:
        """One step on a batch: utterances of these texts, with so many labels in all."""
        begin = self.clock()
        self.network.train()
        scores = self.network(spectra)
        # The graph of autograd is cut here, so that the time of the loss and its gradient is known alone.
        leaf = scores.detach().requires_grad_()
        before = self.clock()
        loss = self.losses(leaf, lengths, chosen).sum() / labels
        loss.backward()  # type: ignore[no-untyped-call]
        after = self.clock()
        self.optimizer.zero_grad()
        scores.backward(leaf.grad)
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.schedule.step()
        self.history.append(loss.item())
        self.seconds.append((self.clock() - begin, after - before))

    @property
    def typical(self) -> tuple[float, float]:
        """Milliseconds of a step and of its loss: medians, so that the first steps, with compilation, do not count."""
        step, loss = 1e3 * np.median(self.seconds, axis=0)
        return float(step), float(loss)


# The test.


def decode(scores: Tensor, lengths: Tensor, graphs: dict[str, ag.Graph]) -> list[list[int]]:
    """The digits on the best path of each utterance; none where it is too short for two."""
    paths = DECODER(X=ag.dense(scores.numpy(), lengths.numpy()), **graphs)
    return [path.olabel[path.olabel >= 0].tolist() for path in paths]


def word_error_rate(said: Sequence[Sequence[int]], heard: Sequence[Sequence[int]]) -> float:
    """Insertions, deletions and substitutions for each word that was said."""
    pairs = {"A": [ag.linear(words) for words in said], "B": [ag.linear(words) for words in heard]}
    return float(np.sum(EDITS(E=ag.graphs.edits(10), **pairs)) / sum(map(len, said)))


@dataclass(frozen=True)
class Test:
    """Utterances of held-out recordings, in batches of about the same length."""

    batches: list[tuple[Tensor, Tensor, list[tuple[int, ...]]]]

    @classmethod
    def make(cls, recordings: Recordings, count: int, random: np.random.Generator) -> Test:
        texts = draw_texts(recordings, count, random)
        said = sorted(((say(recordings, text, random), text.digits) for text in texts), key=lambda pair: len(pair[0]))
        parts = [said[i : i + 50] for i in range(0, count, 50)]
        return cls([(*features([wave for wave, _ in part]), [digits for _, digits in part]) for part in parts])

    def run(self, network: Network, graphs: dict[str, ag.Graph]) -> tuple[float, list[Any], list[list[int]]]:
        """The word error rate, what was said, and what was heard."""
        network.eval()
        said: list[Any] = []
        heard: list[list[int]] = []
        with torch.no_grad():
            for spectra, lengths, digits in self.batches:
                heard += decode(network(spectra), scored(lengths), graphs)
                said += digits
        return word_error_rate(said, heard), said, heard


def scored(lengths: Tensor) -> Tensor:
    """How many frames of scores the network gives for so many frames of features."""
    return (lengths + STRIDE - 1) // STRIDE


# All of it.


def progress(step: int, steps: int, learners: Sequence[Learner], begin: float) -> None:
    """One line that says how far it is; on a terminal it is overwritten by the next."""
    bar = ("█" * (20 * step // steps)).ljust(20, "·")
    told = "   ".join(
        f"loss {np.mean(learner.history[-20:]):6.3f}"
        + (f" word errors {e[-1][1]:6.1%}" if (e := learner.errors) else "")
        for learner in learners
    )
    is_terminal = sys.stdout.isatty()
    if is_terminal or (learners[0].errors and learners[0].errors[-1][0] == step):
        line = f"{bar} step {step:4} of {steps}   {told}   {time.perf_counter() - begin:4.0f} s"
        print(("\r" if is_terminal else "") + line, end="" if is_terminal and step < steps else "\n", flush=True)


def report(learners: Sequence[Learner]) -> str:
    """The table of figures."""
    lines = [f"{'':24}{'loss, nats':>12}{'word errors':>13}{'a step':>11}{'its loss':>11}{'share':>8}"]
    for learner in learners:
        step, loss = learner.typical
        last = float(np.mean(learner.history[-50:]))
        line = (
            f"{learner.name:24}{last:12.4f}{learner.errors[-1][1]:13.2%}{step:8.1f} ms{loss:8.2f} ms{loss / step:8.1%}"
        )
        lines.append(line)
    return "\n".join(lines)


def plot(learners: Sequence[Learner], path: Path) -> None:
    """Losses, word error rates and times, into a file."""
    try:
        import matplotlib
    except ImportError:
        sys.exit("--plot needs matplotlib: pip install matplotlib, or arcgrad[examples]")
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "arcgrad"
    from matplotlib import pyplot

    figure, (left, middle, right) = pyplot.subplots(1, 3, figsize=(11, 3.2), layout="constrained")
    for learner, style in zip(learners, ("-", "--"), strict=False):
        smooth = np.convolve(learner.history, np.ones(10) / 10, "valid")
        left.semilogy(np.arange(len(smooth)) + 10, smooth, style, label=learner.name)
        middle.plot(*zip(*learner.errors, strict=True), style, marker=".")
    left.set(xlabel="step", title="training loss, nats a label")
    left.legend()
    middle.set(xlabel="step", yscale="log", title="word error rate, held-out recordings")
    names = [learner.name for learner in learners]
    bars = right.barh(names, [learner.typical[1] for learner in learners], color=["C0", "C1"][: len(learners)])
    right.bar_label(
        bars, [f"{loss:.2f} ms, {loss / step:.1%}" for step, loss in (le.typical for le in learners)], padding=3
    )
    right.set(xlabel="ms", title="loss and gradient, of a step", xlim=(0, 1.6 * max(le.typical[1] for le in learners)))
    right.invert_yaxis()
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def main(arguments: Sequence[str] | None = None) -> list[Learner]:
    """Train, test, compare; what was learned."""
    parser = argparse.ArgumentParser(description="Train a recogniser of spoken digits, with the loss as an equation.")
    folder = os.environ.get("ARCGRAD_DATA")
    parser.add_argument("--data", type=Path, default=folder, help="folder with fsdd/ and cmudict/ (or ARCGRAD_DATA)")
    parser.add_argument("--targets", choices=("letters", "phones"), default="letters")
    parser.add_argument("--pronunciations", action="store_true", help="the equation sums over all spellings of a word")
    parser.add_argument(
        "--alone", action="store_true", help="train with the equation only, not with torch's loss beside it"
    )
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--width", type=int, default=96)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plot", type=Path, help="a file, .svg or .png")
    parser.add_argument("--quick", action="store_true", help="a few steps on a few recordings: to see that it runs")
    options = parser.parse_args(arguments)
    if options.data is None:
        parser.error("where are the data? --data FOLDER, or ARCGRAD_DATA; --help and the top of this file say more")
    if options.steps < FEWEST_STEPS or options.batch < 1 or options.threads < 1:
        parser.error(f"--steps is {FEWEST_STEPS} or more, --batch and --threads 1 or more")
    if options.quick:
        options.steps, options.batch, options.width = min(options.steps, 20), 8, 48
    torch.set_num_threads(options.threads)

    begin = time.perf_counter()
    train, held_out = read_recordings(options.data / "fsdd" / "recordings", 3 if options.quick else 1000)
    spelling = read_spelling(options.targets, options.data / "cmudict" / "cmudict.dict")
    random = np.random.default_rng(options.seed)
    test = Test.make(held_out, 20 if options.quick else 300, random)
    texts = draw_texts(train, 100 if options.quick else 2000, random)
    graphs = spelling.graphs()
    # Of one thread the processor's time is taken: other programs do not lengthen it.
    clock = time.process_time if options.threads == 1 else time.perf_counter
    learners = []
    losses = make_losses(spelling, texts, pronunciations=options.pronunciations)
    for name in [EQUATION] if options.alone else losses:
        torch.manual_seed(options.seed)
        network = Network(spelling.n_labels, options.width)
        learners.append(Learner(name, network, losses[name], options.steps, clock))

    for step in range(1, options.steps + 1):
        size = 2 + int(random.integers(4))  # all of a batch have as many digits, so that little of it is padding
        alike = [i for i, text in enumerate(texts) if len(text.digits) == size]
        chosen = random.choice(alike, options.batch).tolist()
        spectra, lengths = features([say(train, texts[i], random) for i in chosen])
        labels = sum(len(spelling.labels(texts[i].digits)) for i in chosen)
        for learner in learners if step % 2 else learners[::-1]:
            torch.manual_seed(step)  # the same units are dropped
            learner.step(spectra, scored(lengths), chosen, labels)
        if step % max(1, options.steps // (2 if options.quick else 10)) == 0:
            for learner in learners:
                learner.errors.append((step, test.run(learner.network, graphs)[0]))
        progress(step, options.steps, learners, begin)

    print("\nSome utterances, as the network of the equation heard them:\n")
    _, said, heard = test.run(learners[0].network, graphs)
    wrong = [i for i, digits in enumerate(heard) if digits != list(said[i])]
    for i in dict.fromkeys([0, len(said) // 2, len(said) - 1, *wrong[:2]]):
        truth = "" if i not in wrong else f"   (wrong: it was {' '.join(WORDS[d] for d in said[i])})"
        print(f"    {' '.join(WORDS[d] for d in heard[i])}{truth}")
    print(f"\n{report(learners)}\n")
    print(
        f"{sum(map(len, said))} words of {len(said)} utterances were tested; "
        f"{time.perf_counter() - begin:.0f} s in all, {time.process_time():.0f} s of processor time"
    )
    if options.plot is not None:
        plot(learners, options.plot)
    return learners


if __name__ == "__main__":
    main()
