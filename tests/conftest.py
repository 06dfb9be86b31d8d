"""Fixtures that every test may use."""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import settings

# The same examples in every run: a change is judged by what it changes, not by luck. More of them,
# drawn at random, are tried by ``aimwell bench reliability``.
settings.register_profile("repeatable", derandomize=True, database=None)
settings.load_profile("repeatable")

ROOT = Path(__file__).resolve().parents[1]
NAMED = os.environ.get("AIMWELL_DATA", "")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A case of bytes is numbered, not named by them.

    A packed file holds the second in which it was packed, so the processes that share the tests
    would give one test two names, and refuse to start.
    """
    return argname if isinstance(val, bytes) else None


@pytest.fixture(autouse=True)
def without_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands read the folders of their run files, whatever the tests were called with."""
    monkeypatch.delenv("AIMWELL_DATA", raising=False)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with the public databases and cohorts, which lie beside the project, not in it."""
    folder = Path(NAMED) if NAMED else ROOT.parent / "shared" / "data"
    if not (folder / "README.md").is_file():
        pytest.skip("the public databases are not here; set AIMWELL_DATA to their folder")
    return folder


DESIGNS = Path(__file__).parent / "data" / "statistics"


@pytest.fixture(scope="module")
def values() -> pd.DataFrame:
    """Simulated measurements that limma tested by several designs; samples × genes."""
    return pd.read_csv(DESIGNS / "designs_values.csv", index_col=0)


@pytest.fixture(scope="module")
def sheet() -> pd.DataFrame:
    """The sample sheet of ``values``."""
    return pd.read_csv(DESIGNS / "designs_samples.csv", index_col=0)


@pytest.fixture(scope="module")
def limma() -> pd.DataFrame:
    """What limma found in ``values``, by design and gene."""
    return pd.read_csv(DESIGNS / "designs_limma.csv")


class Browser:
    """A headless Chromium, driven through a pipe: tests open no socket."""

    def __init__(self, program, folder):
        self.folder = folder
        there, mine = os.pipe(), os.pipe()
        switches = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
        switches += ["--disable-background-networking", "--disable-component-update"]
        switches += ["--disable-renderer-backgrounding", "--disable-background-timer-throttling"]
        switches += ["--disable-sync", "--remote-debugging-pipe", "--hide-scrollbars"]
        self.process = subprocess.Popen(
            # a browser reads its commands from 3 and answers on 4
            [
                "bash",
                "-c",
                f'exec "$@" 3<&{there[0]} 4>&{mine[1]}',
                "bash",
                program,
                *switches,
                f"--user-data-dir={folder / 'user'}",
                "about:blank",
            ],
            pass_fds=(there[0], mine[1]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (there[0], mine[1]):
            os.close(end)
        self.write, self.read = there[1], mine[0]
        self.number, self.buffer, self.events = 0, b"", []
        self.tab = None

    def call(self, method, session=None, **parameters):
        """Call a method of the DevTools protocol and wait for its answer."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        number, end = self.number, time.monotonic() + 300
        while True:
            answer = self.next_message(end)
            if answer.get("id") == number:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self.events.append(answer)

    def next_message(self, end):
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.read], [], [], max(end - time.monotonic(), 0))
            if not ready:
                raise TimeoutError("the browser does not answer")
            self.buffer += os.read(self.read, 1 << 20)
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def open(self, address, *, width=1400, height=900):
        """Open a page in the tab, with the network off unless it is one of ours."""
        if self.tab is None:
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
            self.tab = Tab(self, attached["sessionId"])
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.tab.call(f"{domain}.enable")
        tab = self.tab
        tab.media()
        tab.size(width, height)
        tab.call("Network.emulateNetworkConditions", offline=address.startswith("file:"),
                 latency=0, downloadThroughput=-1, uploadThroughput=-1)  # fmt: skip
        # another page in between: an address that differs in its hash alone loads nothing
        self.events.clear()
        tab.call("Page.navigate", url="about:blank")
        self.wait("Page.loadEventFired", tab.session)
        self.events.clear()
        tab.call("Page.navigate", url=address)
        self.wait("Page.loadEventFired", tab.session)
        return tab

    def wait(self, event, session, seconds=300):
        """Wait for an event of a tab; all that comes before it is kept."""
        end = time.monotonic() + seconds
        while True:
            if any(e.get("method") == event and e.get("sessionId") == session
                   for e in self.events):  # fmt: skip
                return
            self.events.append(self.next_message(end))

    def close(self):
        self.process.terminate()
        self.process.wait(20)
        for end in (self.write, self.read):
            os.close(end)


class Tab:
    """One page: evaluates, presses, drags, and hears what the console says."""

    def __init__(self, browser, session):
        self.browser, self.session = browser, session

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def do(self, script):
        """Evaluate JavaScript and give its value."""
        found = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, script, seconds=120):
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while not self.do(f"Boolean({script})"):
            assert time.monotonic() < end, f"never true: {script}"
            time.sleep(0.05)

    def size(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)  # fmt: skip

    def media(self, kind="", scheme="light"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=kind, features=features)

    def key(self, key, *, shift=False):
        for kind in ("keyDown", "keyUp"):
            text = {"text": key} if len(key) == 1 and kind == "keyDown" else {}
            text |= {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            codes = {"Enter": 13, "Tab": 9, "ArrowRight": 39, "ArrowLeft": 37, "ArrowUp": 38,
                     "ArrowDown": 40, "Delete": 46, "Escape": 27}  # fmt: skip
            code = {"windowsVirtualKeyCode": codes[key]} if key in codes else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, modifiers=8 * shift,
                      **text, **code)  # fmt: skip

    def mouse(self, kind, x, y, *, shift=False):
        pressed = {"mousePressed": 1, "mouseReleased": 0}.get(kind, 1)
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left",
                  buttons=pressed, clickCount=1, modifiers=8 * shift)  # fmt: skip

    def drag(self, places, *, shift=False):
        """Press at the first place, move over the others, and let go at the last."""
        self.mouse("mousePressed", *places[0], shift=shift)
        for place in places[1:]:
            self.mouse("mouseMoved", *place, shift=shift)
        self.mouse("mouseReleased", *places[-1], shift=shift)

    def click(self, x, y):
        self.mouse("mousePressed", x, y)
        self.mouse("mouseReleased", x, y)

    def middle(self, selector):
        """Give where an element lies, after scrolling to it."""
        self.do(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'center',"
                " behavior: 'instant'}); true")  # fmt: skip
        return self.do(
            f"(() => {{ const b = document.querySelector({json.dumps(selector)})"
            ".getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )

    def press(self, selector):
        self.click(*self.middle(selector))

    def shot(self, path, *, whole=False):
        made = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        Path(path).write_bytes(base64.b64decode(made["data"]))

    def said(self):
        """What the console said, and every request that failed."""
        self.do("1")
        kinds = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [e["params"] for e in self.browser.events if e.get("method") in kinds]

    def requests(self):
        """Addresses that were asked for, data and blobs aside."""
        asked = [
            e["params"]["request"]["url"]
            for e in self.browser.events
            if e.get("method") == "Network.requestWillBeSent"
        ]
        return [a for a in asked if not a.startswith(("data:", "blob:"))]


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A headless browser for the tests of pages; without one they are skipped."""
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next((found for name in names if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no chromium and no google-chrome is installed")
    made = Browser(program, tmp_path_factory.mktemp("browser"))
    yield made
    made.close()
