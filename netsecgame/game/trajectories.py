"""Trajectories on disk: one JSON line per agent and episode, whole or not at all."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import aiofiles

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Iterator

    from netsecgame.game_components import AgentRole

#: Where trajectories are stored, under the working directory.
DIRECTORY = Path("logs") / "trajectories"

#: What may wait for the disk; further episodes wait with their end until there is room.
MAX_WAITING_BYTES = 64 * 1024 * 1024

#: Made in one go, which takes a fraction of a millisecond; others have their turn while the disk
#: takes it.
_BLOCK_BYTES = 128 * 1024


class _Waiting(NamedTuple):
    """A trajectory that is not written."""

    file_name: str
    pieces: Iterable[bytes]
    kept_bytes: int


class TrajectoryStore:
    """Appends trajectories to files, in the background and one after another."""

    def __init__(self, directory: Path | None = None, logger: logging.Logger | None = None) -> None:
        self._directory = directory or DIRECTORY
        self._logger = logger or logging.getLogger(__name__)
        self._waiting: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._waiting_bytes = 0
        self._has_room = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    async def save(
        self, name: str, role: AgentRole, pieces: Iterable[bytes], kept_bytes: int
    ) -> None:
        """Queue one trajectory; waits only while very much is queued.

        Args:
            name: The agent's cleaned name.
            role: Its role.
            pieces: As `core.trajectory.Trajectory.json_pieces` makes them; asked for later.
            kept_bytes: How much memory they need until then.
        """
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())
        day = datetime.now().astimezone().date().isoformat()
        while self._waiting_bytes > MAX_WAITING_BYTES:
            self._has_room.clear()
            await self._has_room.wait()
        self._waiting_bytes += kept_bytes
        self._waiting.put_nowait(_Waiting(f"{day}_{name}_{role}.jsonl", pieces, kept_bytes))

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
            by_file: dict[str, list[Iterable[bytes]]] = {}
            for waiting in batch:
                by_file.setdefault(waiting.file_name, []).append(waiting.pieces)
            try:
                for file_name, lines in by_file.items():
                    await self._append(self._directory / file_name, lines)
            finally:
                self._waiting_bytes -= sum(waiting.kept_bytes for waiting in batch)
                self._has_room.set()
                for _ in batch:
                    self._waiting.task_done()

    async def _append(self, path: Path, lines: list[Iterable[bytes]]) -> None:
        """Write whole lines, as many as there is room for."""
        try:
            await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
            async with aiofiles.open(path, "ab", buffering=0) as file:
                size = whole_size = await file.tell()
                is_done = False
                try:
                    for block in _blocks_of(lines):
                        written = await _finish(file.write(block))
                        last_end = block.rfind(b"\n", 0, written)
                        if last_end >= 0:
                            whole_size = size + last_end + 1
                        size += written
                        if written != len(block):
                            self._logger.error("could not store trajectories in %s: no room", path)
                            break
                    else:
                        is_done = True
                finally:
                    if not is_done:
                        await file.truncate(whole_size)
        except Exception:
            self._logger.exception("could not store trajectories in %s", path)


def _blocks_of(lines: Iterable[Iterable[bytes]]) -> Iterator[bytearray]:
    """Lines given in pieces, joined into blocks that are worth a call to the disk."""
    block = bytearray()
    for line in lines:
        for piece in line:
            block += piece
            if len(block) >= _BLOCK_BYTES:
                yield block
                block = bytearray()
        block += b"\n"
    yield block


async def _finish(writing: Awaitable[int]) -> int:
    """Its result; who is cancelled meanwhile waits too, so that nothing is written later."""
    task = asyncio.ensure_future(writing)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
