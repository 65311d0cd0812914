"""Where the environment of one stream runs: in a process, in a thread, or in the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple

from netsecgame.errors import EnvironmentDiedError, RemoteTimeoutError
from netsecgame.remote.forkserver import CLOSE_S
from netsecgame.remote.messages import Kind, kind_of
from netsecgame.remote.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Callable

    from netsecgame.remote.session import Session

_LOG = logging.getLogger(__name__)

_PHASES = {
    Kind.CREATE_WORLD: "create",
    Kind.RESET_WORLD: "create",
    Kind.DESTROY_WORLD: "close",
    Kind.EXTENSION: "render",
    Kind.JOIN_WORLD: "reset",
    Kind.RESET: "reset",
    Kind.STEP: "step",
}


class Host(ABC):
    """Where the environment of one stream runs, and its session."""

    @abstractmethod
    async def handle(self, request: bytes, timeout_s: float) -> bytes:
        """Let the session answer a request; one at a time.

        Raises:
            EnvironmentDiedError: If the environment's process is gone.
            RemoteTimeoutError: If there is no answer in time. Nothing more can be asked then.
        """

    @abstractmethod
    async def close(self, *, is_stuck: bool = False) -> None:
        """Close the environment; takes a bounded time, whatever the environment does.

        Args:
            is_stuck: Do not wait for the environment to close by itself.
        """


class InlineHost(Host):
    """The environment runs in the event loop: nothing is quicker, and nothing can stop it."""

    def __init__(self, make_session: Callable[[], Session]) -> None:
        self._session = make_session()

    async def handle(self, request: bytes, timeout_s: float) -> bytes:  # noqa: ARG002
        """See `Host.handle`; there are no deadlines here."""
        return self._session.handle(request)

    async def close(self, *, is_stuck: bool = False) -> None:  # noqa: ARG002
        """See `Host.close`; takes as long as the environment does."""
        self._session.close()


class WaitingHost(Host):
    """A host that sends a request elsewhere and waits for its answer."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[bytes] | None = None
        self._request = b""
        self._timeout_s = 0.0
        self._watchdog = Watchdog(self._on_deadline)

    async def handle(self, request: bytes, timeout_s: float) -> bytes:
        """See `Host.handle`."""
        answer: asyncio.Future[bytes] = self._loop.create_future()
        self._answer = answer
        self._request = request
        self._timeout_s = timeout_s
        self._watchdog.start(timeout_s)
        try:
            self._send(request)
            return await answer
        finally:
            self._watchdog.stop()

    @abstractmethod
    def _send(self, request: bytes) -> None:
        """Send a request off; `self._answer` is to be resolved in the event loop.

        Raises:
            EnvironmentDiedError: If nobody takes it.
        """

    def _resolve(self, answer: asyncio.Future[bytes] | None, data: bytes) -> None:
        # Whoever waited may have been cancelled, or told that it took too long.
        if answer is not None and not answer.done():
            answer.set_result(data)

    def _fail(self, answer: asyncio.Future[bytes] | None, error: Exception) -> None:
        if answer is not None and not answer.done():
            answer.set_exception(error)

    def _on_deadline(self) -> None:
        kind = kind_of(self._request)
        phase = _PHASES.get(kind, "") if kind is not None else ""
        text = f"the environment's {phase or 'answer'} took longer than {self._timeout_s:g} s"
        self._fail(self._answer, RemoteTimeoutError(phase, text))


class _Job(NamedTuple):
    request: bytes
    answer: asyncio.Future[bytes]


class ThreadHost(WaitingHost):
    """The environment runs in a thread of its own; one that hangs is left to itself."""

    def __init__(self, make_session: Callable[[], Session]) -> None:
        super().__init__()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._ended = self._loop.create_future()
        self._make_session = make_session
        self._thread = threading.Thread(
            target=self._run, name="netsecgame-remote-environment", daemon=True
        )
        self._thread.start()

    async def close(self, *, is_stuck: bool = False) -> None:
        """See `Host.close`."""
        self._jobs.put(None)
        self._watchdog.close()
        if not is_stuck:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await asyncio.shield(self._ended)
        if not self._ended.done():
            _LOG.warning("an environment does not end; its thread is left to itself")

    def _send(self, request: bytes) -> None:
        assert self._answer is not None
        self._jobs.put(_Job(request, self._answer))

    def _run(self) -> None:
        session = self._make_session()
        while (job := self._jobs.get()) is not None:
            try:
                data = session.handle(job.request)
            except BaseException as error:  # noqa: BLE001 - the client must be told
                _LOG.exception("an environment's thread ended")
                died = EnvironmentDiedError(None, f"its thread ended: {type(error).__name__}")
                self._call_loop(self._fail, job.answer, died)
                break
            self._call_loop(self._resolve, job.answer, data)
        session.close()
        self._call_loop(self._on_end)

    def _on_end(self) -> None:
        if not self._ended.done():
            self._ended.set_result(None)

    def _call_loop(self, function: Callable[..., object], *arguments: object) -> None:
        # A hanging environment may come back when its server is long gone.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *arguments)
