"""MkDocs' hooks: how the site differs from the pages as they lie in the repository."""

from __future__ import annotations

import logging
import os.path
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PAGES = {"CHANGELOG.md": "changelog.md", "helm/blendtune/README.md": "chart.md"}  # by files outside docs/
_log = logging.getLogger("mkdocs.plugins.hooks")
_LINK_UPWARDS = re.compile(r"\[([^]]+)\]\((\.\./[^)#]+)\)")
_CODE = re.compile(r"`[^`\n]+`")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages whose files are elsewhere in the repository."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Links to files outside docs/ lead to the repository if its address is known, else they are plain text.

    Code in tables loses the backslashes before `|`, which GitHub needs and Python's Markdown would show.
    """
    folder = PurePosixPath("docs", page.file.src_uri).parent

    def replaced(link: re.Match[str]) -> str:
        text, target = link[1], os.path.normpath(folder / link[2])
        if target.startswith("docs/"):
            return link[0]
        if target in PAGES:
            return f"[{text}]({os.path.relpath('docs/' + PAGES[target], folder)})"
        if not (ROOT / target).exists():
            _log.warning("%s: there is no %s in the repository", page.file.src_uri, target)
        return f"[{text}]({config.repo_url.rstrip('/')}/blob/main/{target})" if config.repo_url else text

    unescaped = _CODE.sub(lambda code: code[0].replace("\\|", "|"), markdown)
    return _LINK_UPWARDS.sub(replaced, unescaped)
