"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NAMED = os.environ.get("AIMWELL_DATA", "")


@pytest.fixture(autouse=True)
def without_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands read the folders of their run files, whatever the tests were called with."""
    monkeypatch.delenv("AIMWELL_DATA", raising=False)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with the public databases and cohorts, which lie beside the project, not in it."""
    folder = Path(NAMED) if NAMED else ROOT.parent / "shared" / "data"
    if not (folder / "README.md").is_file():
        pytest.skip("the public databases are not here; set AIMWELL_DATA to their folder")
    return folder
