"""The environment of one agent whose game is on a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, SupportsIndex

from netsecgame.core.knowledge import make_state
from netsecgame.core.reward import playing_status
from netsecgame.envs.agent_env import AgentEnv, not_among, read_relabel
from netsecgame.envs.game import open_game
from netsecgame.envs.game_client import GameClient
from netsecgame.envs.observations import lay_out
from netsecgame.envs.remote_game import RemoteGame, find_game
from netsecgame.envs.seeds import draw_seed
from netsecgame.errors import BadReplyError, EpisodeOverError
from netsecgame.game_components import AgentRole, AgentStatus

if TYPE_CHECKING:
    from pathlib import Path

    from netsecgame.core.goal import Goal
    from netsecgame.core.knowledge import KnownState
    from netsecgame.core.task import GameSpec
    from netsecgame.envs.game import Game
    from netsecgame.game_components import Observation

#: How long a server may be silent, unless somebody says otherwise.
DEFAULT_TIMEOUT_S = 60.0


class ServerEnv(AgentEnv):
    """One agent in the game of a server.

    With the same seed and the same actions it does what `NetSecGameEnv` does, step by step, if
    nobody else plays. If others do, a step returns when the server answers and a reset when all
    have asked for one, and there is no order of turns.

    Without a connection, because there was none yet or it was lost, a reset connects and joins.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 9_000,
        role: str = AgentRole.Attacker,
        task: Game | GameSpec | str | Path | None = None,
        observation: str = "flat",
        *,
        has_others: bool = False,
        timeout_s: float | None = DEFAULT_TIMEOUT_S,
        render_mode: str | None = None,
    ) -> None:
        """Get ready; `reset` joins the game.

        Args:
            host: Of the server.
            port: Of the server.
            role: ``Attacker``, ``Defender`` or ``Benign``.
            task: What the server plays: a task file, the name of a shipped task, or what is loaded
                already. None joins at once to be told, and looks among the shipped tasks.
            observation: ``flat``, ``dict``, ``graph`` or ``text``.
            has_others: Whether observations tell of the blocks of others, as those of
                `NetSecGameEnv` do if it has an opponent.
            timeout_s: How long the server may be silent before it answers; joins and resets wait
                for other agents, too. None is for ever.
            render_mode: ``ansi``, ``rgb_array`` or None.

        Raises:
            ConfigurationError: If an option makes no sense, or no shipped task is the server's.
            RoleNotAvailableError: If the task has no such role.
            ConnectionError: If there is no such server, it refuses, or the connection is lost.
            TimeoutError: If it does not answer in time.
        """
        self._address = host, port, _read_role(role), timeout_s
        self._client: GameClient | None = None
        self._joined: Observation | None = None  # the start of an episode that a join has begun
        try:
            super().__init__(
                self._join(None) if task is None else open_game(task),
                self._address[2],
                observation,
                has_others=has_others,
                render_mode=render_mode,
            )
        except BaseException:
            self.close()
            raise
        self._remote = RemoteGame(self.game, self.role)
        layout = lay_out(self.game, self.role, has_others=has_others)
        self._sees_blocks = layout.has_blocks
        self._state: KnownState | None = None
        self._goal: Goal | None = None
        self._steps = 0
        self._is_playing = False

    @property
    def state(self) -> KnownState:
        """What the agent knows."""
        if self._state is None:
            raise EpisodeOverError("the episode has not begun; a reset begins one")
        return self._state

    @property
    def goal(self) -> Goal:
        """What the agent has to reach in this episode."""
        if self._goal is None:
            raise EpisodeOverError("the episode has not begun; a reset begins one")
        return self._goal

    @property
    def steps(self) -> int:
        """Actions played in this episode."""
        return self._steps

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; waits until all agents of the game have asked for one.

        Args:
            seed: Re-seeds every random choice of the game; agents that give one have to give the
                same. None goes on with the random streams of the server.
            options: ``randomize_topology``: whether to draw new addresses, which only a task with
                dynamic addresses does, and only if all agents ask for it. Without a seed, one is
                drawn.

        Raises:
            ConfigurationError: If there is no such option, the server plays another task, or its
                addresses cannot be known.
            ConnectionError: If there is no such server, it refuses, or the connection is lost.
            TimeoutError: If it does not answer in time.
        """
        relabel = read_relabel(options)
        super().reset(seed=seed)
        if relabel and seed is None:
            seed = draw_seed(self.np_random)
        self._is_playing = False
        if self._client is None or self._client.socket is None:
            self._join(self.game)
        assert self._client is not None
        start, self._joined = self._joined, None
        if start is None or seed is not None:
            start = self._client.restart(seed, randomize_topology=relabel)
        self._state, self._goal = self._remote.begin(start, seed if relabel else None)
        self._steps = 0
        self._is_playing = True
        self.observer.begin(self._goal)
        status = playing_status(self._max_steps)
        return self._observe(self._state), self._tell(self._state, status, has_ended=False)

    def step(self, action: SupportsIndex) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Play one action; waits until the server answers.

        Args:
            action: Its number; any may be played, those that are not legal change nothing.

        Returns:
            The observation, the reward, whether the agent has won or lost or the episode is over,
            whether its step limit has ended it, and the info.

        Raises:
            UnknownActionError: If there is no such number; nothing is played then.
            EpisodeOverError: If the episode has ended, or none has begun.
            ConnectionError: If the connection is lost, or the server refuses.
            TimeoutError: If it does not answer in time.
        """
        number = self._read_number(action)
        if not self._is_playing or self._client is None:
            raise EpisodeOverError("no episode is being played; only a reset goes on")
        observation = self._client.play(self._remote.action(number))
        self._steps += 1
        state = self._state = self._remote.known(observation.state)
        status = playing_status(self._max_steps)
        truncated = False
        if observation.end:
            self._is_playing = False
            status = _read_status(observation.info.get("end_reason"))
            truncated = (
                status is AgentStatus.TimeoutReached
                and self.role is not AgentRole.Defender
                and self._max_steps is not None
                and self._steps >= self._max_steps
            )
        info = self._tell(state, status, has_ended=observation.end)
        terminated = observation.end and not truncated
        return self._observe(state), float(observation.reward), terminated, truncated, info

    def close(self) -> None:
        """Leave the game."""
        if self._client is not None:
            self._client.terminate_connection()

    def _join(self, expected: Game | None) -> Game:
        """Join the game, which may be known already."""
        self.close()
        self._client = GameClient(*self._address)
        try:
            self._joined = self._client.join()
            return find_game(self._joined.info, expected)
        except BaseException:
            self.close()
            raise

    def _observe(self, state: KnownState) -> Any:
        if state.knowledge.blocks and not self._sees_blocks:
            state = make_state(state.knowledge._replace(blocks={}), state.labels)
        return super()._observe(state)


def _read_role(name: str) -> AgentRole:
    try:
        return AgentRole.from_string(name)
    except ValueError:
        raise not_among("role", name, map(str, AgentRole)) from None


def _read_status(end_reason: object) -> AgentStatus:
    try:
        return AgentStatus.from_string(str(end_reason))
    except ValueError:
        raise BadReplyError(f"end_reason: expected a status, got {end_reason!r}") from None
