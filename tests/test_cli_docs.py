"""Every command and every setting is documented, with the default that the code has."""

import dataclasses
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import typer
from typer.testing import CliRunner

from aimwell import config
from aimwell.cli import app

DOCS = Path(__file__).resolve().parents[1] / "docs"


def commands() -> list[str]:
    """Name every command, subcommands as 'group command'."""

    def walk(group: typer.Typer, before: str) -> Iterator[str]:
        for command in group.registered_commands:
            assert command.callback is not None
            yield before + (command.name or command.callback.__name__)
        for sub in group.registered_groups:
            assert sub.typer_instance is not None
            yield from walk(sub.typer_instance, f"{before}{sub.name} ")

    return sorted(walk(app, ""))


@pytest.mark.parametrize("command", commands())
def test_every_command_has_help_with_an_example(command: str) -> None:
    done = CliRunner().invoke(app, [*command.split(), "--help"])
    assert done.exit_code == 0
    assert f"Example: aimwell {command}" in " ".join(done.output.split())
    for option in ("--json", "--quiet", "--debug"):
        assert option in done.output


@pytest.mark.parametrize("command", commands())
def test_every_command_is_documented_with_an_example(command: str) -> None:
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    assert f"\n## `aimwell {command}`\n" in text
    section = text.split(f"\n## `aimwell {command}`\n")[1].split("\n## ")[0]
    assert f"\naimwell {command}" in section


def test_no_command_is_documented_that_does_not_exist() -> None:
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"\n## `aimwell ([a-z ]+)`\n", text)) == commands()


SECTIONS = {
    "[run]": config.RunSettings,
    "[identifiers]": config.IdentifierSettings,
    "[[identifiers.mappings]]": config.NameMapping,
    "[graph]": config.GraphSettings,
    "[[graph.sources]]": config.GraphSource,
    "[cohort]": config.CohortSettings,
    "[[cohort.matrices]]": config.MatrixSettings,
    "[[cohort.tables]]": config.TableSettings,
    "[[cohort.features]]": config.FeatureSettings,
    "[cohort.sheet]": config.SheetSettings,
    "[[contrasts]]": config.ContrastSettings,
    "[known_targets]": config.LabelSettings,
    "[[known_targets.sources]]": config.LabelSource,
    "[model]": config.ModelSettings,
    "[explain]": config.ExplainSettings,
    "[audit]": config.AuditSettings,
    "[drugs]": config.DrugSettings,
    "[[drugs.sources]]": config.DrugSource,
}


def settings_reached(kind: Any) -> set[type]:
    """Every settings class below ``kind``."""
    inside: set[type] = set()
    for hint in get_type_hints(kind).values():
        for part in (hint, *get_args(hint)):
            if dataclasses.is_dataclass(part) and isinstance(part, type):
                inside |= {part} | settings_reached(part)
    return inside


def test_every_section_of_the_run_file_is_documented() -> None:
    assert settings_reached(config.RunConfig) == set(SECTIONS.values())
    text = (DOCS / "run-file.md").read_text(encoding="utf-8")
    assert re.findall(r"\n##+ `(\[.*\])`\n", text) == list(SECTIONS)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_setting_is_documented_with_its_default(section: str) -> None:
    text = (DOCS / "run-file.md").read_text(encoding="utf-8")
    body = text.split(f"`{section}`\n", 1)[1].split("\n##")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+) \|$", body, re.MULTILINE)
    expected = []
    for item in dataclasses.fields(SECTIONS[section]):
        default = "required"
        if item.default is not dataclasses.MISSING:
            default = literal(item.default)
        elif item.default_factory is not dataclasses.MISSING:
            default = literal(item.default_factory())
        expected.append((item.name, default))
    assert [(key, default) for key, default, _ in rows] == expected


def literal(value: object) -> str:
    """Write a default as the run file would."""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str):
        return f'`"{value}"`'
    if isinstance(value, tuple):
        return f"`{json.dumps(value)}`"
    if dataclasses.is_dataclass(value):
        return "`{}`"
    return f"`{value}`"


@pytest.mark.parametrize(
    ("section", "names"),
    [
        ("[[graph.sources]]", config.INTERACTION_READERS),
        ("[[graph.sources]]", config.SET_READERS),
        ("[[graph.sources]]", config.PRIOR_READERS),
        ("[[graph.sources]]", config.ID_TYPES),
        ("[[graph.sources]]", config.EDGE_RELATIONS),
        ("[[identifiers.mappings]]", config.MAPPING_READERS),
        ("[[cohort.matrices]]", config.COHORT_READERS),
        ("[[known_targets.sources]]", config.LABEL_READERS),
        ("[[drugs.sources]]", config.DRUG_LAYER_READERS),
    ],
)
def test_every_choice_is_documented(section: str, names: tuple[str, ...]) -> None:
    text = (DOCS / "run-file.md").read_text(encoding="utf-8")
    body = text.split(f"`{section}`\n", 1)[1].split("\n##")[0]
    assert [n for n in names if f"`{n}`" not in body] == []


def test_the_smallest_run_file_of_the_docs_is_a_run_file() -> None:
    text = (DOCS / "run-file.md").read_text(encoding="utf-8")
    example = text.split("```toml\n")[1].split("```")[0]
    found = config.config_from(tomllib.loads(example))
    assert found.graph.preset == "starter"


def test_every_file_of_a_run_is_documented() -> None:
    text = (DOCS / "run-folder.md").read_text(encoding="utf-8")
    named = ("targets.tsv", "targets.parquet", "evidence.parquet", "identifiers.tsv")
    for name in (
        *named,
        "quality.json",
        "checks.json",
        "audit.json",
        "audit.parquet",
        "manifest.json",
        "report.html",
        ".stages/",
        ".lock",
    ):
        assert f"`{name}`" in text
