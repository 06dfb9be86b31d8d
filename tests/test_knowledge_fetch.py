"""Fetching from a real server on this machine that is slow, cuts connections, lies and changes."""

import gzip
import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from aimwell import config
from aimwell.cli import app
from aimwell.errors import AimwellError, ConfigError, InputError, RunError
from aimwell.knowledge import fetch
from aimwell.knowledge.catalog import Entry, find_catalog, read_catalog
from aimwell.knowledge.licences import classify_licence
from aimwell.knowledge.sources.download import Patience

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

TEXT = b"protein1 protein2 combined_score\n" + b"".join(
    b"9606.ENSP%011d 9606.ENSP%011d %d\n" % (i, i * 7919 % 10007, i % 1000) for i in range(5000)
)
PAGE = b"<!DOCTYPE html>\n<html><head><title>Under\n maintenance</title></head></html>"

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))
        answers = self.server.answers
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    def log_message(self, *_: Any) -> None:
        pass

    def give(self, data: bytes, status: int = 200, *, say: int = -1, **headers: str) -> None:
        """Answer with ``data``; announce ``say`` bytes and hang up, if that is another number."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(data) if say < 0 else say))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)
        self.close_connection = True


class Server(ThreadingHTTPServer):
    """Gives its answers one after the other, the last one for ever."""

    daemon_threads = True
    block_on_close = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Answer] = []
        self.asked: list[tuple[str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


def whole(data: bytes, **headers: str) -> Answer:
    return lambda handler: handler.give(data, **headers)


def status(number: int, **headers: str) -> Answer:
    return lambda handler: handler.give(PAGE, number, **headers)


def rest(data: bytes, *, tag: str, upto: int | None = None) -> Answer:
    """Serve ranges as a good server does: the rest if the tag is right, else the whole file."""

    def answer(handler: Handler) -> None:
        asked = handler.headers.get("Range", "")
        if asked and handler.headers.get("If-Range") == tag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            where = f"bytes {start}-{len(data) - 1}/{len(data)}"
            part, number, headers = data[start:], 206, {"Content_Range": where}
        else:
            part, number, headers = data, 200, {}
        handler.give(part[:upto], number, say=len(part), ETag=tag, **headers)

    return answer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@dataclass
class Told:
    """A meter and a clock that remember."""

    kilobytes: int = 0
    total: int = -1
    notes: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def start(self, what: str, total: int = 0) -> None:
        assert self.total == -1  # a file is begun once, however often it is tried
        self.total = total

    def advance(self, units: int = 1) -> None:
        self.kilobytes += units

    def note(self, line: str) -> None:
        self.notes.append(line)

    @property
    def patience(self) -> Patience:
        return Patience(silence=5.0, sleep=self.slept.append)


@pytest.fixture
def told() -> Told:
    return Told()


def entry(url: str, file: str = "links.txt", member: str = "") -> Entry:
    model = read_catalog()["string"]
    return replace(model, name="links", file=file, url=url, member=member)


def call(one: Entry, folder: Path, told: Told, **options: Any) -> fetch.Fetched:
    catalog = {one.name: one}
    (done,) = fetch.fetch_databases(
        [one.name], folder, catalog, told, patience=told.patience, **options
    )
    return done


def left(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()} - {".aimwell.fetch.lock"}


def test_a_file_is_fetched_locked_and_then_verified_without_asking_again(
    server: Server, tmp_path: Path, told: Told
) -> None:
    server.answers = [whole(TEXT, Last_Modified="Wed, 21 Oct 2015 07:28:00 GMT")]
    one = entry(f"{server.url}/links.txt")
    done = call(one, tmp_path, told)
    assert (done.state, done.path.read_bytes()) == ("fetched", TEXT)
    assert left(tmp_path) == {"links.txt", fetch.LOCK}
    assert done.locked.modified == "Wed, 21 Oct 2015 07:28:00 GMT"
    assert done.locked.bytes == len(TEXT)
    assert fetch.read_lock(tmp_path) == {"links.txt": done.locked}
    assert (told.total, told.kilobytes) == (len(TEXT) // 1000,) * 2
    again = call(one, tmp_path, Told())
    assert again.state == "verified"
    assert len(server.asked) == 1


def test_without_names_all_that_is_locked_is_brought_back(
    server: Server, tmp_path: Path, told: Told
) -> None:
    server.answers = [whole(TEXT)]
    one = entry(server.url + "/links.txt")
    first = call(one, tmp_path, told)
    first.path.unlink()
    (again,) = fetch.fetch_databases([], tmp_path, {one.name: one}, Told())
    assert again.path.read_bytes() == TEXT


def test_a_slow_server_is_waited_for(server: Server, tmp_path: Path, told: Told) -> None:
    def slowly(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "10")
        handler.end_headers()
        for byte in range(10):
            threading.Event().wait(0.03)
            handler.wfile.write(b"%d" % byte)

    server.answers = [slowly]
    assert call(entry(server.url), tmp_path, told).path.read_bytes() == b"0123456789"
    assert told.slept == []


def test_a_silent_server_is_given_up_and_tried_again(
    server: Server, tmp_path: Path, told: Told
) -> None:
    stop = threading.Event()
    server.answers = [lambda _: stop.wait(2) and None, whole(TEXT)]
    hurried = replace(told.patience, silence=0.2)
    one = entry(server.url)
    (done,) = fetch.fetch_databases(["links"], tmp_path, {"links": one}, told, patience=hurried)
    stop.set()
    assert done.path.read_bytes() == TEXT
    assert told.slept == [1.0]


def test_a_cut_connection_is_gone_on_with(server: Server, tmp_path: Path, told: Told) -> None:
    server.answers = [
        rest(TEXT, tag='"a"', upto=70_000),
        rest(TEXT, tag='"a"', upto=70_000),
        rest(TEXT, tag='"a"'),
    ]
    assert call(entry(server.url), tmp_path, told).path.read_bytes() == TEXT
    ranges = [headers.get("Range") for _, headers in server.asked]
    assert ranges == [None, "bytes=70000-", "bytes=140000-"]
    assert told.kilobytes == len(TEXT) // 1000
    assert told.slept == [1.0, 2.0]


def test_what_an_earlier_call_brought_is_gone_on_with(
    server: Server, tmp_path: Path, told: Told
) -> None:
    server.answers = [rest(TEXT, tag='"a"', upto=50_000), status(500)]
    with pytest.raises(InputError, match=r"500.*goes on from here \(50,000 bytes are kept\)"):
        call(entry(server.url), tmp_path, told)
    assert not (tmp_path / "links.txt").exists()
    server.answers, server.asked = [rest(TEXT, tag='"a"')], []
    assert call(entry(server.url), tmp_path, Told()).path.read_bytes() == TEXT
    assert server.asked[0][1]["Range"] == "bytes=50000-"
    assert left(tmp_path) == {"links.txt", fetch.LOCK}


def test_a_file_that_changes_while_it_is_fetched_is_begun_again(
    server: Server, tmp_path: Path, told: Told
) -> None:
    new = TEXT.replace(b"ENSP0", b"ENSP1")
    server.answers = [rest(TEXT, tag='"a"', upto=50_000), rest(new, tag='"b"')]
    assert call(entry(server.url), tmp_path, told).path.read_bytes() == new
    assert told.kilobytes == len(new) // 1000


@pytest.mark.parametrize(("start", "total"), [(49_000, len(TEXT)), (50_000, len(TEXT) + 1)])
def test_a_wrong_range_is_not_glued_on(
    server: Server, tmp_path: Path, told: Told, start: int, total: int
) -> None:
    def another(handler: Handler) -> None:
        part = TEXT[start:].ljust(total - start, b"x")
        handler.give(part, 206, Content_Range=f"bytes {start}-{total - 1}/{total}")

    server.answers = [rest(TEXT, tag='"a"', upto=50_000), another, rest(TEXT, tag='"a"')]
    assert call(entry(server.url), tmp_path, told).path.read_bytes() == TEXT
    assert "beginning again" in told.notes[1]


def test_a_range_that_cannot_be_served_begins_again(
    server: Server, tmp_path: Path, told: Told
) -> None:
    server.answers = [rest(TEXT, tag='"a"', upto=50_000), status(416), whole(TEXT)]
    assert call(entry(server.url), tmp_path, told).path.read_bytes() == TEXT
    assert "Range" not in server.asked[2][1]


def test_a_missing_file_is_refused_at_once(server: Server, tmp_path: Path, told: Told) -> None:
    server.answers = [status(404)]
    with pytest.raises(InputError, match=r"answered 404 Not Found; the file may have moved"):
        call(entry(server.url), tmp_path, told)
    assert len(server.asked) == 1
    assert left(tmp_path) == set()


def test_waits_double_until_the_server_is_given_up(
    server: Server, tmp_path: Path, told: Told
) -> None:
    server.answers = [status(503)]
    with pytest.raises(InputError, match="tried 6 times: the server answered 503"):
        call(entry(server.url), tmp_path, told)
    assert told.slept == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert len(server.asked) == 6


def test_a_server_that_asks_for_a_pause_gets_it(server: Server, tmp_path: Path, told: Told) -> None:
    server.answers = [status(429, Retry_After="7"), status(500), whole(TEXT)]
    assert call(entry(server.url), tmp_path, told).path.read_bytes() == TEXT
    assert told.slept == [7.0, 2.0]


def test_a_pause_of_an_hour_is_not_waited_for(server: Server, tmp_path: Path, told: Told) -> None:
    server.answers = [status(429, Retry_After="3600")]
    with pytest.raises(InputError, match="asks to be left alone for 3600 s; try again later"):
        call(entry(server.url), tmp_path, told)
    assert told.slept == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (PAGE, r"a web page \('Under maintenance'\) instead of data"),
        (b"\xef\xbb\xbf\n <HTML>", "a web page instead of data"),
        (b"", "an empty file instead of STRING"),
        (gzip.compress(TEXT)[:-20], "a damaged or incomplete gzip file"),
        (gzip.compress(TEXT)[:200] + b"\xff" * 90, "a damaged or incomplete gzip file"),
        (TEXT, "a damaged or incomplete gzip file"),
    ],
    ids=["page", "page with a mark", "empty", "cut gzip", "broken gzip", "no gzip"],
)
def test_what_is_not_the_file_is_refused_in_one_line_and_removed(
    server: Server, tmp_path: Path, told: Told, data: bytes, message: str
) -> None:
    server.answers = [whole(data)]
    with pytest.raises(InputError, match=message) as caught:
        call(entry(server.url, "links.txt.gz"), tmp_path, told)
    assert "\n" not in str(caught.value)
    assert left(tmp_path) == set()


def test_a_changed_file_is_refused_until_update(server: Server, tmp_path: Path, told: Told) -> None:
    server.answers = [whole(TEXT)]
    one = entry(server.url)
    first = call(one, tmp_path, told)
    new = TEXT + b"9606.ENSP1 9606.ENSP2 999\n"
    server.answers = [whole(new)]
    first.path.unlink()
    with pytest.raises(InputError, match=r"is another file now .* use --update"):
        call(one, tmp_path, Told())
    assert left(tmp_path) == {fetch.LOCK}
    assert fetch.read_lock(tmp_path)["links.txt"] == first.locked
    done = call(one, tmp_path, Told(), update=True)
    assert done.path.read_bytes() == new
    assert fetch.read_lock(tmp_path)["links.txt"].sha256 != first.locked.sha256


def test_update_says_whether_the_file_is_another(
    server: Server, tmp_path: Path, told: Told
) -> None:
    one = entry(server.url)
    states = []
    for data in (TEXT, TEXT, TEXT[:-1]):
        server.answers = [whole(data)]
        states.append(call(one, tmp_path, Told(), update=True).state)
    assert states == ["fetched", "fetched", "updated"]


def test_a_failed_update_leaves_the_earlier_file(
    server: Server, tmp_path: Path, told: Told
) -> None:
    one = entry(server.url)
    server.answers = [whole(TEXT)]
    first = call(one, tmp_path, told)
    server.answers = [whole(PAGE)]
    with pytest.raises(InputError, match="web page"):
        call(one, tmp_path, Told(), update=True)
    assert first.path.read_bytes() == TEXT
    assert call(one, tmp_path, Told()).state == "verified"


def test_a_file_that_was_edited_is_refused(server: Server, tmp_path: Path, told: Told) -> None:
    server.answers = [whole(TEXT)]
    one = entry(server.url)
    path = call(one, tmp_path, told).path
    path.write_bytes(TEXT[:-9])
    with pytest.raises(InputError, match="it was changed or damaged"):
        call(one, tmp_path, Told())
    assert path.read_bytes() == TEXT[:-9]


def test_one_file_of_a_zip_archive_is_unpacked(server: Server, tmp_path: Path, told: Told) -> None:
    server.answers = [whole(archive("a-human-1.txt", "a-mouse-1.txt"))]
    one = entry(f"{server.url}/all.zip", "human.txt", "a-human-*.txt")
    assert call(one, tmp_path, told).path.read_bytes() == b"rows of a-human-1.txt"
    assert left(tmp_path) == {"human.txt", fetch.LOCK}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lambda: archive("a-mouse-1.txt"), r"holds 0 files like 'a-human-\*.txt'"),
        (lambda: archive("a-human-1.txt", "a-human-2.txt"), "holds 2 files like"),
        (lambda: archive("a-human-1.txt")[:-30], "a damaged zip archive"),
        (lambda: TEXT, "a damaged zip archive"),
    ],
)
def test_a_zip_archive_without_the_file_is_refused(
    server: Server, tmp_path: Path, told: Told, data: Callable[[], bytes], message: str
) -> None:
    server.answers = [whole(data())]
    with pytest.raises(InputError, match=message):
        call(entry(f"{server.url}/all.zip", "human.txt", "a-human-*.txt"), tmp_path, told)
    assert left(tmp_path) == set()


def archive(*names: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as members:
        for name in names:
            members.writestr(name, f"rows of {name}")
    return made.getvalue()


def test_a_server_that_packs_unasked_is_understood(
    server: Server, tmp_path: Path, told: Told
) -> None:
    server.answers = [whole(gzip.compress(TEXT), Content_Encoding="gzip")]
    assert call(entry(server.url), tmp_path, told).path.read_bytes() == TEXT


def test_files_come_from_a_folder_without_the_network(tmp_path: Path, told: Told) -> None:
    disk, here = tmp_path / "disk", tmp_path / "here"
    disk.mkdir()
    (disk / "links.txt").write_bytes(TEXT)
    origin = fetch.Origin(folder=disk)
    done = call(entry("http://127.0.0.1:9/never"), here, told, origin=origin)
    assert (done.state, done.path.read_bytes()) == ("fetched", TEXT)
    assert done.locked.url == str(disk / "links.txt")


def test_a_folder_with_a_lock_file_vouches_for_its_files(
    server: Server, tmp_path: Path, told: Told
) -> None:
    server.answers = [whole(TEXT)]
    disk = tmp_path / "disk"
    one = entry(server.url)
    call(one, disk, told).path.write_bytes(TEXT[:-3])  # damaged on its way
    with pytest.raises(InputError, match="is another file now"):
        call(one, tmp_path / "here", Told(), origin=fetch.Origin(folder=disk))


def test_files_that_lie_in_the_folder_already_are_locked_on_request(
    tmp_path: Path, told: Told
) -> None:
    (tmp_path / "links.txt").write_bytes(TEXT)
    one = entry("http://127.0.0.1:9/never")
    with pytest.raises(InputError, match=r"'aimwell.lock.json' does not know it"):
        call(one, tmp_path, told)
    done = call(one, tmp_path, told, origin=fetch.Origin(folder=tmp_path))
    assert done.path.read_bytes() == TEXT
    assert call(one, tmp_path, told).state == "verified"


def test_a_mirror_is_asked_for_the_name_of_the_file(
    server: Server, tmp_path: Path, told: Told
) -> None:
    server.answers = [whole(TEXT)]
    origin = fetch.Origin(mirror=server.url + "/databases/")
    done = call(entry("http://127.0.0.1:9/other/x"), tmp_path, told, origin=origin)
    assert server.asked[0][0] == "/databases/links.txt"
    assert done.locked.url == f"{server.url}/databases/links.txt"


@pytest.mark.parametrize(("fact", "value"), [("bytes", "many"), ("sha256", 7), ("release", None)])
def test_a_lock_with_facts_of_another_kind_is_damaged(
    tmp_path: Path, fact: str, value: object
) -> None:
    facts = dict.fromkeys(fetch.Locked.__dataclass_fields__, "x") | {"bytes": 3}
    for found, spoilt in ((facts, False), (facts | {fact: value}, True)):
        lock = {"version": fetch._VERSION, "files": {"a": found}}
        (tmp_path / fetch.LOCK).write_text(json.dumps(lock))
        if not spoilt:
            assert fetch.read_lock(tmp_path)["a"].bytes == 3
            continue
        with pytest.raises(InputError, match=f"is damaged .*{fact} is"):
            fetch.read_lock(tmp_path)


@pytest.mark.parametrize(
    ("prepare", "options", "error", "message"),
    [
        (lambda f: f.write_text("x"), {}, InputError, "is a file; name a folder"),
        (lambda f: (f / "links.txt").mkdir(parents=True), {}, InputError, "'.*' is a folder"),
        (
            lambda f: f.mkdir() or (f / fetch.LOCK).write_text("{}"),
            {},
            InputError,
            "aimwell.lock.json' is damaged",
        ),
        (
            lambda f: None,
            {"origin": fetch.Origin(folder=Path("/usr"))},
            InputError,
            "'/usr' has no file 'links.txt'",
        ),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(
    tmp_path: Path,
    told: Told,
    prepare: Callable[[Path], object],
    options: dict[str, Any],
    error: type[AimwellError],
    message: str,
) -> None:
    prepare(tmp_path / "here")
    with pytest.raises(error, match=message) as caught:
        call(entry("http://127.0.0.1:9/x"), tmp_path / "here", told, **options)
    assert "\n" not in str(caught.value)


def test_an_origin_that_cannot_be_one_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'/nowhere' is no folder"):
        fetch.Origin(folder=Path("/nowhere"))
    for mirror in ("ftp://mirror", "mirror.example.org", "file:///etc"):
        with pytest.raises(ConfigError, match="no address that starts with http"):
            fetch.Origin(mirror=mirror)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path, told: Told) -> None:
    (tmp_path / "file").write_text("keep")
    with pytest.raises(InputError, match="name another folder with --output"):
        call(entry("http://127.0.0.1:9/x"), tmp_path / "file" / "below", told)
    assert (tmp_path / "file").read_text() == "keep"


def test_a_server_that_is_not_there_is_named(tmp_path: Path, told: Told) -> None:
    with pytest.raises(InputError, match=r"127.0.0.1:9/x' was tried 6 times.*--from or --mirror"):
        call(entry("http://127.0.0.1:9/x"), tmp_path, told)


def test_a_full_disk_is_said_and_the_earlier_file_stays(
    server: Server, tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "links.txt").write_bytes(TEXT)
    server.answers = [whole(b"earlier")]
    one = entry(server.url)
    path = call(one, tmp_path / "here", told).path
    monkeypatch.setattr(fetch.shutil, "copyfile", full)
    origin = fetch.Origin(folder=tmp_path / "disk")
    with pytest.raises(InputError, match="the disk is full; the earlier file is as it was"):
        call(one, tmp_path / "here", Told(), origin=origin, update=True)
    assert path.read_bytes() == b"earlier"


def test_two_calls_do_not_fetch_into_one_folder(tmp_path: Path, told: Told) -> None:
    with fetch._alone(tmp_path), pytest.raises(RunError, match="another call is fetching"):
        call(entry("http://127.0.0.1:9/x"), tmp_path, told)


def test_a_file_that_came_stays_locked_when_the_next_one_fails(
    server: Server, tmp_path: Path, told: Told
) -> None:
    server.answers = [whole(TEXT), status(404)]
    catalog = {
        name: replace(entry(f"{server.url}/{name}"), name=name, file=name) for name in ("a", "b")
    }
    told.total = -1
    with pytest.raises(InputError, match="404"):
        fetch.fetch_databases(["b", "a"], tmp_path, catalog, told)
    assert list(fetch.read_lock(tmp_path)) == ["a"]


def test_every_entry_of_the_catalogue_names_a_reader_of_the_run_file() -> None:
    readers = {
        *config.INTERACTION_READERS,
        *config.SET_READERS,
        *config.PRIOR_READERS,
        *config.LABEL_READERS,
        *config.MAPPING_READERS,
        *("identifiers.hgnc", "identifiers.withdrawn", "known_targets.indications"),
    }
    entries = read_catalog().values()
    assert [e.name for e in entries if e.reader not in readers] == []
    assert [e.name for e in entries if e.url and not e.url.startswith("https://")] == []
    restricted = [e.name for e in entries if "NC" in e.licence or "non-comm" in e.licence]
    assert restricted == ["corum", "repurposing-hub"]
    assert {e.commercial for e in entries if e.name in restricted} == {"no"}


def test_the_catalogue_and_the_licence_filter_agree() -> None:
    entries = read_catalog().values()
    found = [(e, classify_licence(e.licence).commercial) for e in entries]
    sure = [(e, allowed) for e, allowed in found if allowed is not None]
    assert len(sure) > 35
    assert [e.name for e, allowed in sure if e.commercial != ("yes" if allowed else "no")] == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('reader = "huri"', 'raeder = "huri"', "unknown 'raeder'"),
        ('reader = "huri"', "", "'reader' is missing"),
        ('commercial = "yes"', 'commercial = "maybe"', "must be yes, no or unknown"),
        ('file = "HuRI.tsv"', 'file = "../HuRI.tsv"', "not the name of a file"),
        ('file = "HuRI.tsv"', 'file = "HI-union.tsv"', "several entries have the file"),
        ('licence = "CC-BY-4.0"', 'licence = ""', "licence cannot be ''"),
        ("[huri]", "[huri", "cannot be read as a catalogue"),
    ],
)
def test_a_wrong_catalogue_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = find_catalog().read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "catalog.toml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        read_catalog(tmp_path / "catalog.toml")


def test_the_command_fetches_from_a_mirror_and_answers_in_json(
    server: Server, tmp_path: Path
) -> None:
    data = b"ENSG00000000005\tENSG00000061656\n"
    server.answers = [whole(data)]
    words = ["graph", "fetch", "huri", "--mirror", server.url, "--output", str(tmp_path)]
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == 0, done.output
    (found,) = json.loads(done.stdout)
    assert (found["state"], found["locked"]["bytes"]) == ("fetched", len(data))
    assert found["entry"]["licence"] == "CC-BY-4.0"
    again = CliRunner().invoke(app, ["graph", "fetch", "--output", str(tmp_path)])
    assert "verified" in again.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["hurry"], "the catalogue has no 'hurry'"),
        ([], "nothing was named, and nothing is locked"),
        (["menche"], "has to be downloaded by hand: get 'Datasets_S1-S4.zip' from https://"),
        (["huri", "--from", ".", "--mirror", "http://m"], "--from and --mirror exclude"),
    ],
)
def test_the_command_refuses_in_one_line_with_status_2(
    tmp_path: Path, words: list[str], message: str
) -> None:
    done = CliRunner().invoke(app, ["graph", "fetch", *words, "--output", str(tmp_path / "db")])
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_catalogue_is_listed() -> None:
    done = CliRunner().invoke(app, ["graph", "fetch", "--list", "--json"])
    assert [one["name"] for one in json.loads(done.stdout)] == list(read_catalog())
    assert "huri" in CliRunner().invoke(app, ["graph", "fetch", "--list"]).stdout
