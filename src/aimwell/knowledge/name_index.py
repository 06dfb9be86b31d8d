"""What identifier tables are made of: verdicts on names, and indexes from names to genes."""

from dataclasses import dataclass
from datetime import date

import pandas as pd

from aimwell.knowledge import name_kinds as kinds

Index = dict[str, tuple[str, ...]]  # name → HGNC ids
_GROUP = ";"


@dataclass(frozen=True)
class Verdict:
    """What one name stands for: exactly one gene, several candidates, or none, and why."""

    how: str
    found: tuple[str, ...] = ()
    reason: str = ""


def members_of(name: str) -> list[str]:
    """Take a group apart: ``P1;P2``, ``A /// B`` or ``A|B``."""
    text = name.replace(" /// ", _GROUP).replace("|", _GROUP)
    return [part.strip() for part in text.split(_GROUP) if part.strip()]


def unknown(name: str) -> Verdict:
    """Say of a name that nothing knows what it looks like, and what to do."""
    kind = kinds.kind_of_name(name)
    return Verdict(kind, reason=f"unknown {kind}; {kinds.advice_for(kind)}")


def as_text(name: object) -> str:
    """Turn a cell of a table into a name; dates become ISO dates, missing values empty."""
    if isinstance(name, date):  # a datetime or pandas timestamp is a date, too
        return name.isoformat()[:10] if name == name else ""  # noqa: PLR0124  NaT is not itself
    return "" if name is None or name is pd.NA or name != name else str(name)  # noqa: PLR0124


def index_names(genes: pd.Index, column: "pd.Series[str]") -> Index:
    """Index the genes of a column of names, several joined by ``|``."""
    found: Index = {}
    for gene, names in zip(genes.tolist(), column.tolist(), strict=True):
        for name in dict.fromkeys(names.split("|")) if names else ():
            found[name] = (*found.get(name, ()), gene)
    found.pop("", None)
    return found


def fold_case(index: Index) -> Index:
    """Give the index of upper-case names."""
    folded: Index = {}
    for name, genes in index.items():
        upper = name.upper()
        folded[upper] = tuple(sorted({*folded[upper], *genes})) if upper in folded else genes
    return folded
