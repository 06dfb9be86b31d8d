"""The page: complete, offline, safe against what users write, and the same every time."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from sklearn.metrics import average_precision_score

from aimwell.cohorts.evidence import VALUE_COLUMNS, Evidence
from aimwell.cohorts.samples import ContrastSamples
from aimwell.errors import AlignmentError
from aimwell.explain.explanation import Explanation, Faithfulness, Subgraph
from aimwell.models.ranking import Ranking
from aimwell.models.recommendation import recommend
from aimwell.reports.data import ReportData
from aimwell.reports.page import render_report, write_report
from aimwell.reports.sections import page_sections
from aimwell.reports.summary import caveats
from aimwell.trust.check import Check

SYMBOLS = [
    "EGFR",
    "MET",
    "ERBB2",
    "KRAS",
    "BRAF",
    "MAP2K1",
    "MAPK1",
    "PIK3CA",
    "AKT1",
    "MTOR",
    "TP53",
    "MDM2",
    "CDK4",
    "CDK6",
    "CCND1",
    "RB1",
    "MYC",
    "CTNNB1",
    "APC",
    "AXIN2",
    "TGFBR2",
    "SMAD4",
    "NFKB1",
    "RELA",
    "IKBKB",
    "JAK1",
    "JAK2",
    "STAT3",
    "STAT1",
    "NOTCH1",
    "BCL2",
    "MCL1",
    "PARP1",
    "BRCA1",
    "ATM",
    "ATR",
    "CHEK1",
    "WEE1",
    "CD274",
    "PDCD1",
    "CTLA4",
    "LAG3",
    "HIF1A",
    "VEGFA",
    "KDR",
    "IDH1",
    "FASN",
    "LDHA",
    "TOP1",
    "TYMS",
]
PATHWAYS = [
    "Signaling by receptor tyrosine kinases",
    "PD-1 signaling",
    "RAF/MAP kinase cascade",
    "Interferon gamma signaling",
    "Cell cycle checkpoints",
    "Negative regulation of the PI3K/AKT network",
]
CONTRASTS = {
    "protein_tumour_vs_normal": "protein",
    "rna_msi_vs_mss": "rna",
    "protein_msi_vs_mss": "protein",
}
SHARES = (
    "own rna",
    "own protein",
    "neighbours' rna",
    "neighbours' protein",
    "known-target neighbours",
    "graph",
)


def make_evidence(ids, rng):
    n = len(ids)
    truth = rng.normal(0, 0.6, n) * (rng.random(n) < 0.35)
    blocks = {}
    for name, kind in CONTRASTS.items():
        observed = rng.random(n) < (0.95 if kind == "rna" else 0.65)
        change = truth * (1.0 if kind == "rna" else 0.7) + rng.normal(0, 0.15, n)
        z = change / 0.15
        p = np.clip(np.exp(-(z**2) / 2), 1e-30, 1)
        block = pd.DataFrame(
            {
                "log2_fold_change": change,
                "se": 0.15,
                "effect": change * 0.9,
                "effect_se": 0.14,
                "z": z,
                "lfsr": p / 2,
                "p": p,
                "q": np.minimum(1, p * 3),
                "abundance_percentile": rng.random(n),
                "detection_rate": np.where(observed, 0.5 + rng.random(n) / 2, 0.0),
                "n_observed": np.where(observed, 60, 0),
                "observed": observed,
            },
            index=ids,
        )
        block.loc[~observed, list(VALUE_COLUMNS)] = np.nan
        blocks[name] = block
    seen = pd.DataFrame({k: b["observed"] for k, b in blocks.items()})
    across = pd.DataFrame(
        {
            "discordance": rng.normal(0, 1, n).round(3),
            "discordance_class": np.where(rng.random(n) < 0.1, "discordant", "undetermined"),
            "coverage": seen.mean(axis=1),
        },
        index=ids,
    )
    return Evidence(blocks, CONTRASTS, across)


def make_ranking(symbols, rng):
    n = len(symbols)
    known = (rng.random(n) < 0.1) & (np.arange(n) > 2)
    score = 1 / (1 + np.exp(-(rng.normal(-2, 1, n) + 1.6 * known + 3 * (np.arange(n) < 3))))
    order = pd.Series(-score, index=symbols.index)
    rank = order.rank(method="first").astype(int)
    table = pd.DataFrame(
        {
            "symbol": symbols,
            "rank": rank,
            "score": score,
            "score_low": score * 0.85,
            "score_high": np.minimum(1, score * 1.12),
            "rank_low": np.maximum(1, rank - rng.integers(0, 6, n)),
            "rank_high": np.minimum(n, rank + rng.integers(0, 9, n)),
            "is_known": known,
            "fold": rng.integers(0, 5, n),
            "degree": rng.integers(1, 300, n),
        }
    ).sort_values("rank")
    strengths = {
        "degree": 0.4,
        "study_intensity": 0.5,
        "random_walk": 0.9,
        "regression: evidence": 0.5,
        "regression: evidence, degree, neighbour labels": 1.2,
    }
    ladder = pd.DataFrame(
        {k: pd.Series(rng.normal(0, 1, n) + v * known, symbols.index) for k, v in strengths.items()}
    ).loc[table.index]
    scorers = {**{c: ladder[c] for c in ladder.columns}, "network": table["score"]}
    is_known = table["is_known"].to_numpy(bool)
    metrics = {}
    for name, values in scorers.items():
        ranks = values.rank(ascending=False)[is_known]
        metrics[name] = {
            "average_precision": average_precision_score(is_known, values),
            "auroc": 0.5 + 0.1 * strengths.get(name, 1.6),
            "recall_at_100": float((ranks <= 100).mean()),
            "median_rank": float(ranks.median()),
        }
    known = table["is_known"].astype(bool)
    advice = recommend(pd.DataFrame(scorers), known, pd.Series(table.index, table.index))
    return Ranking(table, ladder, pd.DataFrame(metrics).T, recommendation=advice)


def make_explanation(gene, ranking, rng):
    symbols = ranking.table["symbol"]
    others = rng.choice(symbols.index[:60].drop(gene, errors="ignore"), 8, replace=False).tolist()
    sets = [f"R-HSA-{k}" for k in sorted(rng.choice(len(PATHWAYS), 3, replace=False))]
    nodes = [gene, *others, *sets, "CPX-1"]
    names = [
        *(symbols[g] for g in [gene, *others]),
        *(PATHWAYS[int(s.split("-")[-1])] for s in sets),
        "PI3K complex",
    ]
    kinds = ["gene"] * 9 + ["pathway"] * 3 + ["complex"]
    table = pd.DataFrame(
        {
            "symbol": names,
            "type": kinds,
            "attribution": np.r_[0.8, rng.normal(0.1, 0.25, 12)].round(4),
            "rna": rng.normal(0, 0.1, 13).round(4),
            "protein": rng.normal(0, 0.1, 13).round(4),
        },
        index=pd.Index(nodes, name="id"),
    )
    rows = []
    for k, other in enumerate(others):
        at = gene if k < 5 else others[int(rng.integers(0, 5))]
        relation = ["interacts", "activates", "inhibits", "interacts"][k % 4]
        rows.append((other, at, relation, "BioGRID|Reactome", "phosphorylation; PMID 12345678"))
    for s in [*sets, "CPX-1"]:
        relation = "subunit_of" if s == "CPX-1" else "member_of"
        rows += [(g, s, relation, "Reactome", "") for g in [gene, others[int(rng.integers(0, 8))]]]
    rows.append((others[0], others[1], "interacts", "BioGRID", ""))
    edges = pd.DataFrame(
        rows, columns=["source_id", "target_id", "relation", "evidence", "detail"]
    ).drop_duplicates(["source_id", "target_id"])
    edges["weight"] = rng.uniform(0.2, 1, len(edges)).round(3)
    edges["attribution"] = rng.normal(0.08, 0.14, len(edges)).round(4)
    shares = dict(zip(SHARES, rng.normal(0.5, 0.6, 6).round(3).tolist(), strict=True))
    symbol = str(symbols[gene])
    return Explanation(
        gene=gene,
        symbol=symbol,
        score=-3.1 + sum(shares.values()),
        baseline_score=-3.1,
        shares=shares,
        nodes=table,
        edges=edges,
        subgraph_nodes=tuple(nodes),
        subgraph_edges=edges,
        sentence=f"{symbol} ranks {int(ranking.table.loc[gene, 'rank'])} because its own protein "
        f"is higher in tumours, it interacts with the known targets {symbols[others[0]]} and "
        f"{symbols[others[1]]}, and {PATHWAYS[0]} carries neighbours that change with it.",
        completeness_error=0.0004,
        spread=dict.fromkeys(SHARES, 0.07),
    )


def make_report(seed=3, n=400, explained=10):
    rng = np.random.default_rng(seed)
    ids = pd.Index(sorted(f"HGNC:{1000 + k}" for k in range(n)), name="hgnc_id")
    names = [*SYMBOLS, *(f"GENE{k}" for k in range(n))][:n]
    symbols = pd.Series(names, index=ids)
    ranking = make_ranking(symbols, rng)
    top = ranking.table.index[:explained]
    check = ranking.table.iloc[[1, 4, 30, n // 4, n // 2]]
    config_contrasts = [
        {"name": "protein_tumour_vs_normal", "layer": "protein", "condition": "tissue",
         "case": "tumour", "control": "normal"},
        {"name": "rna_msi_vs_mss", "layer": "rna", "condition": "msi", "case": "MSI-H",
         "control": "MSS"},
        {"name": "protein_msi_vs_mss", "layer": "protein", "condition": "msi", "case": "MSI-H",
         "control": "MSS"},
    ]  # fmt: skip
    designs = {
        name: {
            "n_case": 62 + k,
            "n_control": 31,
            "pairs": 29 if k == 0 else 0,
            "information_retained": 0.93 - 0.3 * k,
            "verdict": ["accept", "accept", "warn"][k],
            "notes": ["age explains a third of the condition"] if k == 2 else [],
        }
        for k, name in enumerate(CONTRASTS)
    }
    manifest = {
        "title": "CPTAC colon cancer",
        "config": {"run": {"seed": 1}, "contrasts": config_contrasts},
        "versions": {"aimwell": "0.1.0", "torch": "2.9.0", "numpy": "2.4.0"},
        "seeds": {"run": 1, "members": [11, 12, 13, 14, 15]},
        "inputs": [
            {"name": "BioGRID", "release": "4.4", "licence": "MIT", "url": "https://thebiogrid.org",
             "sha256": "ab" * 32},
            {"name": "Reactome", "release": "2021-02", "licence": "CC0-1.0",
             "url": "https://reactome.org", "sha256": "cd" * 32},
        ],
        "steps": [
            {"stage": "cohort", "name": "map names to HGNC", "rows_in": 9000, "rows_out": 8840,
             "why": "names that HGNC does not know", "examples": ["XYZ9", "LOC1234"]},
            {"stage": "graph", "name": "drop self-loops", "rows_in": 500, "rows_out": 500,
             "why": "", "examples": []},
        ],
    }  # fmt: skip
    return ReportData(
        manifest=manifest,
        designs=designs,
        evidence=make_evidence(ids, rng),
        ranking=ranking,
        checks=[
            Check("rank_degree_correlation", 0.21, "<= 0.3", True, "Hubs do not lead.", (0.1, 0.3)),
            Check("permuted_labels_auroc", 0.63, "within 0.4 to 0.6", False, "Chance is not met."),
            Check("coverage_of_top_50", None, "", None, "For information."),
        ],
        explanations=[make_explanation(str(gene), ranking, rng) for gene in top],
        independent=pd.DataFrame(
            {
                "gene": check.index,
                "symbol": check["symbol"].to_numpy(),
                "rank": check["rank"].to_numpy(),
            }
        ),
        planted=None,
        drugs={
            str(top[0]): ["cetuximab", "panitumumab"],
            str(ranking.table.index[3]): ["olaparib"],
        },
    )


def make_faithfulness(k, rng):
    badge = ["verified", "partial", "not faithful", "not tested"][k % 4]
    falling = np.clip(np.linspace(1, 0.1, 9) + rng.normal(0, 0.05, 9), -0.2, 1.2)
    others = {kind: np.linspace(1, 0.7, 9) for kind in ("random", "degree", "pagerank")}
    return Faithfulness(
        badge=badge,
        rule="Removing it lowers the score more than removing 20 random subgraphs does.",
        deletion={k: tuple(v) for k, v in ({"this": falling} | others).items()},
        insertion={k: tuple(1 - v) for k, v in ({"this": falling} | others).items()},
        sufficiency=0.71,
        necessity=0.82,
        sparsity=0.98,
        seed_agreement=0.66 if k else float("nan"),
        baseline_agreement=0.8,
    )


def make_full_report(seed=3, n=400, explained=10):
    """A run with everything that other parts may add: audit, tests, drugs, samples, subgraphs."""
    report, rng = make_report(seed, n, explained), np.random.default_rng(seed)
    genes = report.ranking.table.index
    explanations = []
    for k, e in enumerate(report.explanations):
        fewer = e.subgraph_nodes[:6]
        inside = e.edges["source_id"].isin(fewer) & e.edges["target_id"].isin(fewer)
        edges = e.edges.assign(
            pubmed_ids="|".join(str(1000 + j) for j in range(25)), evidence_type="co-purification"
        )
        explanations.append(
            replace(
                e,
                edges=edges,
                subgraph_edges=edges,
                subgraphs=(
                    Subgraph(e.subgraph_nodes, edges, 0.62, 1),
                    Subgraph(fewer, edges[inside], 0.31, 1),
                ),
                faithfulness=make_faithfulness(k, rng),
                direction=["inhibit", "activate", "unknown"][k % 3],
                caveats=("It was not measured in protein.", "Two of its neighbours are hubs."),
                baselines={
                    "zero": {"score": -3.1, "completeness_error": 0.0004, "agreement": 1.0},
                    "control mean": {"score": -2.9, "completeness_error": 0.001, "agreement": 0.8},
                },
            )
        )
    tiers = pd.DataFrame(
        {
            "tier": np.where(np.arange(n) < 3, "robust", "speculative"),
            "tier_reason": "stands out against all three nulls",
            "probability": np.linspace(0.5, 0.001, n),
            "null_q": np.linspace(0.001, 1, n),
        },
        index=genes,
    )
    tiers.loc[genes[3:8], "tier"] = "supported"
    audit = SimpleNamespace(
        reliability=pd.DataFrame(
            {
                "predicted": [0.01, 0.05, 0.2],
                "observed": [0.012, 0.04, 0.25],
                "low": [0.005, 0.02, 0.1],
                "high": [0.02, 0.08, 0.4],
                "genes": [200, 100, 50],
            }
        ),
        rules=("robust: stands out against all three nulls",),
        skipped={"transfer": "no second cohort was named"},
        layers=pd.DataFrame({"left_out": ["rna"], "adds_auroc": [0.03]}),
    )
    checks = [
        *report.checks,
        *(GroupedCheck(f"{g}_check", 0.1, "<= 0.3", True, "it is", None, g)
          for g in ("ladder", "bias", "nulls", "stability", "calibration", "layers", "sanity")),
    ]  # fmt: skip
    drugs = pd.DataFrame(
        {
            "gene": [genes[0], genes[0], genes[1]],
            "drug": ["cetuximab", "an agonist", "tepotinib"],
            "action": ["antibody", "agonist", "inhibitor"],
            "direction": ["inhibits", "activates", "inhibits"],
            "phase": [4.0, 1.0, 4.0],
            "indication": ["colorectal cancer", None, "lung cancer"],
            "status": ["approved", "in trials", "approved"],
            "source": ["ChEMBL", "ChEMBL", "ChEMBL"],
            "licence": "CC-BY-SA-3.0",
        }
    )
    status = pd.DataFrame(
        {
            "status": ["approved", "in trials", "novel"],
            "tractability": ["antibody|small molecule", "", "small molecule"],
            "essential": [False, True, None],
            "druggable_class": ["kinase", "kinase", None],
        },
        index=genes[:3],
    )
    samples = {
        name: ContrastSamples(
            "log2 level",
            ("control", "case"),
            tuple(k % 2 for k in range(40)),
            (-1,) * 40,
            pd.DataFrame(rng.normal(8, 1, (n, 40)), index=genes).astype(np.float32),
        )
        for name in list(CONTRASTS)[:2]
    }
    return replace(
        report,
        explanations=explanations,
        tiers=tiers,
        audit=audit,
        checks=checks,
        drug_table=drugs,
        drug_status=status,
        repurposing=drugs.assign(target=genes[0], path="a path", hops=1, effect_on_target="lowers"),
        samples=samples,
    )


@dataclass(frozen=True)
class GroupedCheck(Check):
    """A check of the trust suite, which says what it is about."""

    group: str = ""


class Page(HTMLParser):
    """Elements, ids, and the text of the embedded data."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.scripts, self._open = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._open = tag == "script"
        if self._open:
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._open = self._open and tag != "script"

    def handle_data(self, data):
        if self._open:
            self.scripts[-1] += data


