"""The gRPC service: streams in, answers out.

Nothing is parsed here. Requests and answers are bytes, and a stream without work costs no thread.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
import grpc.aio

from netsecgame.errors import ServerDrainingError
from netsecgame.remote.args import check_server_args
from netsecgame.remote.gate import Client, Gate
from netsecgame.remote.host_factory import HostFactory
from netsecgame.remote.options import load_server_options
from netsecgame.remote.session import SessionOptions
from netsecgame.remote.statistics import Statistics
from netsecgame.remote.stream import Stream
from netsecgame.remote.watchdog import Watchdog
from netsecgame.remote.wire_schema import PROCESS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netsecgame.remote.options import ServerOptions

    _Context = grpc.aio.ServicerContext[bytes, bytes]


class EnvironmentInfo(NamedTuple):
    """One environment of a server.

    Attributes:
        env_id: Its number; of a vector, its first one's.
        peer: The client's address as gRPC writes it, e.g. ``ipv4:127.0.0.1:50000``.
        identity: The name in the client's certificate; None without one.
        entrypoint: What made it.
        created_at: When, in seconds since 1970; 0 while it is being made.
        steps: How many it has taken.
        state: ``making``, ``made``, ``joined``, ``gone`` (until the next reset) or ``closing``.
    """

    env_id: int
    peer: str
    identity: str | None
    entrypoint: str
    created_at: float
    steps: int
    state: str


class _End(NamedTuple):
    """How a server ends a stream of its own accord."""

    code: grpc.StatusCode
    reason: str  # for programs
    text: str


_DRAINING = _End(grpc.StatusCode.UNAVAILABLE, "DRAINING", "the server is shutting down")
_STOPPED = _End(grpc.StatusCode.UNAVAILABLE, "STOPPED", "the server has shut down")

#: The key of trailing metadata that says which end it is.
REASON_KEY = "nsg-reason"


class _Call:
    """A stream that is open, and how to end it."""

    def __init__(self, stream: Stream) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.stream = stream
        self.ended: _End | None = None
        self.task = task

    def end(self, how: _End) -> None:
        """End it wherever it is; the client still gets the status."""
        if self.ended is None:
            self.ended = how
            self.task.cancel()

    def was_ended(self) -> bool:
        """Whether a cancellation is the one of `end`; it does not count any more then."""
        if self.ended is None:
            return False
        self.task.uncancel()
        return True


class RemoteEnvironmentServicer(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    """Serves environments as a part of somebody's `grpc.aio` server.

    Add it with ``server.add_generic_rpc_handlers((servicer,))`` before the server starts, and
    `close` it before the event loop ends.

    Args:
        default_args: What to host; see `create_remote_environment_server`.
        use_thread: Whether environments run in threads.
        options: Those of a server.

    Raises:
        RemoteConfigError: If there is nothing to host, or an option makes no sense.
        TypeError: If there is no such option.
    """

    def __init__(
        self, default_args: Mapping[str, Any] | None, *, use_thread: bool = False, **options: Any
    ) -> None:
        self.options = load_options(options, use_thread=use_thread)
        server_args = check_server_args(default_args, self.options)
        self.statistics = Statistics()
        self._gate = Gate(server_args, self.options)
        self._factory = HostFactory(
            self.options.mode,
            server_args.maker(self.options),
            SessionOptions(
                plain_spaces=self.options.plain_spaces,
                check_actions=self.options.check_actions,
                traceback_to_client=self.options.traceback_to_client,
                exposed_attributes=self.options.exposed_attributes,
            ),
            self.options.prestart,
        )
        self._handler = grpc.stream_stream_rpc_method_handler(self._process)
        self._calls: dict[int, _Call] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._is_draining = False
        self._drained = asyncio.Event()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Called by gRPC: who answers a method."""
        return self._handler if handler_call_details.method == PROCESS else None

    @property
    def environments(self) -> list[EnvironmentInfo]:
        """The environments there are, by number."""
        found = []
        for call in list(self._calls.values()):
            stream, admission = call.stream, call.stream.admission
            if admission is not None:
                found.append(
                    EnvironmentInfo(
                        admission.env_id,
                        stream.client.peer,
                        stream.client.identity,
                        admission.entrypoint,
                        stream.created_at,
                        stream.steps,
                        stream.state,
                    )
                )
        return sorted(found)

    def stats(self) -> dict[str, Any]:
        """What has been done so far; see `Statistics.report`."""
        return self.statistics.report()

    def warm_up(self) -> None:
        """Keep as many processes ready as the options say; the first stream does it otherwise."""
        self._factory.fill()

    def drain(self, grace_s: float) -> None:
        """Take no new streams; those that are open may go on for so long.

        A second call can shorten the time, not prolong it.
        """
        self._is_draining = True
        if not self._calls or grace_s <= 0:
            self._drained.set()
        else:
            asyncio.get_running_loop().call_later(grace_s, self._drained.set)

    async def drained(self) -> None:
        """Wait until all streams have ended, or their time is over."""
        await self._drained.wait()

    async def close(self) -> None:
        """End all streams and all environments; takes a bounded time."""
        self.drain(0)
        for call in list(self._calls.values()):
            call.end(_STOPPED)
        while self._calls:
            await asyncio.wait({*self._closing, *(call.task for call in self._calls.values())})
        await self._factory.close()

    async def _process(self, _requests: object, context: _Context) -> None:
        """One stream, from its first request to its end."""
        if self._is_draining:
            await _abort(context, _DRAINING)
        stream = Stream(
            _client_of(context), self._gate, self._factory, self.options, self.statistics
        )
        call = self._calls[id(stream)] = _Call(stream)
        idle = _End(
            grpc.StatusCode.DEADLINE_EXCEEDED,
            "IDLE",
            f"the client was silent for {self.options.idle_timeout_s:g} s",
        )
        watchdog = Watchdog(lambda: call.end(idle))
        try:
            await self._converse(stream, context, watchdog)
        except ServerDrainingError:
            call.ended = _DRAINING
        except asyncio.CancelledError:
            if not call.was_ended():
                raise  # the client is gone
        finally:
            watchdog.close()
            closing = asyncio.create_task(self._close_stream(stream))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        if call.ended is not None:
            await _abort(context, call.ended)
        # A client that waits for the status knows that its number is free.
        await asyncio.shield(closing)

    async def _converse(self, stream: Stream, context: _Context, watchdog: Watchdog) -> None:
        # All that happens in a step, so what is looked up is looked up once.
        read, write, answer = context.read, context.write, stream.answer
        end: object = grpc.aio.EOF  # type: ignore[attr-defined]
        idle_timeout_s = self.options.idle_timeout_s
        watchdog.start(idle_timeout_s)
        while (request := await read()) is not end:
            watchdog.stop()
            response = await answer(request, may_create=not self._is_draining)
            # A client that does not read is as good as silent.
            watchdog.start(idle_timeout_s)
            await write(response)

    async def _close_stream(self, stream: Stream) -> None:
        try:
            await stream.close()
        finally:
            del self._calls[id(stream)]
            if self._is_draining and not self._calls:
                self._drained.set()


def load_options(options: Mapping[str, Any], *, use_thread: bool) -> ServerOptions:
    """The options of a server, from keywords as its functions take them.

    Args:
        options: By name, and `config`, the path of a TOML file.
        use_thread: Whether environments run in threads, whatever `options` say.
    """
    keywords = dict(options)
    config = keywords.pop("config", None)
    if use_thread:
        keywords["mode"] = "thread"
    return load_server_options(keywords, toml_path=config)


def _client_of(context: _Context) -> Client:
    return Client(context.peer(), _identity_of(context.auth_context()))


def _identity_of(auth_context: Mapping[str, Any]) -> str | None:
    """The first alternative name in a client's certificate, or else its common name."""
    for key in ("x509_subject_alternative_name", "x509_common_name"):
        for name in auth_context.get(key, ()):
            identity: str = name.decode(errors="replace")
            return identity
    return None


async def _abort(context: _Context, how: _End) -> None:
    await context.abort(how.code, how.text, ((REASON_KEY, how.reason),))
