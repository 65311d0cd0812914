"""The client that most agents build on: one connection, one call at a time, blocking."""

from __future__ import annotations

import logging
from socket import IPPROTO_TCP, TCP_NODELAY, create_connection
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
    from socket import socket as Socket  # noqa: N812  # the class also has a property `socket`
    from types import TracebackType

    from netsecgame.game_components import AgentRole, Observation
    from netsecgame.protocol.reply_reader import ReadReply

_READ_BYTES = 65_536


class BaseAgent:
    """Plays on one server.

    Connects at once. A failure is logged only; then the first call raises ConnectionError. Every
    call raises ConnectionError when the connection breaks and BadReplyError when a reply cannot be
    understood. Use it as a context manager, or call `terminate_connection` at the end.

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
        self._socket: Socket | None = None
        self._why_not_connected = ""
        try:
            self._socket = self._connect()
            self._socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        except (OSError, OverflowError) as error:  # OverflowError: the port is out of range
            self._why_not_connected = str(error)
            self._logger.error("no connection to %s:%s: %s", host, port, error)  # noqa: TRY400

    def _connect(self) -> Socket:
        """The connection; for who wants a time limit on it."""
        return create_connection(self._connection_details)

    @property
    def socket(self) -> Socket | None:
        """The connection; None when there is none."""
        return self._socket

    @property
    def role(self) -> AgentRole | str:
        """The part this agent plays."""
        return self._role

    @property
    def logger(self) -> logging.Logger:
        """Named like the class."""
        return self._logger

    def register(self) -> Observation | None:
        """Join the game, under the name of the class; waits until the game can start.

        Returns:
            What the agent knows at first, with the server's message as `info`; None when the
            server refuses (the log has the reason).
        """
        answer = self._ask(join_action(self._join_name, self._role))
        return read_start(GameStatus.CREATED, answer, self._logger)

    def make_step(self, action: Action) -> Observation | None:
        """Play one action.

        Returns:
            What came of it; after the end of the episode, its last observation once more. None
            when the server refuses the action (the log has the reason).
        """
        return read_step(self._ask(action), self._logger)

    def request_game_reset(
        self,
        request_trajectory: bool = False,
        randomize_topology: bool = False,
        seed: int | None = None,
    ) -> Observation | None:
        """Ask for a new episode; waits until all agents of the game have asked.

        Args:
            request_trajectory: Whether `info` shall have the last episode as `last_trajectory`.
            randomize_topology: Whether addresses shall be drawn anew, if the task allows it.
            seed: Of the game's random choices from now on. None goes on with those there are; but
                randomizing without a seed draws one.

        Returns:
            What the agent knows at first, with the server's message as `info`; None when the
            server refuses (the log has the reason).
        """
        answer = self._ask(reset_action(request_trajectory, randomize_topology, seed))
        return read_start(GameStatus.RESET_DONE, answer, self._logger)

    def communicate(self, action: Action) -> Answer:
        """Send any action and wait for the reply.

        Returns:
            Status, observation in wire form and message; the latter two None when the reply has
            none.

        Raises:
            ValueError: If it is no Action.
        """
        reply = decode_reply(self._exchange(action))
        self._logger.debug("%s: %s", action.action_type, reply.status)
        return reply.status, reply.observation, reply.message

    def _ask(self, action: Action) -> Answer | ReadReply:
        """Communicate, but without making dicts of what is then read from them."""
        if getattr(self.communicate, "__func__", None) is not BaseAgent.communicate:
            return self.communicate(action)  # overridden by somebody who sees every call
        reply = self._reader.read(self._exchange(action))
        self._logger.debug("%s: %s", action.action_type, reply.status)
        return reply

    def _exchange(self, action: Action) -> bytes:
        """Send the action and wait for the JSON of the reply."""
        if not isinstance(action, Action):
            raise ValueError(  # noqa: TRY004  # agents rely on this type
                f"expected an Action, got {action!r}"
            )
        if self._socket is None:
            raise not_connected(*self._connection_details, action, self._why_not_connected)
        try:
            return self._send_and_receive(self._socket, action)
        except OSError as error:
            self._drop("it was lost before")
            raise connection_lost(*self._connection_details, action, error) from error
        except BaseException:
            # The reply is still to come, and must not be taken for the one to the next action.
            self._drop("it was closed when an earlier call did not come to its end")
            raise

    def _send_and_receive(self, connection: Socket, action: Action) -> bytes:
        session = self._wire
        request = session.send(action)
        send_error: OSError | None = None
        try:
            connection.sendall(request)
        except OSError as error:  # the server may have said why before it closed
            send_error = error
        while (frame := session.next_frame()) is None:
            data = connection.recv(_READ_BYTES)
            if not data:
                raise send_error or closed_by_server(session)
            session.receive_data(data)
        return frame

    def terminate_connection(self) -> None:
        """Close the connection, which leaves the game; harmless when there is none."""
        self._drop("it was terminated")

    def _drop(self, reason: str) -> None:
        if self._socket is None:
            return
        self._socket.close()
        self._socket = None
        self._wire = ClientSession()
        self._why_not_connected = reason

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.terminate_connection()
