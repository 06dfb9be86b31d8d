"""The manifest of a finished run, read back."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from aimwell.errors import RunError

MANIFEST: Final = "manifest.json"
#: The form of the run folder. A larger number is written only when an older aimwell could no longer
#: read the folder; what this version still reads of earlier forms is in ``READ``.
FORMAT: Final = "aimwell-run-1"
READ: Final = (FORMAT,)


def read_manifest(folder: Path) -> Mapping[str, Any]:
    """Read the manifest of a run folder.

    Raises:
        RunError: No finished run, a damaged manifest, or a form that this version cannot read.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise RunError(
            f"'{folder}' holds no finished run (there is no {MANIFEST}); name the folder that "
            "'aimwell run' wrote, or finish the run first"
        )
    again = "run again into this folder"
    try:
        manifest: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        form = manifest["format"]
        if form not in READ:
            written_by = manifest.get("versions", {}).get("aimwell", "unknown")
            raise RunError(
                f"'{folder}' is a run folder of the form '{form}', written by aimwell {written_by};"
                f" this version reads {', '.join(READ)}; use the version that wrote it, or run "
                "again into another folder"
            )
        for key, kind in (("config", dict), ("files", dict), ("outputs", dict), ("key", str)):
            if not isinstance(manifest[key], kind):
                raise RunError(f"'{path}' is damaged: '{key}' is no {kind.__name__}; {again}")
        if not isinstance(manifest["config"].get("run"), dict):
            raise RunError(f"'{path}' is damaged: 'config' has no 'run'; {again}")
    except (KeyError, TypeError, AttributeError) as error:
        raise RunError(f"'{path}' is not the manifest of a run; {again}") from error
    except ValueError as error:
        raise RunError(f"'{path}' is damaged: {error}; {again}") from error
    return manifest
