"""``python docs/make``: write what the documentation makes of the source. Tests hold the files to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import api_page
import llms_page
import operators_page
import pictures

DOCS = Path(__file__).parent.parent


def made() -> Iterator[tuple[Path, str]]:
    """Each file that is made, with its text."""
    yield DOCS / "operators.md", operators_page.page()
    yield DOCS / "llms.txt", llms_page.page(DOCS)
    yield DOCS / "api.md", api_page.page()
    yield from pictures.pictures()


def main() -> None:
    files = dict(made())
    for path, text in files.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(DOCS.parent)}")
    for path in set(pictures.FOLDER.glob("*.svg")) - set(files):
        path.unlink()
        print(f"removed {path.relative_to(DOCS.parent)}")


if __name__ == "__main__":
    main()
