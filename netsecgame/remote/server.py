"""The server of environments: a gRPC server with its health, and its life from start to stop."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import math
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Self

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from netsecgame.errors import RemoteConfigError
from netsecgame.remote.listening import (
    add_reflection,
    allow_files,
    channel_options,
    check_port,
)
from netsecgame.remote.metrics import MetricsServer
from netsecgame.remote.server_credentials import read_server_credentials
from netsecgame.remote.servicer import EnvironmentInfo, RemoteEnvironmentServicer
from netsecgame.remote.tls import join_address
from netsecgame.remote.wire_schema import SERVICE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike
    from types import TracebackType

    from netsecgame.remote.options import ServerOptions

__all__ = [
    "EnvironmentInfo",
    "RemoteEnvironmentServicer",
    "RemoteServer",
    "create_remote_environment_server",
    "serve",
]

#: How long statuses may take to reach clients when the server ends their streams.
_LAST_WORDS_S = 1.0

#: How long a wait goes on before Python looks for signals. The system gives the second of two
#: signals to any thread, and Python runs its handler in the main thread when that wakes up.
_SIGNAL_S = 0.2


def create_remote_environment_server(
    default_args: Mapping[str, Any] | None,
    url: str,
    port: int,
    server_credentials_paths: Sequence[str | PathLike[str] | None] | None = None,
    use_thread: bool = False,
    **options: Any,
) -> RemoteServer:
    """Start a server of environments, in a thread of its own.

    Args:
        default_args: What to host: ``entrypoint``, ``entrypoint_kwargs``, ``repo``, ``reference``
            (see `netsecgame.remote.args.RemoteArgs`); clients may change what the options allow.
        url: The host name or address to listen on; ``0.0.0.0`` is all.
        port: 0 takes a free one.
        server_credentials_paths: Certificate, key, and the CA of the clients' certificates or None
            if clients need none. None instead of all is plaintext.
        use_thread: The same as ``mode="thread"``.
        options: See `netsecgame.remote.options.ServerOptions`; ``config`` is the path of a TOML
            file with some.

    Returns:
        The server, which listens already. Stop it with `RemoteServer.stop`.

    Raises:
        RemoteConfigError: If there is nothing to host, or something cannot be as it is asked for.
        PortInUseError: If another program listens there.
        ValueError: If `server_credentials_paths` has another form.
        FileNotFoundError: If one of these files is not there.
        TypeError: If there is no such option.
    """
    server = RemoteServer(
        default_args, url, port, server_credentials_paths, use_thread=use_thread, **options
    )
    server.start()
    return server


serve = create_remote_environment_server


class RemoteServer:
    """A server of environments.

    A program with an event loop awaits `astart` and `astop`; others call `start` and `stop`, and
    the server runs in a thread. Its arguments are those of `create_remote_environment_server`.

    Attributes:
        security: ``tls``, ``mtls`` (clients need certificates) or ``plaintext``.
    """

    def __init__(
        self,
        default_args: Mapping[str, Any] | None,
        url: str,
        port: int,
        server_credentials_paths: Sequence[str | PathLike[str] | None] | None = None,
        **options: Any,
    ) -> None:
        self._credentials = read_server_credentials(server_credentials_paths)
        self._host = url
        self._wanted_port = port
        self._port: int | None = None
        # It starts what forks processes, so it comes before gRPC begins.
        self._servicer = RemoteEnvironmentServicer(default_args, **options)
        self._grpc_server: grpc.aio.Server | None = None
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]
        self._metrics: MetricsServer | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._stop_begun = asyncio.Event()
        self._terminated = threading.Event()
        if self._credentials is None:
            self.security = "plaintext"
        else:
            self.security = "mtls" if self._credentials.are_mutual else "tls"

    @property
    def port(self) -> int:
        """Where it listens; the one asked for until it does."""
        return self._wanted_port if self._port is None else self._port

    @property
    def address(self) -> str:
        """Where it listens, as ``host:port``."""
        return join_address(self._host, self.port)

    @property
    def options(self) -> ServerOptions:
        """Those it has, wherever they were given."""
        return self._servicer.options

    @property
    def environments(self) -> list[EnvironmentInfo]:
        """The environments there are, by number."""
        return self._servicer.environments

    @property
    def metrics_port(self) -> int | None:
        """Where Prometheus reads; None if nowhere."""
        return self._metrics.port if self._metrics is not None else None

    def stats(self) -> dict[str, Any]:
        """Environments now and ever, steps, errors and refusals by reason, step times."""
        return self._servicer.stats()

    # --- in a thread ---

    def start(self) -> None:
        """Listen, in a thread of its own.

        Raises:
            PortInUseError: If another program listens there.
            RemoteConfigError: If nobody can listen there.
        """
        started: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(started,), name="netsecgame-remote-server", daemon=True
        )
        self._thread.start()
        started.result()
        atexit.register(self.stop, 0)

    def stop(self, grace: float | None = None) -> None:
        """Take no new streams, let those that are open go on for a while, then close everything.

        Returns when all is closed. Another call meanwhile, from another thread or in a handler of
        a signal, can shorten the while.

        Args:
            grace: How long streams may go on, in seconds; None is the option `drain_s`.
        """
        if self._loop is None or self._thread is None:
            return
        with contextlib.suppress(RuntimeError):  # it has stopped
            self._loop.call_soon_threadsafe(self._begin_stop, grace)
        while self._thread.is_alive():
            self._thread.join(_SIGNAL_S)
        atexit.unregister(self.stop)

    def wait_for_termination(self, timeout: float | None = None) -> bool:
        """Wait until the server has stopped.

        Args:
            timeout: How long at most, in seconds; None is for ever.

        Returns:
            Whether the time ran out, as gRPC's own servers say it.
        """
        end = math.inf if timeout is None else time.monotonic() + timeout
        while not self._terminated.is_set():
            left = end - time.monotonic()
            if left <= 0:
                return True
            self._terminated.wait(min(left, _SIGNAL_S))
        return False

    def __enter__(self) -> Self:
        if self._loop is None:
            self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.stop(0)

    def _run(self, started: Future[None]) -> None:
        with asyncio.Runner(loop_factory=_new_event_loop) as runner:
            runner.run(self._live(started))

    async def _live(self, started: Future[None]) -> None:
        try:
            await self.astart()
        except BaseException as error:  # noqa: BLE001 - whoever starts it gets it
            started.set_exception(error)
            return
        started.set_result(None)
        await self._stop_begun.wait()
        assert self._stopping is not None
        await self._stopping

    # --- in the caller's event loop ---

    async def astart(self) -> None:
        """Listen, in the running event loop; see `start`."""
        self._loop = asyncio.get_running_loop()
        allow_files(self.options.max_environments)
        if self.options.metrics_port is not None:
            self._metrics = MetricsServer(
                self._servicer.statistics, self._host, self.options.metrics_port
            )
        try:
            self._grpc_server = self._bind()
        except BaseException:
            if self._metrics is not None:
                self._metrics.close()
            raise
        await self._health.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
        await self._grpc_server.start()
        self._servicer.warm_up()

    def _bind(self) -> grpc.aio.Server:
        address = join_address(self._host, self._wanted_port)
        check_port(self._host, self._wanted_port)
        server = grpc.aio.server(options=channel_options(self.options))
        server.add_generic_rpc_handlers((self._servicer,))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        if self.options.reflection:
            add_reflection(server)
        try:
            if self._credentials is None:
                self._port = server.add_insecure_port(address)
            else:
                self._port = server.add_secure_port(address, self._credentials.grpc_credentials)
        except RuntimeError as error:
            raise RemoteConfigError(f"{address}: nobody can listen there ({error})") from error
        return server

    async def astop(self, grace: float | None = None) -> None:
        """Stop, in the event loop of `astart`; see `stop`."""
        self._begin_stop(grace)
        assert self._stopping is not None
        await asyncio.shield(self._stopping)

    def _begin_stop(self, grace: float | None) -> None:
        self._servicer.drain(self.options.drain_s if grace is None else grace)
        if self._stopping is None:
            self._stopping = asyncio.get_running_loop().create_task(self._stop())
            self._stop_begun.set()

    async def _stop(self) -> None:
        assert self._grpc_server is not None
        try:
            await self._health.enter_graceful_shutdown()
            await self._servicer.drained()
            await self._servicer.close()
            await self._grpc_server.stop(_LAST_WORDS_S)
            if self._metrics is not None:
                await asyncio.to_thread(self._metrics.close)
        finally:
            self._terminated.set()


def _new_event_loop() -> asyncio.AbstractEventLoop:
    """The quickest there is: with uvloop, steps in processes and threads take a tenth less."""
    try:
        import uvloop  # noqa: PLC0415 - the extra `fast`; servers work without it
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
