"""Every error that aimwell raises on purpose.

AimwellError                 anything a user can put right; one clear line, exit status 2
├── ConfigError              the run file: an unknown key, a value of the wrong kind
├── InputError               a file: missing, empty, truncated, malformed
│   └── IdentifierError      too few names resolve to genes
├── GraphError               a graph that contradicts itself or its hashes
├── LabelError               known targets that cannot be used
├── CohortError              measurements or a sample sheet that contradict each other
│   └── DesignError          a contrast that cannot be tested
│       └── ConfoundedError  batch or covariates explain the condition
├── AlignmentError           two tables that should share their ids do not
├── TaskError                labels, folds and graph that cannot be combined
└── RunError                 the run folder: locked, foreign, damaged
"""

from collections.abc import Iterable

#: Characters of a name that a message shows; a damaged file may hold a name of megabytes.
LONGEST = 100


class AimwellError(Exception):
    """Something the user can put right: what was found, what was needed, where, what next."""

    code = "ERROR"


class ConfigError(AimwellError):
    """The run file cannot be used."""

    code = "CONFIG"


class InputError(AimwellError):
    """An input file cannot be used."""

    code = "INPUT"


class IdentifierError(InputError):
    """Too few names resolve to genes."""

    code = "IDENTIFIERS"


class GraphError(AimwellError):
    """A graph contradicts itself or its recorded hashes."""

    code = "GRAPH"


class LabelError(AimwellError):
    """Known targets cannot be used."""

    code = "LABELS"


class CohortError(AimwellError):
    """Measurements or the sample sheet cannot be used."""

    code = "COHORT"


class DesignError(CohortError):
    """A contrast cannot be tested with these samples."""

    code = "DESIGN"


class ConfoundedError(DesignError):
    """Batch or covariates explain the condition, so no effect can be told apart."""

    code = "CONFOUNDED"


class AlignmentError(AimwellError):
    """Two tables that must share their ids do not."""

    code = "ALIGNMENT"


class TaskError(AimwellError):
    """Labels, folds and graph cannot be combined into a learning task."""

    code = "TASK"


class RunError(AimwellError):
    """A run folder is in use, foreign or damaged."""

    code = "RUN"


def some(names: Iterable[object], limit: int = 3) -> str:
    """List at most ``limit`` names, quoted and cut where long, and say how many more there are.

    Example:
        >>> some(["a", "b", "c", "d"])
        "'a', 'b', 'c' and 1 more"
        >>> some([])
        'none'
    """
    every = [repr(t if len(t) <= LONGEST else f"{t[:LONGEST]}…") for t in map(str, names)]
    if not every:
        return "none"
    shown = ", ".join(every[:limit])
    return shown if len(every) <= limit else f"{shown} and {len(every) - limit} more"
