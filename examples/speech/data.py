"""Recordings of the Free Spoken Digit Dataset: read, joined to utterances, and turned into features."""

from __future__ import annotations

import sys
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

RATE = 8000  # samples a second
HOP = 80  # samples from frame to frame: 10 ms
WINDOW = 200
FFT = 256
MELS = 32
HELD_OUT = 5  # recordings 0 to 4 of each digit and speaker

Recordings = dict[tuple[str, int], list[Tensor]]  # waveforms from −1 to 1, by speaker and digit


@dataclass(frozen=True)
class Text:
    """What is said: digits, and by whom."""

    speaker: str
    digits: tuple[int, ...]


def read_recordings(folder: Path, most: int = 1000) -> tuple[Recordings, Recordings]:
    """Waveforms from −1 to 1, to train on and to test with, by (speaker, digit); at most so many of each."""
    found: tuple[Recordings, Recordings] = ({}, {})
    for path in sorted(folder.glob("*_*_*.wav")):
        digit, speaker, number = path.stem.split("_")
        kept = found[int(number) < HELD_OUT].setdefault((speaker, int(digit)), [])
        if len(kept) < most:
            with wave.open(str(path)) as file:
                samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
            kept.append(torch.from_numpy(samples.astype(np.float32) / 32768))
    if not (found[0] and found[1]):
        sys.exit(
            f"{folder} holds no recordings such as 7_jackson_32.wav. They are public, and not part of arcgrad:\n"
            "git clone https://github.com/Jakobovski/free-spoken-digit-dataset FOLDER/fsdd, then --data FOLDER"
        )
    return found


def say(recordings: Recordings, text: Text, random: np.random.Generator) -> Tensor:
    """An utterance: a recording of each digit, drawn at random, with 50 to 200 ms of faint noise around them."""
    parts = [_silence(random)]
    for digit in text.digits:
        choice = recordings[text.speaker, digit]
        parts += [choice[random.integers(len(choice))], _silence(random)]
    return torch.cat(parts)


def _silence(random: np.random.Generator) -> Tensor:
    noise = 1e-3 * random.standard_normal(random.integers(RATE // 20, RATE // 5))
    return torch.from_numpy(noise.astype(np.float32))


def draw_texts(recordings: Recordings, count: int, random: np.random.Generator) -> list[Text]:
    """Two to five digits, each by one speaker."""
    speakers = sorted({speaker for speaker, _ in recordings})
    return [
        Text(
            speakers[random.integers(len(speakers))],
            tuple(random.choice(sorted({d for _, d in recordings}), random.integers(2, 6)).tolist()),
        )
        for _ in range(count)
    ]


def mel_filters() -> Tensor:
    """(FFT/2 + 1, MELS): triangles that are equally wide and far apart on the mel scale, from 60 Hz up."""
    mel = np.linspace(2595 * np.log10(1 + 60 / 700), 2595 * np.log10(1 + RATE / 1400), MELS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    bins = np.linspace(0, RATE / 2, FFT // 2 + 1)[:, None]
    rising, falling = (bins - edges[:-2]) / np.diff(edges)[:-1], (edges[2:] - bins) / np.diff(edges)[1:]
    return torch.from_numpy(np.maximum(0, np.minimum(rising, falling)).astype(np.float32))


FILTERS = mel_filters()


def features(waves: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Log-mel spectra (B, T, MELS), each utterance with mean 0 and variance 1 in each band, and their lengths (B,)."""
    lengths = torch.tensor([len(wave) // HOP for wave in waves])
    padded = nn.utils.rnn.pad_sequence(list(waves), batch_first=True)
    spectra = torch.stft(padded, FFT, HOP, WINDOW, torch.hann_window(WINDOW), return_complex=True)
    power = spectra.real.square() + spectra.imag.square()
    logs = (power.transpose(1, 2) @ FILTERS + 1e-6).log()[:, : int(lengths.max())]
    inside = (torch.arange(logs.shape[1]) < lengths[:, None])[:, :, None]
    count = lengths[:, None, None]
    centred = (logs - (logs * inside).sum(1, keepdim=True) / count) * inside
    return centred / (centred.square().sum(1, keepdim=True) / count + 1e-3).sqrt(), lengths
