"""Isobaric labels: bring plexes together by their reference channels, protein by protein."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from aimwell.cohorts.layers import MatrixFile
from aimwell.errors import CohortError, ConfigError, some
from aimwell.provenance import Step


def scale_plexes(files: Sequence[MatrixFile], steps: list[Step]) -> list[MatrixFile]:
    """Scale the plexes of one layer to their reference channels (Plubell 2017), and drop those.

    In every plex a protein is multiplied by the geometric mean of its references over all plexes,
    over that of its references in this plex. A protein without a reference in a plex is missing
    there. Files without ``reference`` are given back as they are.

    Args:
        files: All files of one layer; a plex is what ``plex_pattern`` finds in a sample name, or
            the whole file.
        steps: Receives what left.

    Raises:
        ConfigError: A pattern that is no regular expression, or finds no plex in a sample name.
        CohortError: Only some files have references, a plex has none, or the unit has no ratios.
    """
    marked = [f for f in files if f.settings.reference]
    if not marked:
        return list(files)
    layer = files[0].settings.layer
    if len(marked) < len(files):
        odd = next(f for f in files if not f.settings.reference)
        raise CohortError(
            f"layer '{layer}': '{odd.path}' has no 'reference', but '{marked[0].path}' has; plexes "
            "can only be joined by references that all of them have"
        )
    if files[0].settings.unit == "counts":
        raise ConfigError(f"layer '{layer}' holds counts, which have no reference channel")
    linear = files[0].settings.unit == "intensity"
    logs = [f.values.transform(np.log2) if linear else f.values for f in files]
    joined = pd.concat(logs).sort_index().sort_index(axis=1)
    plex = pd.concat([_plexes(f) for f in files]).reindex(joined.index)
    is_reference = pd.concat([_references(f) for f in files]).reindex(joined.index)
    names = sorted(plex.unique())
    lacking = [p for p in names if not is_reference[plex == p].any()]
    if lacking:
        raise CohortError(
            f"layer '{layer}': {len(lacking)} of {len(names)} plexes have no reference channel: "
            f"{some(lacking)}; correct 'reference' or 'plex_pattern', or leave out 'reference' and "
            "name the plex as batch in the contrast"
        )
    level = pd.DataFrame({p: joined[is_reference & (plex == p)].mean() for p in names})
    shift = level.mean(axis=1).to_numpy()[:, None] - level.to_numpy()  # (proteins, plexes)
    at = [names.index(p) for p in plex]
    scaled = joined + shift[:, at].T
    lost = int((joined.notna() & scaled.isna()).to_numpy()[~is_reference.to_numpy()].sum())
    examples = tuple(map(str, joined.index[is_reference][:3]))
    why = f"reference channels of {len(names)} plexes, to which each protein was scaled"
    steps.append(
        Step(f"{layer}: reference channels", len(joined), int((~is_reference).sum()), why, examples)
    )
    if lost:
        n = int(joined[~is_reference].notna().to_numpy().sum())
        gone = joined.columns[(joined.notna() & scaled.isna()).any(axis=0)]
        steps.append(
            Step(
                f"{layer}: values with a reference",
                n,
                n - lost,
                "their protein has no reference in the plex",
                tuple(map(str, gone[:3])),
            )
        )
    made = []
    for file in files:
        mine = file.values.index[~is_reference[file.values.index]]
        part = scaled.loc[mine, file.values.columns]
        made.append(replace(file, values=part.transform(np.exp2) if linear else part))
    return [f for f in made if len(f.values)]


def _compiled(file: MatrixFile, key: str) -> "re.Pattern[str]":
    pattern = str(getattr(file.settings, key))
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ConfigError(
            f"{key} '{pattern}' of {file.where} is no regular expression: {error}"
        ) from error


def _plexes(file: MatrixFile) -> "pd.Series[str]":
    if not file.settings.plex_pattern:
        return pd.Series(str(file.path), index=file.values.index)
    pattern = _compiled(file, "plex_pattern")
    if not pattern.groups:
        raise ConfigError(
            f"plex_pattern '{pattern.pattern}' of {file.where} has no group; put the part that "
            "names the plex in parentheses"
        )
    found = {s: m.group(1) for s in file.values.index if (m := pattern.search(s)) and m.group(1)}
    odd = [s for s in file.values.index if s not in found]
    if odd:
        raise ConfigError(
            f"plex_pattern '{pattern.pattern}' of {file.where} finds no plex in {len(odd)} of "
            f"{len(file.values)} sample names: {some(odd)}; correct it"
        )
    return pd.Series(found, dtype=str)


def _references(file: MatrixFile) -> "pd.Series[bool]":
    pattern = _compiled(file, "reference")
    found = [bool(pattern.search(s)) for s in file.values.index]
    return pd.Series(found, index=file.values.index, dtype=bool)
