"""One command per verb, nothing else."""

from typing import Any

from aimwell.cli import stopping

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line."""
    stopping.listen()
    try:
        from aimwell.cli.commands import call

        call()
    except KeyboardInterrupt:
        stopping.end()
    except Exception:
        if stopping.asked():  # Ctrl-C while a compiled module was loaded
            stopping.end()
        raise
    except SystemExit as left:
        if left.code == 130:  # before a command began its work
            stopping.end()
        raise
    finally:
        stopping.ignore()


def __getattr__(name: str) -> Any:
    """Load the commands when somebody asks for them, so that Ctrl-C can be taken before."""
    if name == "app":
        from aimwell.cli.commands import app

        return app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
