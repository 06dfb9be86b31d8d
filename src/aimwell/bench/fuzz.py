"""Damaged input of every kind, given to every command that reads it."""

import gzip
import os
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from aimwell.bench.bars import Bar, bar
from aimwell.bench.children import Ended, call, in_child, small_settings, to_toml

#: Seconds after which a command counts as hung; on sound input each takes about one.
HANG: Final = 120.0
#: What nobody expects in a cell.
CELLS: Final = (
    *("", "NA", "nan", "inf", "-inf", "1e999", "-1", "0x10", "1,5", "'", '"', '"a', "\x00"),
    *("=1+1", "../../etc/passwd", "<script>alert(1)</script>", "é", "\u202e", "𝟙", " ", "\ufeff"),
    *("a" * 5000, "1e300", "TRUE", "2020-01-01", "\\", "%s", "{}", "\x1b[31m"),
)
#: What a key of the run file may be set to by somebody who did not read about it.
VALUES: Final = (
    *("-1", "0", "1e400", "nan", "true", "''", "'x'", "[]", "{}", "[[]]", "99999999999999999999"),
    *("'/dev/null'", "'.'", "'/'", "'~'", "'a\\u0000b'", "1979-05-27", "['a', 1]", "{a = 1}"),
)
#: Command → the inputs that it reads, damaged one at a time.
COMMANDS: Final = {
    "run": ("run.toml", "data/rna_counts.tsv", "data/samples.tsv", "data/known_targets.txt"),
    "cohort check": ("run.toml", "data/protein_log2_ratio.tsv", "data/samples.tsv"),
    "cohort qc": ("run.toml", "data/rna_counts.tsv", "data/samples.tsv"),
    "cohort summarise": ("run.toml", "data/rna_counts.tsv", "data/samples.tsv"),
    "cohort combine": ("a.tsv", "b.tsv"),
    "graph build": ("run.toml",),
    "graph audit": ("run.toml", "data/known_targets.txt"),
    "graph show": ("graph/graph.json", "graph/nodes-gene.parquet", "graph/edges-activates.parquet"),
    "explain": ("finished/manifest.json", "finished/targets.tsv"),
    "reproduce": ("finished/manifest.json", "finished/targets.tsv", "data/samples.tsv"),
}


def fuzz(folder: Path, seconds: float, seed: int = 0) -> Iterator[Bar]:
    """Damage inputs at random for so long and count what should not happen.

    Args:
        folder: With the inputs of the small run in ``data``.
        seconds: How long.
        seed: Of the damage.
    """
    sound = folder / "sound"
    in_child(lambda: _prepare(folder, sound), folder / "log.txt")
    draw = random.Random(seed)  # noqa: S311  damage, not secrets
    end = time.monotonic() + seconds
    counts = {"tracebacks": 0, "hangs": 0, "partial": 0}
    tried = refused = 0
    while time.monotonic() < end:
        work = folder / "work"
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(sound, work)
        command = draw.choice(sorted(COMMANDS))
        path = work / draw.choice(COMMANDS[command])
        what = damage(path, draw)
        ended = in_child(lambda: _call_there(command, work), folder / "log.txt", limit=HANG)  # noqa: B023
        tried += 1
        refused += ended.status == 2
        for fault in _faults(ended, work):
            counts[fault] += 1
            told = ended.said.strip().splitlines()[-1:] or [""]
            line = f"{fault}: aimwell {command}, {path.relative_to(work)}: {what}: {told[0][:300]}"
            print(line, file=sys.stderr)
    yield bar(f"damaged input for {seconds:.0f} s: commands", tried)
    yield bar("the same: refused with status 2", refused)
    yield bar("the same: tracebacks and bugs", counts["tracebacks"], "", "== 0")
    yield bar("the same: hangs", counts["hangs"], "", "== 0")
    yield bar("the same: refused, but something was written", counts["partial"], "", "== 0")


def _faults(ended: Ended, work: Path) -> Iterator[str]:
    if ended.hung:
        yield "hangs"
    elif ended.status not in {0, 2} or "Traceback" in ended.said:
        yield "tracebacks"
    elif ended.status == 2 and (
        any((work / name).exists() for name in ("out", "made", "page.html", "combined.tsv"))
        or any(work.rglob("*.partial*"))
    ):
        yield "partial"


def _prepare(folder: Path, sound: Path) -> int:
    """Lay out sound inputs: a run file, a cohort, a graph folder, summaries, a finished run."""
    from aimwell.config import config_from
    from aimwell.knowledge.sources.starter import read_starter_graph
    from aimwell.knowledge.store import write_graph
    from aimwell.pipeline import run

    shutil.copytree(folder / "data", sound / "data")
    text = to_toml(small_settings(Path("data"), Path("out")))
    (sound / "run.toml").write_text(text, encoding="utf-8")
    write_graph(read_starter_graph(), sound / "graph")
    rows = "".join(f"G{i}\t{i / 7:.3f}\t{0.1 + i % 5}\n" for i in range(40))
    for name in ("a.tsv", "b.tsv"):
        (sound / name).write_text(f"gene\tlog2_fold_change\tse\n{rows}", encoding="utf-8")
    run(config_from(small_settings(sound / "data", sound / "finished")))
    return 0


