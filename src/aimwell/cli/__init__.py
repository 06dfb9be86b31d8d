"""One command per verb, nothing else."""

from aimwell.cli.commands import app, main

__all__ = ["app", "main"]
