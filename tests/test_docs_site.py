"""Every page of the site can be reached, every link leads somewhere, every command is one."""

import re
import shlex
from pathlib import Path

import click
import pytest
import typer

from aimwell.cli import app

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = sorted(p for p in DOCS.rglob("*.md") if "_build" not in p.parts)
ROOT = DOCS.parent
#: Pages beside the site, whose links and commands are held to the same.
OTHERS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("examples/*/README.md"))]
CALL = re.compile(r"(\$ )?((\.venv/bin/)?aimwell|(bash|python) scripts/\w+)( |$)")
TREE = typer.main.get_command(app)


def lines_of_commands() -> list[tuple[str, str]]:
    """Every line of a code block that calls aimwell or a script of the project, with its page."""
    found = []
    for page in (*PAGES, *OTHERS):
        blocks = re.findall(r"^```(?:\w*)\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)
        for block in blocks:
            joined = block.replace("\\\n", " ")
            calls = (line.strip() for line in joined.splitlines())
            found += [(page.name, c) for c in calls if CALL.match(c)]
    return found


def test_every_page_is_in_the_contents() -> None:
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^([\w/*-]+)$", text, re.MULTILINE))
    pages = {p.relative_to(DOCS).with_suffix("").as_posix() for p in PAGES} - {"index"}
    lost = [p for p in pages if p not in listed and f"{p.rpartition('/')[0]}/*" not in listed]
    assert lost == []


@pytest.mark.parametrize("page", [*PAGES, *OTHERS], ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", text)
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize(("page", "line"), lines_of_commands())
def test_every_command_in_the_docs_has_that_name_and_those_options(page: str, line: str) -> None:
    first, *words = shlex.split(line.removeprefix("$ "), comments=True)
    if first in {"bash", "python"}:
        assert (ROOT / words[0]).is_file(), line
        return
    words = words[: next((i for i, w in enumerate(words) if w in {">", "|", "&&", ";"}), None)]
    command: click.Command = TREE
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        assert words[0] in command.commands, line
        command = command.commands[words.pop(0)]
    if isinstance(command, click.Group):
        return  # such as aimwell --version
    command.make_context(command.name, words)  # raises where an option or argument does not fit
