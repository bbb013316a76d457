"""Hooks of the website's build (mkdocs.yml): what pages need that GitHub does by itself."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

__all__ = ["on_config", "on_page_markdown", "on_post_build"]

_LINK_TO_SOURCE = re.compile(r"(?<!!)\[([^\]]+)\]\((\.\./[^)]*)\)")


def on_config(config: Any) -> Any:
    """Leave entries of the navigation out whose page does not exist."""
    config["nav"] = _existing(config["nav"], Path(config["docs_dir"]))
    return config


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Turn links to files outside docs/ into the files' names: the site holds no source.

    Where mkdocs.yml has a ``repo_url``, they lead there instead.
    """
    repository = (config.get("repo_url") or "").rstrip("/")

    def replaced(link: re.Match[str]) -> str:
        text, target = link.groups()
        if repository:
            return f"[{text}]({repository}/blob/main/{target.removeprefix('../')})"
        return text if text.startswith("`") else f"`{text}`"

    return _LINK_TO_SOURCE.sub(replaced, markdown)


def on_post_build(*, config: Any) -> None:
    """Lay the pages' Markdown beside them, since llms.txt links to it."""
    for page in Path(config["docs_dir"]).glob("*.md"):
        shutil.copy(page, config["site_dir"])


def _existing(entries: list[Any], folder: Path) -> list[Any]:
    kept: list[Any] = []
    for entry in entries:
        (title, target), *_ = entry.items()
        if isinstance(target, list):
            pages = _existing(target, folder)
            if pages:
                kept.append({title: pages})
        elif (folder / target).exists():
            kept.append(entry)
    return kept
