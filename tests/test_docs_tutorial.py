"""What the tutorial prints is what its commands print."""

import contextlib
import io
import re
import shlex
from pathlib import Path

from typer.testing import CliRunner

from aimwell.cli import app

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "tutorial-cohort.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.DOTALL)


def same(text: str) -> list[list[str]]:
    """Words of every line: the width of a column depends on the version of pandas."""
    return [line.split() for line in text.strip().splitlines()]


def test_the_settings_that_the_tutorial_shows_are_those_of_the_example():
    example = (ROOT / "examples" / "coad" / "coad.toml").read_text(encoding="utf-8")
    shown = [line.split("#")[0].strip() for kind, text in BLOCKS if kind == "toml"
             for line in text.splitlines()]  # fmt: skip
    assert len(shown) > 30
    assert {line for line in shown if line} <= {line.strip() for line in example.splitlines()}


def test_the_code_of_the_tutorial_prints_what_it_says(real_data: Path, monkeypatch):
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {"DIR": str(real_data)}
    pairs = list(zip(BLOCKS, [*BLOCKS[1:], ("", "")], strict=True))
    code = [(text, told) for (kind, text), (after, told) in pairs if kind == "python"]
    assert len(code) == 6
    for text, told in code:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(text, names)
        assert same(printed.getvalue()) == same(told)


def test_the_commands_of_the_tutorial_run(real_data: Path, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(ROOT)
    commands = [line for kind, text in BLOCKS if kind == "bash" for line in text.splitlines()]
    assert len(commands) == 3
    checked = CliRunner().invoke(app, _arguments(commands[0], real_data))
    assert checked.exit_code == 0
    for fact in ("8,036", "12,583", "mosaic (1 with protein, 100 with protein + rna, 6 with rna)"):
        assert fact in checked.stdout
        assert fact.split(" ")[0] in TEXT
    assert "0 of 96 pairs" in checked.stdout
    monkeypatch.chdir(tmp_path)
    summarised = commands[2].replace("examples", shlex.quote(str(ROOT / "examples")))
    assert CliRunner().invoke(app, _arguments(summarised, real_data)).exit_code == 0
    assert (tmp_path / "siteA" / "rna_msi_vs_mss.tsv").is_file()


def _arguments(command: str, data: Path) -> list[str]:
    return shlex.split(command.replace("DIR", shlex.quote(str(data))))[1:]
