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
            batch = [await self._waiting.get()]
            while not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            # Opening a file costs more than writing a line to it.
            by_file: dict[str, list[bytes]] = {}
            for file_name, line in batch:
                by_file.setdefault(file_name, []).append(line)
            try:
                for file_name, lines in by_file.items():
                    await self._append(self._directory / file_name, b"".join(lines))
            finally:
                self._waiting_bytes -= sum(len(line) for _, line in batch)
                self._has_room.set()
                for _ in batch:
                    self._waiting.task_done()

    async def _append(self, path: Path, lines: bytes) -> None:
        """Write whole lines, as many as there is room for."""
        try:
            await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
            async with aiofiles.open(path, "ab", buffering=0) as file:
                size = await file.tell()
                written = 0
                try:
                    written = await file.write(lines)
                finally:
                    if written != len(lines):
                        await file.truncate(size + lines.rfind(b"\n", 0, written) + 1)
        except OSError:
            logger.exception("could not store trajectories in %s", path)
        else:
            if written != len(lines):
                logger.error("could not store trajectories in %s: no room", path)
