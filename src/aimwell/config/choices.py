"""Values that a setting may take, and settings that must fit together."""

import difflib
import re
from collections.abc import Sequence
from typing import Final

from aimwell.config.cohort import (
    COHORT_READERS,
    IMPUTERS,
    NORMALISATIONS,
    PROTEIN_READERS,
    RNA_READERS,
    ROLLUPS,
    TABLE_READERS,
    TESTS,
    VARIANCE_PRIORS,
    ContrastSettings,
    MatrixSettings,
)
from aimwell.config.drugs import DRUG_LAYER_READERS
from aimwell.config.formula import asked_columns, read_formula
from aimwell.config.knowledge import (
    EDGE_RELATIONS,
    ID_TYPES,
    INTERACTION_READERS,
    LABEL_READERS,
    LICENCES,
    MAPPING_READERS,
    PRESETS,
    PRIOR_READERS,
    SET_READERS,
    GraphSource,
)
from aimwell.config.run import RunConfig
from aimwell.errors import ConfigError, DesignError, some

#: Where the units of a run may be computed.
EXECUTORS: Final = (
    "local",
    "dask",
    "dask://HOST:PORT",
    "ray",
    "ray://HOST:PORT",
    "slurm",
    "slurm://PARTITION",
)
#: What the networks are fitted on; ``auto`` is a GPU that torch can use, and the processor else.
DEVICES: Final = ("auto", "cpu", "cuda", "cuda:N")
#: Where a path of integrated gradients may begin; ``explain.baselines`` says what they are.
BASELINES: Final = ("zero", "controls", "empty")
UNITS: Final = ("counts", "log2", "log2_ratio", "intensity", "tpm")
#: What the words of ``[model]`` may be.
MODEL: Final = {
    "objective": ("positive_unlabelled", "supervised", "none"),
    "loss": ("balanced", "non_negative", "ranking"),
    "folds_by": ("family", "complex", "degree", "study", "date", "given"),
    "fusion": ("early", "intermediate", "late"),
    "convolution": ("sum", "attention"),
    "ladder": ("standard", "full"),
}