def _call_there(command: str, work: Path) -> int:
    os.chdir(work)
    os.environ.pop("AIMWELL_DATA", None)
    options = {
        "run": ["run.toml"],
        "cohort check": ["run.toml"],
        "cohort qc": ["run.toml", "--html", "page.html"],
        "cohort summarise": ["run.toml", "--output", "made"],
        "cohort combine": ["a.tsv", "b.tsv"],
        "graph build": ["run.toml", "--output", "made"],
        "graph audit": ["run.toml"],
        "graph show": ["graph", "--html", "page.html"],
        "explain": ["finished", "EGFR", "--jobs", "1"],
        "reproduce": ["finished", "--data", "data", "--output", "out", "--jobs", "1"],
    }
    return call([*command.split(), *options[command]])


def damage(path: Path, draw: random.Random) -> str:
    """Damage a file in place at random; say how."""
    kinds: list[Callable[[bytes, random.Random], bytes]] = [_flip, _cut, _repeat, _encode]
    if path.suffix == ".toml":
        kinds += [_set_value] * 4
    elif path.suffix == ".json":
        kinds += [_swap_word] * 4
    elif path.suffix != ".parquet":
        kinds += [_set_cell] * 4 + [_move_lines, _other_table]
    kind = draw.choice(kinds)
    before = path.read_bytes()
    path.write_bytes(kind(before, draw))
    return f"{kind.__name__.lstrip('_')} of {len(before)} bytes"


def _flip(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice([1, 3, 100])):
        changed[draw.randrange(len(changed))] = draw.randrange(256)
    return bytes(changed)


def _cut(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.choice([0, 1, 7, draw.randrange(len(data)), len(data) - 1])]


def _repeat(data: bytes, draw: random.Random) -> bytes:
    place = draw.randrange(len(data))
    return data[:place] + data[place : place + draw.choice([1, 50, 3000])] * 2 + data[place:]


def _encode(data: bytes, draw: random.Random) -> bytes:
    text = data.decode("latin-1")
    return draw.choice(
        [
            text.encode("utf-16"),
            b"\xef\xbb\xbf" + data,
            gzip.compress(data),
            gzip.compress(data)[:-9],
            data.replace(b"\n", b"\r\n"),
            data.replace(b"\n", b"\r"),
            data.replace(b"\t", b",") if b"\t" in data else data.replace(b",", b";"),
            b"PK\x03\x04" + data,
            b"\x89HDF\r\n\x1a\n" + data,
            b"\x00" * 300,
        ]
    )


def _set_cell(data: bytes, draw: random.Random) -> bytes:
    lines = [line.split("\t") for line in data.decode("utf-8").split("\n")]
    for _ in range(draw.choice([1, 1, 10, 300])):
        line = lines[draw.choice([0, draw.randrange(len(lines))])]
        line[draw.randrange(len(line))] = draw.choice(CELLS)
    return "\n".join("\t".join(line) for line in lines).encode("utf-8", "replace")


def _move_lines(data: bytes, draw: random.Random) -> bytes:
    lines = data.split(b"\n")
    draw.shuffle(lines)
    return b"\n".join(lines[draw.choice([0, 1, 5]) :])


def _other_table(data: bytes, draw: random.Random) -> bytes:
    del data
    return draw.choice([b"a\tb\n1\t2\n", b"gene\n", b"\n\n\n", b"\t\t\t\n\t\t\n", b"x"])


def _set_value(data: bytes, draw: random.Random) -> bytes:
    """Replace a value of the run file, wherever it stands, by one of another kind."""
    text = data.decode("utf-8")
    places = [i for i, c in enumerate(text) if text[i : i + 3] == " = "]
    place = draw.choice(places) + 3
    end = next((i for i in range(place, len(text)) if text[i] in ",}\n]"), len(text))
    return (text[:place] + draw.choice(VALUES) + text[end:]).encode()


def _swap_word(data: bytes, draw: random.Random) -> bytes:
    """Replace a value of a JSON file by one of another kind."""
    text = data.decode("utf-8")
    places = [i for i, c in enumerate(text) if text[i : i + 2] == ": "]
    place = draw.choice(places) + 2
    end = next((i for i in range(place, len(text)) if text[i] in ",}\n]"), len(text))
    value = draw.choice(["null", "-1", '""', '"x"', "[]", "{}", "1e400", "true", '"../../x"'])
    return (text[:place] + value + text[end:]).encode()
