"""``python docs/make``: write what the documentation makes of the source. Tests hold the files to it."""

from collections.abc import Iterator
from pathlib import Path

import operators_page

DOCS = Path(__file__).parent.parent


def pages() -> Iterator[tuple[Path, str]]:
    """Each page that is made, with its text."""
    yield DOCS / "operators.md", operators_page.page()


def write(path: Path, text: str) -> None:
    """Write a file where it would change, and say so."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(DOCS.parent)}")


def main() -> None:
    for path, text in pages():
        write(path, text)


if __name__ == "__main__":
    main()
