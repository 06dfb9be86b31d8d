"""A run on a GPU and on a processor: what is refused, what is reused, what is recorded."""

import json
import shutil
import warnings

import pytest
import torch
from tests.test_pipeline_run import Log, cohort, config_of, outputs  # noqa: F401  a fixture

from aimwell.errors import ConfigError, RunError
from aimwell.pipeline import devices, run
from aimwell.pipeline.devices import find_device
from aimwell.pipeline.explain import explain_run


class Told(Log):
    def __init__(self):
        super().__init__()
        self.notes = []

    def note(self, line):
        self.notes.append(line)


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture(scope="module")
def plain(cohort, tmp_path_factory):  # noqa: F811
    """A run that says nothing of devices, where there is no GPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        return run(config_of(cohort, tmp_path_factory.mktemp("runs") / "plain")).folder


def test_a_gpu_that_is_not_there_is_one_refusal_and_nothing_is_written(no_gpu, cohort, tmp_path):  # noqa: F811
    with pytest.raises(RunError, match=r"run.device = 'cuda' is not there: torch .* finds 0 GPUs"):
        run(config_of(cohort, tmp_path / "run", device="cuda"))
    assert not (tmp_path / "run").exists()


def test_a_gpu_beyond_the_last_one_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"card {index}")
    told = Told()
    assert find_device("auto", "local", told) == "cuda"
    assert find_device("cuda:1", "local", told) == "cuda:1"
    assert told.notes == ["networks are fitted on card 0", "networks are fitted on card 1"]
    assert find_device("auto", "dask", told) == find_device("cpu", "local", told) == "cpu"
    with pytest.raises(RunError, match=r"'cuda:2' is not there: .* finds 2 GPUs"):
        find_device("cuda:2", "local", told)


def test_a_driver_that_torch_warns_of_is_told(monkeypatch):
    def old():
        warnings.warn("the driver is too old", stacklevel=1)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", old)
    told = Told()
    assert find_device("auto", "local", told) == "cpu"
    assert "the driver is too old" in told.notes[0]
    with pytest.raises(RunError, match="the driver is too old"):
        find_device("cuda", "local", told)


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "mps", ""])
def test_other_words_are_refused(cohort, tmp_path, device):  # noqa: F811
    with pytest.raises(ConfigError, match=r"run.device = .* is not known; use one of"):
        config_of(cohort, tmp_path, device=device)


def test_a_gpu_and_workers_elsewhere_exclude_each_other(cohort, tmp_path):  # noqa: F811
    with pytest.raises(ConfigError, match=r"run\.device = 'cuda' needs the executor 'local'"):
        config_of(cohort, tmp_path, device="cuda", executor="dask")


def test_a_run_that_names_the_processor_gives_the_same_bytes(plain, cohort, tmp_path):  # noqa: F811
    named = shutil.copytree(plain, tmp_path / "named")
    (named / "manifest.json").unlink()
    for stage in ("member", "ladder", "layers", "explanation"):
        for entry in (named / ".stages").glob(f"{stage}-*"):
            shutil.rmtree(entry)
    log = Told()
    run(config_of(cohort, named, device="cpu"), progress=log)
    assert "fitting networks" in log.started
    assert outputs(named) == outputs(plain)
    assert json.loads((named / "manifest.json").read_text())["device"] == {"networks": "cpu"}


def test_a_gpu_fits_its_own_networks_and_both_stay(plain, cohort, tmp_path, monkeypatch):  # noqa: F811
    folder = shutil.copytree(plain, tmp_path / "run")
    before = outputs(folder)
    # the code of a GPU on the processor: what the run asks for is there, what fits is ``cpu``
    found = iter(["cuda", "cpu"])
    monkeypatch.setattr(devices, "find_device", lambda *_: next(found))
    log = Told()
    assert not run(config_of(cohort, folder, device="cuda"), progress=log).reused
    assert "fitting networks" in log.started
    assert "graph" in log.reused
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["config"]["run"]["device"] == "cuda"
    assert manifest["device"]["way"] in {"columns", "members", "dense"}
    assert manifest["device"]["repeats"] is True
    assert outputs(folder)["targets.tsv"] != before["targets.tsv"]
    # finished: taken as it is, and explained without any GPU
    assert run(config_of(cohort, folder)).reused
    assert run(config_of(cohort, folder, device="cuda")).reused
    explain_run(folder, [manifest_gene(folder)])
    # asked for by name, the processor computes nothing anew and gives its own bytes
    monkeypatch.undo()
    log = Told()
    assert not run(config_of(cohort, folder, device="cpu"), progress=log).reused
    assert "networks" in log.reused
    assert outputs(folder) == before


def manifest_gene(folder):
    return (folder / "targets.tsv").read_text().splitlines()[-1].split("\t")[1]


def test_networks_that_do_not_stack_are_fitted_on_the_processor_and_it_says_so(
    plain,
    cohort,  # noqa: F811
    tmp_path,
    monkeypatch,
):
    monkeypatch.setattr(devices, "find_device", lambda *_: "cuda")
    monkeypatch.setattr(devices, "can_stack", lambda *_: False)
    folder = shutil.copytree(plain, tmp_path / "run")
    shutil.rmtree(next((folder / ".stages").glob("member-*")))
    log = Told()
    run(config_of(cohort, folder, device="cuda"), progress=log)
    assert log.notes == [
        "networks of this kind do not stack on a GPU: they are fitted on the processor"
    ]
    assert outputs(folder)["targets.tsv"] == outputs(plain)["targets.tsv"]
    assert run(config_of(cohort, folder, device="cuda")).reused
