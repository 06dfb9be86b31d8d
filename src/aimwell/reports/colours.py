"""The colours of page and pictures, for light and dark, safe for colour-blind readers."""

from typing import Final

#: Role → colour. Orange and blue mean more and less; teal is the one accent.
LIGHT: Final = {
    "ink": "#1b2430",
    "muted": "#586473",
    "line": "#dde2e8",
    "surface": "#ffffff",
    "ground": "#f6f7f9",
    "accent": "#0f6b78",
    "soft": "#e4f1f3",
    "positive": "#c4541a",
    "negative": "#1f6fb2",
    "neutral": "#eceff2",
    "faint": "#b4bdc8",
    "good": "#1a7a56",
    "warn": "#8a6100",
    "bad": "#b3261e",
    "group1": "#4477aa",
    "group2": "#ee6677",
    "group3": "#228833",
    "group4": "#b09000",
    "group5": "#2aa5c9",
    "group6": "#aa3377",
}
DARK: Final = {
    "ink": "#e4e8ed",
    "muted": "#9ca8b6",
    "line": "#2b343f",
    "surface": "#171c23",
    "ground": "#0f1318",
    "accent": "#5cc3cf",
    "soft": "#16323a",
    "positive": "#f08a4b",
    "negative": "#62aee8",
    "neutral": "#2f3843",
    "faint": "#566270",
    "good": "#58c99a",
    "warn": "#e0b354",
    "bad": "#ff8a80",
    "group1": "#77a7dc",
    "group2": "#ff8f9b",
    "group3": "#5fbf72",
    "group4": "#d8c34f",
    "group5": "#7bd6f2",
    "group6": "#d678ae",
}
#: Roles of groups of samples, which also differ in the shape of their marks; further groups share
#: ``faint``.
GROUPS: Final = ("group1", "group2", "group3", "group4", "group5", "group6")


def token(role: str) -> str:
    """Name a colour by its role; the page fills it in for light or dark.

    Example:
        >>> token("accent")
        'var(--accent)'
    """
    if role not in LIGHT:
        raise KeyError(role)
    return f"var(--{role})"


def diverging(value: float, limit: float) -> str:
    """Mix the colour of ``value`` on the light scale blue – grey – orange, clipped at ``limit``.

    Example:
        >>> diverging(3.0, 3.0) == LIGHT["positive"]
        True
    """
    share = max(-1.0, min(1.0, value / limit)) if limit > 0 else 0.0
    ends = LIGHT["positive"] if share >= 0 else LIGHT["negative"]
    parts = [(int(LIGHT["neutral"][k : k + 2], 16), int(ends[k : k + 2], 16)) for k in (1, 3, 5)]
    return "#" + "".join(f"{round(a + (b - a) * abs(share)):02x}" for a, b in parts)
