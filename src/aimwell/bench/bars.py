"""What a bar is, and how whole commands are measured."""

import functools
import importlib
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aimwell.errors import AimwellError, ConfigError, some

BENCHES: Final = (
    "demo",
    "coad",
    "attribution",
    "faithfulness",
    "graph",
    "identifiers",
    "harmonise",
    "cancer-genes",
    "planted",
    "training",
    "scale",
    "gpu",
    "edges",
    "trust",
    "families",
    "reliability",
)
#: Those that can be asked for a part, other tables or fewer networks.
WITH_OPTIONS: Final = ("cancer-genes", "edges", "gpu", "trust")


@dataclass(frozen=True)
class BenchOptions:
    """What the benchmarks ``cancer-genes`` and ``gpu`` can be asked for.

    Attributes:
        task: Folder of the tables; empty takes the one below the data folder.
        graph: A graph folder whose relations are added, ``none`` for none; empty builds one from
            the public databases.
        folds: Repetitions of the published folds; empty takes all but 0.
        seeds: Networks per fold; 0 takes the usual number.
        output: Folder for ``predictions.tsv``; empty writes none.
        unlabelled: Weight of the risk of unlabelled genes in the networks' loss.
        grouped: Measure on folds of whole gene families and complexes instead.
        device: What ``gpu`` measures; empty takes the first GPU.
        small: Measure ``gpu`` on a tiny graph, to see that it works.
    """

    task: str = ""
    graph: str = ""
    folds: tuple[int, ...] = ()
    seeds: int = 0
    output: str = ""
    unlabelled: float = 0.0
    grouped: bool = False
    device: str = ""
    small: bool = False


@dataclass(frozen=True)
class Bar:
    """One measured number.

    Attributes:
        name: What was measured.
        value: The number.
        unit: Of the number.
        limit: What it is held against, such as ``"<= 90"``; empty where the number only informs.
        passed: None without a limit.
        machine: Where it was measured.
    """

    name: str
    value: float
    unit: str = ""
    limit: str = ""
    passed: bool | None = None
    machine: str = ""


def bar(name: str, value: float, unit: str = "", limit: str = "") -> Bar:
    """Hold a number against a limit: ``"<= 90"``, ``">= 0.9"``, ``"< 2"``, ``"0.4 to 0.6"``.

    Example:
        >>> bar("wall time", 80.0, "s", "<= 90").passed
        True
        >>> bar("chance", 0.7, "", "0.4 to 0.6").passed
        False
    """
    passed = None
    if " to " in limit:
        low, high = (float(part) for part in limit.split(" to "))
        passed = low <= value <= high
    elif limit:
        sign, bound = limit.split()
        against = float(bound)
        passed = {
            "<=": value <= against,
            "<": value < against,
            ">=": value >= against,
            ">": value > against,
            "==": value == against,
        }[sign]
    return Bar(name, float(value), unit, limit, passed, machine())


@functools.cache
def machine() -> str:
    """Name the machine: processor, cores in use, memory, Python."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        found = re.search(r"model name\s*:\s*(.+)", info.read_text(encoding="utf-8"))
        model = found.group(1).strip() if found else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    python = platform.python_version()
    return f"{model}, {cores} cores, {memory:.0f} GiB, Python {python}"


def run_bench(name: str, data: str = "", options: BenchOptions | None = None) -> Iterator[Bar]:
    """Measure the bars of one benchmark, one by one.

    Args:
        name: One of ``BENCHES``.
        data: Folder of the public databases and cohorts, for those that need it.
        options: Of the benchmarks that take any.

    Raises:
        ConfigError: An unknown name, or a benchmark that needs ``data`` without it.
    """
    if name not in BENCHES:
        raise ConfigError(f"there is no benchmark '{name}'; choose from {some(BENCHES, 9)}")
    measure = importlib.import_module(f"aimwell.bench.{name.replace('-', '_')}").measure
    found: Iterator[Bar] = measure(data, options) if name in WITH_OPTIONS else measure(data)
    return found


@dataclass(frozen=True)
class Measured:
    """Wall seconds, peak memory of the process and its children in GB, and what was printed.

    ``cpu`` is the processor time, in seconds: on a busy machine, what the work itself took.
    """

    seconds: float
    gigabytes: float
    output: str
    cpu: float = 0.0


def measure_command(*arguments: str, cwd: Path | None = None, one_core: bool = False) -> Measured:
    """Run ``python -m aimwell`` with arguments and measure the whole process tree.

    Args:
        arguments: Of the command.
        cwd: Folder to run it in.
        one_core: Let it use one processor core only, where the system can hold it to that.

    Raises:
        AimwellError: The command failed.
    """
    # a small process of its own reports the peak over all descendants that it waited for
    script = (
        "import os, resource, subprocess, sys\n"
        "if sys.argv.pop(1) == 'True' and hasattr(os, 'sched_setaffinity'):\n"
        "    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])\n"
        "done = subprocess.run([sys.executable, '-m', 'aimwell', *sys.argv[1:]],"
        " capture_output=True, text=True)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(done.stdout)\n"
        "print(done.stderr, file=sys.stderr)\n"
        "print(f'peak {used.ru_maxrss} {used.ru_utime + used.ru_stime}')\n"
        "sys.exit(done.returncode)\n"
    )
    # a folder of inputs that the surroundings name would replace that of the run files measured
    surroundings = {k: v for k, v in os.environ.items() if k != "AIMWELL_DATA"}
    begun = time.monotonic()
    with_peak = subprocess.run(
        [sys.executable, "-c", script, str(one_core), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=surroundings,
    )
    seconds = time.monotonic() - begun
    if with_peak.returncode:
        raise AimwellError(
            f"'aimwell {' '.join(arguments)}' ended with {with_peak.returncode}: "
            f"{with_peak.stderr.strip()[-300:]}"
        )
    output, _, used = with_peak.stdout.rpartition("peak ")
    peak, cpu = used.split()
    return Measured(seconds, float(peak) / 2**20, output, float(cpu))
