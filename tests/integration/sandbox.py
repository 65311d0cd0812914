"""Servers for property tests: an event loop that outlives single examples."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Self, TypeVar

from tests.integration.server import DEADLINE_S, Server, serving

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping
    from pathlib import Path
    from types import TracebackType

ResultT = TypeVar("ResultT")


class Sandbox:
    """Runs coroutines from code without a loop, and servers in between."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loop = asyncio.new_event_loop()
        self._servers = AsyncExitStack()

    def serve(self, task: Mapping[str, Any], **options: Any) -> Server:
        """A server that stops with the sandbox."""
        return self.run(self._servers.enter_async_context(serving(self._folder, task, **options)))

    def run(self, coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
        """The result of a coroutine; it has to come in time."""

        async def bounded() -> ResultT:
            async with asyncio.timeout(4 * DEADLINE_S):
                return await coroutine

        return self._loop.run_until_complete(bounded())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.run(self._servers.aclose())
        self._loop.close()
