"""Damage a file as disks, spreadsheets, editors and other programs do, drawn at random."""

import gzip
import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

#: What nobody expects in a cell.
CELLS: Final = (
    *("", "NA", "nan", "inf", "-inf", "1e999", "-1", "0x10", "1,5", "'", '"', '"a', "\x00"),
    *("=1+1", "../../etc/passwd", "<script>alert(1)</script>", "é", "\u202e", "𝟙", " ", "\ufeff"),
    *("a" * 5000, "1e300", "TRUE", "2020-01-01", "\\", "%s", "{}", "\x1b[31m"),
)
#: What a key of the run file may be set to by somebody who did not read about it.
VALUES: Final = (
    *("-1", "0", "1e400", "nan", "true", "''", "'x'", "[]", "{}", "[[]]", "99999999999999999999"),
    *("'/dev/null'", "'.'", "'/'", "'~'", '"a\\u0000b"', "1979-05-27", "['a', 1]", "{a = 1}"),
)


def damage(path: Path, draw: random.Random) -> str:
    """Damage a file in place at random; say how."""
    before = path.read_bytes() or b"\n"
    kinds: list[Callable[[bytes, random.Random], bytes]] = [_flip, _cut, _repeat, _encode]
    if path.suffix == ".toml":
        kinds += [_set_value] * 4
    elif path.suffix == ".json":
        kinds += [_swap_word] * 4
    elif _is_text(before):
        kinds += [_set_cell] * 4 + [_move_lines, _other_table]
    kind = draw.choice(kinds)
    path.write_bytes(kind(before, draw))
    return f"{kind.__name__.lstrip('_')} of {len(before)} bytes"


def _is_text(data: bytes) -> bool:
    try:
        return "\0" not in data.decode("utf-8")
    except UnicodeDecodeError:
        return False


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
    separator = next((s for s in ("\t", ";", ",") if s.encode() in data), " ")
    lines = [line.split(separator) for line in data.decode("utf-8").split("\n")]
    for _ in range(draw.choice([1, 1, 10, 300])):
        line = lines[draw.choice([0, draw.randrange(len(lines))])]
        line[draw.randrange(len(line))] = draw.choice(CELLS)
    return "\n".join(separator.join(line) for line in lines).encode("utf-8", "replace")


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
    value = draw.choice(
        ["null", "-1", '""', '"x"', "[]", "{}", "1e400", "true", '"../../x"', '"a\\u0000b"']
    )
    return (text[:place] + value + text[end:]).encode()
