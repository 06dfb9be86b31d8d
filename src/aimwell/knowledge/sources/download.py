"""Download one file over HTTP: resumed, tried again, and never taken for whole when it is not."""

import email.utils
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from aimwell.errors import InputError
from aimwell.provenance import write_json

if TYPE_CHECKING:
    import httpx

#: Answers of a server that may be another a moment later.
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
#: So many new bytes, and the attempts are counted from one again.
_PROGRESS: Final = 1 << 20
_PAGE: Final = re.compile(rb"(\xef\xbb\xbf)?\s*(<!--.*?-->\s*)?<(!doctype\s+html|html|head|body)\b")
_TITLE: Final = re.compile(rb"<title[^>]*>\s*(.*?)\s*</title>", re.DOTALL | re.IGNORECASE)


class Meter(Protocol):
    """What is told of the progress, in kB."""

    def start(self, what: str, total: int = 0) -> None:
        """Begin a file of ``total`` kB, 0 where unknown."""

    def advance(self, units: int = 1) -> None:
        """Count kB; negative where a download begins again."""

    def note(self, line: str) -> None:
        """Say a line of news."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server.

    Attributes:
        attempts: Attempts in a row that bring nothing, before giving up.
        first_wait: Seconds before the second attempt; doubled before each one after it.
        longest_wait: No wait is longer, in seconds.
        longest_asked: A ``Retry-After`` of more seconds is not waited for.
        silence: Seconds without a byte after which a connection is given up.
        sleep: Waits.
    """

    attempts: int = 6
    first_wait: float = 1.0
    longest_wait: float = 60.0
    longest_asked: float = 300.0
    silence: float = 60.0
    sleep: Callable[[float], None] = time.sleep