def check_choices(config: RunConfig, where: str) -> None:
    """Refuse the first setting with a value that is not known or does not fit the others.

    Raises:
        ConfigError: With the setting, what was found, and what may be there.
    """
    if not re.fullmatch(
        r"local|(dask|ray)(://[^\s/]+:\d+)?|slurm(://[\w-]+)?", config.run.executor
    ):
        raise ConfigError(
            f"{where}: run.executor = '{config.run.executor}' is not known; use one of "
            f"{some(EXECUTORS, 9)}"
        )
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", config.run.device):
        raise ConfigError(
            f"{where}: run.device = '{config.run.device}' is not known; use one of "
            f"{some(DEVICES, 9)}"
        )
    if config.run.device.startswith("cuda") and config.run.executor != "local":
        raise ConfigError(
            f"{where}: run.device = '{config.run.device}' needs the executor 'local', found "
            f"'{config.run.executor}': workers elsewhere compute on their processors; leave one out"
        )
    graph = config.graph
    given = [bool(graph.preset), bool(graph.folder), bool(graph.sources)]
    if sum(given) != 1:
        raise ConfigError(
            f"{where}: [graph] needs exactly one of preset, folder and sources, found {sum(given)}"
        )
    choices: list[tuple[str, str, tuple[str, ...]]] = [
        ("cohort.unmatched_samples", config.cohort.unmatched_samples, ("refuse", "report")),
        ("cohort.sheet.per", config.cohort.sheet.per, ("sample", "subject")),
        ("cohort.sheet.samples_in", config.cohort.sheet.samples_in, ("rows", "columns")),
    ]
    if graph.preset:
        choices.append(("graph.preset", graph.preset, PRESETS))
    readers = (*INTERACTION_READERS, *SET_READERS, *PRIOR_READERS)
    choices.append(("graph.merge", graph.merge, ("noisy_or", "max", "separate")))
    choices.append(("graph.licence", graph.licence, LICENCES))
    for source in graph.sources:
        choices += [
            ("graph.sources.reader", source.reader, readers),
            ("graph.sources.id_type", source.id_type, ID_TYPES),
            ("graph.sources.relation", source.relation, EDGE_RELATIONS),
        ]
        _check_range(where, source)
        _check_name(where, source)
    mappings = config.identifiers.mappings
    choices += [("identifiers.mappings.reader", m.reader, MAPPING_READERS) for m in mappings]
    for matrix in config.cohort.matrices:
        choices += [
            ("cohort.matrices.kind", matrix.kind, ("rna", "protein")),
            ("cohort.matrices.reader", matrix.reader, COHORT_READERS),
            ("cohort.matrices.unit", matrix.unit or UNITS[0], UNITS),
            ("cohort.matrices.normalise", matrix.normalise or "none", NORMALISATIONS),
            ("cohort.matrices.rollup", matrix.rollup, ROLLUPS),
            ("cohort.matrices.genes_in", matrix.genes_in, ("rows", "columns")),
        ]
        _check_kind(matrix, where)
    for table in config.cohort.tables:
        choices += [
            ("cohort.tables.kind", table.kind, ("rna", "protein")),
            ("cohort.tables.reader", table.reader, TABLE_READERS),
        ]
    labels = config.known_targets
    for label in (*labels.sources, *labels.negatives, *labels.check):
        choices.append(("known_targets.sources.reader", label.reader, LABEL_READERS))
    choices += [
        ("drugs.sources.reader", s.reader, DRUG_LAYER_READERS) for s in config.drugs.sources
    ]
    model = config.model
    choices += [(f"model.{key}", getattr(model, key), allowed) for key, allowed in MODEL.items()]
    choices += [("explain.baselines", name, BASELINES) for name in config.explain.baselines]
    _check_explain(config, where)
    _check_days(config, where)
    for key, found, allowed in choices:
        if found not in allowed:
            near = difflib.get_close_matches(found, allowed, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"use one of {some(allowed, 9)}"
            raise ConfigError(f"{where}: {key} = '{found}' is not known; {hint}")
    _check_contrasts(config, where)
    tested = [*(c.name for c in config.contrasts), *(t.name for t in config.cohort.tables)]
    _check_drugs(config, tested, where)


def _check_drugs(config: RunConfig, names: Sequence[str], where: str) -> None:
    for source in config.drugs.sources:
        if source.reader != "starter" and not source.path:
            raise ConfigError(f"{where}: drugs.sources: the reader '{source.reader}' needs 'path'")
        if source.reader == "chembl" and not source.targets:
            raise ConfigError(
                f"{where}: drugs.sources: the reader 'chembl' needs 'targets', its mapping to "
                "UniProt (chembl_uniprot_mapping.txt)"
            )
        if source.reader == "druggable_genes" and not source.druggable_class:
            raise ConfigError(
                f"{where}: drugs.sources: the reader 'druggable_genes' needs 'druggable_class', "
                "what the genes of the list are, such as 'kinase'"
            )
    try:
        re.compile(config.drugs.disease_pattern)
    except re.error as error:
        raise ConfigError(
            f"{where}: drugs.disease_pattern = '{config.drugs.disease_pattern}' is no regular "
            f"expression: {error}"
        ) from error
    if unknown := [name for name in config.drugs.contrasts if name not in names]:
        raise ConfigError(
            f"{where}: drugs.contrasts names {some(unknown)}; the run has {some(names, 9)}"
        )


def _check_explain(config: RunConfig, where: str) -> None:
    """Refuse an explanation without a baseline."""
    explain = config.explain
    if not explain.baselines or len(set(explain.baselines)) < len(explain.baselines):
        raise ConfigError(
            f"{where}: explain.baselines = {list(explain.baselines)} needs at least one of "
            f"{some(BASELINES)}, none of them twice"
        )


def _check_kind(matrix: MatrixSettings, where: str) -> None:
    """Refuse a kind of layer that a format or a unit cannot hold."""
    only = {"rna": PROTEIN_READERS, "protein": RNA_READERS}.get(matrix.kind, ())
    if matrix.reader in only:
        other = "protein" if matrix.kind == "rna" else "rna"
        raise ConfigError(
            f"{where}: cohort.matrices.kind = '{matrix.kind}' of '{matrix.path}', but reader = "
            f"'{matrix.reader}' reads {other} only; set kind = '{other}' or another reader"
        )
    if matrix.unit == "tpm" and (matrix.kind != "rna" or matrix.zero_is_missing):
        raise ConfigError(
            f"{where}: cohort.matrices.unit = 'tpm' of '{matrix.path}' is RNA, of which a zero is "
            "a value; set kind = 'rna' and leave out zero_is_missing, or declare another unit"
        )


def _check_contrasts(config: RunConfig, where: str) -> None:
    layers = {m.layer for m in config.cohort.matrices}
    ready = [t.name for t in config.cohort.tables]
    names = [*(c.name for c in config.contrasts), *ready, *(f.name for f in config.cohort.features)]
    if config.cohort.matrices and not config.cohort.sheet.path:
        raise ConfigError(
            f"{where}: the key 'cohort.sheet' is missing; matrices need their samples"
        )
    if not config.cohort.matrices and not ready:
        raise ConfigError(
            f"{where}: the key 'cohort.matrices' is missing; name measurements there, or finished "
            "results in [[cohort.tables]]"
        )
    if not config.contrasts and not ready:
        raise ConfigError(f"{where}: name at least one contrast in [[contrasts]]")
    if len(set(names)) < len(names):
        what = (
            "contrasts, tables or features" if len(names) > len(config.contrasts) else "contrasts"
        )
        raise ConfigError(f"{where}: two {what} share a name: {some(names)}")
    for name in names[len(config.contrasts) :]:
        if not name.strip() or not name.isprintable() or name == "graph":
            raise ConfigError(
                f"{where}: cohort.tables.name or cohort.features.name = {name!r} must be printable "
                "text other than 'graph', since it begins the names of columns"
            )
    for contrast in config.contrasts:
        if not contrast.name.strip() or not contrast.name.isprintable():
            raise ConfigError(
                f"{where}: contrasts.name = {contrast.name!r} must be printable text, since it "
                "begins the names of columns"
            )
        _check_test(contrast, where)
        _check_statistics(contrast, config, f"{where}: contrast '{contrast.name}'")
        if contrast.layer not in layers:
            raise ConfigError(
                f"{where}: contrast '{contrast.name}' names the layer '{contrast.layer}'; "
                f"the matrices have {some(sorted(layers), 9)}"
            )


#: What each test needs besides its layer, and what it may have.
_NEEDED: Final = {
    "arms": ("condition", "case", "control"),
    "any": ("condition",),
    "slope": ("condition",),
    "interaction": ("condition", "case", "control", "stratum", "strata"),
    "survival": ("time", "event"),
    "formula": ("formula", "coefficient"),
}
_LINEAR: Final = ("subject", "batch", "covariates", "hidden_batches", "block", "robust", "impute")
_ALLOWED: Final = {
    "arms": _LINEAR,
    "slope": _LINEAR,
    "interaction": _LINEAR,
    "any": ("control", "subject", "batch", "covariates", "robust"),
    "survival": ("batch", "event_level"),
    "formula": ("control", "hidden_batches", "block", "robust", "impute"),
}


def _check_test(contrast: ContrastSettings, where: str) -> None:
    """Refuse a contrast that lacks a key of its test, or has one that the test would ignore."""
    at = f"{where}: contrast '{contrast.name}'"
    if contrast.test not in TESTS:
        near = difflib.get_close_matches(contrast.test, TESTS, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"use one of {some(TESTS, 9)}"
        raise ConfigError(f"{at}: contrasts.test = '{contrast.test}' is not known; {hint}")
    needed, optional = _NEEDED[contrast.test], _ALLOWED[contrast.test]
    for key in needed:
        if not getattr(contrast, key):
            hint = ""
            if contrast.test == "arms" and key != "condition":
                hint = (
                    "; a condition of numbers needs test = 'slope' instead, one of several levels "
                    "test = 'any'"
                )
            raise ConfigError(
                f"{at}: the key 'contrasts.{key}' is missing, which test = '{contrast.test}' needs"
                f"{hint}"
            )
    instead = "write it into the formula" if contrast.test == "formula" else "leave it out"
    keys = {*(k for v in _NEEDED.values() for k in v), *(k for v in _ALLOWED.values() for k in v)}
    for key in sorted(keys - {*needed, *optional}):
        if getattr(contrast, key):
            raise ConfigError(
                f"{at}: contrasts.{key} means nothing to test = '{contrast.test}', which takes "
                f"{some((*needed, *optional, 'where'), 12)}; {instead}"
            )
    if contrast.test == "formula":
        _check_formula(contrast, at)
    if contrast.test == "interaction" and len(contrast.strata) != 2:
        raise ConfigError(
            f"{at}: contrasts.strata has {len(contrast.strata)} levels, and 2 are needed: the "
            "effect in the first minus that in the second"
        )
    if contrast.block and (contrast.subject or contrast.hidden_batches):
        other = "subject" if contrast.subject else "hidden_batches"
        raise ConfigError(
            f"{at}: contrasts.block and contrasts.{other} exclude each other; leave out one"
        )


def _check_formula(contrast: ContrastSettings, at: str) -> None:
    """Refuse a formula that cannot be read, or without the term that is tested."""
    try:
        terms = read_formula(contrast.formula).terms
    except DesignError as error:
        raise ConfigError(f"{at}: {error}") from error
    if not asked_columns(contrast):
        raise ConfigError(
            f"{at}: contrasts.coefficient = '{contrast.coefficient}' is no part of the formula "
            f"'{contrast.formula}'; name one of its terms ({some(map(':'.join, terms), 9)}), or "
            "one level of one as 'stage[III]'"
        )


def _check_statistics(contrast: ContrastSettings, config: RunConfig, at: str) -> None:
    """Refuse priors and imputers that are not known or do not fit the layer."""
    for key, found, known in (
        ("variance", contrast.variance, VARIANCE_PRIORS),
        ("impute", contrast.impute or IMPUTERS[0], IMPUTERS),
    ):
        if found not in known:
            near = difflib.get_close_matches(found, known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"use one of {some(known, 9)}"
            raise ConfigError(f"{at}: contrasts.{key} = '{found}' is not known; {hint}")
    if contrast.test == "survival" and contrast.variance != "auto":
        raise ConfigError(f"{at}: contrasts.variance means nothing to survival; leave it out")
    kinds = {m.kind for m in config.cohort.matrices if m.layer == contrast.layer}
    if contrast.impute and kinds != {"protein"}:
        raise ConfigError(
            f"{at}: contrasts.impute fills in proteins, and layer '{contrast.layer}' holds RNA, "
            "of which a zero is a value; leave it out"
        )
    if contrast.impute and contrast.block:
        raise ConfigError(f"{at}: contrasts.impute and contrasts.block exclude each other")


def _check_range(where: str, source: GraphSource) -> None:
    if not 0 <= source.min_score <= 1:
        raise ConfigError(
            f"{where}: graph.sources.min_score = {source.min_score} of '{source.path}' must lie in "
            "[0, 1]; write 0.7 for a STRING score of 700"
        )
    if not 0 < source.weight <= 1:
        raise ConfigError(
            f"{where}: graph.sources.weight = {source.weight} of '{source.path}' must lie in (0, 1]"
        )


def _check_name(where: str, source: GraphSource) -> None:
    name = source.name
    if name and (not name.isprintable() or "|" in name or name != name.strip()):
        raise ConfigError(
            f"{where}: graph.sources.name = {name!r} must be printable text without '|', which "
            "stands between the sources of an edge, and without blanks at its ends"
        )


def _check_days(config: RunConfig, where: str) -> None:
    for key, day in (("graph", config.graph.as_of), ("known_targets", config.known_targets.as_of)):
        if day and not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", day):
            raise ConfigError(f"{where}: {key}.as_of = '{day}' is no day; write 2018-01-01")
