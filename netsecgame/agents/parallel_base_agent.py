"""One agent that plays many games at once, each on a server of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self, TypeAlias

from netsecgame.agents.answers import role_of
from netsecgame.agents.base_agent import BaseAgent
from netsecgame.errors import ProtocolError
from netsecgame.game_components import Action, Observation

if TYPE_CHECKING:
    from types import TracebackType

    from netsecgame.game_components import AgentRole

#: Of one game as it is, of several as a list in their order.
Observations: TypeAlias = Observation | list[Observation | None] | None


class _Game(BaseAgent):
    """One of the games; the server knows it under the name of the agent that plays them all."""

    def __init__(self, host: str, port: int, role: AgentRole | str, name: str) -> None:
        super().__init__(host, port, role)
        self._join_name = name


class ParallelBaseAgent:
    """Plays on many servers at once, one thread a game.

    With one port, calls give what those of `BaseAgent` give; with several, a list in the order of
    the ports. A game that has ended is skipped until the next reset, and None stands in its place.
    A game whose connection breaks, whose reply cannot be understood or that refuses to let the
    agent in is logged and counts as ended, and the others go on.

    Args:
        game_hosts: Of the servers; one for all, or one for each port.
        game_ports: Of the servers.
        role: The part to play.
        max_workers: How many games are served at the same time; None is all. Fewer do not work when
            some games wait for each other.

    Raises:
        ValueError: If there is no port, or hosts and ports do not match.
    """

    def __init__(
        self,
        game_hosts: str | Sequence[str],
        game_ports: int | Sequence[int],
        role: AgentRole | str,
        max_workers: int | None = None,
    ) -> None:
        ports = [game_ports] if isinstance(game_ports, int) else list(game_ports)
        hosts = [game_hosts] if isinstance(game_hosts, str) else list(game_hosts)
        if len(hosts) == 1:
            hosts *= len(ports)
        if not ports or len(hosts) != len(ports):
            raise ValueError(
                f"expected one host, or one for each port, got {len(hosts)} hosts"
                f" and {len(ports)} ports"
            )
        self._role = role_of(role)
        self._logger = logging.getLogger(type(self).__name__)
        self._pool = ThreadPoolExecutor(max_workers or len(ports), type(self).__name__)
        self._games = list(
            self._pool.map(
                lambda host, port: _Game(host, port, role, type(self).__name__), hosts, ports
            )
        )
        self._is_done = [game.socket is None for game in self._games]

    @property
    def role(self) -> AgentRole | str:
        """The part this agent plays in every game."""
        return self._role

    @property
    def logger(self) -> logging.Logger:
        """Named like the class."""
        return self._logger

    @property
    def num_envs(self) -> int:
        """How many games there are."""
        return len(self._games)

    @property
    def done_mask(self) -> list[bool]:
        """For each game whether it has ended, also when there is only one game."""
        return list(self._is_done)

    @property
    def all_done(self) -> bool:
        """Whether every game has ended."""
        return all(self._is_done)

    @property
    def connected(self) -> bool:
        """Whether every game has its connection."""
        return all(game.socket is not None for game in self._games)

    def register(self) -> Observations:
        """Join all games; see `BaseAgent.register`."""
        return self._start_episodes(lambda game, _: game.register())

    def make_step(self, action: Action | Sequence[Action | None]) -> Observations:
        """Play one action in every game that has not ended.

        Args:
            action: One for all games, or one for each; those for games that have ended may be None.

        Raises:
            ValueError: If it is no action, or not one for each game.
        """
        actions = [action] * self.num_envs if isinstance(action, Action) else list(action)
        if len(actions) != self.num_envs:
            raise ValueError(f"expected {self.num_envs} actions, got {len(actions)}")
        running = [i for i, is_done in enumerate(self._is_done) if not is_done]
        for i in running:
            if not isinstance(actions[i], Action):
                raise ValueError(  # noqa: TRY004  # as BaseAgent
                    f"expected an Action for game {i}, got {actions[i]!r}"
                )

        def play(game: BaseAgent, i: int) -> Observation | None:
            observation = game.make_step(actions[i])  # type: ignore[arg-type]  # checked above
            self._is_done[i] = observation is not None and observation.end
            return observation

        return self._in_parallel(play, running)

    def request_game_reset(
        self,
        request_trajectory: bool = False,
        randomize_topology: bool = False,
        seed: int | Sequence[int | None] | None = None,
    ) -> Observations:
        """Ask for a new episode in every game, whether it has ended or not.

        Args:
            request_trajectory: See `BaseAgent.request_game_reset`.
            randomize_topology: See `BaseAgent.request_game_reset`.
            seed: One for all games, or one for each.

        Raises:
            ValueError: If there is not one seed for each game.
        """
        seeds = list(seed) if isinstance(seed, Sequence) else [seed] * self.num_envs
        if len(seeds) != self.num_envs:
            raise ValueError(f"expected {self.num_envs} seeds, got {len(seeds)}")
        return self._start_episodes(
            lambda game, i: game.request_game_reset(
                request_trajectory, randomize_topology, seeds[i]
            )
        )

    def terminate_connection(self) -> None:
        """Close all connections, which leaves the games."""
        for i, game in enumerate(self._games):
            game.terminate_connection()
            self._is_done[i] = True
        self._pool.shutdown()

    def _start_episodes(self, ask: Callable[[BaseAgent, int], Observation | None]) -> Observations:
        def start(game: BaseAgent, i: int) -> Observation | None:
            observation = ask(game, i)
            self._is_done[i] = observation is None or observation.end
            return observation

        connected = [i for i, game in enumerate(self._games) if game.socket is not None]
        return self._in_parallel(start, connected)

    def _in_parallel(
        self, call: Callable[[BaseAgent, int], Observation | None], chosen: list[int]
    ) -> Observations:
        """Make the call for each chosen game, and give what it gave."""

        def guarded(i: int) -> Observation | None:
            try:
                return call(self._games[i], i)
            except (ConnectionError, ProtocolError) as error:
                self._logger.error("game %d has failed: %s", i, error)  # noqa: TRY400
                self._is_done[i] = True
                return None

        results: list[Observation | None] = [None] * self.num_envs
        if len(chosen) == 1:  # a thread would only cost time
            results[chosen[0]] = guarded(chosen[0])
        else:
            for i, result in zip(chosen, self._pool.map(guarded, chosen), strict=True):
                results[i] = result
        return results[0] if self.num_envs == 1 else results

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.terminate_connection()
