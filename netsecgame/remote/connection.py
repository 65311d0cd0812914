"""One bidirectional gRPC stream to a server: requests go in as bytes, answers come out as bytes."""

from __future__ import annotations

import re
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

import grpc

from netsecgame.errors import (
    ConnectError,
    EnvironmentRaisedError,
    NotAllowedError,
    ProtocolViolationError,
    RemoteError,
    RemoteTimeoutError,
    ServerDrainingError,
    UnsupportedByServerError,
)
from netsecgame.remote.deadlines import Deadline
from netsecgame.remote.tls import diagnose, join_address, warn_about_plaintext
from netsecgame.remote.wire_schema import PROCESS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netsecgame.remote.options import ClientOptions
    from netsecgame.remote.tls import ClientCredentials

#: What of the time for connecting gRPC gets; the rest is for finding out why it failed.
_SHARE_OF_GRPC: Final = 0.7
#: A server that sends nothing after a ping for so long is gone.
_KEEPALIVE_TIMEOUT_S: Final = 5.0
_SHORTEST_LOOK_S: Final = 0.2

#: With this trailing metadata a server of ours says why it ends a stream.
_REASON_KEY: Final = "nsg-reason"
_DRAINING_REASONS: Final = ("DRAINING", "STOPPED")

# How gRPC's servers in Python tell of an exception: the blocking one, and the one of asyncio.
_RAISED_TEXTS: Final = (
    re.compile(r"Exception (?:iterating responses|calling application): (?P<text>.*)", re.DOTALL),
    re.compile(r"Unexpected <class '(?P<type>[^']*)'>: (?P<text>.*)", re.DOTALL),
)


class Server(NamedTuple):
    """Where a server is, and how to speak to it.

    Attributes:
        url: Its host.
        port: Its port.
        credentials: None is plaintext.
        options: Those of the client.
    """

    url: str
    port: int
    credentials: ClientCredentials | None
    options: ClientOptions

    @property
    def address(self) -> str:
        """Host and port as one text."""
        return join_address(self.url, self.port)


class Connection:
    """A stream over a channel of its own.

    Nothing happens before the first `exchange`. After an exception of `exchange` the connection is
    lost, and another one has to be made. Only one thread at a time may use it.

    Attributes:
        is_lost: Whether there can be no more exchanges.
    """

    def __init__(self, server: Server, *, keepalive: bool = True) -> None:
        """Prepare a connection.

        Args:
            server: Where to.
            keepalive: Whether to see to it that the server is still there; servers that are not
                ours may take that amiss.
        """
        self.is_lost = False
        self._server = server
        self._has_answered = False
        self._began_at = 0.0
        self._requests: SimpleQueue[bytes | None] = SimpleQueue()
        self._channel = _open_channel(server, keepalive=keepalive)
        self._call: Any = None
        self._deadline = Deadline(self._cancel)

    def exchange(self, requests: Sequence[bytes], timeout_s: float, phase: str) -> list[bytes]:
        """Send requests together; the answers to them in their order.

        Args:
            requests: At least one.
            timeout_s: For all answers; the first exchange has the time for connecting besides.
            phase: During what, for `RemoteTimeoutError`.

        Raises:
            ConnectError: If there is no connection, or none any more.
            TlsError: If TLS is the reason.
            RemoteTimeoutError: If the answers did not come in time.
            EnvironmentRaisedError: If the server ended the stream, because its environment raised.
            ServerDrainingError: If the server is shutting down.
            NotAllowedError: If the server refuses the client.
            UnsupportedByServerError: If it has no such service.
            ProtocolViolationError: If a message is too long.
        """
        if self.is_lost:
            raise ConnectError("lost", "the connection has ended", self._server.address)
        if self._call is None:
            timeout_s += self._server.options.connect_timeout_s
            self._begin()
        self._deadline.set(timeout_s)
        try:
            for request in requests:
                self._requests.put(request)
            answers = [next(self._call) for _ in requests]
        except (grpc.RpcError, grpc.FutureCancelledError, StopIteration) as error:
            self.is_lost = True
            self._deadline.lift()
            try:
                self._raise_for(error, phase, timeout_s)
            finally:
                self.abandon()
        except BaseException:  # a person's Ctrl-C: an answer on its way would be taken for the next
            self.abandon()
            raise
        self._deadline.lift()
        self._has_answered = True
        return answers

    def finish(self, farewell: bytes, timeout_s: float) -> None:
        """Say goodbye and wait until the server has ended the stream; no error ever comes out."""
        if self.is_lost or self._call is None:
            self.abandon()
            return
        try:
            self.exchange([farewell], timeout_s, "close")
            self._requests.put(None)
            self._deadline.set(timeout_s)
            for _ in self._call:  # no answer is due any more, only the end
                pass
        except (RemoteError, grpc.RpcError, grpc.FutureCancelledError):
            pass  # gone is gone
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Drop the connection without a word. Twice is fine."""
        self.is_lost = True
        self._deadline.lift()
        self._requests.put(None)  # ends gRPC's thread that waits for requests
        self._cancel()
        self._channel.close()

    def _begin(self) -> None:
        server = self._server
        if server.credentials is None:
            warn_about_plaintext(server.url, server.port, insecure=server.options.insecure)
        self._began_at = time.monotonic()
        process = self._channel.stream_stream(
            PROCESS, request_serializer=None, response_deserializer=None
        )
        self._call = process(iter(self._requests.get, None))

    def _cancel(self) -> None:
        if self._call is not None:
            self._call.cancel()

    def _raise_for(self, error: BaseException, phase: str, timeout_s: float) -> NoReturn:
        """Raise what a stream's end means."""
        address = self._server.address
        if self._deadline.is_over:
            text = f"{address}: no answer within {timeout_s:g} s ({phase})"
            raise RemoteTimeoutError(phase, text) from error
        if isinstance(error, StopIteration):
            raise ConnectError("lost", "the server ended the stream", address) from None
        code, details = self._call.code(), self._call.details() or ""
        reason = dict(self._call.trailing_metadata() or ()).get(_REASON_KEY)
        if reason in _DRAINING_REASONS:
            raise ServerDrainingError(f"{address}: {details}") from error
        if reason is not None:
            raise ConnectError("lost", details, address) from error
        if code is grpc.StatusCode.UNAVAILABLE and not self._has_answered:
            self._look_again(details, error)
        raise _error_of_status(code, details, address, phase) from error

    def _look_again(self, details: str, error: BaseException) -> NoReturn:
        """Raise why there is no connection."""
        server = self._server
        spent_s = time.monotonic() - self._began_at
        left_s = max(server.options.connect_timeout_s - spent_s, _SHORTEST_LOOK_S)
        layers = diagnose(server.url, server.port, server.credentials, left_s)
        found = layers[-1].error
        raise found or ConnectError("lost", details, server.address) from error


