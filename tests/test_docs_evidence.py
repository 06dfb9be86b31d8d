"""Every column of the evidence and of combined cohorts is explained."""

import re
from pathlib import Path

import pytest

from aimwell.cohorts.discordance import CLASSES
from aimwell.cohorts.evidence import BLOCK_COLUMNS, DETECTION_COLUMNS
from aimwell.cohorts.meta import META_COLUMNS

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "evidence.md").read_text(encoding="utf-8")
EXPLAINED = {
    name
    for line in TEXT.splitlines()
    if line.startswith("| `")
    for name in re.findall(r"`(\w+)`", line)
}


@pytest.mark.parametrize("column", [*BLOCK_COLUMNS, *DETECTION_COLUMNS, *META_COLUMNS, *CLASSES])
def test_every_column_and_class_has_a_row_that_explains_it(column):
    assert column in EXPLAINED
