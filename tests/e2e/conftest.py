from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
import yaml

from netsecgame.game.worlds.NetSecGame import NetSecGame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HOST = "127.0.0.1"

#: Starts a server with a task (a file, or what would be in one) and options; returns its port.
Serve: TypeAlias = "Callable[..., int]"


class ServerThread:
    """A server in a thread of its own, for agents that block."""

    def __init__(self, task: Path, **options: Any) -> None:
        self._started: Future[NetSecGame] = Future()
        self._thread = threading.Thread(target=self._run, args=(task, options))
        self._thread.start()
        self._world = self._started.result(timeout=10)
        self.port = self._world.port

    def _run(self, task: Path, options: dict[str, Any]) -> None:
        try:
            asyncio.run(self._serve(task, options))
        except Exception as error:
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def _serve(self, task: Path, options: dict[str, Any]) -> None:
        self._loop = asyncio.get_running_loop()
        world = NetSecGame(HOST, 0, task, **options)
        serving = asyncio.create_task(world.start_tasks())
        listening = asyncio.create_task(world.is_listening.wait())
        await asyncio.wait({serving, listening}, return_when=asyncio.FIRST_COMPLETED)
        if listening.done():
            self._started.set_result(world)
        await serving

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._world.shutdown_flag.set)
        self._thread.join(timeout=10)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts servers that stop with the test."""
    servers: list[ServerThread] = []

    def start(task: Path | dict[str, Any], **options: Any) -> int:
        if isinstance(task, dict):
            path = tmp_path / f"task_{len(servers)}.yaml"
            path.write_text(yaml.safe_dump(task), encoding="utf-8")
            task = path
        servers.append(ServerThread(task, trajectory_dir=tmp_path / "trajectories", **options))
        return servers[-1].port

    yield start
    for server in servers:
        server.stop()
