"""A hunt for small trellises whose kernels give another value, or other gradients, than sums in the log domain.

From the folder ``tests``: ``python -m hunts.trellises --count 1000000``; see ``--help``. What is drawn is told in
``draws``, what is right in ``reference``. All draws of a batch share a graph, a number of frames and a type of frames;
batch k of a seed is the same in every run. The exit status is 1 where anything was wrong.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from hunts.cases import Case, problems, shrink
from hunts.draws import Rng, Sizes, draw_frames, draw_scores, draw_shape
from hunts.reference import Reference
from hunts.stand import CALLS, FORMATS, Stand, set_constant, wrong

from arcgrad.compiler.graphs.topology import Topology

__all__ = ["Case", "Tally", "hunt", "main", "problems", "shrink"]

COSTS = 60_000  # arcs × frames of a batch, which fit into the cache
SHOWN = 5


@dataclass
class Tally:
    """What a hunt has seen.

    Attributes:
        draws: how many draws, by format, type of frames and mood.
        wrong: how many of them are wrong, likewise.
        kinds: how many have which kind of fault.
        shown: some that are wrong, as text to be run again, by what sort they are of.
        seconds: how long it took, without making cases smaller.
    """

    draws: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    wrong: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    shown: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def __str__(self) -> str:
        """Write counts: of what was drawn, and of what is wrong by kind, and by format and mood."""
        total, bad = self.draws.total(), self.wrong.total()
        lines = [f"{bad} of {total} trellises are wrong; {total / max(self.seconds, 1e-9):.0f} a second"]
        lines += [f"  {count} {name}" for name, count in self.kinds.most_common()]
        lines += [f"  {', '.join(group)}: {n} of {self.draws[group]}" for group, n in sorted(self.wrong.items()) if n]
        for place in range(3):
            seen: Counter[str] = Counter()
            for group, count in self.draws.items():
                seen[group[place]] += count
            lines.append("drawn: " + ", ".join(f"{count} {name}" for name, count in sorted(seen.items())))
        return "\n".join(lines)


def _draw_graph(rng: Rng, n_columns: int) -> Topology:
    """Draw a graph, seldom one without accepting paths."""
    for _ in range(1 if rng.random() < 0.03 else 20):
        topology = draw_shape(rng, n_columns)
        if Stand(topology, n_columns, "float64").region.n_arcs:
            break
    return topology


def _run_batch(seed: int, batch: int, tally: Tally) -> float:
    """Draw and check one batch; how many seconds were spent on making a case smaller."""
    rng = np.random.default_rng([seed, batch])
    n_columns, n_frames = int(rng.integers(2, 6)), draw_frames(rng)
    topology = _draw_graph(rng, n_columns)
    dtype = "float32" if rng.random() < 0.35 else "float64"
    n_draws = int(np.clip(COSTS // ((n_frames + 1) * topology.n_arcs + 1), 30, 200))
    weights, scores, moods = draw_scores(rng, Sizes(topology, n_frames, n_columns, n_draws))
    frames = scores.astype(dtype)
    call = CALLS[int(rng.choice(len(CALLS), p=[0.7, 0.1, 0.1, 0.1]))]
    stand = Stand(topology, n_columns, dtype)
    found = stand(weights, frames, call, int(rng.integers(n_draws)))
    right = Reference(topology, n_columns)(weights, frames.astype(np.float64))
    faults = wrong(found, right, dtype, call)
    # Of a batch that has written outside, nobody knows which draw did.
    faults["written outside"] = np.full(n_draws, found.outside)
    bad = np.logical_or.reduce(list(faults.values()))
    form = FORMATS[stand.format]
    tally.draws.update((form, dtype, mood) for mood in moods)
    if not bad.any():
        return 0.0
    tally.wrong.update((form, dtype, moods[draw]) for draw in np.flatnonzero(bad))
    tally.kinds.update({name: int(draws.sum()) for name, draws in faults.items() if draws.any()})
    begin = time.monotonic()
    for draw in np.flatnonzero(bad).tolist():
        kinds = [name for name, draws in faults.items() if draws[draw]]
        sort = f"{form}: {kinds[0]}"  # one of each, so that a common fault does not hide another
        if len(tally.shown) < SHOWN and sort not in tally.shown:
            case = Case(topology, weights[:, draw], frames[:, :, draw])
            small = shrink(case) if problems(case) else case
            alone = "; ".join(problems(small)) or "right when run alone: it depends on what the draw before it left"
            about = f"{dtype}, mood {moods[draw]}, seed {seed}, batch {batch}, draw {draw}, backward call {call}"
            tally.shown[sort] = f"# {form}: {', '.join(kinds)}\n# {about}\n# made smaller: {alone}\n{small.text()}"
    return time.monotonic() - begin


def hunt(count: int, seed: int = 0, seconds: float = np.inf, first: int = 0, every: float = np.inf) -> Tally:
    """Check so many trellises, or for so long, from a batch on; every so many seconds, say how many they were."""
    tally = Tally()
    begin = said = time.monotonic()
    spent = 0.0
    batch = first
    while tally.draws.total() < count and time.monotonic() < begin + seconds:
        spent += _run_batch(seed, batch, tally)
        batch += 1
        tally.seconds = time.monotonic() - begin - spent
        if time.monotonic() > said + every:
            said = time.monotonic()
            total, bad = tally.draws.total(), tally.wrong.total()
            print(f"{said - begin:.0f} s: {total} trellises, {bad} wrong", file=sys.stderr, flush=True)
    return tally


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the hunt as a command."""
    about = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m hunts.trellises", description=about)
    parser.add_argument("--count", type=int, default=1_000_000, help="how many trellises")
    parser.add_argument("--seed", type=int, default=0, help="another seed draws others")
    parser.add_argument("--seconds", type=float, default=np.inf, help="stop after so long, whatever the count")
    parser.add_argument("--first", type=int, default=0, help="batch to begin with, such as one that was wrong")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="other constants of blocks, such as LONGEST=8, for more blocks, KEPT=0, for none that are kept",
    )
    given = parser.parse_args(arguments)
    for name, _, number in (text.partition("=") for text in given.set):
        set_constant(name, int(number))
    tally = hunt(given.count, given.seed, given.seconds, given.first, every=30.0)
    for text in tally.shown.values():
        print(text, end="\n\n")
    print(tally)
    return 1 if tally.wrong.total() else 0


if __name__ == "__main__":
    sys.exit(main())
