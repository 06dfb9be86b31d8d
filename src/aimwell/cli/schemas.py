"""JSON Schemas of what commands print with ``--json``, those of dataclasses from their own fields.

A schema promises the keys that it requires; more may be added within a version.
"""

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from aimwell.errors import AimwellError, ConfigError, some

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
#: Codes that are no ``AimwellError``, see ``aimwell.cli.answer``.
OTHER_CODES: Final = {
    "SYSTEM": "The machine refused something: a full disk, a folder that cannot be written to.",
    "BUG": "A fault of aimwell itself; exit status 1.",
    "STOPPED": "Stopped with Ctrl-C; exit status 130.",
}
Schema = dict[str, Any]
TEXT: Final[Schema] = {"type": "string"}
NUMBER: Final[Schema] = {"type": "number"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
FLAG: Final[Schema] = {"type": "boolean"}
ROW: Final[Schema] = {"type": "object"}


def refusal_codes() -> dict[str, str]:
    """Every code that an error may have, and what it means."""

    def walk(kind: type[AimwellError]) -> list[type[AimwellError]]:
        return [kind, *(k for sub in kind.__subclasses__() for k in walk(sub))]

    told = {kind.code: (kind.__doc__ or "").strip().splitlines()[0] for kind in walk(AimwellError)}
    return dict(sorted(told.items())) | OTHER_CODES


def schema_of(command: str) -> Schema:
    """Give the schema of a command, or of ``error``.

    Raises:
        ConfigError: No command of that name.
    """
    if command not in SCHEMAS:
        raise ConfigError(f"there is no command '{command}'; choose from {some(SCHEMAS, 99)}")
    title = "an error" if command == "error" else f"aimwell {command} --json"
    return {"$schema": DIALECT, "title": title, **SCHEMAS[command]()}


def record(optional: Sequence[str] = (), **keys: Schema) -> Schema:
    """Describe an object with keys that are required, all but the optional ones."""
    required = [k for k in keys if k not in optional]
    return {"type": "object", "properties": keys, "required": required}


def listing(items: Schema) -> Schema:
    """Describe a list of like things."""
    return {"type": "array", "items": items}


def mapping(values: Schema) -> Schema:
    """Describe an object whose keys are names."""
    return {"type": "object", "additionalProperties": values}


def of_type(hint: Any) -> Schema:
    """Describe what a type becomes in JSON; anything where that depends on the value."""
    simple: dict[Any, Schema] = {
        str: TEXT,
        Path: TEXT,
        bool: FLAG,
        int: {"type": "integer"},
        # numbers that are not finite are null in JSON
        float: {"type": ["number", "null"]},
        type(None): {"type": "null"},
    }
    if hint in simple:
        return simple[hint]
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return {"enum": [*inside]}
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [of_type(part) for part in inside]}
    is_class = isinstance(origin, type)
    if is_class and issubclass(origin, Sequence | set | frozenset):
        return listing(of_type(inside[0])) if inside else {"type": "array"}
    if is_class and issubclass(origin, Mapping):
        return mapping(of_type(inside[1]))
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        hints = typing.get_type_hints(hint)
        keys = {f.name: of_type(hints[f.name]) for f in dataclasses.fields(hint)}
        return {"type": "object", "properties": keys, "required": [*keys]}
    return {}


def _run() -> Schema:
    row = record(rank=NUMBER, symbol=TEXT, hgnc_id=TEXT, score=NUMBER, is_known={})
    return record(
        folder=TEXT,
        page=TEXT,
        reused=FLAG,
        seconds=NUMBER,
        genes=COUNT,
        top=listing(row),
        ladder=listing(ROW),
        recommendation={"anyOf": [_recommendation(), {"type": "null"}]},
        checks=listing(ROW),
    )


def _recommendation() -> Schema:
    return record(
        scorer=TEXT,
        best=TEXT,
        network=TEXT,
        known=COUNT,
        families=COUNT,
        scorers=listing(ROW),
        sentence=TEXT,
        rule=TEXT,
    )


def _demo() -> Schema:
    whole = _run()
    more = record(candidates=COUNT, held_back=listing(ROW), found=listing(ROW))
    whole["properties"] |= more["properties"]
    whole["required"] += more["required"]
    return whole


