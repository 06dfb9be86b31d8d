"""Settings of the documentation site; ``scripts/docs`` builds it."""

import importlib.metadata
import re
from typing import Any

project = "aimwell"
copyright = "the authors of aimwell"  # noqa: A001  Sphinx asks for this name
release = importlib.metadata.version("aimwell")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = f"aimwell {release}"
exclude_patterns = ["_build"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
napoleon_google_docstring = True
autodoc_typehints = "description"
autodoc_member_order = "bysource"


def name_files(_app: Any, _page: str, source: list[str]) -> None:
    """Name files of the repository that are no pages, where a reader of the site has no link."""
    source[0] = re.sub(r"\[([^\]]+)\]\(\.\./((?!docs/)[^)]+)\)", r"\1 (`\2`)", source[0])


def escape_bars(*given: Any) -> None:
    """Let a bar in a docstring be a bar: reStructuredText would take it for a substitution."""
    lines: list[str] = given[-1]
    lines[:] = [line.replace("|", "\\|") if "``" not in line else line for line in lines]


def setup(app: Any) -> None:
    """Register both with Sphinx."""
    app.connect("source-read", name_files)
    app.connect("autodoc-process-docstring", escape_bars)
