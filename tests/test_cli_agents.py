"""Programs can rely on what commands print, on the codes of errors, and on the agent server."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.test_cli_docs import commands
from typer.testing import CliRunner

from aimwell.cli import app
from aimwell.cli.schemas import SCHEMAS, refusal_codes, schema_of
from aimwell.errors import AimwellError
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.simulate import SimulationSettings, simulate_cohort, write_simulation

RUN = """
[run]
title = "small"
output = "unused"
data = "{data}"
jobs = 1

[[cohort.matrices]]
path = "rna_counts.tsv"
layer = "rna"
kind = "rna"
unit = "counts"
licence = "CC0-1.0"

[cohort.sheet]
path = "samples.tsv"

[[contrasts]]
name = "rna"
layer = "rna"
condition = "condition"
case = "{case}"
control = "{control}"

[[known_targets.sources]]
reader = "genes"
path = "known_targets.txt"

[model]
folds = 3
seeds = 1
epochs = 2

[explain]
top = 1
steps = 4
"""


@pytest.fixture(scope="module")
def run_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small simulated cohort and its run file."""
    folder = tmp_path_factory.mktemp("agents")
    graph = read_starter_graph()
    cohort = simulate_cohort(graph, SimulationSettings(subjects=5), seed=3)
    write_simulation(cohort, folder, graph.symbols)
    from tests.test_pipeline_run import CONTRAST

    text = RUN.format(data=folder, case=CONTRAST["case"], control=CONTRAST["control"])
    text = text.replace('condition = "condition"', f'condition = "{CONTRAST["condition"]}"')
    (folder / "run.toml").write_text(text, encoding="utf-8")
    return folder / "run.toml"


def says(*arguments: str) -> tuple[int, Any]:
    done = CliRunner().invoke(app, [*arguments, "--json", "--quiet"])
    return done.exit_code, json.loads(done.stdout)


def test_every_command_has_a_schema_and_every_schema_a_command() -> None:
    assert sorted(SCHEMAS) == sorted([*commands(), "error"])


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_is_one_and_promises_something(name: str) -> None:
    found = schema_of(name)
    jsonschema.Draft202012Validator.check_schema(found)
    assert {"required", "items", "anyOf", "type"} & set(found)
    assert says("schema", *name.split()) == (0, found)


def test_every_error_has_a_code_of_its_own() -> None:
    def walk(kind: type[AimwellError]) -> list[type[AimwellError]]:
        return [kind, *(k for sub in kind.__subclasses__() for k in walk(sub))]

    kinds = walk(AimwellError)
    codes = [kind.code for kind in kinds]
    assert len(set(codes)) == len(codes), codes
    assert set(refusal_codes()) == {*codes, "SYSTEM", "BUG", "STOPPED"}
    # these are promised to programs: a code may be added, never renamed
    assert set(codes) >= {
        "ALIGNMENT", "COHORT", "CONFIG", "CONFOUNDED", "DESIGN", "ERROR", "GRAPH", "IDENTIFIERS",
        "INPUT", "LABELS", "RUN", "TASK",
    }  # fmt: skip
    assert all(len(meaning) > 10 for meaning in refusal_codes().values())


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("graph show", ["starter"]),
        ("graph fetch", ["--list"]),
        ("mcp", []),
        ("error", ["run", "nowhere.toml"]),
        ("error", ["schema", "nonsense"]),
    ],
)
def test_what_is_printed_fits_its_schema(command: str, arguments: list[str]) -> None:
    name = [] if command == "error" else command.split()
    _, answer = says(*name, *arguments)
    jsonschema.validate(answer, schema_of(command))


def test_a_schema_refuses_what_lacks_a_promised_key() -> None:
    with pytest.raises(jsonschema.ValidationError, match="'page' is a required property"):
        jsonschema.validate({"folder": "x"}, schema_of("demo"))


@pytest.mark.enable_socket
@pytest.mark.filterwarnings("default")
def test_an_agent_uses_every_tool_and_writes_only_into_the_folder(
    run_file: Path, tmp_path: Path
) -> None:
    mcp = pytest.importorskip("mcp", reason="pip install 'aimwell[mcp]'")
    folder = tmp_path / "agent"
    (tmp_path / "other").mkdir()
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "other")
    online = run_file.with_name("online.toml")
    online.write_text(f"{run_file.read_text()}\n[identifiers]\nonline = true\nhgnc = 'x'\n")
    parameters = mcp.StdioServerParameters(
        command=sys.executable,
        args=["-m", "aimwell", "mcp", "--folder", str(folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        cwd=tmp_path,
    )

    async def talk() -> dict[str, Any]:
        async with mcp.Client(parameters) as client:
            listed = [tool.name for tool in (await client.list_tools()).tools]

            async def call(tool: str, **arguments: Any) -> Any:
                done = await client.call_tool(tool, arguments)
                text = done.content[0].text
                return text if done.is_error else json.loads(text)

            file = str(run_file)
            return {
                "tools": listed,
                "check": await call("check", run_file=file),
                "build": await call("build", run_file=file, name="graph"),
                "run": await call("run", run_file=file, name="first", jobs=1),
                "explain": await call("explain", name="first", genes=["EGFR"]),
                "audit": await call("audit", name="first", only="leakage,bias"),
                "missing": await call("check", run_file="nowhere.toml"),
                "outside": [
                    await call("run", run_file=file, name="../elsewhere"),
                    await call("run", run_file=file, name=str(tmp_path / "elsewhere")),
                    await call("build", run_file=file, name="link"),
                    await call("build", run_file=file, name="link/graph"),
                    await call("explain", name="first/../../other", genes=["EGFR"]),
                    await call("audit", name="."),
                    await call("check", run_file=str(online)),
                    await call("run", run_file=str(online), name="second"),
                ],
                "odd": [
                    await call("explain", name="first", genes=["--debug"]),
                    await call("audit", name="first", only="--data"),
                    await call("check", run_file="--help"),
                    await call("check", run_file=file, data="--output"),
                    await call("build", run_file=file, name="a\0b"),
                    await call("build", run_file=file, name=""),
                ],
            }

    found = asyncio.run(talk())
    assert found["tools"] == ["check", "build", "run", "explain", "audit"]
    for tool, command in {
        "check": "cohort check",
        "build": "graph build",
        "run": "run",
        "explain": "explain",
        "audit": "audit",
    }.items():
        assert found[tool]["status"] == 0, found[tool]
        jsonschema.validate(found[tool]["answer"], schema_of(command))
    assert (folder / "first" / "report.html").is_file()
    for answer in found["outside"]:
        assert answer["error"]["code"] == "RUN"
        assert "lies outside" in " ".join(answer["error"]["message"].split())
    for answer in found["odd"]:
        assert "is no name" in answer["error"]["message"]
    assert found["missing"]["error"]["code"] in refusal_codes()
    assert sorted(p.name for p in folder.iterdir()) == ["first", "graph", "link"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["agent", "other"]
    assert not list((tmp_path / "other").iterdir())
