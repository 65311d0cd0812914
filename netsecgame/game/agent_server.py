"""The TCP server: connections in, messages on the shared queue, answers out.

Each connection is a `ServerSession` (all protocol decisions) under a thin asyncio shell. A message
goes on the shared action queue as `(peer, JSON text)`; its answer comes through the peer's own
queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import socket
from typing import TYPE_CHECKING, Any, Protocol, cast

from netsecgame.errors import ConfigurationError
from netsecgame.game.queues import AnswerQueue, Peer
from netsecgame.game_components import Action, ActionType
from netsecgame.protocol.limits import Limits
from netsecgame.protocol.long_reply import LongReply
from netsecgame.protocol.messages import bad_request, forbidden
from netsecgame.protocol.session import ServerSession, SessionState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netsecgame.game.queues import Answer

#: Put on the shared queue for a peer that hung up: it quits the game.
QUIT_MESSAGE = Action(ActionType.QuitGame, {}).to_json()

#: Put there after each message of a peer that has already hung up but had sent more: it quits only
#: if that message has to wait for others. A peer that is gone holds no slot; one that sent all it
#: had to say and closed its side still gets its answers. To others it is a QuitGame like any; no
#: message of a peer ends with white space.
HANG_UP_MESSAGE = f"{QUIT_MESSAGE}\n"

DEFAULT_MAX_CONNECTIONS = 1_024

#: A message that is not complete after that long ends its connection.
DEFAULT_MESSAGE_TIMEOUT_S = 60.0

#: How long a peer may take to read its last answer. What it still sends is read and thrown away:
#: closing a socket with unread input makes the peer lose what it was sent.
_LINGER_S = 30.0

_READ_BYTES = 65_536

#: What is longer is written in pieces, which saves a copy where the event loop can do so.
_MAX_JOINED_BYTES = 8_192


class Closing(bytes):
    """An answer after which the server closes the connection."""


class _Output(Protocol):
    """What a connection writes to: an asyncio transport, or a StreamWriter."""

    def write(self, data: bytes, /) -> None: ...
    def writelines(self, list_of_data: list[bytes], /) -> None: ...
    def write_eof(self) -> None: ...
    def can_write_eof(self) -> bool: ...
    def close(self) -> None: ...
    def is_closing(self) -> bool: ...


class AgentConnection(asyncio.Protocol):
    """One connection: moves bytes between its socket, its session and the queues."""

    def __init__(self, server: AgentServer) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._output: _Output | None = None
        self._transport: asyncio.Transport | None = None
        self._session: ServerSession | None = None
        self._peer: Peer = ("", 0)
        self._timer: asyncio.TimerHandle | None = None
        self._is_admitted = False
        self._is_reading_paused = False
        self.may_read = asyncio.Event()
        self.may_read.set()
        self._is_parting = False
        self._is_held = False
        self._pieces: Iterator[bytes] | None = None  # what is still to come of a long reply
        self._is_piece_held = False  # until the peer has read more

    # --- called by asyncio ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet a new peer; begin to read."""
        # uvloop's transports are of a class of their own.
        self._transport = cast("asyncio.Transport", transport)
        connection = transport.get_extra_info("socket")
        if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.open(self._transport, transport.get_extra_info("peername"))

    def data_received(self, data: bytes) -> None:
        """Take bytes from the peer."""
        if self._session is None:
            return
        self._session.receive_data(data)
        self._pump()

    def eof_received(self) -> bool:
        """The peer will send nothing more; what it asked for before is still answered."""
        if self._session is None or self._session.state is not SessionState.OPEN:
            return False
        was_waiting = self._session.is_awaiting_reply
        self._session.receive_eof()
        if was_waiting:
            self._server.actions_queue.put_nowait((self._peer, HANG_UP_MESSAGE))
        self._pump()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone: so is the agent."""
        self._cancel_timer()
        self._pieces = None
        if self._session is not None:
            self._session.close()
        self._leave()
        self._server.forget(self)
        if exc is not None:
            self._server.logger.info("connection of %s broke: %s", self._peer, exc)

    def pause_writing(self) -> None:
        """The peer does not read its answers: stop reading its messages."""
        if self._session is not None:
            self._session.pause_writing()
            self._update_reading()

    def resume_writing(self) -> None:
        """The peer reads again."""
        if self._is_piece_held:
            self._is_piece_held = False
            self._loop.call_soon(self._write_piece)
        if self._session is not None:
            self._session.resume_writing()
            self._pump()

    # --- called by the server ---

    def open(self, output: _Output, peername: Any) -> None:
        """Admit the peer, or refuse it when there are too many."""
        self._output = output
        self._peer = (str(peername[0]), int(peername[1])) if peername else ("unknown", id(self))
        self._session = ServerSession(self._peer, self._server.limits)
        refusal = self._server.admit(self._peer, self)
        if refusal is None:
            self._is_admitted = True
        else:
            self._server.logger.warning("refused %s: %s", self._peer, refusal)
            self._session.close(forbidden(self._peer, refusal))
            self._flush()

    def hold(self) -> None:
        """The answer has to wait for other agents; the peer must not fill its backlog meanwhile."""
        self._is_held = True
        self._update_reading()

    def deliver(self, reply_json: Answer) -> None:
        """Send the answer to the message that waits for one."""
        session = self._session
        if session is None or not session.is_awaiting_reply:
            return
        self._is_held = False
        if isinstance(reply_json, LongReply):
            self._pieces = iter(reply_json)
            self._write_piece()
            return
        session.send_reply(reply_json, close=isinstance(reply_json, Closing))
        self._pump()

    def end(self, reason: str) -> None:
        """Close from the server's side; a peer that waits for an answer is told why."""
        if self._session is None:
            return
        is_waiting = self._session.is_awaiting_reply and self._pieces is None
        self._pieces = None
        self._session.close(forbidden(self._peer, reason) if is_waiting else None)
        self._flush()
        if self._output is not None:
            self._output.close()

    def abort(self) -> None:
        """Close at once, whatever the peer has not read yet."""
        if self._transport is not None:
            self._transport.abort()
        elif self._output is not None:
            self._output.close()

    # --- inside ---

    def _pump(self) -> None:
        """Hand the next message on, send off what is ready, and see to the limits."""
        session = self._session
        assert session is not None
        frame = session.next_request()
        if frame is not None:
            # Bytes that are no UTF-8 stay in the text as surrogates; decoding the message names
            # them.
            text = frame.decode(errors="surrogateescape")
            self._server.actions_queue.put_nowait((self._peer, text))
            if session.eof_received:
                self._server.actions_queue.put_nowait((self._peer, HANG_UP_MESSAGE))
            if not session.is_awaiting_reply:
                return  # it was answered on the spot, and what follows has been done for that
        self._flush()
        if self._is_reading_paused or self._timer is not None or session.has_backlog:
            self._update_reading()
            self._update_timer()

    def _flush(self) -> None:
        session, output = self._session, self._output
        assert session is not None
        assert output is not None
        if not output.is_closing():
            pieces = session.data_to_send()
            if sum(map(len, pieces)) > _MAX_JOINED_BYTES:
                output.writelines(pieces)
            elif pieces:
                output.write(b"".join(pieces))
        if session.state is SessionState.CLOSED:
            self._part()

    def _write_piece(self) -> None:
        """Write the next piece of a long reply; everybody else has a turn between two pieces.

        The session hears only of the end, so it hands out no other message before.
        """
        session, output, pieces = self._session, self._output, self._pieces
        if pieces is None:
            return
        assert session is not None
        assert output is not None
        if session.is_writing_paused:
            self._is_piece_held = True
            return
        try:
            piece = next(pieces, None)
        except Exception:
            self._server.logger.exception("could not make a long reply to %s", self._peer)
            self._pieces = None
            self.abort()
            return
        if piece is None:
            self._pieces = None
            session.send_reply(b"")
            self._pump()
            return
        output.write(piece)
        self._loop.call_soon(self._write_piece)

    def _part(self) -> None:
        """End a connection whose last answer is written."""
        output, session = self._output, self._session
        assert output is not None
        assert session is not None
        if self._is_parting or output.is_closing():
            return
        self._is_parting = True
        self._leave()
        self._cancel_timer()
        if session.eof_received or not output.can_write_eof():
            output.close()
        else:
            with contextlib.suppress(OSError):  # the peer may have broken the connection by now
                output.write_eof()
            self._set_reading(is_paused=False)
        self._timer = self._loop.call_later(_LINGER_S, self.abort)
        if not self._server.let_linger(self):
            self.abort()

    def _leave(self) -> None:
        """Make room for another peer, and take the agent out of the game."""
        if self._is_admitted:
            self._is_admitted = False
            self._server.release(self._peer, self)
            self._server.actions_queue.put_nowait((self._peer, QUIT_MESSAGE))

    def _update_reading(self) -> None:
        session = self._session
        assert session is not None
        if session.is_reading_paused and self._is_held:
            # A socket that is not read does not tell when its peer is gone.
            self._refuse("too much was sent while an answer had to wait for other agents")
        else:
            self._set_reading(is_paused=session.is_reading_paused)

    def _set_reading(self, *, is_paused: bool) -> None:
        transport = self._transport
        if is_paused is self._is_reading_paused:
            return
        self._is_reading_paused = is_paused
        if is_paused:
            self.may_read.clear()
        else:
            self.may_read.set()
        if transport is None or transport.is_closing():
            return
        if is_paused:
            transport.pause_reading()
        else:
            transport.resume_reading()

    def _update_timer(self) -> None:
        """A message that has begun must come to its end in time."""
        session = self._session
        assert session is not None
        if session.state is not SessionState.OPEN:
            return
        is_partial = session.has_partial and not session.is_awaiting_reply
        if not is_partial:
            self._cancel_timer()
        elif self._timer is None:
            self._timer = self._loop.call_later(self._server.message_timeout_s, self._give_up)

    def _give_up(self) -> None:
        self._timer = None
        self._refuse(f"the message was not complete after {self._server.message_timeout_s:g} s")

    def _refuse(self, reason: str) -> None:
        """Close, and tell the peer why."""
        assert self._session is not None
        self._session.close(bad_request(self._peer, reason))
        self._flush()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class BufferedConnection(AgentConnection, asyncio.BufferedProtocol):
    """A connection that brings the buffer to read into.

    Without one, asyncio's own loop asks for 256 KiB of memory for each read, often in new pages,
    which takes longer than all the rest of a message. uvloop has a buffer of its own.
    """

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - messages are short
        """Where the next bytes from the peer go."""
        return self._server.read_buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take bytes from the peer."""
        self.data_received(bytes(self._server.read_buffer[:nbytes]))


class AgentServer:
    """Takes the agents' connections.

    Call it with a reader and a writer to serve one connection (`asyncio.start_server` does), or
    give `connect` to `loop.create_server`, which is faster.

    Attributes:
        actions_queue: Gets `(peer, message)`; at most three entries a connection wait in it, so
            it needs no bound of its own.
        answers_queues: An `AnswerQueue` for every open connection.
        max_connections: Further peers are refused.
        limits: Bounds on messages and backlog.
        message_timeout_s: How long a message may take to come in, in seconds.
        logger: What is logged to.
        read_buffer: Where the bytes of all connections come in.
    """

    def __init__(
        self,
        actions_queue: asyncio.Queue[tuple[Peer, Any]],
        agent_response_queues: dict[Peer, asyncio.Queue[bytes]],
        max_connections: int = DEFAULT_MAX_CONNECTIONS,
        *,
        limits: Limits | None = None,
        message_timeout_s: float = DEFAULT_MESSAGE_TIMEOUT_S,
        logger: logging.Logger | None = None,
    ) -> None:
        if not 0 < message_timeout_s < math.inf:
            raise ConfigurationError(
                f"expected seconds, more than 0, got {message_timeout_s}", path="message_timeout"
            )
        self.actions_queue = actions_queue
        self.answers_queues = agent_response_queues
        self.max_connections = max_connections
        self.limits = limits or Limits()
        self.message_timeout_s = message_timeout_s
        self.logger = logger or logging.getLogger(__name__)
        # One for all: event loops fill it and tell of it in one go.
        self.read_buffer = memoryview(bytearray(_READ_BYTES))
        self._connections: dict[Peer, AgentConnection] = {}
        self._lingering: set[AgentConnection] = set()
        self._nobody_lingers = asyncio.Event()
        self._nobody_lingers.set()

    @property
    def current_connections(self) -> int:
        """How many connections are open and were not refused."""
        return len(self._connections)

    def connect(self) -> AgentConnection:
        """A protocol object for `loop.create_server`."""
        is_asyncio = isinstance(asyncio.get_running_loop(), asyncio.SelectorEventLoop)
        return BufferedConnection(self) if is_asyncio else AgentConnection(self)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it ends."""
        connection = AgentConnection(self)
        connection.open(writer, writer.get_extra_info("peername"))
        error: Exception | None = None
        try:
            while data := await reader.read(_READ_BYTES):
                connection.data_received(data)
                await writer.drain()
                await connection.may_read.wait()
            if connection.eof_received():
                await writer.wait_closed()
        except ConnectionError as broken:
            error = broken
        finally:
            connection.connection_lost(error)
            writer.close()

    def admit(self, peer: Peer, connection: AgentConnection) -> str | None:
        """Take a connection in, with an answer queue; or say why not."""
        if len(self._connections) >= self.max_connections:
            return f"too many connections: this server takes {self.max_connections}"
        self._connections[peer] = connection
        self.answers_queues[peer] = AnswerQueue(connection.deliver)
        return None

    def release(self, peer: Peer, connection: AgentConnection) -> None:
        """Make room: a connection takes no more messages."""
        if self._connections.get(peer) is connection:
            del self._connections[peer]
            self.answers_queues.pop(peer, None)

    def hold(self, peer: Peer) -> None:
        """Note that the answer to a peer has to wait for other agents, maybe for long."""
        connection = self._connections.get(peer)
        if connection is not None:
            connection.hold()

    def let_linger(self, connection: AgentConnection) -> bool:
        """Whether a connection that takes no more messages may stay until its peer has read all."""
        if len(self._lingering) >= self.max_connections:
            return False
        self._lingering.add(connection)
        self._nobody_lingers.clear()
        return True

    def forget(self, connection: AgentConnection) -> None:
        """A connection is gone."""
        self._lingering.discard(connection)
        if not self._lingering:
            self._nobody_lingers.set()

    async def end_all(self, reason: str, timeout_s: float) -> None:
        """Close every connection; peers that wait for an answer are told why.

        Args:
            reason: What they are told.
            timeout_s: After that time, peers that have not read all that was sent are cut off.
        """
        for connection in [*self._connections.values(), *self._lingering]:
            connection.end(reason)
        try:
            async with asyncio.timeout(timeout_s):
                await self._nobody_lingers.wait()
        except TimeoutError:
            for connection in self._lingering:
                connection.abort()
