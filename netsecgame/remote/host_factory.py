"""Makes hosts in the mode that a server is in, and keeps processes ready."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from netsecgame.errors import EnvironmentDiedError
from netsecgame.remote.child import ChildSettings, pack_settings
from netsecgame.remote.host import Host, InlineHost, ThreadHost
from netsecgame.remote.launching import launch, prepare
from netsecgame.remote.process_host import ProcessHost
from netsecgame.remote.session import Session

if TYPE_CHECKING:
    from netsecgame.remote.entrypoint import EnvironmentMaker
    from netsecgame.remote.session import SessionOptions

_LOG = logging.getLogger(__name__)


class HostFactory:
    """Makes hosts.

    Args:
        mode: ``process``, ``thread`` or ``inline``.
        maker: Makes the environments.
        options: Of their sessions.
        prestart: How many processes are kept ready.
    """

    def __init__(
        self, mode: str, maker: EnvironmentMaker, options: SessionOptions, prestart: int
    ) -> None:
        self._mode = mode
        self._make_session = partial(Session, maker, options)
        self._settings = b""
        self._prestart = 0
        self._ready: deque[ProcessHost] = deque()
        self._filling: asyncio.Task[None] | None = None
        if mode == "process":
            prepare()
            self._settings = pack_settings(ChildSettings(list(sys.path), maker, options))
            self._prestart = prestart

    async def make(self) -> Host:
        """A host without an environment.

        Raises:
            EnvironmentDiedError: If no process can be started.
        """
        if self._mode == "inline":
            return InlineHost(self._make_session)
        if self._mode == "thread":
            return ThreadHost(self._make_session)
        host = self._take_ready() or await self._start()
        self.fill()
        return host

    def fill(self) -> None:
        """See to it that as many processes are ready as shall be."""
        if len(self._ready) < self._prestart and (self._filling is None or self._filling.done()):
            self._filling = asyncio.create_task(self._fill())

    async def close(self) -> None:
        """End the processes that were kept ready."""
        self._prestart = 0
        if self._filling is not None:
            await self._filling
        ready = list(self._ready)
        self._ready.clear()
        await asyncio.gather(*(host.close() for host in ready))

    async def _fill(self) -> None:
        while len(self._ready) < self._prestart:
            try:
                self._ready.append(await self._start())
            except EnvironmentDiedError as error:
                _LOG.warning("no process could be kept ready: %s", error)
                return

    def _take_ready(self) -> ProcessHost | None:
        while self._ready:
            host = self._ready.popleft()
            if host.is_alive:
                return host
        return None

    async def _start(self) -> ProcessHost:
        try:
            return await ProcessHost.start(launch(), self._settings)
        except OSError as error:
            text = f"no process could be started: {error}"
            raise EnvironmentDiedError(None, text) from error
