"""What is read is never run: no pickle, no unpacking to names of others, no shell."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src"

#: Calls that turn bytes of a file into running code, or into files of the archive's choosing.
CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "torch.load",
    "torch.save",
    "joblib.load",
    "joblib.dump",
    "pd.read_pickle",
    "yaml.load",
    "shutil.unpack_archive",
    "mmap.mmap",
}
METHODS = {"to_pickle", "extractall", "extract", "load_module", "read_pickle"}
MODULES = {"pickle", "cPickle", "cloudpickle", "dill", "marshal", "shelve", "tarfile", "yaml"}
KEYWORDS = {("allow_pickle", True), ("weights_only", False), ("shell", True)}
#: They start Python itself, by a list of arguments and never through a shell: benchmarks; the agent
#: server, which calls this program; and a look through HDF5 files, which may crash their library.
MAY_START_PROCESSES = (
    "aimwell/bench/",
    "aimwell/cli/agents.py",
    "aimwell/cohorts/anndata_files.py",
)


def faults(code: str, where: str) -> Iterator[str]:
    """Name what the code must not do, with its line."""
    for node in ast.walk(ast.parse(code)):
        line = f"{where}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            for name in {module, *(a.name for a in node.names)}:
                if name.split(".")[0] in MODULES:
                    yield f"{line} imports {name}"
                if name == "subprocess" and not where.startswith(MAY_START_PROCESSES):
                    yield f"{line} starts processes"
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in CALLS or (
                isinstance(node.func, ast.Attribute)
                and node.func.attr in METHODS
                and not called.endswith(".str.extract")
            ):
                yield f"{line} calls {called}"
            for keyword in node.keywords:
                if isinstance(keyword.value, ast.Constant) and (
                    (keyword.arg, keyword.value.value) in KEYWORDS
                ):
                    yield f"{line} passes {keyword.arg} = {keyword.value.value}"
            if called == "np.load" and "allow_pickle" not in {k.arg for k in node.keywords}:
                yield f"{line} calls np.load without allow_pickle = False"


def test_no_source_reads_pickle_unpacks_archives_or_calls_a_shell() -> None:
    files = sorted(SOURCE.rglob("*.py"))
    assert len(files) > 200
    found = [
        fault
        for file in files
        for fault in faults(file.read_text(encoding="utf-8"), file.relative_to(SOURCE).as_posix())
    ]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from torch.serialization import x; import tarfile",
        "torch.load(path)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "archive.extractall(folder)",
        "run(command, shell=True)",
        "import subprocess",
        "eval(text)",
    ],
)
def test_the_search_finds_each_of_them(code: str) -> None:
    assert len(list(faults(code, "aimwell/cohorts/x.py"))) == 1
