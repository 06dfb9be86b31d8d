"""Why: exact attributions, connected subgraphs and plain sentences.

What others may use is here by name and loaded when it is asked for, because the networks load
torch and the rest of the folder does without.

Example:
    >>> from aimwell import explain
    >>> "explain_hetero" in dir(explain)
    True
"""

import importlib
from typing import Any, Final

_WHERE: Final = {
    "Baseline": "baselines",
    "Comparison": "comparison",
    "DevicePath": "device",
    "Explanation": "explanation",
    "HeteroAttribution": "hetero",
    "SharedPath": "attribution",
    "compare_targets": "modules",
    "explain_hetero": "hetero",
    "explain_targets": "targets",
    "grow_subgraph": "subgraph",
    "retrained_without": "retrained",
    "shared_modules": "modules",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_WHERE)