class _Gauge:
    """Tells a meter of kB, once each, over all attempts at a file."""

    def __init__(self, meter: Meter, what: str) -> None:
        self._meter, self._what = meter, what
        self._begun, self._told = False, 0

    def begin(self, total: int) -> None:
        if not self._begun:
            self._meter.start(self._what, total // 1000)
        self._begun = True

    def at(self, size: int) -> None:
        self._meter.advance(size // 1000 - self._told)
        self._told = size // 1000


class _PassingError(Exception):
    """May go better next time; ``asked`` seconds are what the server wants to be left alone."""

    def __init__(self, reason: str, asked: float = 0.0) -> None:
        super().__init__(reason)
        self.asked = asked


def fetch_file(url: str, partial: Path, meter: Meter, patience: Patience) -> str:
    """Download ``url`` to ``partial``; what an earlier call left there is gone on with.

    A part is gone on with only if the server says that the file is still the same (``If-Range``)
    and of the same length. After a failure the part stays, for the next call.

    Args:
        url: Address, ``http`` or ``https``.
        partial: File for the bytes; beside it lies ``partial.json`` until it is whole.
        meter: Is told of kB and of attempts.
        patience: When to try again, and how often.

    Returns:
        ``Last-Modified`` of the server, empty where it gives none.

    Raises:
        InputError: No such file, no answer, a web page instead of data, or no room on the disk.
    """
    import httpx

    if not re.match(r"https?://[^/]", url):
        raise InputError(f"'{url}' is no address that starts with http:// or https://")
    failures, wait = 0, patience.first_wait
    gauge = _Gauge(meter, f"{partial.name.strip('.').removesuffix('.partial')}, kB")
    headers = {"Accept-Encoding": "identity", "User-Agent": "aimwell"}
    with httpx.Client(follow_redirects=True, timeout=patience.silence, headers=headers) as client:
        while True:
            before = _size(partial)
            try:
                modified = _attempt(client, url, partial, gauge)
                break
            except _PassingError as error:
                if _size(partial) - before >= _PROGRESS:
                    failures, wait = 0, patience.first_wait
                failures += 1
                if failures >= patience.attempts or error.asked > patience.longest_asked:
                    raise InputError(_given_up(url, error, failures, partial)) from error
                pause = max(error.asked, min(wait, patience.longest_wait))
                meter.note(f"waiting   {pause:g} s: {error}")
                patience.sleep(pause)
                wait *= 2
            except httpx.HTTPError as error:
                raise InputError(f"'{url}' cannot be fetched: {_short(error)}") from error
            except httpx.InvalidURL as error:
                raise InputError(f"'{url}' is no address: {_short(error)}") from error
            except OSError as error:
                reason = error.strerror or str(error)
                raise InputError(
                    f"'{partial}' cannot be written: {reason}; make room or name another folder"
                ) from error
    _state_of(partial).unlink(missing_ok=True)
    refuse_page(partial, url)
    return modified


def refuse_page(path: Path, origin: str) -> None:
    """Refuse a web page where data were expected, and remove it.

    Raises:
        InputError: The file is one.
    """
    with path.open("rb") as stream:
        start = stream.read(1 << 16)
    if not _PAGE.match(start.lower()):
        return
    title = _TITLE.search(start)
    words = " ".join(title[1].decode(errors="replace").split())[:60] if title else ""
    named = f" ('{words}')" if words else ""
    path.unlink()
    raise InputError(
        f"'{origin}' gave a web page{named} instead of data; open it in a browser, download the "
        "file by hand, and name its folder with --from"
    )


def _attempt(client: "httpx.Client", url: str, partial: Path, gauge: _Gauge) -> str:
    import httpx

    state = _read_state(partial, url)
    have = _size(partial) if state else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    if have and state.get("validator"):
        headers["If-Range"] = state["validator"]
    try:
        with client.stream("GET", url, headers=headers) as answer:
            _refuse_status(answer, url, partial)
            if answer.status_code == 206 and not _continues(answer, have, state):
                _forget(partial)
                raise _PassingError(f"'{url}' is not the file that was begun; beginning again")
            have = have if answer.status_code == 206 else 0
            total = have + _length(answer)
            write_json(_state_of(partial), _new_state(answer, url, total))
            gauge.begin(total)
            got = _write(answer, partial, have, gauge)
            modified = str(answer.headers.get("Last-Modified", ""))
    except (httpx.UnsupportedProtocol, httpx.TooManyRedirects):
        raise
    except (httpx.TransportError, httpx.DecodingError) as error:
        raise _PassingError(_short(error)) from error
    if total > have and got != total:
        if got > total:
            _forget(partial)
        raise _PassingError(f"{got:,} of {total:,} bytes came")
    return modified


def _write(answer: "httpx.Response", partial: Path, have: int, gauge: _Gauge) -> int:
    """Write what comes behind the first ``have`` bytes; give the size of the file."""
    size = have
    gauge.at(size)
    # a server may pack although it was asked not to; then the length is that of the packed bytes
    packed = answer.headers.get("Content-Encoding", "identity") != "identity"
    # as they come: blocks of one size would lose the last one of a cut connection
    blocks = answer.iter_bytes() if packed else answer.iter_raw()
    with partial.open("ab" if have else "wb") as stream:
        for block in blocks:
            stream.write(block)
            size += len(block)
            gauge.at(size)
    return size


def _refuse_status(answer: "httpx.Response", url: str, partial: Path) -> None:
    status = answer.status_code
    if status in (200, 206):
        return
    said = f"{status} {answer.reason_phrase}".strip()
    if status in _PASSING:
        asked = _retry_after(answer.headers.get("Retry-After", ""))
        raise _PassingError(f"the server answered {said}", asked)
    if status == 416:  # the part is as long as the file, or longer: it cannot be gone on with
        _forget(partial)
        raise _PassingError(f"the server answered {said}; beginning again")
    _forget(partial)
    raise InputError(
        f"'{url}' answered {said}; the file may have moved: look for it on the page of the "
        "database, download it by hand, and name its folder with --from, or use --mirror"
    )


def _continues(answer: "httpx.Response", have: int, state: Mapping[str, Any]) -> bool:
    """True if the answer is the rest of the file that was begun."""
    found = re.fullmatch(
        r"bytes ([0-9]{1,18})-\d+/([0-9]{1,18}|\*)", answer.headers.get("Content-Range", "")
    )
    if not found or int(found[1]) != have:
        return False
    return found[2] == "*" or not state.get("total") or int(found[2]) == state["total"]


def _length(answer: "httpx.Response") -> int:
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        return 0
    text = answer.headers.get("Content-Length", "")
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else 0


def _new_state(answer: "httpx.Response", url: str, total: int) -> dict[str, Any]:
    tag = str(answer.headers.get("ETag", ""))
    # a weak tag does not promise the same bytes
    validator = tag if tag.startswith('"') else answer.headers.get("Last-Modified", "")
    return {"url": url, "validator": validator, "total": total}


def _read_state(partial: Path, url: str) -> dict[str, Any]:
    """Read what is known of a part; empty if it is of another address or cannot be gone on with."""
    try:
        state = json.loads(_state_of(partial).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    known = isinstance(state, dict) and state.get("url") == url
    return state if known and (state.get("validator") or state.get("total")) else {}


def _retry_after(text: str) -> float:
    """Read seconds or a date; 0 where neither.

    >>> _retry_after("7"), _retry_after("²"), _retry_after("Wed, 21 Oct 2015 07:28:00 GMT")
    (7.0, 0.0, 0.0)
    """
    if re.fullmatch(r"\s*[0-9]{1,18}\s*", text):
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _given_up(url: str, error: _PassingError, failures: int, partial: Path) -> str:
    if error.asked:
        wish = f" and asks to be left alone for {error.asked:.0f} s"
        return f"'{url}' was tried {failures} times: {error}{wish}; try again later"
    kept = _size(partial)
    rest = f" ({kept:,} bytes are kept)" if kept else ""
    return (
        f"'{url}' was tried {failures} times: {error}; the same command goes on from here{rest}; "
        "without internet, use --from or --mirror"
    )


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())[:120]
    return text or type(error).__name__


def _state_of(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.json")


def _forget(partial: Path) -> None:
    partial.unlink(missing_ok=True)
    _state_of(partial).unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
