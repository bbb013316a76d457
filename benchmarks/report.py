"""What a run prints and writes: the table, a line a case as it is done; JSON; a plot of the ratios."""

from __future__ import annotations

import importlib
import json
import platform
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.case import Case
from benchmarks.machine import Machine, load
from benchmarks.measure import Side

__all__ = ["HEADER", "Row", "as_json", "line", "make_row", "markdown", "plot"]


@dataclass(frozen=True)
class Row:
    """A case's figures: medians of seconds, by the run's clock.

    Attributes:
        sides: median seconds by side, arcgrad first.
        ratios: by how much each peer takes longer than arcgrad.
        per_second: arc-frames (arcs) a second of arcgrad.
        of_limit: share of the speed at which the machine's multiply-adds or memory would end it.
        limited_by: which of the two.
        target: what is asked for; ``met``: whether it is met, None where the peer is missing.
    """

    name: str
    title: str
    sides: dict[str, float]
    ratios: dict[str, float]
    per_second: float
    of_limit: float
    limited_by: str
    target: str | None
    met: bool | None
    measured: dict[str, Side]
    remarks: list[str]


def make_row(
    name: str,
    title: str,
    case: Case,
    measured: dict[str, Side],
    remarks: list[str],
    machine: Machine,
    clock: str,
    judge: bool,
) -> Row:
    """Medians, ratios and shares of a measured case; ``judge``: whether its target is for these sizes and threads."""
    seconds = {side: figures.seconds(clock) for side, figures in measured.items()}
    own = seconds["arcgrad"]
    ratios = {side: other / own for side, other in seconds.items() if side != "arcgrad"}
    limits = {
        "multiply-adds": case.multiply_adds / machine.multiply_adds,
        "memory": case.bytes / machine.bandwidth,
    }
    slowest = max(limits, key=lambda limit: limits[limit])
    # The target is over the first peer of the case; another one's ratio is no answer.
    first = ratios.get(next(iter(case.peers), ""))
    target = case.target if judge else None
    return Row(
        name,
        title,
        seconds,
        ratios,
        case.work / own,
        limits[slowest] / own,
        slowest,
        None if target is None else str(target),
        None if target is None else target.met(own, first, case.work),
        measured,
        remarks,
    )


HEADER = (
    f"{'case':<18} {'arcgrad':>10}   {'peer':<12} {'peer takes':>10} {'ratio':>8}   {'asked for':<11}"
    f" {'M arcs/s':>9}  of limit"
)


def _time(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}" if seconds < 100 * size else f"{seconds / size:.0f} {unit}"
    return f"{1e6 * seconds:.3g} µs"


def line(row: Row) -> str:
    """A case in the table: one line a peer."""
    asked = "" if row.target is None else f"{row.target} {_verdict(row)}"
    tail = f"{row.per_second / 1e6:>9.1f}  {row.of_limit:.0%} {row.limited_by}"
    peers = list(row.ratios) or [""]
    lines = []
    for number, peer in enumerate(peers):
        other = f"{peer:<12} {_time(row.sides[peer]):>10} {row.ratios[peer]:>7.2f}×" if peer else f"{'–':<12} {'':>19}"
        if number == 0:
            lines.append(f"{row.name:<18} {_time(row.sides['arcgrad']):>10}   {other}   {asked:<15} {tail}")
        else:
            lines.append(f"{'':<18} {'':>10}   {other}")
    return "\n".join(lines + [f"{'':<18} {remark}" for remark in row.remarks])


def markdown(rows: list[Row]) -> str:
    """The table as docs/benchmarks.md has it."""
    lines = [
        "| case | arcgrad | peer | ratio | asked for | M arcs/s | of limit | memory |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        memory = row.measured["arcgrad"].memory
        cells = [
            f"`{row.name}`: {row.title}",
            _time(row.sides["arcgrad"]),
            "<br>".join(f"{peer} {_time(row.sides[peer])}" for peer in row.ratios) or "–",
            "<br>".join(f"{ratio:.2g}×" if ratio < 10 else f"{ratio:.0f}×" for ratio in row.ratios.values()) or "–",
            "" if row.target is None else f"{row.target}: {_verdict(row)}",
            f"{row.per_second / 1e6:.3g}",
            f"{row.of_limit:.0%} {row.limited_by}",
            "" if memory is None else f"{memory / 1e6:.0f} MB",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _verdict(row: Row) -> str:
    return {True: "yes", False: "no", None: "?"}[row.met]


def as_json(
    rows: list[Row], machine: Machine, clock: str, settings: Mapping[str, Any], scaling: list[dict[str, Any]]
) -> str:
    """Everything that was measured, every repetition included."""
    versions = {"python": platform.python_version()}
    for name in ("arcgrad", "numpy", "numba", "torch", "pynini", "gtn", "k2", "torch-struct"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    content = {
        "when": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "machine": asdict(machine),
        "load_at_end": load(),
        "clock": clock,
        "settings": dict(settings),
        "versions": versions,
        "cases": [asdict(row) for row in rows],
        "scaling": scaling,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def plot(rows: list[Row], scaling: list[dict[str, Any]], path: Path) -> None:
    """Bars of the ratios, and the scaling curves where they were measured.

    Raises:
        ImportError: matplotlib is not installed.
    """
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("Agg")
    pyplot: Any = importlib.import_module("matplotlib.pyplot")

    shown = [row for row in rows if row.ratios]
    panels = bool(shown) + (2 if scaling else 0)
    if not panels:
        return
    figure, axes = pyplot.subplots(1, panels, figsize=(7 * panels, max(3.0, 0.45 * len(shown) + 1.2)), squeeze=False)
    remaining = list(axes[0])
    if shown:
        axis = remaining.pop(0)
        peers = list(dict.fromkeys(peer for row in shown for peer in row.ratios))
        for number, peer in enumerate(peers):
            places = [i + 0.8 * (number - (len(peers) - 1) / 2) / len(peers) for i in range(len(shown))]
            # From 1, where both take the same time: to the right arcgrad is faster, to the left the peer.
            widths = [row.ratios.get(peer, float("nan")) - 1 for row in shown]
            axis.barh(places, widths, 0.8 / len(peers), left=1, label=peer)
        axis.set_yticks(range(len(shown)), [row.name for row in shown])
        axis.invert_yaxis()
        axis.set_xscale("log")
        axis.axvline(1.0, color="black", linewidth=0.8)
        axis.set_xlabel("a peer's time over arcgrad's")
        axis.legend()
    for axis, quantity, label in zip(remaining, ("seconds", "bytes"), ("seconds", "bytes of memory"), strict=False):
        for curve in scaling:
            values = [point[quantity] for point in curve["points"]]
            if all(values):
                axis.plot([point["size"] for point in curve["points"]], values, marker="o", label=curve["name"])
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlabel("frames, labels, items, threads")
        axis.set_ylabel(label)
        if axis.lines:
            axis.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
