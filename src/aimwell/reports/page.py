"""The report: one HTML file that opens offline and loads nothing."""

import base64
import hashlib
import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import jinja2
import pandas as pd
from markupsafe import Markup

from aimwell.provenance import to_plain, write_atomically
from aimwell.reports.colours import DARK, LIGHT
from aimwell.reports.data import ReportData
from aimwell.reports.sections import page_sections

_FOLDER: Final = Path(__file__).parent / "templates"
#: Characters that could end a script element or a line of JavaScript, as JSON escapes.
_UNSAFE: Final = {c: f"\\u{ord(c):04x}" for c in ("<", ">", "&", "\u2028", "\u2029")}


def write_report(path: Path, report: ReportData) -> None:
    """Write the page of a run, atomically; the same data gives the same bytes.

    The page holds everything it needs. Its content policy lets a browser run only the scripts
    written here, known by their hashes, and forbids every connection.
    """
    text = render_report(report)
    with write_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def render_report(report: ReportData) -> str:
    """Give the page as text."""
    sections, payload = page_sections(report)
    return render_page("page.html", "page.js", sections, payload)


def render_page(
    template: str, script: str, values: Mapping[str, Any], payload: Mapping[str, Any]
) -> str:
    """Fill a template of the folder ``templates``.

    Args:
        template: Its name.
        script: The page's own script; empty where drawing its figures is all there is to do.
        values: What the template shows; every text is escaped.
        payload: What the script reads; ``figures`` are drawn where the template places them.
    """
    data = {
        **payload,
        "figures": to_plain(payload["figures"]),
        "palettes": {"light": LIGHT, "dark": DARK},
    }
    parts = ("figures.js", *(("network.js",) if "networks" in payload else ()), script)
    plotly, code = _plotly(), "".join(_read(part) for part in parts if part)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=number, scientific=scientific, signed=signed, count=count, brief=brief
    )
    return environment.get_template(template).render(
        **values,
        style=Markup(_style()),  # noqa: S704 - our own file, no text from outside
        plotly=Markup(plotly),  # noqa: S704 - the installed plotly.js
        script=Markup(code),  # noqa: S704 - our own file
        data=Markup(embed_json(data)),  # noqa: S704 - escaped by embed_json
        script_hashes=" ".join(f"'sha256-{_hash(s)}'" for s in (plotly, code)),
    )


def embed_json(value: object) -> str:
    r"""Write JSON that cannot leave the script element that holds it.

    Example:
        >>> embed_json({"a": "</script>"})
        '{"a":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(
        value,
        default=to_plain,
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),
        sort_keys=True,
    )
    for character, escaped in _UNSAFE.items():
        text = text.replace(character, escaped)
    return text


def number(value: object, digits: int = 3) -> str:
    """Show a number with fixed decimals, or a dash where there is none.

    Example:
        >>> number(0.12345), number(None), number(float("nan"), 2)
        ('0.123', '–', '–')
    """
    found = _float(value)
    return "–" if found is None else f"{found:.{digits}f}".replace("-", "−")


def brief(value: object) -> str:
    """Show a number with three significant digits, large ones whole with thin spaces.

    Example:
        >>> brief(0.012345), brief(-2.5), brief(12345.6) == "12\u2009346"
        ('0.0123', '−2.5', True)
    """
    found = _float(value)
    if found is None or abs(found) >= 1000:
        return count(found)
    return f"{found:.3g}".replace("-", "−")


def signed(value: object, digits: int = 2) -> str:
    """Show a number with its sign.

    Example:
        >>> signed(1.234), signed(-0.5)
        ('+1.23', '−0.50')
    """
    found = _float(value)
    return "–" if found is None else f"{found:+.{digits}f}".replace("-", "−")


def scientific(value: object) -> str:
    """Show a p or q value: plain from 0.001 on, otherwise with a power of ten.

    Example:
        >>> scientific(0.4), scientific(0.04), scientific(2.34e-7)
        ('0.40', '0.040', '2e−7')
    """
    found = _float(value)
    if found is None:
        return "–"
    if found >= 0.001 or found == 0:
        return f"{found:.{2 if found >= 0.1 else 3}f}"
    mantissa, power = f"{found:.0e}".split("e")
    return f"{mantissa}e−{abs(int(power))}"


def count(value: object) -> str:
    """Show a whole number with thin spaces between thousands.

    Example:
        >>> count(18000) == "18\u2009000"
        True
    """
    found = _float(value)
    return "–" if found is None else f"{round(found):,}".replace(",", "\u2009").replace("-", "−")


def _float(value: object) -> float | None:
    if value is None or value is pd.NA or isinstance(value, str):
        return None
    found = float(value)  # type: ignore[arg-type]
    return found if math.isfinite(found) else None


def _style() -> str:
    def block(palette: dict[str, str]) -> str:
        return "".join(f"--{role}:{colour};" for role, colour in palette.items())

    # print keeps the light colours, whatever the reader's screen is set to
    dark = f"@media screen and (prefers-color-scheme:dark){{:root{{{block(DARK)}}}}}"
    return f":root{{{block(LIGHT)}}}\n{dark}\n{_read('page.css')}"


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


@cache
def _plotly() -> str:
    from plotly.offline import get_plotlyjs  # four megabytes: only when a page is written

    text: str = get_plotlyjs()
    # neither text may end the element that holds it
    return text.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
