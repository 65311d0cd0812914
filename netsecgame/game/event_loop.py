"""Which event loop a server runs on: uvloop's where it is installed, else asyncio's own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from netsecgame.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

_T = TypeVar("_T")

#: What `run` takes: `auto` is uvloop where it is installed.
LOOPS = ("auto", "asyncio", "uvloop")


def loop_factory(loop: str = "auto") -> Callable[[], asyncio.AbstractEventLoop]:
    """What makes the event loops of that name; one of `LOOPS`.

    Raises:
        ConfigurationError: If there is no such loop, or it is not installed.
    """
    if loop not in LOOPS:
        raise ConfigurationError(f"expected one of {', '.join(LOOPS)}, got {loop!r}", path="loop")
    if loop == "asyncio":
        return asyncio.new_event_loop
    try:
        import uvloop  # noqa: PLC0415 - the extra `fast`; servers work without it
    except ImportError:
        if loop == "auto":
            return asyncio.new_event_loop
        raise ConfigurationError(
            "uvloop is not installed: pip install 'netsecgame[fast]'", path="loop"
        ) from None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def run(main: Coroutine[Any, Any, _T], loop: str = "auto") -> _T:
    """What the coroutine returns, run as `asyncio.run` does on a loop of that name.

    Raises:
        ConfigurationError: As `loop_factory`.
    """
    try:
        factory = loop_factory(loop)
    except ConfigurationError:
        main.close()
        raise
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)
