"""Align text to sound: train a network in JAX to say how a text sounds, until it knows which frames are which sound.

    LSE[Z ∘ (a⁺ b⁺ c⁺)]           log p(frames | text): all ways to stretch the sounds a, b, c over the frames
    MAX[Z ∘ (a⁺ b⁺ c⁺)]           the best one; its derivative is the alignment

The text of an utterance is a sequence of sounds, of words and of the silence around them. Of each the network, which
sees its neighbours, too, says what spectrum to expect, and how exactly; Z holds the log-density of each frame of 10 ms
under each sound of the text. The graph takes the sounds in order, each for one frame or more, and depends on their
number alone: the training step, in which graphs are arguments, is traced once for all texts. The derivative of LSE with
respect to Z is the probability that a frame belongs to a sound, the picture's grey.

Sounds are made by rules that nobody tells the network, or are recordings: the Free Spoken Digit Dataset, CC BY-SA 4.0
(https://github.com/Jakobovski/free-spoken-digit-dataset), which is not part of this repository; put it into a folder as
fsdd/recordings/*.wav. Either way the utterances are joined of words, so that it is known where each of them begins,
which the network is tested on, with words of which it has heard no recording in training.

Run: python examples/jax_aligner.py [--data FOLDER (or ARCGRAD_DATA=FOLDER)] [--picture FILE.png], see --help. Needs jax
and optax; the picture matplotlib, too.
"""

from __future__ import annotations

import argparse
import os
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import arcgrad as ag

FORWARD_SUM = ag.jax.compile("LSE[Z ∘ A]  # A = a⁺ b⁺ c⁺")
BEST = ag.jax.compile("MAX[Z ∘ A]")

# By the CMU Pronouncing Dictionary; _ is silence.
WORDS = {
    "zero": "Z IH R OW", "one": "W AH N", "two": "T UW", "three": "TH R IY", "four": "F AO R",
    "five": "F AY V", "six": "S IH K S", "seven": "S EH V AH N", "eight": "EY T", "nine": "N AY N",
}  # fmt: skip
SOUNDS = ["_", *sorted({sound for spelling in WORDS.values() for sound in spelling.split()})]
RATE, HOP, WINDOW, BANDS = 8000, 80, 200, 32  # per second; samples; samples; of the spectrum


@cache
def stretched(n: int) -> ag.Graph:
    """(a⁺ b⁺ c⁺ …) for n sounds, whose labels are 0, 1, 2, …: one arc into each state, and a loop."""
    into, here = np.arange(n), np.arange(1, n + 1)
    return ag.Graph(np.r_[into, here], np.r_[here, here], np.r_[into, into], accept=[n])


# -- what is heard -----------------------------------------------------------------------------------------------------


@dataclass
class Utterance:
    """Frames (T, BANDS), their sounds, and where the words begin: numbers of a frame, and of a sound."""

    frames: np.ndarray
    sounds: list[int]
    begins: list[tuple[int, int]]


class Sayings:
    """Recordings of words, by word: (T, BANDS) frames each."""

    def __init__(self, recordings: dict[str, list[np.ndarray]], silence: np.ndarray, noise: float) -> None:
        self.recordings, self.silence, self.noise = recordings, silence, noise

    def utterance(self, random: np.random.Generator) -> Utterance:
        """Two or three words, with silence before each and after the last."""
        frames, sounds, begins = [self._pause(random)], [0], []
        for word in random.choice(list(WORDS), size=random.integers(2, 4)):
            begins.append((sum(map(len, frames)), len(sounds)))
            spoken = self.recordings[word]
            frames += [spoken[random.integers(len(spoken))], self._pause(random)]
            sounds += [*(SOUNDS.index(sound) for sound in WORDS[word].split()), 0]
        return Utterance(np.concatenate(frames), sounds, begins)

    def _pause(self, random: np.random.Generator) -> np.ndarray:
        n = random.integers(8, 16)
        return (self.silence + self.noise * random.normal(size=(n, BANDS))).astype(np.float32)


def invented(random: np.random.Generator, each: int) -> tuple[Sayings, Sayings]:
    """Recordings to train and to test with of words whose sounds have a spectrum of their own, for 4 to 12 frames."""
    spectra = {sound: random.normal(size=BANDS) for sound in SOUNDS}

    def spoken(word: str) -> np.ndarray:
        parts = [np.tile(spectra[sound], (int(random.integers(4, 13)), 1)) for sound in WORDS[word].split()]
        clean = np.concatenate(parts)
        return (clean + 0.7 * random.normal(size=clean.shape)).astype(np.float32)

    two = ({word: [spoken(word) for _ in range(each)] for word in WORDS} for _ in range(2))
    train, test = (Sayings(recordings, spectra["_"], 0.7) for recordings in two)
    return train, test


