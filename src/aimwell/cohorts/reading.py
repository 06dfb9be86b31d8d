"""Read the matrices and the sample sheet of a run file into a ``Cohort``."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import pandas as pd

from aimwell.cohorts.cohort import Cohort, FileNote, Layer
from aimwell.cohorts.formats import recognise
from aimwell.cohorts.layer_sources import read_measurements
from aimwell.cohorts.layers import MatrixFile, build_layer, check_files, check_unit
from aimwell.cohorts.plexes import scale_plexes
from aimwell.cohorts.quality import sex_markers
from aimwell.cohorts.readers.sheet import read_sheet
from aimwell.cohorts.sample_files import digest_of
from aimwell.config import CohortSettings, MatrixSettings, RunConfig
from aimwell.errors import CohortError, ConfigError, IdentifierError, some
from aimwell.knowledge.identifiers import IdentifierTable, require_mapped
from aimwell.provenance import Source, Step


def read_cohort(config: RunConfig, table: IdentifierTable) -> Cohort:
    """Read every matrix and the sample sheet, and bring them to genes and samples.

    Feature names become HGNC ids; files of one layer are joined over their samples; the sheet is
    joined to the samples by sample or by subject. Genes and samples are sorted, so nothing
    depends on the order of files, rows or columns. What was lost is in ``Cohort.steps`` and, per
    name, in ``Cohort.identifiers``.

    Raises:
        InputError: A file cannot be read.
        IdentifierError: Too few names of a file are genes.
        CohortError: Values contradict their unit, files of one layer do not fit together, or
            samples and sheet do not match (unless ``unmatched_samples = "report"``).
        ConfigError: A ``subject_pattern`` that is no regular expression with one group.
    """
    settings = config.cohort
    if not settings.matrices:  # finished results alone
        return Cohort({}, pd.DataFrame({"subject": pd.Series(dtype=str)}))
    steps: list[Step] = []
    sheet_path = config.path(settings.sheet.path)
    sheet = read_sheet(sheet_path, settings.sheet)
    files = [_read_file(config, m) for m in sorted(settings.matrices, key=_layer_and_path)]
    names = sorted({f.settings.layer for f in files})
    grouped = {name: [f for f in files if f.settings.layer == name] for name in names}
    for name, mine in grouped.items():
        check_files(mine)
        grouped[name] = scale_plexes(mine, steps)
    files = [f for mine in grouped.values() for f in mine]
    steps += [step for file in files for step in file.measured.steps]
    for file in files:
        _refuse_turned(file, table, config.identifiers.min_mapped)
    samples = _join_sheet(_samples_of(files), sheet, settings, files, steps)
    reports: list[pd.DataFrame] = []
    layers: dict[str, Layer] = {}
    for name, mine in grouped.items():
        report = _identify(mine, table, config.identifiers.min_mapped, steps)
        reports.append(report.assign(layer=name))
        mapped = report[report["status"] == "mapped"].set_index("name")["hgnc_id"]
        kept = [replace(f, values=f.values[f.values.index.isin(samples.index)]) for f in mine]
        kept = [f for f in kept if len(f.values)]
        if not kept:
            raise CohortError(f"no sample of layer '{name}' has a row in the sheet '{sheet_path}'")
        layers[name] = build_layer(kept, mapped, steps)
    identifiers = pd.concat(reports, ignore_index=True)
    columns = ["layer", *(c for c in identifiers.columns if c != "layer")]
    paths = [(f.path, f.settings.licence, f.settings.url) for f in files]
    paths.append((sheet_path, settings.sheet.licence, settings.sheet.url))
    return Cohort(
        layers=layers,
        samples=samples,
        sources=tuple(
            Source(path.name, "not stated", licence or "unknown", url, sha256=digest_of(path))
            for path, licence, url in paths
        ),
        identifiers=identifiers.sort_values(["layer", "name"], ignore_index=True)[columns],
        steps=tuple(steps),
        files=tuple(_note(file) for file in files),
        markers={
            name: pd.concat([sex_markers(f.values) for f in mine]).sort_index()
            for name, mine in grouped.items()
        },
    )


def _note(file: MatrixFile) -> FileNote:
    looks = recognise(file.path)
    return FileNote(
        file=file.path.name,
        layer=file.settings.layer,
        reader=file.settings.reader,
        looks_like=looks.name if looks else "",
        unit=file.measured.unit,
        samples=file.values.shape[0],
        features=file.values.shape[1],
        missing_means=file.measured.missing_means,
    )


def _layer_and_path(settings: MatrixSettings) -> tuple[str, str]:
    return settings.layer, settings.path


def _read_file(config: RunConfig, settings: MatrixSettings) -> MatrixFile:
    path = config.path(settings.path)
    measured = read_measurements(config, settings)
    values = measured.values.sort_index(axis=0).sort_index(axis=1)
    file = MatrixFile(path, replace(settings, unit=measured.unit), values, measured)
    check_unit(file)
    return file


def _refuse_turned(file: MatrixFile, table: IdentifierTable, minimum: float) -> None:
    """Refuse a matrix whose samples are genes, before they are missed in the sheet."""
    turned = table.resolve(list(file.values.index))
    if (turned["status"] == "mapped").mean() < minimum:
        return
    named = table.resolve(list(file.values.columns))
    if (named["status"] == "mapped").mean() >= minimum:
        return  # samples that are called like genes
    other = "columns" if file.settings.genes_in == "rows" else "rows"
    raise IdentifierError(
        f"{file.where}: the sample names {some(file.values.index)} are genes and the gene "
        f"names {some(file.values.columns)} are not; set genes_in = '{other}'"
    )


def _identify(
    files: Sequence[MatrixFile], table: IdentifierTable, minimum: float, steps: list[Step]
) -> pd.DataFrame:
    """Resolve the feature names of one layer, each file with enough of them."""
    names = sorted(set().union(*(f.values.columns for f in files)))
    report = table.resolve(names, whole_file=True)
    for file in files:
        mine = report[report["name"].isin(file.values.columns)]
        # Whole-genome files hold more pseudogenes and non-coding loci than genes: a file that
        # covers the table's genes is no file of wrong names.
        genes = mine.loc[mine["status"] == "mapped", "hgnc_id"].nunique()
        if genes < minimum * len(table.genes):
            require_mapped(mine, minimum, file.where)
    lost = report[report["status"] != "mapped"]
    if len(lost):
        noncoding = lost["reason"].str.contains("not protein-coding", regex=False)
        counts = lost["status"].mask(noncoding, "not protein-coding").value_counts().sort_index()
        steps.append(
            Step(
                f"{files[0].settings.layer}: names to genes",
                len(report),
                len(report) - len(lost),
                ", ".join(f"{count} {status}" for status, count in counts.items()),
                tuple(sorted(lost["name"])[:3]),
            )
        )
    return report


def _samples_of(files: Sequence[MatrixFile]) -> pd.DataFrame:
    """Give every measured sample its subject and the fixed columns of its files."""
    rows: dict[str, dict[str, str]] = {}
    for file in files:
        told = file.measured.stated
        subjects = told["subject"] if "subject" in told else _subjects(file)
        twice = sorted(set(told.columns) & set(file.settings.set))
        if twice:
            raise CohortError(
                f"{file.where} itself states the column {some(twice)}; remove it from 'set'"
            )
        for sample in file.values.index:
            row = rows.setdefault(sample, {})
            stated = {"subject": str(subjects[sample]), **file.settings.set}
            stated |= {c: str(told.loc[sample, c]) for c in told.columns if c != "subject"}
            for column, value in stated.items():
                if row.setdefault(column, value) != value:
                    raise CohortError(
                        f"sample '{sample}' has {column} '{row[column]}' in one file and "
                        f"'{value}' in {file.where}; one name must mean one specimen in all "
                        "layers, so rename one or correct 'set' and 'subject_pattern'"
                    )
    table = pd.DataFrame.from_dict(rows, orient="index").sort_index()
    return table.set_axis(pd.Index(table.index, dtype=str))


def _subjects(file: MatrixFile) -> dict[str, str]:
    pattern = file.settings.subject_pattern
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ConfigError(
            f"subject_pattern '{pattern}' of {file.where} is no regular expression: {error}"
        ) from error
    if not compiled.groups:
        raise ConfigError(
            f"subject_pattern '{pattern}' of {file.where} has no group; "
            "put the part that names the subject in parentheses"
        )
    found = {s: m.group(1) for s in file.values.index if (m := compiled.search(s)) and m.group(1)}
    odd = [s for s in file.values.index if s not in found]
    if odd:
        advice = "correct the pattern or the names"
        if len(odd) == len(file.values):
            other = "columns" if file.settings.genes_in == "rows" else "rows"
            advice += f", or set genes_in = '{other}' if these are genes"
        raise CohortError(
            f"{len(odd)} of {len(file.values)} sample names in {file.where} do not match "
            f"subject_pattern '{pattern}': {some(odd)}; {advice}"
        )
    if "subject" in file.settings.set:
        raise ConfigError(f"{file.where}: 'set' cannot set 'subject'; use subject_pattern")
    return found


def _join_sheet(
    samples: pd.DataFrame,
    sheet: pd.DataFrame,
    settings: CohortSettings,
    files: Sequence[MatrixFile],
    steps: list[Step],
) -> pd.DataFrame:
    per = settings.sheet.per
    where = f"the sheet '{settings.sheet.path}'"
    samples = _without_restated(samples, sheet, settings, files, steps)
    both = [c for c in sheet.columns if c in samples.columns and c != "subject"]
    if both:
        raise CohortError(
            f"{where} already has the column {some(both)} that 'set' gives; "
            "remove it from 'set' or give it another name"
        )
    ids = samples["subject"] if per == "subject" else samples.index.to_series()
    known = ids.isin(sheet.index)
    unused = sheet.index.difference(pd.Index(ids))
    if not known.any():
        _refuse_cells(files, settings)
    _report_unmatched(ids[~known], unused, (len(samples), len(sheet)), settings, steps)
    samples, ids = samples[known], ids[known]
    rows = sheet.loc[ids].set_axis(samples.index)
    if "subject" in rows.columns:
        samples = samples.assign(subject=_stated_subjects(rows, samples, settings, files))
    rows = rows.drop(columns="subject", errors="ignore")
    joined = pd.concat([samples, rows], axis=1)
    return joined[["subject", *sorted(c for c in joined.columns if c != "subject")]]


def _without_restated(
    samples: pd.DataFrame,
    sheet: pd.DataFrame,
    settings: CohortSettings,
    files: Sequence[MatrixFile],
    steps: list[Step],
) -> pd.DataFrame:
    """Leave out what files state of their samples where the sheet states it too."""
    told = {str(c) for file in files for c in file.measured.stated.columns} - {"subject"}
    twice = sorted(told & set(sheet.columns))
    for column in twice:
        ids = samples["subject"] if settings.sheet.per == "subject" else samples.index.to_series()
        mine = samples[column].dropna()
        listed = ids.loc[mine.index].map(sheet[column].astype(str).to_dict())
        differ = listed.index[(listed.notna() & (listed != mine)).to_numpy()]
        why = f"the sheet is followed; {len(differ)} differ from what the files state"
        name = f"samples with '{column}' in sheet and files"
        steps.append(Step(name, len(mine), len(mine), why, tuple(map(str, differ[:3]))))
    return samples.drop(columns=twice)


def _stated_subjects(
    rows: pd.DataFrame,
    samples: pd.DataFrame,
    settings: CohortSettings,
    files: Sequence[MatrixFile],
) -> "pd.Series[str]":
    where = f"the sheet '{settings.sheet.path}'"
    if settings.sheet.per == "subject":
        raise CohortError(f"{where} is per subject and has another column 'subject'; rename it")
    if rows["subject"].isna().any():
        gone = rows.index[rows["subject"].isna()]
        raise CohortError(f"{where} has no subject for {len(gone)} samples: {some(gone)}")
    stated = rows["subject"].astype(str)
    if any(f.settings.subject_pattern != MatrixSettings.subject_pattern for f in files):
        odd = samples.index[stated != samples["subject"]]
        if len(odd):
            raise CohortError(
                f"{where} and subject_pattern name different subjects for {len(odd)} samples: "
                f"{some(odd)}; leave out subject_pattern or correct one of them"
            )
    return stated


def _refuse_cells(files: Sequence[MatrixFile], settings: CohortSettings) -> None:
    """Say what single cells need, where none of them is a sample of the sheet."""
    for file in files:
        wanted = file.settings.reader in ("h5ad", "h5mu") and not file.settings.donor
        if wanted and len(file.values) > _MANY_SAMPLES:
            raise CohortError(
                f"{file.where}: none of {len(file.values)} observations, as "
                f"'{file.values.index[0]}', is a sample of the sheet '{settings.sheet.path}'; if "
                "they are single cells, name the columns of their donor and cell type in donor and "
                "cell_type, and their counts are added up"
            )


def _report_unmatched(
    unknown: "pd.Series[str]",
    unused: pd.Index,
    totals: tuple[int, int],
    settings: CohortSettings,
    steps: list[Step],
) -> None:
    if not len(unknown) and not len(unused):
        return
    what = f"{settings.sheet.per}s"
    hint = _near_names(pd.Index(unknown.unique()), unused)
    if settings.unmatched_samples == "refuse" or len(unknown) == totals[0]:
        advice = "correct the names"
        if len(unknown) < totals[0]:
            advice += ", or set unmatched_samples = 'report' in [cohort] to go on without them"
        raise CohortError(
            f"{len(unknown)} of {totals[0]} measured samples have no row in the sheet "
            f"'{settings.sheet.path}': {some(unknown.index)}; {len(unused)} of {totals[1]} {what} "
            f"of the sheet have no measured sample: {some(unused)}; {hint}{advice}"
        )
    if len(unknown):
        why = f"the sheet has no row for them; {hint}".rstrip("; ")
        names = tuple(unknown.index[:3])
        steps.append(Step("samples in the sheet", totals[0], totals[0] - len(unknown), why, names))
    if len(unused):
        why = f"{what} of the sheet without any measured sample"
        names = tuple(unused[:3])
        steps.append(Step("sheet rows in use", totals[1], totals[1] - len(unused), why, names))


#: More observations than this that nobody lists are cells rather than samples.
_MANY_SAMPLES: Final = 200
_MONTH: Final = "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
#: What spreadsheets write in place of SEP1 or 1-2: 1-Sep, Sep-01, 2024-09-01.
_DATE: Final = re.compile(
    rf"\d{{1,4}}[-/ .]{_MONTH}([-/ .]\d{{2,4}})?|{_MONTH}[-/ .]\d{{1,4}}"
    r"|\d{4}-\d\d-\d\d( 00:00:00)?|\d{1,2}[./-]\d{1,2}[./-](\d{4}|\d\d)",
    re.IGNORECASE,
)


def _near_names(measured: pd.Index, listed: pd.Index) -> str:
    """Say which names would match but for case, marks, or the X that R puts before digits."""
    plain = {_plain(name): name for name in sorted(listed, reverse=True)}
    pairs = [(m, plain[_plain(m)]) for m in sorted(measured) if _plain(m) in plain]
    if pairs:
        one, other = pairs[0]
        return f"{len(pairs)} differ only by case or marks, as '{one}' and '{other}' of the sheet; "
    dates = [m for m in sorted(measured) if _DATE.fullmatch(m)]
    if dates:
        return f"{len(dates)} look like dates that a spreadsheet made of names, as '{dates[0]}'; "
    for how, within in (("begins", _begins), ("ends", _ends)):
        longer = [(m, n) for m in sorted(measured) for n in listed if within(m, n) or within(n, m)]
        if longer:
            one, other = longer[0]
            return f"one name {how} with the other, as '{one}' and '{other}' of the sheet; "
    return ""


def _begins(name: str, start: str) -> bool:
    """Whether a name is another one with a mark and something behind it."""
    return name.startswith(start) and bool(re.match(r"[^0-9A-Za-z]", name[len(start) :]))


def _ends(name: str, end: str) -> bool:
    """Whether a name is another one with something and a mark before it."""
    return name.endswith(end) and bool(re.search(r"[^0-9A-Za-z]$", name[: -len(end)]))


def _plain(name: str) -> str:
    return re.sub(r"^x(?=\d)", "", re.sub(r"[^0-9a-z]", "", name.lower()))