@pytest.fixture(scope="module")
def report():
    return make_report()


@pytest.fixture(scope="module")
def text(report):
    return render_report(report)


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def without_plotly(text):
    return re.sub(r"<script>/\*\*\n\* plotly.*?</script>", "", text, flags=re.S)


def test_the_same_data_gives_the_same_bytes(tmp_path, report):
    write_report(tmp_path / "a.html", report)
    write_report(tmp_path / "b.html", make_report())
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_the_order_of_rows_in_an_explanation_does_not_change_the_page(report, text):
    shuffled = [
        replace(e, nodes=e.nodes.iloc[::-1], subgraph_edges=e.subgraph_edges.iloc[::-1])
        for e in report.explanations
    ]
    assert render_report(replace(report, explanations=shuffled)) == text


def test_no_element_of_the_page_loads_anything(page):
    loading = {"src", "srcset", "data", "action", "formaction", "poster", "background"}
    assert [e for e in page.elements if loading & set(e[1])] == []
    assert {t for t, _ in page.elements} & {"link", "iframe", "object", "embed", "img"} == set()
    links = [a["href"] for t, a in page.elements if t == "a"]
    assert links
    assert all(link.startswith("#") for link in links)


def test_the_content_policy_forbids_connections_and_names_every_script_by_hash(text, page):
    policy = next(a["content"] for t, a in page.elements if a.get("http-equiv"))
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]
    assert policy.count("sha256-") == 2


