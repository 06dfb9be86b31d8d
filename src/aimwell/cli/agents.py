"""Commands for programs: the schemas of all answers, and a server of the Model Context Protocol."""

import functools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from aimwell.cli.answer import Answer
from aimwell.cli.options import Debug, Json, Quiet
from aimwell.errors import AimwellError, ConfigError, RunError


def schema(
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="[COMMAND]", help="Such as 'run' or 'graph show'; or 'error'."),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Print the JSON Schema of what a command prints with --json; without a name, of all.

    The schema of 'error' lists every refusal code with what it means.
    """
    del as_json  # a schema is JSON with and without it
    answer = Answer(True, quiet, debug)
    with answer.reporting():
        from aimwell.cli.schemas import SCHEMAS, schema_of

        name = " ".join(command or [])
        answer.give(schema_of(name) if name else {one: schema_of(one) for one in SCHEMAS})


def mcp(
    folder: Annotated[
        Path, typer.Option("--folder", metavar="DIR", help="The only folder that is written to.")
    ] = Path("runs"),
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Serve check, build, run, explain and audit to an agent over stdin and stdout.

    Reads what the user may read; writes only below the folder. With --json the tools are listed
    and nothing is served.
    """
    answer = Answer(as_json, quiet, debug)
    with answer.reporting():
        tools = Tools(folder)
        if as_json:
            told = [{"name": f.__name__, "description": f.__doc__ or ""} for f in tools.all()]
            answer.give(told)
            return
        server(tools).run("stdio")


def server(tools: "Tools") -> Any:
    """Make the server.

    Raises:
        ConfigError: The package is not installed.
    """
    try:
        from mcp.server import MCPServer
    except ImportError as error:
        raise ConfigError(
            f"the server needs the package mcp: {error}; pip install 'aimwell[mcp]'"
        ) from error
    made = MCPServer(
        "aimwell",
        instructions="Ranks drug targets for a disease cohort and shows why. Check a run file, run "
        "it, explain targets, then audit the run before believing it.",
        log_level="ERROR",
    )
    for function in tools.all():
        made.tool()(function)
    return made


class Tools:
    """The tools; each is a command of its own process, so that the server answers on.

    Args:
        folder: Everything that is written goes below it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    def all(self) -> list[Callable[..., dict[str, Any]]]:
        """List the tools."""

        def check(run_file: str, data: str = "") -> dict[str, Any]:
            """Say what is in the files of a cohort and whether each contrast can be tested."""
            return self._call("cohort", "check", self._file(run_file, data), *_data(data))

        def build(run_file: str, name: str, data: str = "") -> dict[str, Any]:
            """Build the graph that a run file asks for, into the folder ``name``."""
            place = self._place(name)
            return self._call(
                "graph", "build", self._file(run_file, data), "--output", place, *_data(data)
            )

        def run(run_file: str, name: str, data: str = "", jobs: int = 2) -> dict[str, Any]:
            """Rank the targets of a run file, into the folder ``name``; takes minutes."""
            options = ("--output", self._place(name), "--jobs", str(jobs))
            return self._call("run", self._file(run_file, data), *options, *_data(data))

        def explain(name: str, genes: list[str]) -> dict[str, Any]:
            """Explain targets of the finished run in the folder ``name``, by symbol."""
            for gene in genes:
                _refuse_odd(gene)
            return self._call("explain", self._place(name), *genes)

        def audit(name: str, data: str = "", only: str = "") -> dict[str, Any]:
            """Say how far the finished run in the folder ``name`` can be believed; takes long."""
            if only:
                _refuse_odd(only)
            part = ("--only", only) if only else ()
            return self._call("audit", self._place(name), *part, *_data(data))

        return [_refusing(tool) for tool in (check, build, run, explain, audit)]

    def _place(self, name: str) -> str:
        """Find a folder below the one that may be written to."""
        _refuse_odd(name)
        place = (self.folder / name).resolve()
        if not place.is_relative_to(self.folder) or place == self.folder:
            raise RunError(
                f"'{name}' lies outside '{self.folder}', the only folder that this server writes "
                "to; give the name of a folder in it"
            )
        return str(place)

    def _file(self, name: str, data: str) -> str:
        """Let a run file pass that makes no command write elsewhere.

        Raises:
            AimwellError: It cannot be read, or keeps answers of mygene.info outside the folder.
        """
        from aimwell.config import read_config

        _refuse_odd(name)
        config = read_config(Path(name), data=data)
        cache = config.path(config.identifiers.cache).resolve()
        if config.identifiers.online and not cache.is_relative_to(self.folder):
            raise RunError(
                f"'{name}' keeps what mygene.info answers in '{cache}' (identifiers.online), which "
                f"lies outside '{self.folder}', the only folder that this server writes to; set "
                "online = false, or name a cache in that folder"
            )
        return name

    def _call(self, *arguments: str) -> dict[str, Any]:
        self.folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "aimwell", *arguments, "--json", "--quiet"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            said = (done.stderr or done.stdout).strip()[-500:]
            return {"status": done.returncode, "error": {"code": "USAGE", "message": said}}
        if isinstance(answer, dict) and "error" in answer:
            return {"status": done.returncode, **answer}
        return {"status": done.returncode, "answer": answer}


def _refusing(tool: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Answer a refusal in the form of the commands: a raised one would hide its message."""

    @functools.wraps(tool)
    def answered(*arguments: Any, **named: Any) -> dict[str, Any]:
        try:
            return tool(*arguments, **named)
        except AimwellError as error:
            return {"status": 2, "error": {"code": error.code, "message": str(error)}}

    return answered


def _data(data: str) -> tuple[str, ...]:
    if data:
        _refuse_odd(data)
    return ("--data", data) if data else ()


def _refuse_odd(text: str) -> None:
    """Refuse text that a command would take for an option, or that cannot be a name.

    Raises:
        AimwellError: It begins with a dash, is empty, or holds what cannot be printed.
    """
    if not text or text.startswith("-") or not text.isprintable():
        raise AimwellError(
            f"{text!r} is no name; a name is not empty, does not begin with '-', and holds "
            "nothing that cannot be printed"
        )
