"""A process that was started and must not outlive its starter."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import PIPE
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

#: A process that has not ended so long after SIGTERM is killed.
STOP_TIMEOUT_S = 5.0

_KEPT_STDERR_BYTES = 4_096


class Child:
    """A running process: its lines on stdout as they come, and the end of its stderr.

    Its standard input stays open for as long as this process lives. It has a session of its own, so
    that Ctrl-C in a terminal reaches this process only, which then stops it in order.

    Attributes:
        name: What people call it.
    """

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._process = process
        self._stderr = b""
        self._stderr_reader = asyncio.create_task(self._keep_stderr())

    @classmethod
    async def start(cls, name: str, command: Sequence[str]) -> Self:
        """Start a process; OSError if that cannot be done."""
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
        )
        return cls(name, process)

    async def lines(self) -> AsyncIterator[str]:
        """What it prints, line by line, until its stdout ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            yield line.decode(errors="replace").rstrip()

    async def wait(self) -> int:
        """Wait for its end; returns the exit status, negative for a signal."""
        status = await self._process.wait()
        await self._stderr_reader
        return status

    async def stop(self) -> None:
        """End it: politely, then by force; harmless when it has ended."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.returncode is None:
                # Not by `send_signal`: that looks whether the process has ended, and if so, takes
                # its exit status away from asyncio, which then complains on stderr.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._process.pid, number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await self.wait()
                    return

    def explain_end(self, when: str = "") -> str:
        """How it ended, in a line, and what it last said on stderr, in further ones."""
        status = self._process.returncode
        if status is None:
            how = "is still running"
        elif status < 0:
            how = f"was ended by {signal.Signals(-status).name}"
        else:
            how = f"ended with exit status {status}"
        said = self._stderr.decode(errors="replace").strip().splitlines()
        return "\n".join(
            [f"the {self.name} {how}{when and ' '}{when}", *(f"  {line}" for line in said)]
        )

    async def _keep_stderr(self) -> None:
        assert self._process.stderr is not None
        while chunk := await self._process.stderr.read(_KEPT_STDERR_BYTES):
            self._stderr = (self._stderr + chunk)[-_KEPT_STDERR_BYTES:]