def test_every_link_inside_the_page_has_its_place(page):
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    wanted = {a["href"][1:] for t, a in page.elements if t == "a"}
    assert wanted <= set(ids)


def test_fifty_explained_targets_stay_below_fifteen_megabytes():
    big = make_full_report(n=3000, explained=50)
    assert len(render_report(big).encode()) < 15e6


def test_figures_are_valid_for_plotly(report):
    _, payload = page_sections(report)
    # volcanoes, one pair of layers, coverage, ladder, check genes; then per target
    assert len(payload["figures"]) == 3 + 1 + 1 + 1 + 1
    full_figures = page_sections(make_full_report())[1]["figures"]
    assert len(full_figures) == 3 + 1 + 1 + 1 + 1 + 1 + 2 * 10
    for figure in (*payload["figures"].values(), *full_figures.values()):
        go.Figure(figure)


def test_every_figure_of_the_page_has_its_data_and_a_description(report, page):
    _, payload = page_sections(report)
    plots = [a for _, a in page.elements if "data-figure" in a]
    assert {a["data-figure"] for a in plots} == set(payload["figures"])
    assert all(a["aria-label"] for a in plots)


def test_script_tags_in_every_field_stay_text():
    evil = "</script><script>alert('x')</script><img src=x onerror=alert(1)>\"'&{{7*7}}"
    bad = poisoned(make_full_report(n=60, explained=3), evil)
    text = render_report(bad)
    page = Page(text)
    clean = Page(render_report(make_full_report(n=60, explained=3)))
    tags = [t for t, _ in page.elements]
    assert "img" not in tags
    assert tags.count("script") == 3 == [t for t, _ in clean.elements].count("script")
    assert not [a for _, a in page.elements if any(k.startswith("on") for k in a)]
    assert evil in json.dumps(json.loads(page.scripts[0]), ensure_ascii=False).replace('\\"', '"')
    for value in hover_texts(json.loads(page.scripts[0])["figures"]):
        assert "<img" not in value
        assert "<script" not in value


