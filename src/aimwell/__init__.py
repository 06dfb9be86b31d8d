"""aimwell ranks drug targets for a disease cohort and shows why."""

__version__ = "0.1.0"
