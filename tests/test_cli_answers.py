"""Commands answer with one line or one document and the right status, whatever goes wrong."""

import errno
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

import pandas as pd
import pytest
from typer.testing import CliRunner

from aimwell.cli import app
from aimwell.cli.bars import Bars
from aimwell.errors import CohortError

SHEET = "sample\tsubject\tarm\nS1\tA\tcase\nS2\tB\tcase\nS3\tC\tcontrol\nS4\tD\tcontrol\n"
MATRIX = "gene\tS1\tS2\tS3\tS4\nTP53\t1\t2\t3\t4\nKRAS\t5\t6\t7\t9\nEGFR\t4\t3\t2\t1.5\n"
RUN_FILE = """
[run]
title = "tiny"
output = "{output}"

[cohort.sheet]
path = "sheet.tsv"

[[cohort.matrices]]
path = "rna.tsv"
layer = "rna"
kind = "rna"
unit = "log2"

[[contrasts]]
name = "rna_case"
layer = "rna"
condition = "arm"
case = "case"
control = "control"

[[known_targets.sources]]
reader = "genes"
genes = ["EGFR"]
"""


@pytest.fixture
def run_file(tmp_path: Path) -> Path:
    (tmp_path / "sheet.tsv").write_text(SHEET)
    (tmp_path / "rna.tsv").write_text(MATRIX)
    path = tmp_path / "tiny.toml"
    path.write_text(RUN_FILE.format(output=(tmp_path / "out").as_posix()))
    return path


def call(*arguments: object, **environment: str) -> tuple[int, str, str]:
    """Call a command without a terminal: status, stdout, stderr."""
    done = CliRunner().invoke(
        app, [str(a) for a in arguments], env={"AIMWELL_DATA": ""} | environment
    )
    return done.exit_code, done.stdout, done.stderr


def test_help_answers_without_loading_what_only_work_needs() -> None:
    program = (
        "import sys\nfrom aimwell.cli import main\nsys.argv = ['aimwell', '--help']\n"
        "try:\n    main()\nfinally:\n"
        "    heavy = {'numpy', 'pandas', 'torch', 'scipy', 'sklearn', 'plotly', 'networkx'}\n"
        "    assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert b"Rank drug targets" in done.stdout


def test_an_input_error_is_one_line_on_stderr_and_status_2(tmp_path: Path) -> None:
    status, out, err = call("run", tmp_path / "absent.toml")
    assert status == 2
    assert out == ""
    assert err.startswith("error [INPUT]: there is no run file")
    assert len(err.splitlines()) == 1


def test_with_json_an_error_is_a_document_on_stdout(tmp_path: Path) -> None:
    status, out, err = call("run", tmp_path / "absent.toml", "--json")
    assert status == 2
    assert json.loads(out)["error"]["code"] == "INPUT"
    assert err == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device")
def test_an_answer_that_finds_no_room_on_stdout_is_said_on_stderr(tmp_path: Path) -> None:
    program = "from aimwell.cli import main; main()"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", program, "run", str(tmp_path / "absent.toml"), "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(b"error [INPUT]: there is no run file")
    assert len(done.stderr.splitlines()) == 1


def test_an_unknown_key_suggests_the_nearest(run_file: Path) -> None:
    run_file.write_text(run_file.read_text().replace("title", "titel"))
    status, _, err = call("run", run_file)
    assert status == 2
    assert "unknown key 'run.titel'; did you mean 'title'?" in err


def test_a_bug_is_status_1_and_leaves_its_traceback_in_a_file(
    run_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def break_down(*_: object, **__: object) -> NoReturn:
        raise ZeroDivisionError("of course")

    monkeypatch.setattr("aimwell.config.read_config", break_down)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    status, _, err = call("run", run_file, "--quiet")
    assert status == 1
    assert len(err.splitlines()) == 1
    assert "this is a bug in aimwell" in err
    report = Path(err.split("with the file ")[1].strip())
    assert "in break_down" in report.read_text()
    assert report.parent == tmp_path


def test_debug_prints_the_traceback_of_a_bug(
    run_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object, **__: object) -> NoReturn:
        raise ZeroDivisionError

    monkeypatch.setattr("aimwell.config.read_config", break_down)
    status, _, err = call("run", run_file, "--debug")
    assert status == 1
    assert "in break_down" in err


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (OSError(errno.ENOSPC, "full", "/data/x.npz"), ("No space left", "/data/x.npz", "free")),
        (PermissionError(errno.EACCES, "no", "/data/x"), ("Permission denied", "permissions")),
        (MemoryError(), ("memory", "fewer jobs")),
    ],
)
def test_what_the_machine_refuses_is_no_bug(
    fault: Exception, words: tuple[str, ...], run_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object, **__: object) -> NoReturn:
        raise fault

    monkeypatch.setattr("aimwell.config.read_config", break_down)
    status, _, err = call("run", run_file, "--quiet")
    assert status == 2
    assert err.startswith("error [SYSTEM]: ")
    assert len(err.splitlines()) == 1
    assert [w for w in words if w not in err] == []


