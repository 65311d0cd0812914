"""An environment in a process of its own, as seen from the event loop of the server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from typing import TYPE_CHECKING, cast

from netsecgame.errors import EnvironmentDiedError
from netsecgame.remote.child import LENGTH
from netsecgame.remote.forkserver import CLOSE_S, NUMBER, TERMINATE_S, Order
from netsecgame.remote.host import WaitingHost

if TYPE_CHECKING:
    from netsecgame.remote.launching import Launched

_LOG = logging.getLogger(__name__)

#: How long a process that has ended may still have answers under way.
_LAST_ANSWER_S = 1.0

#: Longer than the orders that follow one another may take.
_END_S = CLOSE_S + TERMINATE_S + 3.0

#: A longer message is not copied to stand behind its length.
_MAX_JOINED_BYTES = 65_536


class ProcessHost(WaitingHost):
    """A process, its connection and its watch socket.

    Make one with `start`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._connection: asyncio.WriteTransport | None = None
        self._watch: asyncio.WriteTransport | None = None
        self._died: EnvironmentDiedError | None = None
        self._is_disconnected = False
        self._ended: asyncio.Future[int | None] = self._loop.create_future()
        self.pid: int | None = None  # None until the process is there

    @classmethod
    async def start(cls, launched: Launched, settings: bytes) -> ProcessHost:
        """Take a process that was launched.

        Args:
            launched: Its sockets.
            settings: The first message, from `child.pack_settings`.
        """
        host = cls()
        connect = host._loop.create_connection
        try:
            await connect(lambda: _Watch(host), sock=launched.watch)
            await connect(lambda: _Connection(host), sock=launched.connection)
        except BaseException:  # whoever wanted it may have been cancelled
            for each in launched:
                each.close()
            raise
        assert host._connection is not None
        host._connection.write(settings)
        return host

    @property
    def is_alive(self) -> bool:
        """Whether it can still be asked."""
        return not self._is_disconnected and not self._ended.done()

    async def close(self, *, is_stuck: bool = False) -> None:
        """See `Host.close`."""
        self._watchdog.close()
        self._order(Order.TERMINATE if is_stuck else Order.CLOSE)
        if self._connection is not None and not self._is_disconnected:
            # The process reads this as the end.
            if self._connection.can_write_eof() and not is_stuck:
                self._connection.write_eof()
            else:
                self._connection.close()
        try:
            async with asyncio.timeout(_END_S):
                await asyncio.shield(self._ended)
        except TimeoutError:
            _LOG.warning("the process %s of an environment does not end", self.pid)
        for transport in (self._connection, self._watch):
            if transport is not None:
                transport.abort()

    def _send(self, request: bytes) -> None:
        if self._died is not None:
            raise self._died
        if self._is_disconnected:
            return  # its exit code is about to come, and fails the answer
        assert self._connection is not None
        if len(request) > _MAX_JOINED_BYTES:
            self._connection.writelines([LENGTH.pack(len(request)), request])
        else:
            self._connection.write(LENGTH.pack(len(request)) + request)

    # --- called by the two sockets ---

    def on_connected(self, transport: asyncio.WriteTransport) -> None:
        """The connection can be used."""
        self._connection = transport

    def on_message(self, data: bytes) -> None:
        """An answer has come."""
        self._resolve(self._answer, data)

    def on_disconnected(self) -> None:
        """The process takes no more requests; its exit code follows, if it is there at all."""
        self._is_disconnected = True
        self._order(Order.CLOSE)
        if self._ended.done():
            self._die()

    def on_watched(self, transport: asyncio.WriteTransport) -> None:
        """The watch socket can be used."""
        self._watch = transport

    def on_end(self, exit_code: int | None, text: str = "") -> None:
        """The process has ended, with an exit code if anybody knows it."""
        if self._ended.done():
            return
        self._ended.set_result(exit_code)
        if exit_code is None and self.pid is not None:
            # Whoever would have ended it is gone.
            with contextlib.suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)
        self._died = EnvironmentDiedError(exit_code, text or explain_exit(exit_code))
        if self._is_disconnected:
            self._die()
        elif self._connection is not None:
            # What it wrote before its end is still to be read. A process that it started may hold
            # the connection open for ever.
            self._loop.call_later(_LAST_ANSWER_S, self._connection.abort)

    def _die(self) -> None:
        assert self._died is not None
        self._fail(self._answer, self._died)

    def _order(self, order: Order) -> None:
        if self._watch is not None and not self._ended.done():
            self._watch.write(bytes([order]))


class _Connection(asyncio.Protocol):
    """Cuts what comes from the process into messages."""

    def __init__(self, host: ProcessHost) -> None:
        self._host = host
        self._kept = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are of a class of their own.
        self._host.on_connected(cast("asyncio.WriteTransport", transport))

    def data_received(self, data: bytes) -> None:
        # Most answers come in one piece.
        if not self._kept and len(data) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(data)
            if len(data) == LENGTH.size + length:
                self._host.on_message(data[LENGTH.size :])
                return
        self._kept += data
        while len(self._kept) >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._kept)
            end = LENGTH.size + length
            if len(self._kept) < end:
                return
            message = bytes(memoryview(self._kept)[LENGTH.size : end])
            del self._kept[:end]
            self._host.on_message(message)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._host.on_disconnected()


class _Watch(asyncio.Protocol):
    """Reads what the forkserver tells about the process."""

    def __init__(self, host: ProcessHost) -> None:
        self._host = host
        self._kept = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._host.on_watched(cast("asyncio.WriteTransport", transport))

    def data_received(self, data: bytes) -> None:
        self._kept += data
        while len(self._kept) >= NUMBER.size:
            (number,) = NUMBER.unpack_from(self._kept)
            self._kept = self._kept[NUMBER.size :]
            if self._host.pid is not None:
                self._host.on_end(number)
            elif number < 0:
                self._host.on_end(None, f"no process could be started: {os.strerror(-number)}")
            else:
                self._host.pid = number

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._host.on_end(None)


def explain_exit(exit_code: int | None) -> str:
    """How the process of an environment ended, in words."""
    if exit_code is None:
        how = "is gone"
    elif exit_code < 0:
        try:
            name = signal.Signals(-exit_code).name
        except ValueError:
            name = f"signal {-exit_code}"
        how = f"was ended by {name}"
    else:
        how = f"ended with exit code {exit_code}"
    return f"the process of the environment {how}"
