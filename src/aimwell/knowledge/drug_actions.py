"""Which way a drug acts on its target, how far it has come, and whether that fits a change."""

import re
from typing import Final

INHIBITS: Final = "inhibits"
ACTIVATES: Final = "activates"
UNKNOWN: Final = "unknown"
UP: Final = "up"
DOWN: Final = "down"
MATCH: Final = "match"
OPPOSED: Final = "opposed"
APPROVED: Final = "approved"
WITHDRAWN: Final = "withdrawn"
IN_TRIALS: Final = "in trials"
PRECLINICAL: Final = "preclinical"
NOVEL: Final = "novel"
#: Words of databases for what lowers the activity of a target, and what raises it. Of several in a
#: text the last counts, because a target may be called an inhibitor itself. A modulator, a binder,
#: a substrate or an antibody of which no more is said acts in a way that nobody stated.
_WORDS: Final = re.compile(
    r"(?P<inhibits>inverse agonist|antagonist|negative (?:allosteric )?modulator|inhibit|block|"
    r"suppress|degrader|antisense|sirna|rnai|downregulator|sequestering|disrupt|neutrali[sz]|"
    r"deplet|decoy)"
    r"|(?P<activates>agonist|activator|positive (?:allosteric )?modulator|opener|potentiator|"
    r"stimulator|stimulant|inducer|enhancer|upregulator)"
)
_PHASES: Final = {
    "launched": 4.0,
    "withdrawn": 4.0,
    "phase 3": 3.0,
    "phase 2/phase 3": 2.5,
    "phase 2": 2.0,
    "phase 1/phase 2": 1.5,
    "phase 1": 1.0,
    "preclinical": 0.0,
}
#: Highest phase from which a drug counts as approved.
_APPROVED: Final = 4.0


def direction_of(action: str, mechanism: str = "") -> str:
    """Tell which way a drug acts from the words of a database; ``unknown`` where they differ.

    Args:
        action: Kinds of action, joined by ``|`` or commas.
        mechanism: A description, looked at only where the action says nothing.

    Example:
        >>> [direction_of(a) for a in ("INHIBITOR", "inverse agonist", "PARTIAL AGONIST", "binder")]
        ['inhibits', 'inhibits', 'activates', 'unknown']
        >>> direction_of("agonist,antagonist"), direction_of("antibody", "blocks the receptor")
        ('unknown', 'inhibits')
        >>> direction_of("", "Inhibitor of apoptosis protein agonist")
        'activates'
    """
    found = _directions(action)
    if not found and mechanism:
        found = _directions(mechanism)
    return found.pop() if len(found) == 1 else UNKNOWN


def _directions(text: str) -> set[str]:
    parts = (list(_WORDS.finditer(part)) for part in re.split(r"[|,;]", text.lower()))
    return {str(words[-1].lastgroup) for words in parts if words}


def one_direction(directions: "set[str]") -> str:
    """Unite what several sources say; ``unknown`` where they contradict each other.

    Example:
        >>> one_direction({"inhibits", "unknown"}), one_direction({"inhibits", "activates"})
        ('inhibits', 'unknown')
    """
    stated = directions - {UNKNOWN}
    return next(iter(stated)) if len(stated) == 1 else UNKNOWN


def phase_of(text: str) -> float:
    """Read a clinical phase in words; NaN where it is none. A drug in two phases is between them.

    Example:
        >>> phase_of("Phase 2/Phase 3"), phase_of("Launched"), phase_of("later")
        (2.5, 4.0, nan)
    """
    return _PHASES.get(" ".join(text.lower().split()), float("nan"))


def status_of(phase: float, *, withdrawn: bool = False) -> str:
    """Name how far a drug has come, by its highest phase.

    Example:
        >>> [status_of(p) for p in (4.0, 2.5, 0.0, float("nan"))]
        ['approved', 'in trials', 'preclinical', 'unknown']
        >>> status_of(4.0, withdrawn=True)
        'withdrawn'
    """
    if withdrawn:
        return WITHDRAWN
    if phase >= _APPROVED:
        return APPROVED
    if phase > 0:
        return IN_TRIALS
    return PRECLINICAL if phase == 0 else UNKNOWN


def gene_status(statuses: "set[str]") -> str:
    """Name how far the drugs of a gene have come.

    ``approved`` where there is or was an approved one, ``in trials``, ``unknown`` where there are
    drugs of which no source says how far they are, and ``novel`` where there is none in people.

    Example:
        >>> gene_status({"in trials", "withdrawn"}), gene_status({"preclinical"})
        ('approved', 'novel')
    """
    if statuses & {APPROVED, WITHDRAWN}:
        return APPROVED
    for status in (IN_TRIALS, UNKNOWN):
        if status in statuses:
            return status
    return NOVEL


def match_of(direction: str, change: str) -> str:
    """Tell whether a drug works against a change: an inhibitor where the target is up.

    Args:
        direction: ``inhibits``, ``activates`` or ``unknown``.
        change: ``up``, ``down`` or ``unknown``: how the target differs in cases.

    Example:
        >>> match_of("inhibits", "up"), match_of("activates", "up"), match_of("unknown", "up")
        ('match', 'opposed', 'unknown')
    """
    if UNKNOWN in (direction, change):
        return UNKNOWN
    return MATCH if (direction == INHIBITS) == (change == UP) else OPPOSED
