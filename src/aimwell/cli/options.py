"""Options that several commands take, and the run file with what they replace in it."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from aimwell.config import RunConfig

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress, no summary; only errors.")]
Debug = Annotated[bool, typer.Option("--debug", help="Print the traceback of a bug.")]
RunFile = Annotated[Path, typer.Argument(metavar="RUN.toml", help="The run file.")]
Data = Annotated[
    str,
    typer.Option(
        "--data", envvar="AIMWELL_DATA", metavar="DIR", help="Folder of the inputs (run.data)."
    ),
]
Output = Annotated[str, typer.Option("--output", metavar="DIR", help="Run folder (run.output).")]
Jobs = Annotated[int, typer.Option("--jobs", min=0, help="Processes (run.jobs); 0 as in the file.")]

Executor = Annotated[
    str,
    typer.Option(
        "--executor",
        metavar="WHERE",
        help="Where fits run (run.executor): local, dask, ray, slurm, dask://HOST:PORT …",
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="WHERE",
        help="What fits networks (run.device): auto, cpu, cuda or cuda:N.",
    ),
]
AllowLeak = Annotated[
    bool,
    typer.Option(
        "--allow-leak", help="Keep what encodes the known targets, and mark every result."
    ),
]
AcceptConfounding = Annotated[
    bool,
    typer.Option(
        "--accept-confounding",
        help="Test contrasts that the gate refuses as nearly confounded, and mark every result.",
    ),
]
AsOf = Annotated[
    str,
    typer.Option(
        "--as-of", metavar="DATE", help="Leave out what was known later, such as 2018-01-01."
    ),
]


def read_run_file(  # noqa: PLR0913  one option each
    file: Path,
    data: str,
    output: str = "",
    jobs: int = 0,
    *,
    licence: str = "",
    allow_leak: bool = False,
    as_of: str = "",
    accept_confounding: bool = False,
    executor: str = "",
    device: str = "",
) -> "RunConfig":
    """Read the run file, with what the options of a command replace in it."""
    from aimwell.config import read_config
    from aimwell.config.choices import check_choices
    from aimwell.knowledge.presets import with_preset

    config = read_config(
        file, data=data, output=output, licence=licence, allow_leak=allow_leak, as_of=as_of
    )
    if accept_confounding:
        accepted = (dataclasses.replace(c, accept_confounding=True) for c in config.contrasts)
        config = dataclasses.replace(config, contrasts=tuple(accepted))
    if jobs:
        config = dataclasses.replace(config, run=dataclasses.replace(config.run, jobs=jobs))
    if executor or device:
        where, what = executor or config.run.executor, device or config.run.device
        replaced = dataclasses.replace(config.run, executor=where, device=what)
        config = dataclasses.replace(config, run=replaced)
        given = [n for n, v in (("--executor", executor), ("--device", device)) if v]
        check_choices(config, " and ".join(given))
    return with_preset(config)


def numbers(text: str, option: str) -> tuple[int, ...]:
    """Read whole numbers that commas separate.

    Raises:
        ConfigError: Something else.

    Example:
        >>> numbers("0, 3", "--folds")
        (0, 3)
    """
    from aimwell.errors import ConfigError

    parts = [part.strip() for part in text.split(",") if part.strip()]
    if wrong := [part for part in parts if not part.isdecimal()]:
        raise ConfigError(f"{option} takes numbers such as 0,1; found '{wrong[0]}'")
    return tuple(int(part) for part in parts)
