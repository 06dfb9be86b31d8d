"""Read a run file: one TOML file, checked and turned into frozen dataclasses."""

import difflib
import re
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final, get_args, get_origin, get_type_hints

from aimwell.config.choices import check_choices
from aimwell.config.objective import check_objective
from aimwell.config.ranges import check_ranges
from aimwell.config.run import RunConfig
from aimwell.config.unused import check_unused
from aimwell.errors import ConfigError, InputError

#: Neither NUL nor half of a surrogate pair, which TOML and JSON can write as escapes.
_ENCODABLE: Final = re.compile("[^\\0\ud800-\udfff]*")


def read_config(
    path: Path,
    *,
    data: str = "",
    output: str = "",
    licence: str = "",
    allow_leak: bool = False,
    as_of: str = "",
) -> RunConfig:
    """Read and check a run file.

    Args:
        path: A TOML file. A relative ``run.data`` is taken from the folder of the file; a
            relative ``run.output`` from the working folder.
        data: Replaces ``run.data``.
        output: Replaces ``run.output``.
        licence: Replaces ``graph.licence``.
        allow_leak: Sets ``graph.allow_leak``; False leaves what the file says.
        as_of: Replaces ``graph.as_of`` and ``known_targets.as_of``.

    Raises:
        InputError: The file is missing or not TOML.
        ConfigError: An unknown or missing key, or a value of the wrong kind.
    """
    if path.is_dir():
        raise InputError(f"'{path}' is a folder; name the run file in it")
    if not path.is_file():
        raise InputError(f"there is no run file '{path}'; write one after examples/coad/coad.toml")
    try:
        # editors on Windows put a byte-order mark before the first key
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"'{path}' is not UTF-8 text, as TOML must be: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"'{path}' is not valid TOML: {error}") from error
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {error.strerror or error}") from error
    _refuse_odd_text(raw, str(path))
    run = raw.setdefault("run", {})
    if isinstance(run, dict) and (data or isinstance(run.get("data", "."), str)):
        folder = data or str(path.resolve().parent / run.get("data", "."))
        run["data"] = str(Path(folder).resolve())
    if isinstance(run, dict) and output:
        run["output"] = output
    if changes := _graph_changes(licence, allow_leak, as_of):
        graph = raw.setdefault("graph", {"preset": "starter"})
        if isinstance(graph, dict):
            graph |= changes
    known = raw.get("known_targets")
    if as_of and isinstance(known, dict):
        known["as_of"] = as_of
    return config_from(raw, where=str(path))


def _graph_changes(licence: str, allow_leak: bool, as_of: str) -> dict[str, str | bool]:
    changes: dict[str, str | bool] = {"licence": licence} if licence else {}
    if allow_leak:
        changes["allow_leak"] = True
    if as_of:
        changes["as_of"] = as_of
    return changes


def config_from(raw: Mapping[str, Any], where: str = "configuration") -> RunConfig:
    """Check a nested mapping and turn it into a ``RunConfig``.

    Example:
        >>> config_from({"runn": {}})
        Traceback (most recent call last):
        aimwell.errors.ConfigError: configuration: unknown key 'runn'; did you mean 'run'?
    """
    _refuse_odd_text(raw, where)
    config: RunConfig = _build(RunConfig, raw, where, "")
    check_choices(config, where)
    check_ranges(config, where)
    check_objective(config, where)
    check_unused(config, where)
    if not config.run.output:
        raise ConfigError(f"{where}: run.output is empty; name the folder of the run")
    graph = config.graph
    if graph.min_set_size > graph.max_set_size:
        raise ConfigError(
            f"{where}: graph.min_set_size = {graph.min_set_size} is above graph.max_set_size = "
            f"{graph.max_set_size}, so no set would be left"
        )
    return config


def _refuse_odd_text(raw: Any, where: str, at: str = "") -> None:
    """Refuse text that no system takes as a name of a file, wherever it stands."""
    if isinstance(raw, Mapping):
        for key, value in raw.items():
            _refuse_odd_text(key, where, at or "a key")
            _refuse_odd_text(value, where, _join(at, str(key)))
    elif isinstance(raw, list | tuple):
        for number, part in enumerate(raw):
            _refuse_odd_text(part, where, f"{at}[{number}]")
    elif isinstance(raw, str) and not _ENCODABLE.fullmatch(raw):
        raise ConfigError(
            f"{where}: {at} = {raw[:80]!a} holds NUL or half a character, which cannot be written; "
            "write it anew"
        )


def _build(kind: Any, raw: Any, where: str, at: str) -> Any:
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{where}: [{at}] must be a table, found {raw!r}")
    known = {f.name: f for f in fields(kind)}
    for key in raw:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(known)}"
            raise ConfigError(f"{where}: unknown key '{_join(at, key)}'; {hint}")
    hints = get_type_hints(kind)
    values = {}
    for name, item in known.items():
        if name in raw:
            values[name] = _value(hints[name], raw[name], where, _join(at, name))
        elif item.default is MISSING and item.default_factory is MISSING:
            raise ConfigError(f"{where}: the key '{_join(at, name)}' is missing")
    return kind(**values)


def _value(hint: Any, raw: Any, where: str, at: str) -> Any:
    if is_dataclass(hint):
        return _build(hint, raw, where, at)
    if get_origin(hint) is tuple:
        if not isinstance(raw, list | tuple):
            raise ConfigError(f"{where}: '{at}' must be a list, found {raw!r}")
        return tuple(_value(get_args(hint)[0], v, where, f"{at}[{i}]") for i, v in enumerate(raw))
    if get_origin(hint) in (Mapping, typing.get_origin(Mapping[str, str])):
        if not isinstance(raw, Mapping):
            raise ConfigError(f"{where}: '{at}' must be a table, found {raw!r}")
        return {str(k): str(v) for k, v in raw.items()}
    if hint is float and isinstance(raw, int) and not isinstance(raw, bool):
        return float(raw)
    if not isinstance(raw, hint) or (isinstance(raw, bool) and hint is not bool):
        found = f"{raw.isoformat()}; write it in quotes" if isinstance(raw, date) else repr(raw)
        raise ConfigError(f"{where}: '{at}' must be of type {hint.__name__}, found {found}")
    return raw


def _join(at: str, key: str) -> str:
    return f"{at}.{key}" if at else key
