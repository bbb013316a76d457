"""Read lines of handwritten digits: a network trained with the CTC loss, written as an equation.

    LSE[X] - LSE[X ∘ Y]

X is what the network says: a score for each symbol (ten digits and a blank) at each column of pixels. Y is the graph of
all ways to spread the digits of the target over columns, so LSE[X ∘ Y] sums over every alignment, and the difference is
the negative log-likelihood (Graves et al., 2006). arcgrad compiles the equation once into a routine that gives the loss
of a batch and its gradient with respect to X; the rest of this file is plain numpy.

The data are real: scikit-learn's 1,797 scanned digits of 8 × 8 pixels, three to six side by side in a line. The network
is not told where a digit begins. It is trained on lines of some images and tested on lines of others.

Run: python examples/handwriting_ctc.py
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

import arcgrad as ag

Array = NDArray[np.float32]

BLANK = 10
SYMBOLS = 11
WINDOW = 17  # columns the network sees at a time: two digits and one
HIDDEN = 256
BATCH = 16
STEPS = 1500
RATE = 0.01
VARIANTS = 8  # rotated, slanted and shifted copies of each training image
TEST_IMAGES = 297
TEST_LINES = 500
TRAIN_LINES = 2000  # strings of digits; the images that spell them are drawn anew each time

LOSS = ag.compile("LSE[X] - LSE[X ∘ Y]  # the negative log-likelihood of the digits Y")


@dataclass
class Lines:
    """A batch of lines: pixels (B, T, 8) column by column, the number of columns of each, and its digits."""

    pixels: Array
    lengths: NDArray[np.int64]
    digits: list[list[int]]


def random_digits(count: int, random: np.random.Generator) -> list[list[int]]:
    """Strings of three to six digits."""
    return [random.integers(0, 10, size).tolist() for size in random.integers(3, 7, count)]


def spell(digits: list[list[int]], images: list[Array], random: np.random.Generator) -> Lines:
    """Draw an image for each digit and set them side by side; images[d] (n, 8, 8) are those of digit d."""
    lengths = np.array([8 * len(line) for line in digits])
    pixels = np.zeros((len(digits), lengths.max(), 8), np.float32)
    for row, line in zip(pixels, digits, strict=True):
        for place, digit in enumerate(line):
            row[8 * place : 8 * place + 8] = images[digit][random.integers(len(images[digit]))].T
    return Lines(pixels, lengths, digits)


def variants(image: Array, count: int, random: np.random.Generator) -> Array:
    """The image, and copies of it by other hands: slightly rotated, slanted, scaled and shifted."""
    copies = [image]
    centre = np.array([3.5, 3.5])
    for _ in range(count):
        angle, slant = random.uniform(-0.15, 0.15, 2)
        matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle) + slant, np.cos(angle)]])
        matrix *= random.uniform(0.92, 1.08)
        copies.append(affine_transform(image, matrix, centre - matrix @ centre + random.uniform(-0.5, 0.5, 2), order=1))
    return np.stack(copies)


class Network:
    """One hidden layer that slides over the line: a window of columns in, a score for each symbol out; Adam."""

    def __init__(self, random: np.random.Generator) -> None:
        inputs = WINDOW * 8
        first = random.normal(0, inputs**-0.5, (inputs, HIDDEN))
        second = random.normal(0, HIDDEN**-0.5, (HIDDEN, SYMBOLS))
        self.parameters = [array.astype(np.float32) for array in (first, np.zeros(HIDDEN), second, np.zeros(SYMBOLS))]
        self.mean = [np.zeros_like(p) for p in self.parameters]
        self.square = [np.zeros_like(p) for p in self.parameters]
        self.steps = 0

    def forward(self, pixels: Array) -> Array:
        """Scores (B, T, 11) of lines of pixels (B, T, 8)."""
        batch, columns, _ = pixels.shape
        padded = np.pad((pixels - 0.3) / 0.375, ((0, 0), (WINDOW // 2, WINDOW // 2), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW, axis=1)
        self.windows = windows.transpose(0, 1, 3, 2).reshape(batch * columns, -1)
        first, first_bias, second, second_bias = self.parameters
        self.hidden = np.maximum(self.windows @ first + first_bias, 0)
        scores: Array = self.hidden @ second + second_bias
        return scores.reshape(batch, columns, SYMBOLS)

    def backward(self, gradient: Array) -> list[Array]:
        """Gradients of the parameters, from that of the scores of the latest ``forward``."""
        outer = gradient.reshape(-1, SYMBOLS)
        inner = (outer @ self.parameters[2].T) * (self.hidden > 0)
        return [self.windows.T @ inner, inner.sum(0), self.hidden.T @ outer, outer.sum(0)]

    def update(self, gradients: list[Array], rate: float) -> None:
        """One step of Adam."""
        self.steps += 1
        for p, g, mean, square in zip(self.parameters, gradients, self.mean, self.square, strict=True):
            mean += 0.1 * (g - mean)
            square += 0.01 * (g * g - square)
            scale = np.sqrt(square / np.float32(1 - 0.99**self.steps)) + np.float32(1e-8)
            p -= np.float32(rate / (1 - 0.9**self.steps)) * mean / scale


def decode(scores: Array, lengths: NDArray[np.int64]) -> Iterator[list[int]]:
    """The digits of each line: the best symbol of each column, repetitions merged, blanks dropped."""
    for best, length in zip(scores.argmax(axis=2), lengths, strict=True):
        symbols = best[:length]
        new = np.diff(symbols, prepend=BLANK) != 0
        yield symbols[new & (symbols != BLANK)].tolist()


def accuracy(network: Network, lines: Lines) -> tuple[float, list[list[int]]]:
    """The share of lines that are read without any mistake, and what was read."""
    read = list(decode(network.forward(lines.pixels), lines.lengths))
    return float(np.mean([a == b for a, b in zip(read, lines.digits, strict=True)])), read


def picture(pixels: Array, length: int) -> str:
    """A line of digits in characters, two rows of pixels to a line of text."""
    rows = pixels[:length].T.reshape(4, 2, -1)
    return "\n".join(
        "    " + "".join(" ▀▄█"[int(top > 0.4) + 2 * int(bottom > 0.4)] for top, bottom in zip(*pair, strict=True))
        for pair in rows
    )


def main(steps: int = STEPS, seed: int = 0) -> float:
    """Train, test, and show; the accuracy on test lines."""
    begin = time.perf_counter()
    random = np.random.default_rng(seed)
    data = load_digits()
    order = random.permutation(len(data.target))
    images = (data.images / 16).astype(np.float32)
    test, train = order[:TEST_IMAGES], order[TEST_IMAGES:]
    tested = [images[test[data.target[test] == digit]] for digit in range(10)]
    trained = [
        np.concatenate([variants(image, VARIANTS, random) for image in images[train[data.target[train] == digit]]])
        for digit in range(10)
    ]
    test_lines = spell(random_digits(TEST_LINES, random), tested, random)
    train_digits = random_digits(TRAIN_LINES, random)
    train_graphs = ag.graphs.alignments(train_digits, blank=BLANK)
    print(f"{LOSS.text}\n{len(train)} images to train on, {len(test)} others to test with")

    network = Network(random)
    recent = 0.0
    for step in range(1, steps + 1):
        batch = random.integers(TRAIN_LINES, size=BATCH)
        lines = spell([train_digits[i] for i in batch], trained, random)
        targets = [train_graphs[i] for i in batch]
        scores = ag.dense(network.forward(lines.pixels), lines.lengths)
        loss, gradient = LOSS.value_and_grad(X=scores, Y=targets, wrt="X")
        rate = RATE * min(1.0, step / 50) * 0.5 * (1 + np.cos(np.pi * step / steps))
        network.update(network.backward(gradient["X"] / BATCH), rate)
        recent += (float(loss.mean()) - recent) * max(0.02, 1 / step)
        if step == 1 or step % max(1, steps // 15) == 0:
            share, _ = accuracy(network, test_lines)
            seconds = time.perf_counter() - begin
            print(f"step {step:5}   loss {recent:8.3f}   test lines right {share:6.1%}   {seconds:5.1f} s", flush=True)

    print("\nThe plan of the equation on the last batch:\n")
    print(LOSS.explain(X=ag.dense(network.forward(lines.pixels), lines.lengths), Y=targets))

    share, read = accuracy(network, test_lines)
    print("\nSome test lines:\n")
    wrong = [i for i, digits in enumerate(read) if digits != test_lines.digits[i]]
    for i in dict.fromkeys([0, 1, 2, *wrong[:1]]):
        truth = "" if i not in wrong else f"   (wrong: it is {' '.join(map(str, test_lines.digits[i]))})"
        print(picture(test_lines.pixels[i], int(test_lines.lengths[i])))
        print(f"    read: {' '.join(map(str, read[i]))}{truth}\n")
    seconds = time.perf_counter() - begin
    print(f"{share:.1%} of {TEST_LINES} test lines are read without a mistake, after {seconds:.0f} seconds")
    return share


if __name__ == "__main__":
    with threadpool_limits(limits=1):  # the matrices are small: threads of BLAS would only be in the way of arcgrad's
        main()
