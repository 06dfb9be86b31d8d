"""Tables with one file per sample: read alike, stacked, and refused where they do not fit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from aimwell.cohorts.columns import read_columns
from aimwell.cohorts.lengths import genes_of_transcripts, log_lengths, sum_counts
from aimwell.cohorts.matrices import checked_matrix
from aimwell.cohorts.measured import Measured
from aimwell.cohorts.sample_files import files_at, sample_names
from aimwell.cohorts.tables import open_table, refuse_repeats
from aimwell.config import MatrixSettings
from aimwell.errors import InputError, some
from aimwell.knowledge.files import read_lines
from aimwell.provenance import Step


@dataclass(frozen=True)
class EstimateFormat:
    """Where a program writes its estimated counts.

    Attributes:
        what: The file, for messages.
        files: Which files of a folder count.
        endings: What is cut off the name of a file to give the sample.
        name, length, count: Columns.
        gene: Column of the gene where a row is a transcript; empty where the file does not say.
    """

    what: str
    files: str
    endings: tuple[str, ...]
    name: str
    length: str
    count: str
    gene: str = ""


def read_per_sample(
    files: Sequence[Path], samples: Sequence[str], read: Callable[[Path], Mapping[str, pd.Series]]
) -> dict[str, pd.DataFrame]:
    """Read one file per sample and stack what they hold, samples × features.

    Raises:
        InputError: Two files do not have the same features.
    """
    found: dict[str, dict[str, pd.Series]] = {}
    first: pd.Index | None = None
    for sample, path in zip(samples, files, strict=True):
        for key, values in read(path).items():
            refuse_repeats(list(values.index), f"'{path}'", "feature")
            first = values.index if first is None else first
            odd = first.symmetric_difference(values.index)
            if len(odd):
                raise InputError(
                    f"'{path}' and '{files[0]}' differ in {len(odd)} features: {some(odd)}; all "
                    "samples of a layer must be counted with the same annotation"
                )
            found.setdefault(key, {})[sample] = values.reindex(first)
    return {key: pd.DataFrame(rows).T for key, rows in found.items()}


def read_estimates(path: Path, settings: MatrixSettings, form: EstimateFormat) -> Measured:
    """Read estimated counts with their effective lengths, one file per sample.

    Raises:
        InputError: A file cannot be read, lacks a column, or holds what no program writes.
    """
    files = files_at(path, form.what, form.files)
    samples = sample_names(files, form.endings)

    def read(file: Path) -> dict[str, pd.Series]:
        table = open_table(file, form.what)
        has_gene = form.gene and form.gene in table.header and form.name not in table.header
        name = form.gene if has_gene else form.name
        found = read_columns(table, [name], [form.length, form.count])
        index = pd.Index(found.text[name])
        values = found.numbers.set_axis(index)
        bad = values.isna().any(axis=1).to_numpy() | (values < 0).any(axis=1).to_numpy()
        if bad.any():
            row = int(np.argmax(bad))
            length, count = values.to_numpy()[row]
            raise InputError(
                f"'{file}': line {found.lines[row]} ({found.text[name].to_list()[row]!r}) has the "
                f"count {count:g} and the length {length:g}; both must be numbers of at least 0"
            )
        return {"counts": values[form.count], "lengths": values[form.length]}

    stacked = read_per_sample(files, samples, read)
    where = f"'{path}'"
    counts = checked_matrix(stacked["counts"], settings, where)
    lengths = stacked["lengths"].set_axis(counts.columns, axis=1).loc[counts.index]
    offsets = log_lengths(lengths, counts, where)
    counts, offsets, steps = _to_genes(counts, offsets, settings, where)
    return Measured(
        values=counts,
        unit="counts",
        missing_means="no count is missing; zero means that no fragment was assigned",
        offsets=offsets,
        steps=(Step(f"{settings.layer}: files, one per sample", len(files), len(files)), *steps),
    )


def _to_genes(
    counts: pd.DataFrame, offsets: pd.DataFrame, settings: MatrixSettings, where: str
) -> tuple[pd.DataFrame, pd.DataFrame, list[Step]]:
    counts, offsets = counts.sort_index(axis=1), offsets.sort_index(axis=1)
    names = counts.columns  # sorted, because sums depend on the order in their last digits
    if settings.transcripts:
        table = read_transcripts(Path(settings.transcripts))
        genes = genes_of_transcripts(
            names.str.split("|").str[0], table, where, settings.transcripts
        )
        how = f"listed in '{Path(settings.transcripts).name}'"
    elif names.str.contains("|", regex=False).mean() > 0.5:
        # names of GENCODE: transcript|gene|…, as they stand in its FASTA
        genes = [n.split("|")[1] if "|" in n else "" for n in names]
        how = "named in the names of the transcripts"
    else:
        return counts, offsets, []
    known = np.array([bool(g) for g in genes])
    lost = names[~known]
    mine = [g for g in genes if g]
    total, length = sum_counts(counts.loc[:, known], offsets.loc[:, known], mine)
    steps = [
        Step(
            f"{settings.layer}: transcripts with a gene",
            len(names),
            len(mine),
            f"genes are {how}" if not len(lost) else f"not {how}",
            tuple(map(str, lost[:3])),
        ),
        Step(
            f"{settings.layer}: transcripts to genes",
            len(mine),
            total.shape[1],
            "counts added up, lengths averaged by abundance",
        ),
    ]
    return total, length, steps


def read_transcripts(path: Path) -> "pd.Series[str]":
    """Read which gene every transcript belongs to: two columns of text, or a GTF.

    A line of the table is a transcript and its gene; a first line that names no transcript of the
    samples does no harm.

    Raises:
        InputError: Neither format, or a transcript with two genes.
    """
    lines = read_lines(path, "a table of transcripts and their genes, or a GTF")
    pairs: list[tuple[str, str]] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = line.split("\t" if "\t" in line else ",")
        if len(cells) == 9:
            if cells[2] in ("transcript", "exon"):
                pairs.append(
                    (_attribute(cells[8], "transcript_id"), _attribute(cells[8], "gene_id"))
                )
            continue
        if len(cells) < 2:
            raise InputError(
                f"'{path}', line {number} has {len(cells)} column; a transcript and its gene are "
                "needed, parted by a tab or comma"
            )
        pairs.append((cells[0].strip().strip('"'), cells[1].strip().strip('"')))
    found = pd.DataFrame(pairs, columns=["transcript", "gene"]).drop_duplicates()
    found = found[(found["transcript"] != "") & (found["gene"] != "")]
    if found.empty:
        raise InputError(f"'{path}' names no transcript with a gene")
    twice = found["transcript"][found["transcript"].duplicated()]
    if len(twice):
        raise InputError(
            f"'{path}': {len(twice)} transcripts have two genes: {some(sorted(twice))}; correct it"
        )
    return found.set_index("transcript")["gene"]


def _attribute(text: str, key: str) -> str:
    part = text.partition(f"{key} ")[2]
    return part.split(";")[0].strip().strip('"')
