"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with the public databases and cohorts, which lie beside the project, not in it."""
    named = os.environ.get("AIMWELL_DATA", "")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not (folder / "README.md").is_file():
        pytest.skip("the public databases are not here; set AIMWELL_DATA to their folder")
    return folder
