"""docs/llms.txt: what a language model should read first, made from the other pages (llmstxt.org)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["page"]

_ROW = re.compile(r"^\| \[(.+?)\]\((.+?)\) \| (.+) \|$")

_FACTS = """\
- `import arcgrad as ag`; `eq = ag.compile("LSE[A ∘ B]")`; `eq(A=a, B=b)` is the value,
  `eq.value_and_grad(A=a, B=b, wrt="A")` the value and a dict of gradients.
- Weights are log-domain scores in nats: bigger is better, and they add along a path. Starts and accepts carry none.
- Labels are integers from 0; ε is −1. `+` is union, juxtaposition concatenation, `∘` or `@` composition, `∩` or `&`
  intersection, `*` closure; named operators take square brackets: `LSE[A]`, never `LSE(A)`.
- A network's scores are an array (T, C) or (B, T, C), or `ag.dense(scores, lengths=…)`; a list of graphs is a batch.
- Nothing is written in place: gradients are returned, graphs are read-only, `g.with_weight(w)` makes a new one.
- In PyTorch: `ag.torch.compile(text)`, `ag.torch.Equation(text, A=graph)`, `ag.torch.ctc_loss`."""


def page(docs: Path) -> str:
    """The whole text, from the folder of the pages."""
    index = (docs / "index.md").read_text(encoding="utf-8")
    operators = (docs / "operators.md").read_text(encoding="utf-8")
    summary = " ".join(index.split("\n\n")[1].split())
    most = operators.split("| write | for | see |\n|---|---|---|\n")[1].split("\n\n")[0]
    written = [re.sub(r"^\| (`.+`) \| (.+) \| \[.*$", r"- \1: \2", row) for row in most.splitlines()]
    parts = [f"# arcgrad\n\n> {summary}", _FACTS, "Equations that are written most:\n\n" + "\n".join(written)]
    return "\n\n".join([*parts, *_sections(index)]) + "\n"


def _sections(index: str) -> Iterator[str]:
    for section in index.split("\n## ")[1:]:
        title, _, rows = section.partition("\n")
        links = [match.groups() for row in rows.splitlines() if (match := _ROW.match(row)) is not None]
        if links:
            yield f"## {title}\n\n" + "\n".join(f"- [{name}]({file}): {what}" for name, file, what in links)
