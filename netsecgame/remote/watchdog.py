"""Deadlines that cost next to nothing as long as they are met."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Watchdog:
    """Calls a function when a deadline passes.

    A step takes microseconds and its deadline is a minute away. So starting and stopping only note
    the time; the one timer there is looks at the note when it goes off, which is about once a
    deadline.

    Args:
        on_deadline: What to call, from the event loop.
    """

    __slots__ = ("_deadline", "_loop", "_on_deadline", "_timer")

    def __init__(self, on_deadline: Callable[[], object]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_deadline = on_deadline
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self, delay_s: float) -> None:
        """Expect a `stop` within that time; a deadline set before does not count any more."""
        self._deadline = deadline = self._loop.time() + delay_s
        if self._timer is None:
            self._timer = self._loop.call_at(deadline, self._look)
        elif deadline < self._timer.when():
            self._timer.cancel()
            self._timer = self._loop.call_at(deadline, self._look)

    def stop(self) -> None:
        """Expect nothing any more, until the next `start`."""
        self._deadline = None

    def close(self) -> None:
        """Let go of the timer."""
        self._deadline = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._deadline is None:
            return
        if self._deadline > self._loop.time():
            self._timer = self._loop.call_at(self._deadline, self._look)
            return
        self._deadline = None
        self._on_deadline()
