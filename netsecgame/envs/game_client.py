"""The connection of an environment to a server: what goes wrong is raised, with host and port."""

from __future__ import annotations

from socket import create_connection
from typing import TYPE_CHECKING

from netsecgame.agents.answers import join_action, read_start, reset_action
from netsecgame.agents.base_agent import BaseAgent
from netsecgame.game_components import GameStatus

if TYPE_CHECKING:
    from socket import socket as Socket  # noqa: N812 - as BaseAgent calls it

    from netsecgame.game_components import Action, AgentRole, Observation


class GameClient(BaseAgent):
    """A client that waits only so long, and raises where `BaseAgent` gives None."""

    def __init__(self, host: str, port: int, role: AgentRole, timeout_s: float | None) -> None:
        """Connect; if that fails, the first call raises.

        Args:
            host: Of the server.
            port: Of the server.
            role: The part to play.
            timeout_s: How long the server may be silent each time; None is for ever.
        """
        self._timeout_s = timeout_s
        super().__init__(host, port, role)

    def join(self) -> Observation:
        """Join the game; waits until it can start.

        This and the other calls raise ConnectionError if there is no connection, if it is lost or
        if the server refuses, and TimeoutError if the server is silent for too long, which ends
        the connection.
        """
        return self._begin(join_action("ServerEnv", self.role), GameStatus.CREATED)

    def restart(self, seed: int | None, *, randomize_topology: bool) -> Observation:
        """Ask for a new episode; waits until all agents have."""
        return self._begin(reset_action(False, randomize_topology, seed), GameStatus.RESET_DONE)

    def play(self, action: Action) -> Observation:
        """Play one action; waits for the answer."""
        observation = self.make_step(action)
        if observation is None:  # the log has said why
            raise self._refusal(action, "see the log")
        return observation

    def _begin(self, action: Action, expected: GameStatus) -> Observation:
        answer = self.communicate(action)
        start = read_start(expected, answer, self.logger)
        if start is None:
            raise self._refusal(action, (answer[2] or {}).get("message", "no reason given"))
        return start

    def _refusal(self, action: Action, reason: str) -> ConnectionError:
        host, port = self._connection_details
        return ConnectionError(f"{host}:{port} refuses {action.action_type}: {reason}")

    def _connect(self) -> Socket:
        return create_connection(self._connection_details, self._timeout_s)

    def _exchange(self, action: Action) -> bytes:
        try:
            return super()._exchange(action)
        except ConnectionError as error:
            if isinstance(error.__cause__, TimeoutError):
                host, port = self._connection_details
                silence = f"{host}:{port} has not answered {action.action_type}"
                raise TimeoutError(f"{silence} for {self._timeout_s} s") from error
            raise
