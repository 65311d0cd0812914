"""A bare gRPC echo: the least that a server with one bidirectional stream a client can do.

It answers each message with the same bytes. ``python -m netsecgame.remote.echo 50`` answers
with 50 of them, tells its port on stdout, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_PROCESS = "/echo.Echo/Process"
_END_S = 10.0


class EchoClient:
    """Speaks to an echo server as bare as it goes from a blocking program.

    Attributes:
        port: Of the server.
    """

    def __init__(self, port: int, request_bytes: int) -> None:
        self.port = port
        self._request = bytes(request_bytes)
        self._requests: SimpleQueue[bytes | None] = SimpleQueue()
        self._channel = grpc.insecure_channel(
            f"127.0.0.1:{port}",
            [
                ("grpc.use_local_subchannel_pool", 1),
                ("grpc.enable_http_proxy", 0),
                ("grpc.max_receive_message_length", -1),
            ],
        )
        process = self._channel.stream_stream(
            _PROCESS, request_serializer=None, response_deserializer=None
        )
        self._answers: Any = process(iter(self._requests.get, None))
        self.ask()

    def ask(self) -> bytes:
        """Send a message; the answer."""
        self._requests.put(self._request)
        answer: bytes = next(self._answers)
        return answer

    def rate(self, seconds: float) -> float:
        """Round trips per second, in about so much time."""
        count = 0
        begin = now = time.perf_counter()
        while now - begin < seconds:
            self.ask()
            count += 1
            now = time.perf_counter()
        return count / (now - begin)

    def close(self) -> None:
        """Hang up."""
        self._requests.put(None)
        self._answers.cancel()
        self._channel.close()


@contextmanager
def echo(request_bytes: int, answer_bytes: int) -> Iterator[EchoClient]:
    """A client of an echo server, in a process of its own, that ends with the block."""
    command = [sys.executable, "-m", __name__, str(answer_bytes)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            client = EchoClient(int(process.stdout.readline()), request_bytes)
            try:
                yield client
            finally:
                client.close()
        finally:
            process.stdin.close()
            process.wait(_END_S)


class _Echo(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def service(self, _details: grpc.HandlerCallDetails) -> Any:
        return grpc.stream_stream_rpc_method_handler(self._process)

    async def _process(
        self, requests: AsyncIterator[bytes], _context: object
    ) -> AsyncIterator[bytes]:
        async for _ in requests:
            yield self._answer


async def _serve(answer_bytes: int) -> None:
    server = grpc.aio.server(
        options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1)]
    )
    server.add_generic_rpc_handlers((_Echo(bytes(answer_bytes)),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)  # noqa: T201 - whoever started this process reads it
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
