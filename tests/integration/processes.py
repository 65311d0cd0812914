"""Servers in processes of their own, started as users start them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

import psutil

from tests.integration.server import DEADLINE_S, Client

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator
    from pathlib import Path

WORLD = "netsecgame.game.worlds.NetSecGame"

#: The event loops that a server can run on here.
LOOPS = ["asyncio", "uvloop"] if find_spec("uvloop") else ["asyncio"]

_POLL_S = 0.01


class ServerProcess:
    """A server process that listens.

    Attributes:
        process: The process.
        port: Where it listens.
    """

    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self.port = port
        self._clients: list[Client] = []

    async def connect(self) -> Client:
        """A new client; it is closed with the server."""
        client = await Client.connect(self.port)
        self._clients.append(client)
        return client

    def close_clients(self) -> None:
        for client in self._clients:
            client.drop()

    async def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal; returns the exit status and what stands on stderr."""
        self.process.send_signal(number)
        return await end_of(self.process)


async def start(folder: Path, *arguments: str, hash_seed: str = "random") -> Process:
    """Start a server in a working directory of its own; does not wait for it."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-W",
        "error",
        "-m",
        WORLD,
        *arguments,
        cwd=folder,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        stderr=asyncio.subprocess.PIPE,
    )


async def end_of(process: Process) -> tuple[int, str]:
    """Wait until a process has ended; returns the exit status and what stands on stderr."""
    async with asyncio.timeout(DEADLINE_S):
        _, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, errors.decode()


@asynccontextmanager
async def serving_process(
    folder: Path, task: Path, *arguments: str, hash_seed: str = "random"
) -> AsyncIterator[ServerProcess]:
    """A server process on a free port, from when it listens until it has ended."""
    process = await start(folder, "-c", str(task), "-gp", "0", *arguments, hash_seed=hash_seed)
    try:
        server = ServerProcess(process, await _port_of(process))
        try:
            yield server
        finally:
            server.close_clients()
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _port_of(process: Process) -> int:
    watched = psutil.Process(process.pid)
    async with asyncio.timeout(DEADLINE_S):
        while process.returncode is None:
            for connection in watched.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    return int(connection.laddr.port)
            await asyncio.sleep(_POLL_S)
    _, errors = await end_of(process)
    raise AssertionError(f"the server did not start: {errors}")
