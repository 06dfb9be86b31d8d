"""Which reader of drugs and diseases the run file means: names of genes that are known targets."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pandas as pd

from aimwell.config import LabelSource, RunConfig
from aimwell.errors import ConfigError, LabelError, some
from aimwell.knowledge.sources import (
    chembl,
    dgidb,
    drugcentral,
    gene_list,
    hetionet,
    open_targets,
    pharmacotherapydb,
    repurposing_hub,
)
from aimwell.provenance import Step

#: Reader in the run file → name of the source.
LABEL_NAMES: Final = {
    "genes": gene_list.NAME,
    "drugcentral": drugcentral.NAME,
    "repurposing_hub": repurposing_hub.NAME,
    "dgidb": dgidb.NAME,
    "dgidb_categories": dgidb.NAME,
    "chembl": chembl.NAME,
    "open_targets_drugs": open_targets.NAME,
    "open_targets_associations": open_targets.NAME,
    "open_targets_gold_standards": open_targets.GOLD,
    "hetionet_associations": hetionet.NAME,
}
#: Columns of what is found, and what stands in one that a database does not give.
_DEFAULTS: Final = {"other": "", "drug": "", "date": "", "strength": 1.0}
_Found = tuple[pd.DataFrame, list[Step]]
_Pattern = re.Pattern[str]


@dataclass(frozen=True)
class _Request:
    """One source of known targets, and where its files are."""

    source: LabelSource
    config: RunConfig

    def read(self) -> _Found:
        return _READERS[self.source.reader](self)

    def need(self, key: str, why: str) -> str:
        value = str(getattr(self.source, key))
        if not value:
            raise ConfigError(
                f"known_targets: the reader '{self.source.reader}' needs '{key}', {why}"
            )
        return value

    def pattern(self) -> _Pattern:
        why = "a regular expression on the names of diseases, such as 'colon cancer'"
        text = self.need("disease_pattern", why)
        try:
            return re.compile(text, re.IGNORECASE)
        except re.error as error:
            raise ConfigError(
                f"known_targets: disease_pattern '{text}' is no regular expression: {error}"
            ) from error


def read_labels(source: LabelSource, config: RunConfig) -> _Found:
    """Read the known targets of one source, by name.

    Returns:
        Columns ``name`` of the gene, ``other`` (a second name to try for it), ``drug``, ``date``
        and ``strength`` in (0, 1]; and the steps.

    Raises:
        ConfigError: A setting that the reader needs is missing or is no regular expression.
        InputError: A file that cannot be read.
        LabelError: Nothing of the phase, category or disease asked for.
    """
    request = _Request(source, config)
    if source.reader != "genes":
        request.need("path", "the file")
    found, steps = request.read()
    table = found.reset_index(drop=True)
    blank = pd.DataFrame(_DEFAULTS, index=table.index)
    whole = pd.concat([table, blank[[c for c in _DEFAULTS if c not in table]]], axis=1)
    return whole[["name", *_DEFAULTS]], steps


def _genes(request: _Request) -> _Found:
    names = list(request.source.genes)
    if request.source.path:
        names += gene_list.read_gene_list(request.config.path(request.source.path))
    if not names:
        raise ConfigError("known_targets: the reader 'genes' needs 'genes' or 'path'")
    return pd.DataFrame({"name": names}, dtype=str), []


def _drugcentral(request: _Request) -> _Found:
    pattern = request.pattern()
    request.need("indications", _INDICATIONS)
    pairs, steps = drugcentral.read_drugcentral(request.config.path(request.source.path))
    named = pairs.rename(columns={"gene": "name", "accession": "other"})
    joined, more = _indicated(request, named, pattern)
    return joined, [*steps, *more]


def _dgidb(request: _Request) -> _Found:
    pattern = request.pattern()
    request.need("indications", _INDICATIONS)
    pairs, steps = dgidb.read_dgidb(request.config.path(request.source.path))
    joined, more = _indicated(request, pairs.rename(columns={"gene": "name"}), pattern)
    return joined, [*steps, *more]


_INDICATIONS: Final = "the table of PharmacotherapyDB that says which drug treats which disease"


def _indicated(
    request: _Request, pairs: pd.DataFrame, pattern: _Pattern
) -> tuple[pd.DataFrame, list[Step]]:
    """Keep the drugs that PharmacotherapyDB puts in the category for the disease."""
    source = request.source
    every = pharmacotherapydb.read_pharmacotherapydb(request.config.path(source.indications))
    fits = every["disease"].str.contains(pattern) & (every["category"] == source.category)
    if not fits.any():
        diseases = sorted(every.loc[every["category"] == source.category, "disease"].unique())
        raise LabelError(
            f"'{source.indications}' has no {source.category or 'empty'} drug for a disease like "
            f"'{source.disease_pattern}'; it names {some(diseases, 5)}"
        )
    drugs = every.loc[fits, "drug"].str.lower().unique()
    joined = pairs[pairs["drug"].str.lower().isin(drugs)]
    absent = sorted(set(drugs.tolist()) - set(pairs["drug"].str.lower().tolist()))
    return joined, [
        Step(
            f"{pharmacotherapydb.NAME}: {source.category} for '{source.disease_pattern}'",
            len(every),
            int(fits.sum()),
            f"{len(drugs)} drugs",
        ),
        Step(
            "indicated drugs with a human mechanism target",
            len(drugs),
            len(drugs) - len(absent),
            f"{LABEL_NAMES[source.reader]} gives no mechanism for the others",
            tuple(absent[:3]),
        ),
    ]


def _repurposing_hub(request: _Request) -> _Found:
    source, pattern = request.source, request.pattern()
    every = repurposing_hub.read_repurposing_hub(request.config.path(source.path))
    phase = every["phase"] == source.phase
    if not phase.any():
        raise LabelError(
            f"'{source.path}' has no drug of phase '{source.phase}'; "
            f"it has {some(sorted(every['phase'].unique()), 9)}"
        )
    fits = every[phase & every["indication"].str.contains(pattern)]
    targeted = fits[fits["gene"] != ""]
    name = repurposing_hub.NAME
    steps = [
        Step(f"{name}: {source.phase} for '{source.disease_pattern}'", len(every), len(fits)),
        Step(
            f"{name}: with a target",
            len(fits),
            len(targeted),
            "drugs without a target",
            tuple(sorted(fits.loc[fits["gene"] == "", "drug"])[:3]),
        ),
    ]
    return targeted.rename(columns={"gene": "name"}), steps


def _dgidb_categories(request: _Request) -> _Found:
    source = request.source
    every = dgidb.read_dgidb_categories(request.config.path(source.path))
    fits = every[every["category"] == source.category]
    if fits.empty:
        raise LabelError(
            f"'{source.path}' has no category '{source.category}'; "
            f"it has {some(sorted(every['category'].unique()), 9)}"
        )
    step = Step(f"{dgidb.NAME}: category '{source.category}'", len(every), len(fits))
    return fits.rename(columns={"gene": "name"}), [step]


def _chembl(request: _Request) -> _Found:
    source, config, pattern = request.source, request.config, request.pattern()
    request.need("targets", chembl.MAPPING)
    request.need("indications", "ChEMBL's export of drug indications")
    pairs, steps = chembl.read_chembl_mechanisms(
        config.path(source.path), config.path(source.targets)
    )
    every = chembl.read_chembl_indications(config.path(source.indications))
    fits = every[every["disease"].str.contains(pattern) & (every["phase"] >= source.min_phase)]
    joined = pairs[pairs["molecule"].isin(set(fits["molecule"]))]
    done = [
        *steps,
        _matching(source, chembl.NAME, len(every), len(fits), f"phase {source.min_phase:g}"),
        Step(f"{chembl.NAME}: mechanisms of these drugs", len(pairs), len(joined)),
    ]
    return joined.rename(columns={"gene": "name"}), done


def _known_drugs(request: _Request) -> _Found:
    source, pattern = request.source, request.pattern()
    every = open_targets.read_known_drugs(request.config.path(source.path))
    fits = every[every["disease"].str.contains(pattern) & (every["phase"] >= source.min_phase)]
    step = _matching(
        source, open_targets.DRUGS, len(every), len(fits), f"phase {source.min_phase:g}"
    )
    return fits.rename(columns={"gene": "name"}), [step]


def _associations(request: _Request) -> _Found:
    source, config, pattern = request.source, request.config, request.pattern()
    diseases = config.path(source.indications) if source.indications else None
    every = open_targets.read_associations(config.path(source.path), diseases)
    fits = every[every["disease"].str.contains(pattern) & (every["score"] >= source.min_score)]
    bound = f"score {source.min_score:g}"
    step = _matching(source, open_targets.ASSOCIATIONS, len(every), len(fits), bound)
    return fits.rename(columns={"gene": "name", "score": "strength"}), [step]


def _gold_standards(request: _Request) -> _Found:
    source, pattern = request.source, request.pattern()
    every, distinct = open_targets.read_gold_standards(request.config.path(source.path))
    fits = every[every["disease"].str.contains(pattern) & (every["confidence"] == "High")]
    step = _matching(source, open_targets.GOLD, len(every), len(fits), "confidence High")
    return fits.rename(columns={"gene": "name"}), [distinct, step]


def _hetionet(request: _Request) -> _Found:
    source, pattern = request.source, request.pattern()
    every = hetionet.read_hetionet_associations(request.config.path(source.path))
    fits = every[every["disease"].str.contains(pattern)]
    step = _matching(source, hetionet.NAME, len(every), len(fits), "")
    return fits.rename(columns={"gene": "name", "entrez": "other"}), [step]


def _matching(source: LabelSource, name: str, before: int, after: int, bound: str) -> Step:
    least = f", at least {bound}" if bound and "High" not in bound else f", {bound}" * bool(bound)
    return Step(f"{name}: '{source.disease_pattern}'{least}", before, after)


_READERS: Final[dict[str, Callable[[_Request], _Found]]] = {
    "genes": _genes,
    "drugcentral": _drugcentral,
    "repurposing_hub": _repurposing_hub,
    "dgidb": _dgidb,
    "dgidb_categories": _dgidb_categories,
    "chembl": _chembl,
    "open_targets_drugs": _known_drugs,
    "open_targets_associations": _associations,
    "open_targets_gold_standards": _gold_standards,
    "hetionet_associations": _hetionet,
}
