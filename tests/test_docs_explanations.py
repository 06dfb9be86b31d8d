"""The code of docs/explanations.md runs as it is printed."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "explanations.md"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_examples_for_pyg_users_run_and_say_what_the_page_says():
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.S)
    assert len(blocks) == 2
    names: dict[str, object] = {"__name__": "example"}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
