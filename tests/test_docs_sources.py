"""Every source has a page, which says what the code and the catalogue say."""

import re
import tomllib
from pathlib import Path

import pytest

from aimwell.config import (
    EDGE_RELATIONS,
    INTERACTION_READERS,
    LABEL_READERS,
    MAPPING_READERS,
    PRIOR_READERS,
    SET_READERS,
    config_from,
)
from aimwell.knowledge.catalog import read_catalog
from aimwell.knowledge.gene_sets import SET_RELATIONS

DOCS = Path(__file__).parents[1] / "docs"
PAGES = {p.stem: p.read_text(encoding="utf-8") for p in sorted((DOCS / "sources").glob("*.md"))}
#: What a page must say, in this order.
PARTS = ("| reader |", "| licence |", "## What is read", "## What it gives", "## What is left out")


@pytest.mark.parametrize("page", PAGES)
def test_every_source_has_a_page_with_all_its_parts_that_the_overview_links(page: str) -> None:
    places = [PAGES[page].find(part) for part in (*PARTS, "## In a run file")]
    assert -1 not in places
    assert places == sorted(places)
    assert f"](sources/{page}.md)" in (DOCS / "sources.md").read_text(encoding="utf-8")


def test_every_reader_has_a_page() -> None:
    text = "\n".join(p.split("## ", maxsplit=1)[0] for p in PAGES.values())
    readers = (*INTERACTION_READERS, *SET_READERS, *PRIOR_READERS, *MAPPING_READERS, *LABEL_READERS)
    # the reader `string` of names is that of networks
    assert [r for r in readers if f"`{r}`" not in text] == []


def test_what_the_catalogue_says_of_a_database_its_page_says_too() -> None:
    for entry in read_catalog().values():
        named = re.compile(rf"\| (fetch|by hand) \|.*[` ]{entry.name}[` ]")
        pages = [page for page in PAGES.values() if named.search(page)]
        assert len(pages) == 1, entry.name
        assert entry.page in pages[0], entry.name
        assert entry.citation in pages[0], entry.name
        verdict = re.search(r"\| may a company use it \| (.*) \|", pages[0])
        assert verdict, entry.name
        assert (
            verdict[1] == entry.commercial or f"{entry.commercial} (`{entry.name}`)" in verdict[1]
        )


@pytest.mark.parametrize("page", PAGES)
def test_the_example_of_a_source_is_a_run_file(page: str) -> None:
    example = tomllib.loads(PAGES[page].split("```toml\n")[1].split("```")[0])
    run = {"title": "t", "output": "o"}
    table = {"name": "t", "path": "p", "kind": "rna", "reader": "limma"}
    genes = {"sources": [{"reader": "genes", "genes": ["TP53"]}]}
    names = {"hgnc": "hgnc.txt", **example.pop("identifiers", {})}
    rest = {"run": run, "cohort": {"tables": [table]}, "known_targets": genes}
    config = config_from({**rest, **example, "identifiers": names})
    named = [*config.graph.sources, *config.known_targets.sources, *config.identifiers.mappings]
    readers = [source.reader for source in named if source.reader != "genes"]
    assert all(f"`{reader}`" in PAGES[page] for reader in readers)


def test_every_relation_is_in_the_docs_of_relations() -> None:
    text = (DOCS / "relations.md").read_text(encoding="utf-8")
    names = {*EDGE_RELATIONS, *(name for pair in SET_RELATIONS.values() for name in pair)}
    assert sorted(n for n in names if f"| `{n}` |" not in text) == []
