"""An audit of a finished run: what it adds, what it refuses, and that it goes on where it was."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from aimwell.cli import app
from aimwell.config import config_from
from aimwell.errors import AimwellError, ConfigError, InputError, LabelError, RunError
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.pipeline import Silent, run
from aimwell.pipeline.audit import AuditRequest, audit_run
from aimwell.pipeline.audit_inputs import planted
from aimwell.simulate import SimulationSettings, simulate_cohort, write_simulation
from aimwell.trust.tiers import Audited, assign_tiers

CONTRAST = {"condition": "condition", "case": "case", "control": "control", "subject": "subject"}
FEW = {
    "rewires": 2,
    "label_permutations": 2,
    "sample_permutations": 2,
    "sample_bootstraps": 2,
    "edge_bootstraps": 1,
}
ONE = AuditRequest(jobs=1)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    graph = read_starter_graph()
    settings = SimulationSettings(subjects=6)
    write_simulation(simulate_cohort(graph, settings, seed=3), folder, graph.symbols)
    return folder


def settings_of(data: Path, output: Path, **more: object) -> dict[str, object]:
    protein = {"path": "protein_log2_ratio.tsv", "layer": "protein", "kind": "protein"}
    return {
        "run": {"title": "small", "data": str(data), "output": str(output), "jobs": 1},
        "cohort": {
            "matrices": [{**protein, "unit": "log2_ratio", "subject_pattern": "^(.*)_"}],
            "sheet": {"path": "samples.tsv"},
        },
        "contrasts": [{"name": "protein", "layer": "protein", **CONTRAST}],
        "known_targets": {"sources": [{"reader": "genes", "path": "known_targets.txt"}]},
        "model": {"folds": 3, "seeds": 2, "epochs": 2, "hidden": 8},
        "explain": {"top": 1, "steps": 4},
        "audit": dict(FEW),
        **more,
    }


@pytest.fixture(scope="module")
def finished(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("runs") / "finished"
    return run(config_from(settings_of(cohort, output))).folder


@pytest.fixture(scope="module")
def audited(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audited") / "run"
    shutil.copytree(finished, folder)
    audit_run(folder, ONE)
    return folder


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "copy"))


class Count(Silent):
    """Counts units of work, and stops after some."""

    def __init__(self, limit: int = 10_000) -> None:
        self.units, self.limit = 0, limit

    def advance(self, units: int = 1) -> None:
        self.units += units
        if self.units > self.limit:
            raise KeyboardInterrupt


def test_a_run_without_an_audit_has_tiers_and_none_is_robust(finished: Path) -> None:
    table = pd.read_csv(finished / "targets.tsv", sep="\t")
    assert set(table["tier"]) <= {"supported", "speculative"}
    assert table["tier_reason"].notna().all()
    assert "null_p" not in table
    assert (table["rank_without_family"] >= table["rank"]).all()
    falls = table["rank_without_family"] > table["rank"]
    assert falls.any()
    families = pd.DataFrame(json.loads((finished / "checks.json").read_text())["families"])
    assert set(table.loc[falls, "decisive_family"]) <= set(families["family"])
    assert families["known_targets"].sum() == table["is_known"].sum()
    leaves = table["rank_without_family"] > 0.1 * len(table)
    assert set(table.loc[leaves, "tier"]) == {"speculative"}


def test_an_audit_adds_its_results_to_the_folder(audited: Path) -> None:
    facts = json.loads((audited / "audit.json").read_text())
    groups = {c["group"] for c in facts["checks"]}
    assert groups == {*("leakage", "bias", "nulls", "stability", "layers", "calibration", "sanity")}
    table = pd.read_csv(audited / "targets.tsv", sep="\t")
    assert {"tier", "tier_reason", "probability", "null_p", "null_q"} <= set(table.columns)
    assert table["null_p"].between(0, 1).all()
    assert table["probability"].between(0, 1).all()
    genes = pd.read_parquet(audited / "audit.parquet")
    worst = genes[["null_p_edges", "null_p_labels", "null_p_samples"]].max(axis=1)
    pd.testing.assert_series_equal(genes["null_p"], worst, check_names=False)
    assert (genes["rank_low"] <= genes["rank_high"]).all()
    checks = json.loads((audited / "checks.json").read_text())
    assert {c["group"] for c in checks["checks"]} >= groups | {"ladder"}
    assert {"robust", "supported", "speculative"} == {r.split(":")[0] for r in facts["rules"][:3]}
    assert facts["layers"][0]["kind"] == "layer"


def test_an_audited_run_is_a_finished_run(audited: Path, cohort: Path) -> None:
    before = (audited / "targets.tsv").read_bytes()
    assert run(config_from(settings_of(cohort, audited))).reused
    assert (audited / "targets.tsv").read_bytes() == before


def test_a_stopped_audit_goes_on_and_ends_with_the_same_bytes(copy: Path, audited: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        audit_run(copy, ONE, Count(limit=3))
    assert not (copy / "audit.json").exists()
    again = Count()
    audit_run(copy, ONE, again)
    done = {p.name for p in (copy / ".stages").glob("audit-*")}
    assert done == {p.name for p in (audited / ".stages").glob("audit-*")}
    for name in ("targets.tsv", "audit.json", "checks.json", "audit.parquet"):
        assert (copy / name).read_bytes() == (audited / name).read_bytes()
    # nothing is left to do for a third call
    third = Count(limit=0)
    audit_run(copy, ONE, third)


def test_only_what_is_asked_for_is_done_and_then_nothing_is_robust(copy: Path) -> None:
    found = audit_run(copy, AuditRequest(only=("bias", "leakage"), jobs=1))
    assert {c.group for c in found.checks} == {"bias", "leakage"}
    assert not list((copy / ".stages").glob("audit-*"))
    assert "robust" not in set(found.genes["tier"])
    assert not found.genes["tier_reason"].str.contains("nulls").any()


def test_ranks_that_were_not_drawn_again_cap_every_tier(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone: list[set[str]] = []

    def assign(*args: Any, audited: Audited, **more: Any) -> pd.DataFrame:
        gone.append(set(audited.missing))
        return assign_tiers(*args, audited=audited, **more)

    monkeypatch.setattr("aimwell.pipeline.audit.assign_tiers", assign)
    audit_run(copy, AuditRequest(only=("nulls",), jobs=1))
    audit_run(copy, AuditRequest(only=("nulls", "stability"), jobs=1))
    assert gone == [{"subjects drawn again", "edges left out"}, set()]


def forget_data(folder: Path) -> Path:
    """Let a run look for its measurements where they are no longer."""
    kept = json.loads((folder / ".stages" / "kept.json").read_text())
    kept["data"] = str(folder / "gone")
    (folder / ".stages" / "kept.json").write_text(json.dumps(kept))
    return folder


def test_without_the_measurements_their_nulls_are_named_as_not_done(
    finished: Path, tmp_path: Path
) -> None:
    folder = forget_data(Path(shutil.copytree(finished, tmp_path / "moved")))
    found = audit_run(folder, AuditRequest(only=("nulls",), jobs=1))
    assert "with --data" in found.skipped["permuted samples"]
    assert "null_p_samples" not in found.genes
    assert "null_p_labels" in found.genes
    assert "robust" not in set(found.genes["tier"])


def test_other_measurements_than_those_of_the_run_are_refused(
    copy: Path, cohort: Path, tmp_path: Path
) -> None:
    # a folder for other runs, as AIMWELL_DATA may name, does not hide the run's own
    audit_run(copy, AuditRequest(only=("bias",), data=str(tmp_path), jobs=1))
    forget_data(copy)
    other = Path(shutil.copytree(cohort, tmp_path / "other"))
    text = (other / "protein_log2_ratio.tsv").read_text()
    (other / "protein_log2_ratio.tsv").write_text(text + "\n")
    with pytest.raises(RunError, match=r"protein_log2_ratio.tsv.*--data"):
        audit_run(copy, AuditRequest(data=str(other), jobs=1))
    with pytest.raises(InputError, match="lacks 2 inputs"):
        audit_run(copy, AuditRequest(data=str(tmp_path), jobs=1))
    with pytest.raises(InputError, match="there is no folder"):
        audit_run(copy, AuditRequest(data=str(tmp_path / "none"), jobs=1))


def test_a_folder_that_is_no_finished_run_is_refused(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no finished run"):
        audit_run(tmp_path, ONE)
    table = (copy / "targets.tsv").read_text().replace("speculative", "robust")
    (copy / "targets.tsv").write_text(table)
    with pytest.raises(RunError, match=r"not as the run wrote it: 'targets\.tsv' changed"):
        audit_run(copy, ONE)


def test_parts_that_do_not_exist_and_other_runs_that_are_none_are_refused(
    copy: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="'bais' is none of"):
        AuditRequest(only=("bais",))
    with pytest.raises(AimwellError, match="holds no finished run"):
        audit_run(copy, AuditRequest(only=("transfer",), other=str(tmp_path), jobs=1))


def test_a_run_agrees_with_itself_as_another_run(copy: Path, finished: Path) -> None:
    found = audit_run(copy, AuditRequest(only=("transfer",), other=str(finished), jobs=1))
    values = {c.name: c.value for c in found.checks}
    assert values["other_run_top_overlap: finished"] == 1.0
    assert values["other_run_rank_correlation: finished"] == pytest.approx(1.0)


def test_a_feature_that_equals_the_label_stops_the_run_and_stains_the_audit(
    cohort: Path, tmp_path: Path
) -> None:
    known = (cohort / "known_targets.txt").read_text().split()
    symbols = read_starter_graph().symbols
    rows = "".join(f"{s}\t{int(s in known)}\n" for s in symbols)
    data = Path(shutil.copytree(cohort, tmp_path / "data"))
    (data / "notes.tsv").write_text("gene\tis_drug\n" + rows)
    settings = settings_of(data, tmp_path / "run")
    settings["cohort"]["features"] = [{"name": "notes", "path": "notes.tsv"}]  # type: ignore[index]
    with pytest.raises(LabelError, match="'notes: is_drug' equals the label"):
        run(config_from(settings))
    assert not (tmp_path / "run").exists()
    settings["graph"] = {"preset": "starter", "allow_leak": True}
    folder = run(config_from(settings)).folder
    found = audit_run(folder, AuditRequest(only=("leakage",), jobs=1))
    assert set(found.genes["tier"]) == {"speculative"}
    assert found.genes["tier_reason"].str.contains("'notes: is_drug'").all()
    done = CliRunner().invoke(app, ["audit", str(folder), "--only", "leakage", "--json"])
    assert done.exit_code == 2
    facts = json.loads(done.stdout)
    assert "notes: is_drug" in next(
        c["meaning"] for c in facts["checks"] if c["name"] == "label_and_features"
    )


def test_settings_of_an_audit_are_part_of_the_run(cohort: Path, tmp_path: Path) -> None:
    config = config_from(settings_of(cohort, tmp_path / "run"))
    more = dataclasses.replace(config, audit=dataclasses.replace(config.audit, rewires=3))
    first = run(config)
    assert not run(more).reused
    assert first.checks()["checks"]


@pytest.mark.parametrize("note", ['"x"', '["x"]', '{"a": 1}'])
def test_a_damaged_note_of_what_was_planted_is_refused(tmp_path: Path, note: str) -> None:
    (tmp_path / ".stages").mkdir()
    (tmp_path / ".stages" / "kept.json").write_text(f'{{"planted": {note}}}')
    with pytest.raises(RunError, match=r"kept\.json' is damaged; run again"):
        planted(tmp_path)
