"""The client for asyncio programs: the calls of `BaseAgent`, as coroutines."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Self

from netsecgame.agents.answers import (
    Answer,
    closed_by_server,
    connection_lost,
    join_action,
    not_connected,
    read_start,
    read_step,
    reset_action,
    role_of,
)
from netsecgame.game_components import Action, GameStatus
from netsecgame.protocol.messages import decode_reply
from netsecgame.protocol.reply_reader import ReplyReader
from netsecgame.protocol.session import ClientSession

if TYPE_CHECKING:
    from types import TracebackType

    from netsecgame.game_components import AgentRole, Observation
    from netsecgame.protocol.reply_reader import ReadReply

_READ_BYTES = 65_536


class AsyncAgent:
    """Plays on one server, from a coroutine.

    Calls from several tasks take their turns. A call that is cancelled, by a deadline for instance,
    closes the connection: its reply would be taken for the next one's. Errors are those of
    `BaseAgent`, except that `connect` raises them at once.

        async with AsyncAgent("127.0.0.1", 9000, "Attacker") as agent:
            observation = await agent.register()

    Args:
        host: Of the server.
        port: Of the server.
        role: The part to play.
    """

    def __init__(self, host: str, port: int, role: AgentRole | str) -> None:
        self._connection_details = (host, port)
        self._join_name = type(self).__name__
        self._logger = logging.getLogger(self._join_name)
        self._role = role_of(role)
        self._wire = ClientSession()
        self._reader = ReplyReader()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._why_not_connected = "call connect() or use 'async with'"
        self._turn = asyncio.Lock()

    @property
    def role(self) -> AgentRole | str:
        """The part this agent plays."""
        return self._role

    @property
    def logger(self) -> logging.Logger:
        """Named like the class."""
        return self._logger

    @property
    def connected(self) -> bool:
        """Whether there is a connection, as far as is known."""
        return self._streams is not None

    async def connect(self) -> None:
        """Connect to the server; nothing happens when there is a connection already.

        Raises:
            ConnectionError: If that fails; says host and port.
        """
        if self._streams is not None:
            return
        host, port = self._connection_details
        try:
            # asyncio sets TCP_NODELAY on its own.
            self._streams = await asyncio.open_connection(host, port)
        except (OSError, OverflowError) as error:  # OverflowError: the port is out of range
            raise ConnectionError(f"no connection to {host}:{port}: {error}") from error

    async def register(self) -> Observation | None:
        """Join the game; see `BaseAgent.register`."""
        answer = await self._ask(join_action(self._join_name, self._role))
        return read_start(GameStatus.CREATED, answer, self._logger)

    async def make_step(self, action: Action) -> Observation | None:
        """Play one action; see `BaseAgent.make_step`."""
        return read_step(await self._ask(action), self._logger)

    async def request_game_reset(
        self,
        request_trajectory: bool = False,
        randomize_topology: bool = False,
        seed: int | None = None,
    ) -> Observation | None:
        """Ask for a new episode; see `BaseAgent.request_game_reset`."""
        action = reset_action(request_trajectory, randomize_topology, seed)
        return read_start(GameStatus.RESET_DONE, await self._ask(action), self._logger)

    async def communicate(self, action: Action) -> Answer:
        """Send any action and wait for the reply; see `BaseAgent.communicate`."""
        reply = decode_reply(await self._exchange(action))
        self._logger.debug("%s: %s", action.action_type, reply.status)
        return reply.status, reply.observation, reply.message

    async def _ask(self, action: Action) -> Answer | ReadReply:
        """Communicate, but without making dicts of what is then read from them."""
        if getattr(self.communicate, "__func__", None) is not AsyncAgent.communicate:
            return await self.communicate(action)  # overridden by somebody who sees every call
        reply = self._reader.read(await self._exchange(action))
        self._logger.debug("%s: %s", action.action_type, reply.status)
        return reply

    async def _exchange(self, action: Action) -> bytes:
        """Send the action and wait for the JSON of the reply."""
        if not isinstance(action, Action):
            raise ValueError(  # noqa: TRY004  # as BaseAgent
                f"expected an Action, got {action!r}"
            )
        async with self._turn:
            if self._streams is None:
                raise not_connected(*self._connection_details, action, self._why_not_connected)
            try:
                return await self._send_and_receive(*self._streams, action)
            except OSError as error:
                self._drop("it was lost before")
                raise connection_lost(*self._connection_details, action, error) from error
            except BaseException:
                self._drop("it was closed when an earlier call did not come to its end")
                raise

    async def _send_and_receive(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, action: Action
    ) -> bytes:
        session = self._wire
        writer.write(session.send(action))
        # Without drain: requests are small, there is one at a time, and if the server has closed
        # the connection, its last reply says why.
        while (frame := session.next_frame()) is None:
            data = await reader.read(_READ_BYTES)
            if not data:
                raise closed_by_server(session)
            session.receive_data(data)
        return frame

    async def terminate_connection(self) -> None:
        """Close the connection, which leaves the game; harmless when there is none."""
        if self._streams is None:
            return
        writer = self._streams[1]
        self._drop("it was terminated")
        with contextlib.suppress(OSError):  # it may have broken before
            await writer.wait_closed()

    def _drop(self, reason: str) -> None:
        if self._streams is None:
            return
        self._streams[1].close()
        self._streams = None
        self._wire = ClientSession()
        self._why_not_connected = reason

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.terminate_connection()
