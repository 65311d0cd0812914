"""One connection's side of the conversation, without its socket.

Whoever owns the socket hands in the bytes that came (`receive_data`) and sends off the bytes that
are ready (`data_to_send`); what lies between is here, and can be tested without a network.

A `ServerSession` is in one of three states:

    state    | what comes in           | what goes out   | ends by
    ---------|-------------------------|-----------------|----------------------------------------
    OPEN     | messages, one at a time | one reply each  | a last reply, a broken limit, `close`,
             |                         |                 | or the peer's end of input when all its
             |                         |                 | complete messages are answered
    CLOSING  | discarded               | what is queued  | `data_to_send` handing it over
    CLOSED   | discarded               | nothing         | (flush and close the socket)

Inside OPEN a session takes turns: `next_request` hands out a message, and nothing more comes out of
the backlog until `send_reply` has answered it. So replies are in the order of the messages, and so
are the session's own replies, to bytes that are no message.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from netsecgame.errors import FramingError
from netsecgame.game_components import ProtocolConfig
from netsecgame.protocol.framing import Garbage, MessageFramer, ReplyFramer
from netsecgame.protocol.limits import Limits
from netsecgame.protocol.messages import Reply, bad_request, decode_reply, encode_request

if TYPE_CHECKING:
    from netsecgame.game_components import Action


class SessionState(Enum):
    """How far a connection has come; see the module's table."""

    OPEN = auto()
    CLOSING = auto()
    CLOSED = auto()


class ServerSession:
    """The server's half of one connection.

    Args:
        peer: Host and port of the client; replies carry them.
        limits: Bounds on messages and backlog.
    """

    def __init__(self, peer: tuple[str, int], limits: Limits | None = None) -> None:
        self.peer = peer
        self._limits = limits or Limits()
        self._framer = MessageFramer(self._limits)
        self._state = SessionState.OPEN
        self._outbox: list[bytes] = []
        self._is_awaiting_reply = False
        self._is_writing_paused = False
        self._eof_received = False

    @property
    def state(self) -> SessionState:
        """How far the connection has come."""
        return self._state

    @property
    def is_awaiting_reply(self) -> bool:
        """Whether a message was handed out that has not been answered."""
        return self._is_awaiting_reply

    @property
    def is_writing_paused(self) -> bool:
        """Whether the peer does not read its replies."""
        return self._is_writing_paused

    @property
    def is_reading_paused(self) -> bool:
        """Whether so much waits to be handed out that the socket should not be read now."""
        return self._framer.buffered_bytes > self._limits.max_backlog_bytes

    @property
    def has_backlog(self) -> bool:
        """Whether bytes have come in that no message handed out so far contains."""
        return self._framer.buffered_bytes > 0

    @property
    def has_partial(self) -> bool:
        """Whether a message has begun whose end the last `next_request` did not find."""
        return self._framer.has_partial

    @property
    def eof_received(self) -> bool:
        """Whether the peer will send nothing more."""
        return self._eof_received

    def receive_data(self, data: bytes) -> None:
        """Take bytes that came from the peer; call `next_request` after it."""
        if self._state is SessionState.OPEN:
            self._framer.feed(data)

    def receive_eof(self) -> None:
        """Note that the peer will send nothing more; call `next_request` after it.

        Complete messages that wait are still handed out; an incomplete one is dropped.
        """
        self._eof_received = True

    def next_request(self) -> bytes | None:
        """The raw JSON of the next message, or None when it is not its turn or not complete.

        Call it until it gives None after each `receive_data`, `receive_eof`, `send_reply` and
        `resume_writing`; then send `data_to_send` off: the session may have answered bytes that are
        no message, and may have ended.
        """
        if (
            self._state is not SessionState.OPEN
            or self._is_awaiting_reply
            or self._is_writing_paused
        ):
            return None
        try:
            frame = self._framer.next_frame()
            while isinstance(frame, Garbage):
                shown = repr(frame.excerpt)[1:]
                self._queue(bad_request(self.peer, f"expected a JSON object, got {shown}"))
                frame = self._framer.next_frame()
        except FramingError as error:
            self.close(bad_request(self.peer, str(error)))
            return None
        if frame is not None:
            self._is_awaiting_reply = True
        elif self._eof_received:
            self.close()
        return frame

    def send_reply(self, reply_json: bytes | list[bytes], *, close: bool = False) -> None:
        """Answer the message handed out last.

        Args:
            reply_json: The reply without the `EOF` marker, as `encode_reply` gives it; or pieces of
                it, as `encode_step_reply` does.
            close: Whether this is the connection's last reply.

        Raises:
            RuntimeError: If no message waits for a reply.
        """
        if not self._is_awaiting_reply:
            raise RuntimeError(f"no message of {self.peer} waits for a reply")
        self._is_awaiting_reply = False
        if close:
            self.close(reply_json)
        else:
            self._queue(reply_json)

    def close(self, reply_json: bytes | list[bytes] | None = None) -> None:
        """End the session from this side; a message handed out is not answered any more.

        Args:
            reply_json: A last reply, which needs no message that asks for it.
        """
        if self._state is not SessionState.OPEN:
            return
        if reply_json is not None:
            self._queue(reply_json)
        self._framer = MessageFramer(self._limits)
        self._is_awaiting_reply = False
        self._state = SessionState.CLOSING if self._outbox else SessionState.CLOSED

    def data_to_send(self) -> list[bytes]:
        """Take what is to be sent to the peer, in order."""
        outbox, self._outbox = self._outbox, []
        if self._state is SessionState.CLOSING:
            self._state = SessionState.CLOSED
        return outbox

    def pause_writing(self) -> None:
        """Hand out no messages while the peer does not read its replies."""
        self._is_writing_paused = True

    def resume_writing(self) -> None:
        """The peer reads again; call `next_request` after it."""
        self._is_writing_paused = False

    def _queue(self, reply_json: bytes | list[bytes]) -> None:
        if isinstance(reply_json, list):
            self._outbox += reply_json
            self._outbox.append(ProtocolConfig.END_OF_MESSAGE)
        else:
            self._outbox.append(reply_json + ProtocolConfig.END_OF_MESSAGE)


class ClientSession:
    """The client's half of one connection."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._framer = ReplyFramer(limits)

    def send(self, action: Action) -> bytes:
        """The bytes that ask the server for the action."""
        return encode_request(action)

    def receive_data(self, data: bytes) -> None:
        """Take bytes that came from the server."""
        self._framer.feed(data)

    def receive_eof(self) -> None:
        """Note that the server will send nothing more.

        Raises:
            FramingError: If it stopped in the middle of a reply.
        """
        if self._framer.has_partial:
            raise FramingError("the connection ended in the middle of a reply")

    def next_frame(self) -> bytes | None:
        """The raw JSON of the next reply, or None when more bytes are needed.

        Raises:
            MessageTooLargeError: If the reply is longer than the limit; nothing comes after it.
        """
        return self._framer.next_frame()

    def next_reply(self) -> Reply | None:
        """The next reply, or None when more bytes are needed.

        Raises:
            BadReplyError: If the reply is not understandable; the ones after it still come.
            MessageTooLargeError: As in `next_frame`.
        """
        frame = self.next_frame()
        return None if frame is None else decode_reply(frame)
