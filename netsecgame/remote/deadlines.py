"""Time limits for calls that have none of their own.

Reading from a gRPC stream takes as long as it takes. One thread for all streams of the process
wakes up when the first of their limits is over and ends what waits too long. Setting a limit costs
two assignments: the thread is only told if it would wake up too late.
"""

from __future__ import annotations

import math
import os
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Deadline:
    """A limit that is set and lifted over and over, by one thread at a time.

    Attributes:
        is_over: Whether the limit was reached; what waited was ended then, and there is no other.
    """

    def __init__(self, end: Callable[[], object]) -> None:
        """Have no limit yet.

        Args:
            end: Ends what waits; another thread calls it, once.
        """
        self.is_over = False
        self._end = end
        self._ends_at = math.inf
        #: When the watch looks next, at the latest; it knows nothing of a limit before that.
        self._looked_at = math.inf

    def set(self, timeout_s: float) -> None:
        """Let what begins now take that long."""
        ends_at = time.monotonic() + timeout_s
        self._ends_at = ends_at  # before the look at the other one: the watch does the reverse
        if ends_at < self._looked_at:
            _watch.add(self, ends_at)

    def lift(self) -> None:
        """What had the limit is done."""
        self._ends_at = math.inf

    def look_next(self, now: float) -> float:
        """For the watch: end what is late; tells when to look again, which may be never."""
        self._looked_at = math.inf
        ends_at = self._ends_at
        if ends_at <= now:
            self.is_over = True
            self._end()
            return math.inf
        return ends_at

    def expect_look(self, at: float) -> None:
        """For the watch: it will look then."""
        self._looked_at = at


class _Watch:
    """The thread that looks at deadlines, from the first one on."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._looks: dict[Deadline, float] = {}
        self._thread: threading.Thread | None = None

    def add(self, deadline: Deadline, at: float) -> None:
        with self._changed:
            if at < self._looks.get(deadline, math.inf):
                self._looks[deadline] = at
                deadline.expect_look(at)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="nsg-deadlines", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while (timeout_s := self._next_look() - time.monotonic()) > 0:
                    self._changed.wait(min(timeout_s, threading.TIMEOUT_MAX))
                now = time.monotonic()
                due = [deadline for deadline, at in self._looks.items() if at <= now]
                for deadline in due:
                    del self._looks[deadline]
            for deadline in due:
                again = deadline.look_next(now)
                if again < math.inf:
                    self.add(deadline, again)

    def _next_look(self) -> float:
        return min(self._looks.values(), default=math.inf)


_watch = _Watch()


def _forget() -> None:
    """In the child of a fork there is no thread, and its parent's streams are not the child's."""
    global _watch  # noqa: PLW0603 - the one there is
    _watch = _Watch()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
