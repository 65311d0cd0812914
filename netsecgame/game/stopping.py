"""What tells a server to stop: signals, and the end of standard input."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)


def stop_on_signals(stop: Callable[[], object]) -> None:
    """Call `stop` in the running event loop on SIGINT and SIGTERM."""
    loop = asyncio.get_running_loop()
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)
    except (NotImplementedError, RuntimeError, ValueError):
        logger.debug("not in the main thread: signals are left to the caller")


def stop_with_stdin(stop: Callable[[], object]) -> None:
    """Call `stop` in the running event loop when standard input has ended."""
    loop = asyncio.get_running_loop()
    stdin = sys.stdin.fileno()

    def read() -> None:
        if not os.read(stdin, 4_096):
            loop.remove_reader(stdin)
            stop()

    try:
        loop.add_reader(stdin, read)
    except OSError:  # it is a file, and so at its end sooner or later
        stop()