def poisoned(report, evil):
    """Put the text into every field that a user or a database can write."""
    table = report.ranking.table.assign(symbol=evil)
    across = report.evidence.across.assign(discordance_class=evil)
    names = {name: f"{name}{evil}" for name in report.evidence.blocks}
    evidence = Evidence(
        {names[k]: b for k, b in report.evidence.blocks.items()},
        {names[k]: v for k, v in report.evidence.kinds.items()},
        across,
    )
    texts = ("relation", "evidence", "detail", "evidence_type", "pubmed_ids", "date")
    explanations = [
        replace(
            e,
            symbol=f"{evil}{k}",
            sentence=evil,
            shares={evil + name: v for name, v in e.shares.items()},
            nodes=e.nodes.assign(symbol=evil, type=evil),
            subgraph_edges=(edges := e.subgraph_edges.assign(**dict.fromkeys(texts, evil))),
            subgraphs=tuple(replace(g, nodes=e.subgraph_nodes, edges=edges) for g in e.subgraphs),
            faithfulness=e.faithfulness
            and replace(
                e.faithfulness, badge=evil, rule=evil, deletion={evil: (1.0, 0.5)}, insertion={}
            ),
            direction=evil,
            caveats=(evil,),
            baselines={evil: {"score": 1.0}},
        )
        for k, e in enumerate(report.explanations)
    ]
    manifest = {
        "title": evil,
        "config": {evil: evil},
        "versions": {evil: evil},
        "seeds": {evil: 1},
        "inputs": [dict.fromkeys(("name", "release", "licence", "url", "sha256"), evil)],
        "steps": [{"stage": evil, "name": evil, "rows_in": 2, "rows_out": 1, "why": evil,
                   "examples": [evil]}],
    }  # fmt: skip
    return replace(
        report,
        manifest=manifest,
        designs={
            names[k]: {**v, "verdict": evil, "notes": [evil]} for k, v in report.designs.items()
        },
        evidence=evidence,
        ranking=Ranking(
            table,
            report.ranking.ladder,
            report.ranking.metrics.rename(index={"network": evil}),
            recommendation=replace(
                report.ranking.recommendation,
                scorer=evil,
                network=evil,
                sentence=evil,
                rule=evil,
                scorers=report.ranking.recommendation.scorers.rename(index={"network": evil}),
            ),
        ),
        checks=[Check(evil, 1.0, evil, False, evil)],
        explanations=explanations,
        independent=pd.DataFrame({evil: [evil], "gene": [evil], "rank": [3]}),
        planted=pd.DataFrame({"gene": [evil, evil], "held_back": [True, False], "rank": [1, 2]}),
        drugs={key: [evil] for key in report.drugs},
        tiers=pd.DataFrame({"tier": evil, "tier_reason": evil}, index=table.index),
        audit=SimpleNamespace(
            reliability=pd.DataFrame(),
            rules=(evil,),
            skipped={evil: evil},
            layers=pd.DataFrame({evil: [evil]}),
        ),
        drug_table=report.drug_table.assign(
            **dict.fromkeys(report.drug_table.columns.drop("gene"), evil)
        )
        if len(report.drug_table)
        else report.drug_table,
        drug_status=pd.DataFrame({"status": evil, evil: evil}, index=table.index),
        repurposing=report.repurposing.assign(drug=evil, path=evil, effect_on_target=evil)
        if len(report.repurposing)
        else report.repurposing,
        samples={
            names[k]: replace(v, scale=evil, groups=(evil, evil + evil))
            for k, v in report.samples.items()
        },
    )