def _explanation() -> Schema:
    return record(
        gene=TEXT,
        symbol=TEXT,
        score=NUMBER,
        baseline_score=NUMBER,
        shares=mapping(NUMBER),
        spread=mapping(NUMBER),
        subgraph_nodes=listing(TEXT),
        subgraph_edges=listing(ROW),
        sentence=TEXT,
        completeness_error=NUMBER,
    )


def _explain() -> Schema:
    every = record(table=TEXT, edges=TEXT, genes=COUNT, seconds=NUMBER)
    return {"anyOf": [listing(_explanation()), every]}


def _compare() -> Schema:
    row = record(what=TEXT, name=TEXT, first=NUMBER, second=NUMBER, difference=NUMBER)
    return record(first=_explanation(), second=_explanation(), rows=listing(row))


def _modules() -> Schema:
    names = listing(TEXT)
    module = record(
        nodes=names,
        targets=names,
        n_nodes=COUNT,
        n_targets=COUNT,
        attribution=NUMBER,
        node_symbols=names,
        target_symbols=names,
    )
    return record(targets=COUNT, modules=listing(module))


def _cohort_check() -> Schema:
    from aimwell.cohorts.check import CohortCheck
    from aimwell.provenance import Step

    whole = of_type(CohortCheck)
    whole["properties"]["steps"] = listing(of_type(Step))
    whole["required"].append("steps")
    return whole


def _graph_build() -> Schema:
    from aimwell.knowledge.summary import GraphSummary
    from aimwell.provenance import Step

    return record(folder=TEXT, summary=of_type(GraphSummary), steps=listing(of_type(Step)))


def _graph_show() -> Schema:
    from aimwell.knowledge.summary import GraphSummary
    from aimwell.provenance import Step

    return record(
        summary=of_type(GraphSummary),
        degrees=mapping(mapping(COUNT)),
        components=mapping(COUNT),
        overlap=listing(ROW),
        steps=listing(of_type(Step)),
        page={"type": ["string", "null"]},
    )


def _graph_fetch() -> Schema:
    from aimwell.knowledge.catalog import Entry
    from aimwell.knowledge.fetch import Fetched

    return {"anyOf": [listing(of_type(Entry)), listing(of_type(Fetched))]}


def _bench() -> Schema:
    from aimwell.bench import Bar

    return listing(of_type(Bar))


def _reproduce() -> Schema:
    from aimwell.pipeline.reproduce import Reproduction

    whole = of_type(Reproduction)
    whole["properties"]["same"] = FLAG
    whole["required"].append("same")
    return whole


def _audit() -> Schema:
    return record(
        folder=TEXT,
        seconds=NUMBER,
        tiers=mapping(COUNT),
        checks=listing(ROW),
        layers=listing(ROW),
        skipped=mapping(TEXT),
        rules=listing(TEXT),
    )


def _error() -> Schema:
    codes = refusal_codes()
    code = {"enum": list(codes), "description": "\n".join(f"{k}: {v}" for k, v in codes.items())}
    return record(error=record(code=code, message=TEXT))


def _tools() -> Schema:
    return listing(record(name=TEXT, description=TEXT))


#: Command → what makes its schema; big packages are read only for the one that is asked for.
SCHEMAS: Final[dict[str, Callable[[], Schema]]] = {
    "audit": _audit,
    "bench": _bench,
    "cohort check": _cohort_check,
    "cohort combine": lambda: record(
        table=TEXT, cohorts=COUNT, genes=COUNT, shared=COUNT, replicated=COUNT
    ),
    "cohort qc": lambda: record(page=TEXT, quality=ROW, designs=ROW),
    "cohort summarise": lambda: record(tables=listing(TEXT), contrasts=mapping(ROW)),
    "compare": _compare,
    "demo": _demo,
    "error": _error,
    "explain": _explain,
    "graph audit": lambda: record(
        allowed=FLAG, known_targets=listing(TEXT), leaks=listing(ROW), edges=listing(ROW)
    ),
    "graph build": _graph_build,
    "graph fetch": _graph_fetch,
    "graph show": _graph_show,
    "mcp": _tools,
    "modules": _modules,
    "reproduce": _reproduce,
    "run": lambda: {"anyOf": [_run(), listing(record(disease=TEXT, folder=TEXT, code=TEXT))]},
    "schema": lambda: {"type": "object"},
    "view": lambda: record(url=TEXT, runs=listing(TEXT)),
}
