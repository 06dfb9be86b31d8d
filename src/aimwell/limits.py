"""What the system lets a process have, looked at before libraries end it without a word."""

from aimwell.errors import RunError

#: GiB of address space that the libraries of tables need; with less they crash while they load.
TABLES = 0.5
#: The same with torch; measured on Linux with the build for processors, and some to work with.
NETWORKS = 2.5


def refuse_short_memory(gigabytes: float) -> None:
    """Refuse to begin where a limit on address space (``ulimit -v``) cannot suffice.

    Native libraries meet such a limit with an abort or a crash that no handler of ours sees.

    Args:
        gigabytes: GiB that are needed.

    Raises:
        RunError: The limit of this process is lower.

    Example:
        >>> refuse_short_memory(0.001)
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    allowed, _ = resource.getrlimit(resource.RLIMIT_AS)
    if allowed != resource.RLIM_INFINITY and allowed < gigabytes * 2**30:
        raise RunError(
            f"this process may use {allowed / 2**30:.2g} GiB of address space, and {gigabytes:g} "
            "GiB are needed before any data; raise the limit (ulimit -v) or the memory of the job"
        )