def _open_channel(server: Server, *, keepalive: bool) -> grpc.Channel:
    options = server.options
    connect_ms = int(options.connect_timeout_s * _SHARE_OF_GRPC * 1000)
    arguments: list[tuple[str, Any]] = [
        # A channel of its own for each environment: what one does never delays another.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.max_receive_message_length", options.max_message_bytes),
        ("grpc.max_send_message_length", -1),
        # How long one attempt to connect may take.
        ("grpc.min_reconnect_backoff_ms", connect_ms),
        ("grpc.initial_reconnect_backoff_ms", connect_ms),
        ("grpc.dns_ares_query_timeout", connect_ms),
        # The second look goes straight to the server, too.
        ("grpc.enable_http_proxy", 0),
        ("grpc.enable_retries", 0),
    ]
    if keepalive:
        timeout_ms = int(_KEEPALIVE_TIMEOUT_S * 1000)
        arguments += [
            ("grpc.keepalive_time_ms", int(options.keepalive_s * 1000)),
            ("grpc.keepalive_timeout_ms", timeout_ms),
            # Pings that measure the line count, too: while one is on its way, no other is sent.
            ("grpc.http2.ping_timeout_ms", timeout_ms),
        ]
    if server.credentials is None:
        return grpc.insecure_channel(server.address, arguments)
    return grpc.secure_channel(server.address, server.credentials.for_grpc(), arguments)


def _error_of_status(code: grpc.StatusCode, details: str, address: str, phase: str) -> RemoteError:
    """What the gRPC status means that ended a stream."""
    text = f"{address}: {details}"
    match code:
        case grpc.StatusCode.UNKNOWN:
            return _read_exception(details)
        case grpc.StatusCode.UNIMPLEMENTED:
            return UnsupportedByServerError(f"{address}: {PROCESS}: {details}")
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            limits = "the options max_message_bytes of both sides limit that"
            return ProtocolViolationError(f"{text}; {limits}")
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return RemoteTimeoutError(phase, f"{text} ({phase})")
        case grpc.StatusCode.PERMISSION_DENIED | grpc.StatusCode.UNAUTHENTICATED:
            return NotAllowedError(text)
    if "too many pings" in details.lower():
        details += "; a larger keepalive_s asks less often whether the server is there"
    return ConnectError("lost", f"{code.name}: {details}", address)


def _read_exception(details: str) -> EnvironmentRaisedError:
    """The exception that ended a stream of a server that has no better way to tell."""
    for pattern in _RAISED_TEXTS:
        if found := pattern.fullmatch(details):
            groups = found.groupdict()
            return EnvironmentRaisedError(groups.get("type") or "Exception", groups["text"])
    return EnvironmentRaisedError("Exception", details)
