"""How a stream ends, and what the client makes of it."""

from __future__ import annotations

import asyncio
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest

from netsecgame import errors
from netsecgame.errors import (
    ConnectError,
    EntrypointError,
    EnvironmentDiedError,
    EnvironmentRaisedError,
    NotAllowedError,
    ProtocolViolationError,
    RemoteConfigError,
    RemoteTimeoutError,
    ServerDrainingError,
    ServerFullError,
    UnsupportedByServerError,
)
from netsecgame.remote import RemoteEnvironment, RemoteVectorEnv
from netsecgame.remote.connection import Connection, Server
from netsecgame.remote.options import ClientOptions
from netsecgame.remote.wire_schema import SERVICE
from tests.integration.remote.entrypoints.obedient import EXIT, GO, HANG, KILL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netsecgame.remote.server import RemoteServer

    Host = Callable[..., RemoteServer]
    Handler = Callable[[Iterator[bytes], grpc.ServicerContext], Iterator[bytes]]


class _Servers:
    """Starts gRPC servers that answer with bytes."""

    def __init__(self) -> None:
        self.started: list[grpc.Server] = []

    def __call__(self, handler: Handler, service: str = SERVICE) -> Connection:
        """A connection to a server that handles streams this way."""
        server = grpc.server(ThreadPoolExecutor(2))
        method = grpc.stream_stream_rpc_method_handler(handler)
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, {"Process": method}),)
        )
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        self.started.append(server)
        return Connection(Server("127.0.0.1", port, None, ClientOptions()))


@pytest.fixture
def connect() -> Iterator[_Servers]:
    """Starts a server and gives a connection to it."""
    servers = _Servers()
    yield servers
    for server in servers.started:
        server.stop(0).wait()


def _echo(requests: Iterator[bytes], _: grpc.ServicerContext) -> Iterator[bytes]:
    yield from requests


def _ending(code: grpc.StatusCode, details: str, reason: str | None = None) -> Handler:
    def handle(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        yield next(requests)
        next(requests)
        if reason is not None:
            context.set_trailing_metadata((("nsg-reason", reason),))
        context.abort(code, details)

    return handle


def test_exchange_answers_in_order(connect: _Servers) -> None:
    connection = connect(_echo)
    assert connection.exchange([b"a"], 60, "step") == [b"a"]
    assert connection.exchange([b"b", b"c", b"d"], 60, "step") == [b"b", b"c", b"d"]
    connection.finish(b"bye", 60)
    assert connection.is_lost
    with pytest.raises(ConnectError, match="lost"):
        connection.exchange([b"e"], 60, "step")


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (grpc.StatusCode.UNKNOWN, None, EnvironmentRaisedError),
        (grpc.StatusCode.UNIMPLEMENTED, None, UnsupportedByServerError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, None, ProtocolViolationError),
        (grpc.StatusCode.DEADLINE_EXCEEDED, None, RemoteTimeoutError),
        (grpc.StatusCode.PERMISSION_DENIED, None, NotAllowedError),
        (grpc.StatusCode.UNAUTHENTICATED, None, NotAllowedError),
        (grpc.StatusCode.UNAVAILABLE, None, ConnectError),
        (grpc.StatusCode.INTERNAL, None, ConnectError),
        (grpc.StatusCode.UNAVAILABLE, "DRAINING", ServerDrainingError),
        (grpc.StatusCode.UNAVAILABLE, "STOPPED", ServerDrainingError),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "IDLE", ConnectError),
    ],
)
def test_exchange_of_a_stream_that_ends_raises_why(
    connect: _Servers,
    code: grpc.StatusCode,
    reason: str | None,
    expected: type[errors.RemoteError],
) -> None:
    connection = connect(_ending(code, "for this reason", reason))
    connection.exchange([b"a"], 60, "step")
    with pytest.raises(expected, match="for this reason") as caught:
        connection.exchange([b"b"], 60, "step")
    assert type(caught.value) is expected
    assert connection.is_lost


def test_exchange_of_a_stream_that_ends_well_is_lost(connect: _Servers) -> None:
    def answer_once(requests: Iterator[bytes], _: grpc.ServicerContext) -> Iterator[bytes]:
        yield next(requests)

    connection = connect(answer_once)
    connection.exchange([b"a"], 60, "step")
    with pytest.raises(ConnectError, match="ended the stream") as caught:
        connection.exchange([b"b"], 60, "step")
    assert caught.value.reason == "lost"


def test_exchange_with_another_service_is_unsupported(connect: _Servers) -> None:
    with pytest.raises(UnsupportedByServerError, match="Process"):
        connect(_echo, "some.other.Service").exchange([b"a"], 60, "create")


def test_exchange_that_is_interrupted_ends_the_stream(connect: _Servers) -> None:
    """Else the answer that is still due would be taken for that to the next request."""

    def press_ctrl_c(requests: Iterator[bytes], _: grpc.ServicerContext) -> Iterator[bytes]:
        for number, request in enumerate(requests):
            if number == 1:
                signal.raise_signal(signal.SIGINT)
                continue
            yield request

    connection = connect(press_ctrl_c)
    connection.exchange([b"a"], 60, "step")
    # Shells have their background processes ignore it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            connection.exchange([b"b"], 60, "step")
    finally:
        signal.signal(signal.SIGINT, before)
    assert connection.is_lost