def recorded(folder: Path, speakers: Sequence[str]) -> tuple[Sayings, Sayings]:
    """Recordings of these speakers; 0 to 4 of each word, as the data set's authors have it, to test with."""
    found: tuple[dict[str, list[np.ndarray]], ...] = ({}, {})
    for path in sorted((folder / "fsdd" / "recordings").glob("*.wav")):
        digit, speaker, number = path.stem.split("_")
        if speaker in speakers:
            kept = found[int(number) < 5].setdefault(list(WORDS)[int(digit)], [])
            kept.append(spectrum(read(path)))
    if not all(set(each) == set(WORDS) for each in found):
        raise SystemExit(f"no recordings of all words in {folder}/fsdd/recordings")
    whole = np.concatenate([frames for spoken in found[0].values() for frames in spoken])
    mean, scale, silence = whole.mean(axis=0), whole.std(axis=0), np.quantile(whole, 0.02, axis=0)
    train, test = (
        Sayings({w: [(f - mean) / scale for f in spoken] for w, spoken in each.items()}, (silence - mean) / scale, 0.3)
        for each in found
    )
    return train, test


def read(path: Path) -> np.ndarray:
    """The samples of a recording, from −1 to 1."""
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768.0


def spectrum(samples: np.ndarray) -> np.ndarray:
    """(T, BANDS) logarithms of the energy in bands that widen with their frequency."""
    samples = np.pad(samples, (WINDOW // 2, WINDOW))
    windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP] * np.hanning(WINDOW)
    energy = np.abs(np.fft.rfft(windows, 512)) ** 2
    edges = 512 / RATE * 700 * (np.logspace(0, np.log10(1 + RATE / 2 / 700), BANDS + 2) - 1)
    bins = np.arange(energy.shape[1])[:, None]
    rising, falling = (bins - edges[:-2]) / np.diff(edges)[:-1], (edges[2:] - bins) / np.diff(edges)[1:]
    bands: np.ndarray = energy @ np.clip(np.minimum(rising, falling), 0, None)
    return np.log(bands + 1e-5).astype(np.float32)


# -- the network -------------------------------------------------------------------------------------------------------


def network(random: np.random.Generator, width: int) -> dict[str, np.ndarray]:
    """A vector for each sound, and two layers over those of a sound and its neighbours."""
    shapes = {"sounds": (len(SOUNDS), width), "hidden": (3 * width, width), "spectrum": (width, 2 * BANDS)}
    return {
        name: (random.normal(size=(n, m)) * np.sqrt((0.1 if name == "spectrum" else 1.0) / n)).astype(np.float32)
        for name, (n, m) in shapes.items()
    }


def densities(parameters: Any, frames: jax.Array, sounds: jax.Array) -> jax.Array:
    """Z: (B, T, N) log-densities of frames (B, T, BANDS), under each of the sounds (B, N)."""
    x = jnp.pad(parameters["sounds"][sounds], ((0, 0), (1, 1), (0, 0)))
    x = jax.nn.relu(jnp.concatenate([x[:, :-2], x[:, 1:-1], x[:, 2:]], axis=-1) @ parameters["hidden"])
    mean, log_scale = jnp.split(x @ parameters["spectrum"], 2, axis=-1)
    precise = jnp.exp(-2 * log_scale)
    squares = frames**2 @ precise.mT - 2 * frames @ (mean * precise).mT + (mean**2 * precise).sum(-1)[:, None]
    return -0.5 * squares - log_scale.sum(-1)[:, None]


@dataclass
class Batch:
    """Utterances as arrays of one size, so that one program serves all."""

    frames: np.ndarray
    lengths: np.ndarray
    sounds: np.ndarray
    graphs: ag.jax.Graphs

    @classmethod
    def of(cls, utterances: Sequence[Utterance], steps: int, most: int) -> Batch:
        """Padded to so many frames and sounds."""
        frames = np.zeros((len(utterances), steps, BANDS), np.float32)
        sounds = np.zeros((len(utterances), most), np.int32)
        for row, text, each in zip(frames, sounds, utterances, strict=True):
            row[: len(each.frames)], text[: len(each.sounds)] = each.frames[:steps], each.sounds
        lengths = np.array([min(len(each.frames), steps) for each in utterances], np.int32)
        return cls(frames, lengths, sounds, ag.jax.graphs([stretched(len(each.sounds)) for each in utterances]))


class Trainer:
    """A network that learns, and how often its step was traced."""

    def __init__(self, random: np.random.Generator, width: int, steps: int) -> None:
        schedule = optax.cosine_decay_schedule(1e-2, steps)
        self._optimizer = optax.adam(schedule)
        self.parameters: Any = network(random, width)
        self._state = self._optimizer.init(self.parameters)
        self.traced = 0
        self._step = jax.jit(self._traced_step)

    def _traced_step(self, parameters: Any, state: Any, frames: Any, lengths: Any, sounds: Any, graphs: Any) -> Any:
        self.traced += 1

        def loss(parameters: Any) -> jax.Array:
            z = densities(parameters, frames, sounds)
            return -jnp.mean(FORWARD_SUM(Z=(z, lengths), A=graphs) / lengths)

        value, gradient = jax.value_and_grad(loss)(parameters)
        updates, state = self._optimizer.update(gradient, state, parameters)
        return value, optax.apply_updates(parameters, updates), state

    def step(self, batch: Batch) -> float:
        """Learn from a batch; its negative log-likelihood, in nats a frame."""
        given = batch.frames, batch.lengths, batch.sounds, batch.graphs
        value, self.parameters, self._state = self._step(self.parameters, self._state, *given)
        return float(value)


@jax.jit
def aligned(parameters: Any, frames: Any, lengths: Any, sounds: Any, graphs: Any) -> tuple[jax.Array, jax.Array]:
    """(B, T, N): the probability that a frame belongs to a sound, and 1 where the best alignment has it."""
    z = densities(parameters, frames, sounds)
    one, best = (jax.grad(lambda z, f=f: f(Z=(z, lengths), A=graphs).sum())(z) for f in (FORWARD_SUM, BEST))
    return one, best


def errors(best: np.ndarray, utterances: Sequence[Utterance]) -> np.ndarray:
    """How many frames from the truth each word begins."""
    found = []
    for alignment, each in zip(best, utterances, strict=True):
        found += [abs(int(np.argmax(alignment[:, sound] > 0)) - frame) for frame, sound in each.begins]
    return np.array(found)


def picture(file: Path, utterance: Utterance, probabilities: np.ndarray, best: np.ndarray) -> None:
    """Draw the sound, and below it the alignment: grey the probabilities, a line for the best one."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    steps, n = len(utterance.frames), len(utterance.sounds)
    figure, (above, below) = pyplot.subplots(2, 1, sharex=True, figsize=(9, 6), height_ratios=(1, 2), layout="tight")
    above.imshow(utterance.frames.T, aspect="auto", origin="lower", cmap="magma", interpolation="nearest")
    above.set_ylabel("band")
    below.imshow(probabilities[:steps, :n].T, aspect="auto", cmap="Greys", vmin=0, vmax=1, interpolation="nearest")
    below.plot(best[:steps, :n].argmax(axis=1), color="tab:red", linewidth=1, drawstyle="steps-mid", label="best")
    below.set_yticks(range(n), [SOUNDS[sound] for sound in utterance.sounds])
    for axes in (above, below):
        for k, (frame, _) in enumerate(utterance.begins):
            label = "a word begins" if k == 0 and axes is below else None
            axes.axvline(frame - 0.5, color="tab:blue", linestyle=":", linewidth=1, label=label)
    below.set_xlabel("frame of 10 ms")
    below.legend(loc="lower left", fontsize="small")
    figure.savefig(file, dpi=120)
    pyplot.close(figure)


def main(arguments: Sequence[str] | None = None) -> dict[str, float]:
    """Train, test and draw; the last loss, the mean error in frames, and how often the step was traced."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("ARCGRAD_DATA"), help="folder that holds fsdd/")
    parser.add_argument("--invent", action="store_true", help="make sounds up, whatever data there are")
    parser.add_argument("--speakers", default="george,jackson,lucas,nicolas,theo,yweweler", help="whom to hear")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a few seconds: fewer steps, a smaller network")
    parser.add_argument("--picture", type=Path, help="where to draw the first test utterance, such as aligned.png")
    options = parser.parse_args(arguments)
    random = np.random.default_rng(options.seed)
    if options.data is None or options.invent:
        train, test = invented(random, each=20)
    else:
        train, test = recorded(options.data, options.speakers.split(","))
    steps, size, width = (60, 8, 64) if options.quick else (options.steps, 16, 192)
    longest = 16 + max(sum(sorted(max(map(len, s)) for s in t.recordings.values())[-3:]) + 48 for t in (train, test))
    trainer = Trainer(random, width, steps)
    for step in range(steps):
        loss = trainer.step(Batch.of([train.utterance(random) for _ in range(size)], longest, 19))
        if step % max(steps // 10, 1) == 0 or step == steps - 1:
            print(f"step {step:4}   −log p = {loss:7.4f} nats a frame")
    utterances = [test.utterance(random) for _ in range(size)]
    batch = Batch.of(utterances, longest, 19)
    shown = aligned(trainer.parameters, batch.frames, batch.lengths, batch.sounds, batch.graphs)
    probabilities, best = (np.asarray(each) for each in shown)
    found = errors(best, utterances)
    print(f"words begin {10 * found.mean():.0f} ms from the truth on average, {np.mean(found <= 2):.0%} within 20 ms")
    for sound, column in zip(utterances[0].sounds, best[0].T, strict=False):
        (taken,) = np.nonzero(column)
        print(f"  {SOUNDS[sound]:3} {10 * taken[0]:5} to {10 * (taken[-1] + 1):5} ms")
    if options.picture is not None:
        picture(options.picture, utterances[0], probabilities[0], best[0])
        print(f"drawn into {options.picture}")
    return {"loss": loss, "error": float(found.mean()), "traced": trainer.traced}


if __name__ == "__main__":
    main()
