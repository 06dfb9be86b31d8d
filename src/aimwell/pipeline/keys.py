"""Which inputs a stage depends on, as one hash."""

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final

from aimwell.cohorts.sample_files import digest_of, is_many
from aimwell.config import RunConfig
from aimwell.errors import RunError
from aimwell.pipeline.cache import code_hash
from aimwell.provenance import content_hash, sha256_of

#: Settings that say where a run happens, not what it computes.
PLACE: Final = ("output", "data", "jobs", "executor", "device", "title")


@dataclasses.dataclass(frozen=True)
class Keys:
    """Hashes of everything that each stage depends on."""

    graph: str
    evidence: str
    known: str
    check: str
    drugs: str
    negatives: str
    folds: str
    task: str
    whole: str
    files: dict[str, str]


def keys_of(config: RunConfig) -> Keys:
    """Hash settings, code and the bytes of every input.

    An input that is missing has an empty hash here; its reader refuses it with a better message.
    """
    return keys_with(config, {name: _digest(config, name) for name in sorted(input_names(config))})


def keys_with(config: RunConfig, files: dict[str, str]) -> Keys:
    """Hash settings and code, with the hashes of the inputs as they were taken before."""

    def key(stage: str, *parts: object) -> str:
        used = sorted(n for n in _strings(list(parts)) if n in files)
        return content_hash([stage, code_hash(), parts, [files[n] for n in used]])

    graph = key("graph", config.graph, config.identifiers)
    table = config.identifiers if config.identifiers.hgnc else graph
    evidence = key("evidence", config.cohort, config.contrasts, table)
    # a licence that the graph is held to, known targets are held to as well
    free = config.graph.licence
    known = key("known", config.known_targets.sources, config.known_targets.as_of, table, free)
    check = key("check", config.known_targets.check, table, free)
    drugs = key("drugs", config.drugs, graph, table, known, check, free)
    negatives = key("negatives", config.known_targets.negatives, table, free)
    folds = key("folds", config.model.folds_file, table)
    settings = {f.name: getattr(config.run, f.name) for f in dataclasses.fields(config.run)}
    drawn = {k: v for k, v in settings.items() if k not in PLACE}
    labels = [known, check, negatives, folds]
    task = content_hash([graph, evidence, labels, config.model, drawn])
    whole = content_hash([task, config.explain, config.audit, config.run.title, drugs])
    return Keys(graph, evidence, known, check, drugs, negatives, folds, task, whole, files)


def input_names(config: RunConfig) -> set[str]:
    """Name every input file of a run, as the run file does."""
    parts = [config.graph, config.identifiers, config.cohort, config.known_targets]
    parts.append(config.drugs.sources)
    parts.append(config.model.folds_file)
    many = {m.path for m in config.cohort.matrices if is_many(config.path(m.path))}
    return many | {n for n in _strings(parts) if n and _is_input(config, n)}


def input_digests(
    config: RunConfig, parts: Sequence[object], names: Collection[str]
) -> dict[str, str]:
    """Hash those of the named inputs that some parts of the settings need.

    Returns:
        Name → hash; empty for an input that is not there.
    """
    return {n: _digest(config, n) for n in sorted(set(_strings(list(parts))) & set(names))}


def _is_input(config: RunConfig, name: str) -> bool:
    try:
        return _input(config, name).is_file()
    except OSError:  # a long pattern or list is a text that cannot be a path
        return False


def verify_unchanged(config: RunConfig, files: dict[str, str]) -> None:
    """Refuse to go on with inputs that changed while they were read.

    Raises:
        RunError: A file is not the one whose hash was taken.
    """
    for name, digest in files.items():
        if _digest(config, name) != digest:
            raise RunError(
                f"'{config.path(name)}' changed while the run was reading it; call again when the "
                "file is complete"
            )


def _digest(config: RunConfig, name: str) -> str:
    path = _input(config, name)
    if path.is_file():
        return sha256_of(path)
    # a folder or a pattern of files with one sample each
    whole = config.path(name)
    return digest_of(whole) if is_many(whole) else ""


def _input(config: RunConfig, name: str) -> Path:
    """A graph folder stands for its ``graph.json``, which holds the hash of every other file."""
    path = config.path(name)
    return path / "graph.json" if path.is_dir() else path


def _strings(value: Any) -> list[str]:
    """Every text in nested settings."""
    if isinstance(value, str):
        return [value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _strings([getattr(value, f.name) for f in dataclasses.fields(value)])
    if isinstance(value, dict):
        return _strings(list(value.values()))
    if isinstance(value, list | tuple):
        return [text for item in value for text in _strings(item)]
    return []
