"""Graphs in the language of Graphviz, and layouts by its program ``dot`` where that is installed and asked for."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence

from arcgrad.compiler.graphs.topology import Topology
from arcgrad.grammar.errors import UnsupportedError
from arcgrad.runtime.draw.layout.bands import MARGIN
from arcgrad.runtime.draw.layout.routes import Layout, Route
from arcgrad.runtime.draw.scene import Point

__all__ = ["graph_dot", "lay_out_by_dot", "quoted"]

_INCH = 72.0
_SECONDS = 60.0


def graph_dot(topology: Topology, texts: Sequence[str], colours: Sequence[str] | None = None,
              widths: Sequence[float] | None = None, title: str | None = None) -> str:  # fmt: skip
    """The graph as a digraph of Graphviz: what OpenFst's fstdraw draws, with starts bold and accepts doubled."""
    lines = ["digraph arcgrad {", "  rankdir=LR;", '  node [shape=circle, fontname="sans-serif"];']
    lines.append('  edge [fontname="sans-serif"];')
    if title:
        lines.append(f"  label={quoted(title)}; labelloc=t;")
    starts, accepts = set(topology.start.tolist()), set(topology.accept.tolist())
    for state in range(topology.n_states):
        styles = ["shape=doublecircle"] * (state in accepts) + ["style=bold"] * (state in starts)
        lines.append(f"  {state} [{', '.join(styles)}];" if styles else f"  {state};")
    for arc, (src, dst) in enumerate(zip(topology.src.tolist(), topology.dst.tolist(), strict=True)):
        attributes = [f"label={quoted(texts[arc])}"]
        if colours is not None:
            attributes.append(f"color={quoted(colours[arc])}")
        if widths is not None:
            attributes.append(f"penwidth={widths[arc]:.2f}")
        lines.append(f"  {src} -> {dst} [{', '.join(attributes)}];")
    return "\n".join([*lines, "}"]) + "\n"


def quoted(text: str) -> str:
    """The text as a string of Graphviz, in which no escape means anything."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def lay_out_by_dot(
    n_states: int, edges: Sequence[tuple[int, int]], label_sizes: Sequence[tuple[float, float]], radius: float
) -> Layout:
    """Lay out a graph by Graphviz's ``dot``.

    Raises:
        UnsupportedError: it is not installed, or fails.
    """
    program = shutil.which("dot")
    if program is None:
        raise UnsupportedError(
            "layout='dot' needs Graphviz, whose program dot is not on the path",
            hint="install it (apt-get install graphviz), or leave layout out",
        )
    size = 2 * radius / _INCH
    lines = [
        "digraph {",
        "rankdir=LR; nodesep=0.2; ranksep=0.25;",
        f"node [shape=circle, fixedsize=true, width={size}];",
    ]
    lines += [f"{state};" for state in range(n_states)]
    for (src, dst), (w, h) in zip(edges, label_sizes, strict=True):
        cell = f'<TABLE BORDER="0" FIXEDSIZE="TRUE" WIDTH="{w + 6:.0f}" HEIGHT="{h + 2:.0f}"><TR><TD></TD></TR></TABLE>'
        lines.append(f"{src} -> {dst} [label=<{cell}>];" if h else f"{src} -> {dst};")
    try:
        ran = subprocess.run(
            [program, "-Tjson"],
            input="\n".join([*lines, "}"]).encode(),
            capture_output=True,
            timeout=_SECONDS,
            check=True,
        )
        found = json.loads(ran.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise UnsupportedError(f"Graphviz's dot failed: {error}", hint="leave layout out") from None
    _, _, width, height = _numbers(found["bb"])

    def placed(text: str) -> Point:
        x, y = _numbers(text)
        return x + MARGIN, height - y + MARGIN

    states = {int(node["name"]): placed(node["pos"]) for node in found.get("objects", [])}
    routes: list[Route] = []
    for edge, (w, h) in zip(sorted(found.get("edges", []), key=lambda edge: edge["_gvid"]), label_sizes, strict=True):
        words = edge["pos"].split()
        tip = [placed(word[2:]) for word in words if word.startswith("e,")]
        points = [placed(word) for word in words if word[:2] not in ("e,", "s,")]
        # Curves of dot end where the head begins: its tip is moved there.
        points = [*points[:-1], *tip] if tip else points
        x, y = placed(edge["lp"]) if "lp" in edge else points[0]
        routes.append(Route(tuple(points), (x - w / 2, y - h / 2, x + w / 2, y + h / 2)))
    return Layout(
        width + 2 * MARGIN, height + 2 * MARGIN, radius, tuple(states[k] for k in range(n_states)), tuple(routes)
    )


def _numbers(text: str) -> list[float]:
    return [float(number) for number in text.split(",")]
