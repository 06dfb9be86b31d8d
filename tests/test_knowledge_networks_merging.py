"""Merging the evidence of several databases gives the same edges in whatever order it comes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimwell.knowledge.complexes import expand_complexes
from aimwell.knowledge.graph import (
    EDGE_COLUMNS,
    GENE_COLUMNS,
    Relation,
    TargetGraph,
    distinct,
)
from aimwell.knowledge.interactions import Collector, Interactions
from aimwell.knowledge.merging import (
    build_relations,
    combine_records,
    limit_degree,
    merge_records,
    noisy_or,
    records_of,
    relation_name,
    sort_numbers,
)

GENES = pd.Index([f"HGNC:{i}" for i in range(1, 8)], dtype=str)
IDS = {f"g{i}": f"HGNC:{i}" for i in range(1, 8)}
Row = tuple[str, str, float, str, bool, str, str]

ROWS = st.lists(
    st.tuples(
        st.sampled_from([*IDS, "lost"]),
        st.sampled_from([*IDS, "lost"]),
        st.floats(1e-300, 1.0, exclude_min=True) | st.sampled_from([1.0, 5e-324, 0.5]),
        st.sampled_from(["", "a", "b", "a|b", "c"]),
        st.booleans(),
        st.sampled_from(["", "11", "12", "11|13"]),
        st.sampled_from(["", "1999", "2004-05-06"]),
    ),
    min_size=1,
    max_size=25,
)
ORIGINS = st.sampled_from(["A", "B", "C"])
TABLES = st.lists(st.tuples(ORIGINS, ROWS), min_size=1, max_size=4)


def interactions(rows: list[Row], relation: str = "interacts") -> Interactions:
    source, target, weight, kinds, mined, papers, dates = zip(*rows, strict=True)
    found = Collector("toy", Path("toy"))
    found.add(
        source,
        target,
        weight=np.array(weight),
        relation=relation,
        evidence_type=kinds,
        literature=np.array(mined),
        pubmed_ids=papers,
        date=dates,
    )
    return found.finish("symbol")


def records(rows: list[Row], origin: str, relation: str = "interacts") -> pd.DataFrame:
    found, _ = records_of(interactions(rows, relation), IDS, GENES, origin)
    return found.get(relation, pd.DataFrame())


def plain(table: pd.DataFrame) -> pd.DataFrame:
    """Compare what the rows say, whatever the categories are."""
    return table.astype({c: object for c in table.columns if table[c].dtype == "category"})


def some_records(tables: list[tuple[str, list[Row]]]) -> list[pd.DataFrame]:
    return [r for r in (records(rows, origin) for origin, rows in tables) if len(r)]


@settings(deadline=None, max_examples=25)
@given(TABLES)
def test_merging_is_commutative(tables: list[tuple[str, list[Row]]]) -> None:
    found = some_records(tables)
    if found:
        forward, backward = merge_records(found), merge_records(found[::-1])
        pd.testing.assert_frame_equal(plain(forward), plain(backward))


@settings(deadline=None, max_examples=25)
@given(TABLES)
def test_merging_is_associative_and_idempotent(tables: list[tuple[str, list[Row]]]) -> None:
    found = some_records(tables)
    if not found:
        return
    at_once = merge_records(found)
    step_by_step = found[0]
    for table in found[1:]:
        step_by_step = merge_records([step_by_step, table])
    pd.testing.assert_frame_equal(plain(at_once), plain(step_by_step))
    from_the_right = found[-1]
    for table in found[-2::-1]:
        from_the_right = merge_records([table, from_the_right])
    pd.testing.assert_frame_equal(plain(at_once), plain(from_the_right))
    pd.testing.assert_frame_equal(plain(at_once), plain(merge_records([at_once, at_once])))


@settings(deadline=None, max_examples=25)
@given(TABLES, st.randoms(use_true_random=False), st.sampled_from(["noisy_or", "max"]))
def test_edges_do_not_depend_on_the_order_of_rows_ends_or_files(
    tables: list[tuple[str, list[Row]]], random: object, how: str
) -> None:
    shuffled = []
    for origin, rows in tables:
        turned = [(b, a, *rest) if random.random() < 0.5 else (a, b, *rest) for a, b, *rest in rows]  # type: ignore[attr-defined]
        random.shuffle(turned)  # type: ignore[attr-defined]
        shuffled.append((origin, turned))
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    edges = []
    for case in (tables, shuffled):
        found = some_records(case)  # type: ignore[arg-type]
        if not found:
            return
        edges.append(combine_records(merge_records(found), how, GENES))
    pd.testing.assert_frame_equal(edges[0], edges[1])


@settings(deadline=None, max_examples=25)
@given(TABLES, st.sampled_from(["noisy_or", "max"]), st.integers(0, 3))
def test_a_relation_has_no_loop_no_pair_twice_and_weights_in_range(
    tables: list[tuple[str, list[Row]]], how: str, limit: int
) -> None:
    found = some_records(tables)
    if not found:
        return
    relations, steps = build_relations({"interacts": ("interacts", found)}, GENES, how, limit)
    nodes = pd.DataFrame(dict.fromkeys(GENE_COLUMNS, "x"), index=GENES)
    TargetGraph({"gene": nodes}, relations)  # refuses loops, repeats, weights out of range
    edges = relations["interacts"].edges
    assert (edges["source_id"] < edges["target_id"]).all()
    assert edges["source_id"].is_monotonic_increasing
    assert steps[-1].rows_out == len(edges)
    degree = pd.concat([edges["source_id"], edges["target_id"]]).value_counts()
    assert not limit or degree.max() <= limit


@settings(deadline=None, max_examples=25)
@given(TABLES)
def test_another_database_never_lowers_an_edge(tables: list[tuple[str, list[Row]]]) -> None:
    found = some_records(tables)
    if not found:
        return
    key = ["source_id", "target_id"]
    alone = combine_records(found[0], "noisy_or", GENES).set_index(key)["weight"]
    merged = combine_records(merge_records(found), "noisy_or", GENES).set_index(key)["weight"]
    assert (merged.loc[alone.index] >= alone).all()


@settings(deadline=None, max_examples=25)
@given(ROWS, st.floats(1e-12, 1.0))
def test_trust_lowers_weights_and_never_to_nothing(rows: list[Row], trust: float) -> None:
    full = records(rows, "A")
    found, _ = records_of(interactions(rows), IDS, GENES, "A", trust)
    for lowered in found.values():
        assert ((lowered["weight"] > 0) & (lowered["weight"] <= full["weight"])).all()


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 2**62) | st.integers(0, 9), max_size=40))
def test_numbers_are_sorted_as_a_stable_sort_does(numbers: list[int]) -> None:
    key = np.array(numbers, np.int64)
    order, ordered = sort_numbers(key)
    assert order.tolist() == np.argsort(key, kind="stable").tolist()
    assert ordered.tolist() == sorted(numbers)
    assert distinct(key).tolist() == sorted(set(numbers))


@settings(deadline=None, max_examples=25)
@given(TABLES)
def test_neighbours_are_those_that_one_counts_by_hand(tables: list[tuple[str, list[Row]]]) -> None:
    groups = {
        f"{kind}_{k}": (kind, [table])
        for k, (origin, rows) in enumerate(tables)
        for kind in ("interacts", "activates")
        if len(table := records(rows, origin, kind))
    }
    relations, _ = build_relations(groups, GENES, "max", 0)
    nodes = pd.DataFrame(dict.fromkeys(GENE_COLUMNS, "x"), index=GENES)
    degree = TargetGraph({"gene": nodes}, relations).degree()
    neighbours: dict[str, set[str]] = {gene: set() for gene in GENES}
    for relation in relations.values():
        for a, b in zip(relation.edges["source_id"], relation.edges["target_id"], strict=True):
            neighbours[a].add(b)
            neighbours[b].add(a)
    assert degree.to_dict() == {gene: len(others) for gene, others in neighbours.items()}


def test_the_noisy_or_of_two_databases_is_what_one_works_out_by_hand() -> None:
    first: list[Row] = [("g1", "g2", 0.5, "binary", False, "11", "2004")]
    again: list[Row] = [("g2", "g1", 0.4, "complex", True, "12", "1999"), *first]
    other: list[Row] = [("g1", "g2", 0.8, "mined", True, "13", "")]
    merged = merge_records([records(again, "HuRI"), records(other, "STRING")])
    assert combine_records(merged, "noisy_or", GENES).to_dict("records") == [
        {
            "source_id": "HGNC:1",
            "target_id": "HGNC:2",
            "weight": pytest.approx(0.9),  # 1 - (1 - 0.5) (1 - 0.8): within HuRI the largest counts
            "evidence": "HuRI|STRING",
            "literature": False,
            "clinical": False,
            "evidence_type": "binary|complex|mined",
            "pubmed_ids": "11|12|13",
            "date": "1999",
            "detail": "",
        }
    ]
    assert combine_records(merged, "max", GENES)["weight"].tolist() == [0.8]


def test_an_edge_is_literature_only_if_every_database_says_so() -> None:
    mined: list[Row] = [("g1", "g2", 0.5, "", True, "", "")]
    seen: list[Row] = [("g1", "g2", 0.5, "", False, "", "")]
    for tables, expected in (
        ([records(mined, "A"), records(mined, "B")], True),
        ([records(mined, "A"), records(seen, "B")], False),
    ):
        edges = combine_records(merge_records(tables), "noisy_or", GENES)
        assert edges["literature"].tolist() == [expected]


def test_a_directed_relation_keeps_both_directions() -> None:
    rows: list[Row] = [("g2", "g1", 0.5, "", False, "", ""), ("g1", "g2", 0.7, "", False, "", "")]
    relations, _ = build_relations(
        {"activates": ("activates", [records(rows, "A", "activates")])}, GENES, "noisy_or", 0
    )
    relation: Relation = relations["activates"]
    assert relation.directed
    assert relation.edges[["source_id", "target_id", "weight"]].to_numpy().tolist() == [
        ["HGNC:1", "HGNC:2", 0.7],
        ["HGNC:2", "HGNC:1", 0.5],
    ]
    assert tuple(relation.edges.columns[:6]) == EDGE_COLUMNS


def test_trust_in_a_database_scales_its_weights() -> None:
    rows: list[Row] = [("g1", "g2", 0.8, "", False, "", "")]
    found, _ = records_of(interactions(rows), IDS, GENES, "A", 0.5)
    assert found["interacts"]["weight"].tolist() == [0.4]


def test_the_noisy_or_of_certain_and_of_tiny_chances_stays_in_range() -> None:
    weight = np.array([1.0, 1.0, 5e-324, 5e-324, 1 - 1e-16, 1 - 1e-16])
    combined = noisy_or(weight, np.array([0, 2, 4]))
    assert np.all((combined > 0) & (combined <= 1))


def test_a_hub_keeps_its_strongest_edges_and_ties_go_by_id() -> None:
    star = pd.DataFrame(
        {
            "source_id": ["a", "a", "a", "c"],
            "target_id": ["b", "c", "d", "d"],
            "weight": [0.5, 0.9, 0.5, 0.1],
        }
    )
    assert limit_degree(star, 2).tolist() == [True, True, False, True]


def test_an_edge_within_a_complex_is_shared_by_its_pairs() -> None:
    rows, source, target, share = expand_complexes(["A_B"], ["B_C"], lambda name: name.split("_"))
    assert sorted(zip(source, target, strict=True)) == [
        ("A", "B"), ("A", "C"), ("B", "B"), ("B", "C"),
    ]  # fmt: skip
    assert share.tolist() == [0.25] * 4
    assert rows.tolist() == [0] * 4


def test_a_relation_of_one_database_has_a_name_that_can_be_a_file() -> None:
    assert relation_name("activates", "SIGNOR 3.0 (human)") == "activates_signor_3_0_human"
