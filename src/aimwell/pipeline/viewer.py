"""The viewer as a WSGI application: one page, and questions that it answers in JSON.

Only reads: it answers GET, hands out nothing but what it computes and the files that the manifest
of its run names, and tells a browser to run no script but its own.
"""

import hmac
import json
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, Final
from urllib.parse import parse_qs

from aimwell.errors import AimwellError, InputError
from aimwell.pipeline.explorer import NODES, Explorer
from aimwell.reports.viewer_page import render_viewer, target_view

Environ = dict[str, Any]
Start = Callable[..., Any]

COOKIE: Final = "aimwell-token"
_LONGEST: Final = 200
_HEADERS: Final = [
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
]
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".tsv": "text/tab-separated-values; charset=utf-8",
    ".graphml": "application/xml",
    ".cx2": "application/json",
}


class Viewer:
    """Answers the requests of browsers.

    Args:
        runs: One run, or two to be compared.
        hosts: Values of the header ``Host`` that are answered; None answers all. A page elsewhere
            could otherwise reach a viewer on loopback under a name of its own.
        token: What a browser must show first; empty where none is needed.
    """

    def __init__(
        self, runs: Sequence[Explorer], *, hosts: frozenset[str] | None = None, token: str = ""
    ) -> None:
        self.runs, self.hosts, self.token = list(runs), hosts, token

    @cached_property
    def page(self) -> bytes:
        """The page, made once."""
        described = [
            {
                "title": run.report.title,
                "folder": run.folder.name,
                "switches": run.switches(),
                "nodes": run.settings.max_nodes,
                "genes": len(run.symbols),
            }
            for run in self.runs
        ]
        sources = [run.report.manifest.get("inputs") for run in self.runs]
        return render_viewer(described, sources, NODES).encode()

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        """Answer one request."""
        try:
            return self._answer(environ, start)
        except AimwellError as error:
            return _json(start, "400 Bad Request", {"error": str(error)})
        except Exception as error:  # a bug must not end the other users' sessions
            traceback.print_exception(error, file=sys.stderr)
            said = "this is a bug in aimwell; the terminal of the viewer has the details"
            return _json(start, "500 Internal Server Error", {"error": said})

    def _answer(self, environ: Environ, start: Start) -> Iterable[bytes]:
        if environ.get("REQUEST_METHOD") not in ("GET", "HEAD"):
            return _json(start, "405 Method Not Allowed", {"error": "the viewer only reads"})
        if self.hosts is not None and environ.get("HTTP_HOST", "").lower() not in self.hosts:
            said = "the viewer answers to its own address only; open the one that it printed"
            return _json(start, "403 Forbidden", {"error": said})
        query = parse_qs(str(environ.get("QUERY_STRING", ""))[:4000], keep_blank_values=True)
        if self.token:
            given = query.get("token", [""])[0]
            if given and hmac.compare_digest(given.encode(), self.token.encode()):
                # the token leaves the address bar, and with it the history and the referrer
                cookie = f"{COOKIE}={self.token}; HttpOnly; SameSite=Strict; Path=/"
                start("303 See Other", [("Location", "/"), ("Set-Cookie", cookie), *_HEADERS])
                return [b""]
            if not self._has_cookie(environ):
                said = "the viewer needs its token; open the address that it printed"
                return _json(start, "403 Forbidden", {"error": said})
        path = str(environ.get("PATH_INFO", "/"))
        if path == "/":
            start("200 OK", [("Content-Type", _TYPES[".html"]), *_HEADERS])
            return [self.page]
        if path == "/api/search":
            return _json(start, "200 OK", self._run(query).search(_one(query, "q")))
        if path == "/api/explain":
            return self._explain(query, start)
        if path.startswith("/files/"):
            return self._file(query, path.removeprefix("/files/"), start)
        return _json(start, "404 Not Found", {"error": "there is nothing here"})

    def _has_cookie(self, environ: Environ) -> bool:
        # a token is letters, digits, '-' and '_', so that no cookie needs quotes
        pairs = [p.strip().partition("=") for p in str(environ.get("HTTP_COOKIE", "")).split(";")]
        shown = next((value for name, _, value in pairs if name == COOKIE), "")
        return hmac.compare_digest(shown.encode(), self.token.encode())

    def _run(self, query: dict[str, list[str]]) -> Explorer:
        number = _one(query, "run") or "0"
        if not number.isdecimal() or int(number) >= len(self.runs):
            raise InputError(f"there is no run '{number}'; there are {len(self.runs)}, from 0")
        return self.runs[int(number)]

    def _explain(self, query: dict[str, list[str]], start: Start) -> Iterable[bytes]:
        begun = time.perf_counter()
        run = self._run(query)
        nodes = _one(query, "nodes") or "0"
        if not nodes.isdecimal():
            raise InputError(f"nodes is a whole number; found '{nodes}'")
        off = [name for name in query.get("off", []) if name]
        test = _one(query, "test") == "1"
        found = run.explain(_one(query, "gene"), nodes=int(nodes), off=off, test=test)
        view = target_view(run.report, found)
        if off:
            view["whole_score"] = run.explain(found.gene, nodes=int(nodes)).score
        took = 1000 * (time.perf_counter() - begun)
        timing = ("Server-Timing", f"explain;dur={took:.1f}")
        return _json(start, "200 OK", view, extra=[timing])

    def _file(self, query: dict[str, list[str]], name: str, start: Start) -> Iterable[bytes]:
        run = self._run(query)
        place = (run.folder / name).resolve()
        # named by the manifest, and really inside: a link could lead out of the folder
        if name not in run.files or not place.is_relative_to(run.folder.resolve()):
            return _json(start, "404 Not Found", {"error": "no file of this run"})
        kind = _TYPES.get(place.suffix, "application/octet-stream")
        start("200 OK", [("Content-Type", kind), *_HEADERS])
        return [place.read_bytes()]


def _one(query: dict[str, list[str]], key: str) -> str:
    value = query.get(key, [""])[0]
    if len(value) > _LONGEST:
        raise InputError(f"'{key}' has {len(value)} letters; at most {_LONGEST} are read")
    return value


def _json(
    start: Start, status: str, value: object, extra: Sequence[tuple[str, str]] = ()
) -> Iterable[bytes]:
    body = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    size = ("Content-Length", str(len(body)))
    start(status, [("Content-Type", "application/json"), size, *extra, *_HEADERS])
    return [body]