def test_exchange_with_an_asyncio_server_that_raises_tells_what() -> None:
    ports: list[int] = []
    listens, stops = threading.Event(), threading.Event()

    async def handle(requests: Any, _: Any) -> Any:
        async for request in requests:
            yield request
            raise ValueError("not today")

    async def serve() -> None:
        server = grpc.aio.server()
        method = grpc.stream_stream_rpc_method_handler(handle)
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE, {"Process": method}),)
        )
        ports.append(server.add_insecure_port("127.0.0.1:0"))
        await server.start()
        listens.set()
        await asyncio.to_thread(stops.wait)
        await server.stop(0)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    listens.wait()
    connection = Connection(Server("127.0.0.1", ports[0], None, ClientOptions()))
    try:
        with pytest.raises(EnvironmentRaisedError) as caught:
            connection.exchange([b"a", b"b"], 60, "step")
        assert (caught.value.type_name, caught.value.message) == ("ValueError", "not today")
    finally:
        stops.set()
        thread.join()


@pytest.mark.parametrize(
    "answer",
    [b"", b"\xff\xff", b"\x1a\x00", b"\x0a\x00\x0a\x00", b"\x82\x01\x00"],
    ids=["nothing", "garbage", "step", "two", "error"],
)
def test_client_of_a_server_that_talks_nonsense_raises(connect: _Servers, answer: bytes) -> None:
    def talk(requests: Iterator[bytes], _: grpc.ServicerContext) -> Iterator[bytes]:
        yield from (answer for _ in requests)

    server = connect(talk)._server
    with pytest.raises(errors.RemoteError):
        RemoteEnvironment(server.url, server.port)


def test_client_of_a_server_that_stops_is_told(host: Host) -> None:
    server = host()
    env = RemoteEnvironment("127.0.0.1", server.port)
    env.reset()
    server.stop(0)
    with pytest.raises(ServerDrainingError):
        env.step(GO)
    with pytest.raises(ConnectError) as caught:
        env.reset()
    assert caught.value.reason == "refused"


def test_client_that_was_idle_for_too_long_reconnects_at_reset(
    host: Host, wait_until: Callable[..., None]
) -> None:
    server = host(idle_timeout_s=0.5)
    with RemoteEnvironment("127.0.0.1", server.port) as env:
        env.reset()
        wait_until(lambda: not server.environments)
        with pytest.raises(ConnectError) as caught:
            env.step(GO)
        assert caught.value.reason == "lost"
        assert env.reset()[0].tolist()[:3] == [0, 1, 0]
        wait_until(lambda: not server.environments)
        assert env.reset()[0].tolist()[:3] == [0, 1, 0]


@pytest.mark.parametrize(("action", "exit_code"), [(EXIT, 7), (KILL, -9)])
def test_client_of_an_environment_that_died_can_reset(
    host: Host, action: int, exit_code: int
) -> None:
    server = host(mode="process")
    with RemoteEnvironment("127.0.0.1", server.port) as env:
        env.reset()
        with pytest.raises(EnvironmentDiedError) as caught:
            env.step(action)
        assert caught.value.exit_code == exit_code
        assert env.reset()[0].tolist()[:3] == [0, 1, 0]
        assert env.step(GO)[0].tolist()[2] == 1


def test_client_of_an_environment_too_slow_for_the_server_can_reset(host: Host) -> None:
    server = host(mode="process", step_timeout_s=1.0)
    with RemoteEnvironment("127.0.0.1", server.port) as env:
        env.reset()
        with pytest.raises(RemoteTimeoutError) as caught:
            env.step(HANG)
        assert caught.value.phase == "step"
        assert env.reset()[0].tolist()[:3] == [0, 1, 0]


@pytest.mark.parametrize(
    ("remote_args", "expected"),
    [
        ({"entrypoint": "other.py"}, NotAllowedError),
        ({"repo": None}, NotAllowedError),
        ({"reference": "main"}, NotAllowedError),
        ({"unknown": 1}, RemoteConfigError),
        ({"entrypoint_kwargs": 1}, RemoteConfigError),
    ],
)
def test_client_arguments_that_the_server_refuses_raise(
    host: Host, remote_args: dict[str, Any], expected: type[errors.RemoteError]
) -> None:
    server = host()
    with pytest.raises(expected, match=f"127.0.0.1:{server.port}") as caught:
        RemoteEnvironment("127.0.0.1", server.port, remote_args)
    assert type(caught.value) is expected
    assert server.environments == []


def test_client_of_an_entrypoint_that_is_not_there_raises(host: Host) -> None:
    server = host(allowed_entrypoints=["math:nothing"])
    with pytest.raises(EntrypointError, match="nothing"):
        RemoteEnvironment("127.0.0.1", server.port, {"entrypoint": "math:nothing"})


def test_client_of_a_full_server_raises(host: Host) -> None:
    server = host(max_environments=1)
    with RemoteEnvironment("127.0.0.1", server.port) as env:
        with pytest.raises(ServerFullError):
            RemoteEnvironment("127.0.0.1", server.port)
        with pytest.raises(ServerFullError):
            RemoteVectorEnv("127.0.0.1", server.port, 2)
        env.reset()
