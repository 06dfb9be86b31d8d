"""What is said of an explanation follows from its numbers."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from aimwell.cohorts.evidence import Evidence
from aimwell.explain.explanation import Subgraph
from aimwell.explain.shares import BIAS, KNOWN, START
from aimwell.explain.tables import KNOWN_BLOCK
from aimwell.explain.wording import Facts, caveats_for


def facts(families: list[str], worth: list[float]) -> Facts:
    """A target T whose score comes from known targets A, B, C …."""
    known = [chr(ord("A") + i) for i in range(len(worth))]
    genes = pd.Index(["T", *known])
    task = SimpleNamespace(
        genes=genes,
        labels=np.array([0, *[1] * len(known)]),
        families=pd.Series(["own", *families], index=genes),
        graph=SimpleNamespace(symbols=pd.Series(genes, index=genes)),
    )
    nodes = pd.DataFrame({"symbol": genes, "type": "gene", "attribution": [0.0, *worth]}, genes)
    nodes[KNOWN_BLOCK] = nodes["attribution"]
    edges = pd.DataFrame(columns=["source_id", "target_id", "relation", "evidence", "attribution"])
    return Facts(
        task,  # type: ignore[arg-type]
        Evidence({}, {}, pd.DataFrame()),
        "T",
        sum(worth),
        {KNOWN: sum(worth), BIAS: 0.0, START: 0.0},
        nodes,
        edges,
        Subgraph(("T",), edges, 1.0, 1),
        0.0,
    )


@pytest.mark.parametrize(
    ("families", "worth", "said"),
    [
        (["f", "f", "g"], [2.0, 1.0, 1.0], "75% of what known targets add comes from one gene "),
        (["f", "f", "g"], [1.0, 1.0, 5.0], ""),  # most comes from a single one
        (["f", "g", "h"], [1.0, 1.0, 1.0], ""),
        (["f", "f", "g"], [-2.0, -1.0, -1.0], "75% of what known targets add comes from one gene "),
    ],
)
def test_known_targets_of_one_family_are_said_to_be_one_finding(families, worth, said) -> None:
    found = [c for c in caveats_for(facts(families, worth), None) if "gene family" in c]
    assert bool(found) == bool(said)
    if said:
        assert found[0].startswith(said)
        assert found[0].endswith("family (A and B): one finding, counted 2 times.")


def test_of_many_relatives_the_first_are_named() -> None:
    (found,) = [c for c in caveats_for(facts(["f"] * 6, [1.0] * 6), None) if "gene family" in c]
    assert "(A, B, C, D and more): one finding, counted 6 times" in found
