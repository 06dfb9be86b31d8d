"""The one place where stages meet: caching, resuming, the run folder."""

from aimwell.pipeline.progress import Progress, Silent
from aimwell.pipeline.run import RunResult, run

__all__ = ["Progress", "RunResult", "Silent", "run"]