def hover_texts(value):
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for item in items for text in hover_texts(item)]


def test_the_table_holds_every_gene_and_keeps_missing_values_missing(report):
    _, payload = page_sections(report)
    table = payload["table"]
    columns = {c["key"]: c for c in table["columns"]}
    assert columns["rank"]["values"] == list(range(1, 401))
    block = report.evidence.blocks["protein_tumour_vs_normal"].loc[table["ids"]]
    missing = [v is None for v in columns["effect0"]["values"]]
    assert missing == (~block["observed"]).tolist()
    assert columns["effect1"]["group"] == "RNA: MSI-H vs MSS"


def test_layers_are_compared_only_where_they_compare_the_same_groups(report):
    assert report.layer_pairs() == [("rna_msi_vs_mss", "protein_msi_vs_mss")]
    bare = replace(report, manifest={"title": "x"})
    assert bare.layer_pairs() == [("rna_msi_vs_mss", "protein_msi_vs_mss")]


def test_reports_do_not_import_torch():
    code = (
        "import sys, aimwell.reports.page, aimwell.reports.export, aimwell.reports.drawing;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_ranked_genes_without_evidence_are_refused(report):
    evidence = report.evidence
    short = Evidence(
        {k: b.iloc[:-2] for k, b in evidence.blocks.items()},
        evidence.kinds,
        evidence.across.iloc[:-2],
    )
    with pytest.raises(AlignmentError, match="2 ranked genes have no row in the evidence"):
        replace(report, evidence=short)


def test_the_note_on_the_known_targets_is_the_first_caveat(report):
    config = {**report.manifest.get("config", {}), "known_targets": {"note": "Only <five> drugs."}}
    noted = replace(report, manifest={**report.manifest, "config": config})
    assert caveats(noted)[0] == "Only <five> drugs."
    assert "Only &lt;five&gt; drugs." in render_report(noted)


def test_a_target_of_the_top_ten_that_stands_on_one_family_is_a_caveat(report):
    table = report.ranking.table
    told = {"tier": "speculative", "tier_reason": "it falls", "decisive_family": ""}
    tiers = pd.DataFrame({**told, "rank_without_family": table["rank"]}, table.index)
    assert not [c for c in caveats(replace(report, tiers=tiers)) if "one family" in c]
    first = table.index[0]
    tiers.loc[first, ["rank_without_family", "decisive_family"]] = [390, "Receptors <of> five"]
    marked = replace(report, tiers=tiers)
    said = f"{table['symbol'].iloc[0]} stands on one family of known targets: without Receptors"
    assert f"{said} <of> five it ranks 390." in caveats(marked)
    page = render_report(marked)
    assert "without Receptors &lt;of&gt; five it ranks 390." in page
    explained = [e.gene for e in report.explanations]
    assert page.count("it ranks 390 at worst (without Receptors &lt;of&gt; five)") == (
        explained.count(first)
    )
    assert "Rank without a family" in page


def test_caveats_name_doubtful_designs_and_missed_checks(report):
    said = " ".join(caveats(report))
    assert "Protein: MSI-H vs MSS: the design gate says “warn”" in said
    assert "1 of 3 checks missed their limit: 'Permuted labels AUROC'" in said


def test_a_report_without_explanations_or_labels_is_still_written(report):
    table = report.ranking.table.assign(is_known=False)
    bare = ReportData(
        manifest={},
        designs={},
        evidence=report.evidence,
        ranking=Ranking(table, report.ranking.ladder),
    )
    assert "Untitled run" in render_report(bare)


def test_simulated_truth_is_reported_for_the_held_back_targets(report):
    planted = pd.DataFrame(
        {
            "gene": report.ranking.table.index[[0, 9, 19, 199]],
            "held_back": [True, True, True, False],
            "rank": [1, 10, 20, 200],
        }
    )
    text = without_plotly(render_report(replace(report, planted=planted)))
    known = report.ranking.table["is_known"]
    median = 10 - known[report.ranking.table["rank"] < 10].sum()
    assert f"their median rank is <strong>{median}</strong> of the {(~known).sum()} genes" in text
    assert median < 10
