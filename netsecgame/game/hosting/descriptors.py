"""How many sockets a server may have open."""

from __future__ import annotations

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]

#: Descriptors asked for at most; each connection takes one.
_MANY_DESCRIPTORS = 65_536


def allow_many_connections() -> None:
    """Let the process open as many sockets as the system lets it; often 1,024 is the soft limit."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MANY_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MANY_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