def test_a_bug_on_a_full_disk_is_still_told(
    run_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object, **__: object) -> NoReturn:
        raise ZeroDivisionError("of course")

    def no_space(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("aimwell.config.read_config", break_down)
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", no_space)
    status, _, err = call("run", run_file, "--quiet")
    assert status == 1
    assert "ZeroDivisionError: of course" in err
    assert "--debug" in err


def test_ctrl_c_is_status_130(run_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr("aimwell.config.read_config", stop)
    status, _, err = call("run", run_file, "--quiet")
    assert status == 130
    assert err.startswith("error [STOPPED]")


def test_a_message_of_many_lines_becomes_one(
    run_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise CohortError("first\n  second")

    monkeypatch.setattr("aimwell.config.read_config", refuse)
    assert call("run", run_file, "--quiet")[2] == "error [COHORT]: first second\n"


def test_cohort_check_counts_samples_and_says_what_can_be_tested(run_file: Path) -> None:
    status, out, _ = call("cohort", "check", run_file, "--json")
    found = json.loads(out)
    assert status == 0
    assert found["layers"][0]["samples"] == 4
    assert found["contrasts"][0]["n_case"] == 2
    assert found["contrasts"][0]["verdict"] == "accept"


def test_cohort_check_ends_with_status_2_where_a_contrast_cannot_be_tested(run_file: Path) -> None:
    run_file.write_text(run_file.read_text().replace('case = "case"', 'case = "tumour"'))
    status, out, _ = call("cohort", "check", run_file)
    assert status == 2
    assert "tumour" in out


def test_the_variable_names_the_data_folder_and_the_option_wins(
    run_file: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    status, _, err = call("cohort", "check", run_file, AIMWELL_DATA=str(elsewhere))
    assert status == 2
    assert str(elsewhere) in err
    status, _, _ = call(
        "cohort", "check", run_file, "--data", tmp_path, AIMWELL_DATA=str(elsewhere)
    )
    assert status == 0


def test_a_graph_that_was_built_is_the_graph_that_is_shown(run_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "graph"
    status, out, _ = call("graph", "build", run_file, "--output", folder, "--json")
    assert status == 0
    shown = json.loads(call("graph", "show", folder, "--json")[1])["summary"]
    assert shown == json.loads(out)["summary"]
    assert shown == json.loads(call("graph", "show", "starter", "--json")[1])["summary"]
    assert shown["nodes"]["gene"] >= 300


def test_a_changed_graph_folder_is_refused(run_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "graph"
    call("graph", "build", run_file, "--output", folder, "--quiet")
    path = folder / "nodes-gene.parquet"
    table = pd.read_parquet(path)
    table.to_parquet(path)
    status, _, err = call("graph", "show", folder, "--quiet")
    assert status == 2
    assert err.startswith("error [GRAPH]")
    assert "nodes-gene.parquet" in err


def test_quiet_says_nothing_at_all(run_file: Path, tmp_path: Path) -> None:
    assert call("graph", "show", "starter", "--quiet") == (0, "", "")
    assert call("cohort", "check", run_file, "--quiet") == (0, "", "")


def test_an_unknown_benchmark_names_those_that_exist() -> None:
    status, _, err = call("bench", "nothing", "--quiet")
    assert status == 2
    assert "'demo'" in err


def test_progress_without_a_terminal_is_one_line_a_stage(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Bars() as bars:
        bars.start("fitting", 3)
        bars.advance(3)
        bars.reuse("graph")
        bars.start("writing")
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0].startswith("done      fitting (3 of 3), ")
    assert lines[1] == "reused    graph"
    assert lines[2].startswith("done      writing, ")


def test_a_stage_that_fails_is_not_called_done(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with Bars() as bars:
            bars.start("reading")
            raise CohortError("no")

    with pytest.raises(CohortError):
        fail()
    assert capsys.readouterr().err.startswith("stopped   reading, ")


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal as a terminal does elsewhere")
def test_ctrl_c_after_the_answer_leaves_no_traceback() -> None:
    program = (
        "import atexit, os, signal, sys\nfrom aimwell.cli import main\n"
        "atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))\n"
        "sys.argv = ['aimwell', '--version']\nmain()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("encoding", ["ascii", "cp437"])
def test_a_terminal_without_our_letters_loses_letters_and_nothing_else(
    encoding: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "aimwell", "run", str(tmp_path / "größe–1.toml")]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    words, document = (
        subprocess.run([*command, *more], env=environment, capture_output=True, check=False)
        for more in (["--quiet"], ["--json"])
    )
    assert words.returncode == document.returncode == 2
    assert words.stderr.decode(encoding).startswith("error [INPUT]: there is no run file")
    message = json.loads(document.stdout.decode(encoding))["error"]["message"]
    assert "größe–1.toml" in message
