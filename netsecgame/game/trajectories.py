"""Trajectories on disk: one JSON line per agent and episode, whole or not at all."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import aiofiles

if TYPE_CHECKING:
    from netsecgame.game_components import AgentRole

logger = logging.getLogger(__name__)

#: Where trajectories are stored, under the working directory.
DIRECTORY = Path("logs") / "trajectories"

#: What may wait for the disk; further episodes wait with their end until there is room.
MAX_WAITING_BYTES = 64 * 1024 * 1024


class TrajectoryStore:
    """Appends trajectories to files, in the background and one after another.

    Lines are made when `save` is called, so later steps do not change them.
    """

    def __init__(self, directory: Path = DIRECTORY) -> None:
        self._directory = directory
        self._waiting: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self._waiting_bytes = 0
        self._has_room = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    async def save(self, name: str, role: AgentRole, trajectory: bytes) -> None:
        """Queue one trajectory; waits only while very much is queued.

        Args:
            name: The agent's cleaned name.
            role: Its role.
            trajectory: As `core.trajectory.Trajectory.as_json` makes it.
        """
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())
        day = datetime.now().astimezone().date().isoformat()
        while self._waiting_bytes > MAX_WAITING_BYTES:
            self._has_room.clear()
            await self._has_room.wait()
        line = trajectory + b"\n"
        self._waiting_bytes += len(line)
        self._waiting.put_nowait((f"{day}_{name}_{role}.jsonl", line))

    async def close(self) -> None:
        """Wait until everything is written."""
        if self._writer is not None:
            await self._waiting.join()
            self._writer.cancel()
            await asyncio.wait([self._writer])
            self._writer = None

    async def _write_all(self) -> None:
        while True:
            file_name, line = await self._waiting.get()
            try:
                await self._append(self._directory / file_name, line)
            except OSError:
                logger.exception("could not store a trajectory in %s", self._directory / file_name)
            finally:
                self._waiting_bytes -= len(line)
                self._has_room.set()
                self._waiting.task_done()

    async def _append(self, path: Path, line: bytes) -> None:
        await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
        async with aiofiles.open(path, "ab", buffering=0) as file:
            size = await file.tell()
            try:
                is_whole = await file.write(line) == len(line)
            except OSError:
                await file.truncate(size)
                raise
            if not is_whole:
                await file.truncate(size)
                raise OSError(f"{path}: no room for {len(line)} bytes")
