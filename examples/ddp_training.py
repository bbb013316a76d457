"""Learn a graph in several processes: PyTorch's DistributedDataParallel over gloo, and an equation as the loss.

    LSE[X ∘ G] - LSE[X ∘ G ∘ Y]

is the negative log-likelihood of a conditional random field: X are a small network's scores of the tags of a sequence,
G the transitions from tag to tag, which are learnt, Y the tags that are right. Every process has the whole model and
its share of each batch; in the backward pass DDP averages the gradients, those of the graph's weights among them, over
all processes. They are compared with one another, and with those of a single process that has the whole batch.

The data are drawn from a hidden Markov chain whose tags are seen through noise, so that neighbours matter.

Run: python examples/ddp_training.py (two processes of this machine; --processes 4 for more). On several machines, start
`worker` with the rank and the address of each, as torchrun does. Needs torch.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.multiprocessing.spawn import spawn

import arcgrad as ag

TAGS = 5
LENGTH = 20
BATCH = 16  # of all processes together; each has the same share, so that the mean of their means is the batch's
RATE = 0.1
NOISE = 1.5


class Tagger(nn.Module):
    """A layer that scores each tag from what is seen, and the loss with its learnable graph of transitions."""

    def __init__(self) -> None:
        super().__init__()
        self.score = nn.Linear(TAGS, TAGS, dtype=torch.float64)
        self.loss = ag.torch.Equation("LSE[X ∘ G] - LSE[X ∘ G ∘ Y]", G=ag.graphs.bigram(np.zeros((TAGS, TAGS))))

    def forward(self, seen: Tensor, tags: Tensor) -> Tensor:
        """The mean loss of sequences (B, T, TAGS) and their tags (B, T)."""
        loss: Tensor = self.loss(X=self.score(seen), Y=[ag.linear(row) for row in tags.numpy()])
        return loss.mean()


def true_transitions() -> np.ndarray:
    """(TAGS, TAGS) probabilities: each tag is mostly followed by the next one, or by itself."""
    return 0.6 * np.roll(np.eye(TAGS), 1, axis=1) + 0.3 * np.eye(TAGS) + 0.1 / TAGS


def draw(step: int, count: int = BATCH) -> tuple[Tensor, Tensor]:
    """The batch of this step, the same in every process: what is seen (B, T, TAGS), and the tags (B, T)."""
    random = np.random.default_rng(step)
    tags = np.empty((count, LENGTH), dtype=np.int64)
    tags[:, 0] = random.integers(TAGS, size=count)
    chances = true_transitions().cumsum(axis=1)
    for t in range(1, LENGTH):
        tags[:, t] = (random.random(count)[:, None] > chances[tags[:, t - 1]]).sum(axis=1)
    seen = np.eye(TAGS)[tags] + NOISE * random.standard_normal((count, LENGTH, TAGS))
    return torch.from_numpy(seen), torch.from_numpy(tags)


@dataclass
class Outcome:
    """What a process ends with."""

    losses: list[float]  # the mean of each batch
    gradients: list[Tensor]  # of each step: all gradients, in one row
    parameters: Tensor


def learn(steps: int, rank: int = 0, size: int = 1) -> tuple[Outcome, Tagger]:
    """Train on every ``size``-th sequence from ``rank`` on; in a group of processes where there are several."""
    torch.manual_seed(0)
    tagger = Tagger()
    model = nn.parallel.DistributedDataParallel(tagger) if size > 1 else tagger
    outcome = Outcome([], [], torch.zeros(0))
    for step in range(steps):
        seen, tags = draw(step)
        model.zero_grad()
        loss = model(seen[rank::size], tags[rank::size])
        loss.backward()
        with torch.no_grad():
            for parameter in tagger.parameters():
                if parameter.grad is not None:
                    parameter.sub_(parameter.grad, alpha=RATE)
        mean = loss.detach() / size
        if size > 1:
            distributed.all_reduce(mean)
        outcome.losses.append(mean.item())
        outcome.gradients.append(_row([p.grad for p in tagger.parameters() if p.grad is not None]))
    outcome.parameters = _row([p.detach() for p in tagger.parameters()])
    return outcome, tagger


def _row(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([tensor.reshape(-1).clone() for tensor in tensors])


def worker(rank: int, size: int, folder: str, steps: int) -> None:
    """One of ``size`` processes: joins the group, learns its share, and leaves what it found in the folder."""
    # Threads are shared out, or the processes fight for the cores; torch's setting is arcgrad's, too.
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // size))
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # all of them are on this machine
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=size)
    try:
        torch.save(learn(steps, rank, size)[0].__dict__, f"{folder}/{rank}.pt")
    finally:
        distributed.destroy_process_group()


def run(processes: int, steps: int) -> list[Outcome]:
    """Learn in so many new processes; what each of them found."""
    with tempfile.TemporaryDirectory() as folder:
        spawn(worker, (processes, folder, steps), nprocs=processes)  # type: ignore[no-untyped-call]
        return [Outcome(**torch.load(Path(folder) / f"{rank}.pt")) for rank in range(processes)]


def main(arguments: Sequence[str] | None = None) -> tuple[list[Outcome], Outcome]:
    """Learn in several processes and in this one; what each of them found, and what this one did."""
    parser = argparse.ArgumentParser(description="Learn a graph in several processes.")
    parser.add_argument("--processes", type=int, default=2, help=f"a divisor of {BATCH}")
    parser.add_argument("--steps", type=int, default=60)
    options = parser.parse_args(arguments)
    if options.processes < 1 or BATCH % options.processes:
        parser.error(f"--processes {options.processes} does not divide the batch of {BATCH}")
    many = run(options.processes, options.steps)
    one, tagger = learn(options.steps)
    print(f"{tagger.loss}\n")
    for step in dict.fromkeys([*range(0, options.steps, 10), options.steps - 1]):
        print(f"step {step:3}   loss {many[0].losses[step]:8.4f}   in one process {one.losses[step]:8.4f}")
    apart = max(float((g - h).abs().max()) for o in many for g, h in zip(o.gradients, many[0].gradients, strict=True))
    beside = max(float((g - h).abs().max()) for g, h in zip(many[0].gradients, one.gradients, strict=True))
    print(
        f"\nthe gradients of {len(many)} processes differ by {apart:.0e}, and from those of one process by {beside:.0e}"
    )
    learned = tagger.loss.learned("G").weight[: TAGS * TAGS].reshape(TAGS, TAGS)
    print("\nlearned transitions, from row to column; the truth in brackets:\n")
    odds = np.exp(learned - learned.max(axis=1, keepdims=True))
    for row, truth in zip(odds / odds.sum(axis=1, keepdims=True), true_transitions(), strict=True):
        print("   " + "   ".join(f"{p:.2f} ({q:.2f})" for p, q in zip(row, truth, strict=True)))
    return many, one


if __name__ == "__main__":
    main()
