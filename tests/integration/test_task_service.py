"""A server that gets its task from an HTTP service."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from netsecgame.errors import ConfigurationError
from netsecgame.game.worlds.NetSecGame import NetSecGame
from tests.integration.server import HOST, join, make_task, serving, write_task

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.integration.server import Serve

OF_SERVICE, OF_FILE = make_task(attacker={"max_steps": 7}), make_task(attacker={"max_steps": 5})


@asynccontextmanager
async def service(status: str, body: bytes) -> AsyncIterator[int]:
    """Answers every HTTP request alike; gives the port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, HOST, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def max_steps_told(serve: Serve, task: Path | None, port: int) -> int:
    def world(host: str, own_port: int, *, task_config: Path, **options: Any) -> NetSecGame:
        return NetSecGame(host, own_port, task, service_host=HOST, service_port=port, **options)

    server = await serve(OF_FILE, world)
    client = await server.connect()
    return int((await client.ask(join()))["message"]["max_steps"])


async def test_task_of_the_service_wins_over_the_file(serve: Serve) -> None:
    file = write_task(serve.folder, OF_FILE)
    async with service("200 OK", json.dumps(OF_SERVICE).encode()) as port:
        assert await max_steps_told(serve, file, port) == 7
        assert await max_steps_told(serve, None, port) == 7


@pytest.mark.parametrize(
    ("status", "body"),
    [
        ("404 Not Found", b"{}"),
        ("500 Internal Server Error", json.dumps(OF_SERVICE).encode()),
        ("200 OK", b"<html>"),
        ("200 OK", b"[]"),
        ("200 OK", b'{"env": {}}'),
        ("200 OK", b""),
    ],
)
async def test_file_is_read_when_the_service_has_no_task(
    serve: Serve, status: str, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    file = write_task(serve.folder, OF_FILE)
    async with service(status, body) as port:
        assert await max_steps_told(serve, file, port) == 5

    (record,) = [r for r in caplog.records if "no task from" in r.getMessage()]
    assert str(file) in record.getMessage()


async def test_file_is_read_when_there_is_no_service(serve: Serve) -> None:
    async with service("200 OK", b"{}") as port:
        pass  # closed by now

    assert await max_steps_told(serve, write_task(serve.folder, OF_FILE), port) == 5


async def test_no_task_at_all_is_an_error_that_names_the_service(tmp_path: Path) -> None:
    def world(host: str, own_port: int, *, task_config: Path, **options: Any) -> NetSecGame:
        return NetSecGame(host, own_port, None, service_host=HOST, service_port=port, **options)

    async with service("404 Not Found", b"{}") as port:
        with pytest.raises(ConfigurationError, match=f"no task from http://{HOST}:{port}/"):
            async with serving(tmp_path, OF_FILE, world):
                pytest.fail("it must not start")
