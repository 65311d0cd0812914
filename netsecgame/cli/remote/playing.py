"""`netsecgame remote play`: a random agent on a server."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from gymnasium.spaces import Discrete
from gymnasium.utils.seeding import np_random

from netsecgame.cli.remote.credentials import warnings_in_one_line
from netsecgame.errors import UnsupportedByServerError
from netsecgame.remote.client import RemoteEnvironment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gymnasium import Space

    from netsecgame.cli.remote.credentials import Place
    from netsecgame.remote.parallel import RemoteParallelEnv

#: Seeds that are drawn are short enough to be typed again.
_DRAWN_SEEDS = 1 << 31

_LONGEST_SPACE = 100


class Episode(NamedTuple):
    """How an episode went.

    Attributes:
        steps: How many.
        total_reward: By agent; one who plays alone has no name.
        has_terminated: Whether it came to an end by itself, and not by a limit.
    """

    steps: int
    total_reward: Mapping[str, float]
    has_terminated: bool

    def __str__(self) -> str:
        gained = ", ".join(
            f"{agent} {total:g}".strip() for agent, total in self.total_reward.items()
        )
        end = "terminated" if self.has_terminated else "truncated"
        return f"{self.steps} steps, return {gained}, {end}"


class Player(ABC):
    """Plays at random: legal actions where the environment tells which these are.

    Attributes:
        description: What is played, in one line.
    """

    description: str

    def __init__(self) -> None:
        self._steps = 0
        self._total_reward: dict[str, float] = {}

    @abstractmethod
    def seed(self, seed: int) -> None:
        """Draw from now on what was drawn after this seed before."""

    @abstractmethod
    def begin(self, seed: int | None) -> None:
        """Begin an episode."""

    @abstractmethod
    def step(self) -> Episode | None:
        """Take a step; the episode if it was its last."""

    @abstractmethod
    def close(self) -> None:
        """Leave the server."""

    def play(self, seed: int | None) -> Episode:
        """One episode."""
        self.begin(seed)
        while (episode := self.step()) is None:
            pass
        return episode


class SinglePlayer(Player):
    """Plays an environment of one agent."""

    def __init__(self, env: RemoteEnvironment) -> None:
        super().__init__()
        self._env = env
        self._info: Mapping[str, Any] = {}
        name = "" if env.spec is None else f"{env.spec.id}: "
        seen, done = _shorten(env.observation_space), _shorten(env.action_space)
        self.description = f"{name}observations {seen}, actions {done}"

    def seed(self, seed: int) -> None:
        """As `Player.seed`."""
        self._env.action_space.seed(seed)

    def begin(self, seed: int | None) -> None:
        """As `Player.begin`."""
        _, self._info = self._env.reset(seed=seed)
        self._env.render()
        self._steps, self._total_reward = 0, {"": 0.0}

    def step(self) -> Episode | None:
        """As `Player.step`."""
        action = _draw(self._env.action_space, self._info)
        _, reward, terminated, truncated, self._info = self._env.step(action)
        self._env.render()
        self._steps += 1
        self._total_reward[""] += float(reward)
        if not (terminated or truncated):
            return None
        return Episode(self._steps, self._total_reward, bool(terminated))

    def close(self) -> None:
        """As `Player.close`."""
        self._env.close()


class ParallelPlayer(Player):
    """Plays all agents of an environment."""

    def __init__(self, env: RemoteParallelEnv) -> None:
        super().__init__()
        self._env = env
        self._infos: Mapping[str, Mapping[str, Any]] = {}
        self.description = f"agents {', '.join(env.possible_agents)}"

    def seed(self, seed: int) -> None:
        """As `Player.seed`."""
        for number, agent in enumerate(self._env.possible_agents):
            self._env.action_space(agent).seed(seed + number)

    def begin(self, seed: int | None) -> None:
        """As `Player.begin`."""
        _, self._infos = self._env.reset(seed=seed)
        self._env.render()
        self._steps, self._total_reward = 0, dict.fromkeys(self._env.possible_agents, 0.0)

    def step(self) -> Episode | None:
        """As `Player.step`."""
        env = self._env
        actions = {
            agent: _draw(env.action_space(agent), self._infos.get(agent, {}))
            for agent in env.agents
        }
        _, rewards, terminations, _, self._infos = env.step(actions)
        env.render()
        self._steps += 1
        for agent, reward in rewards.items():
            self._total_reward[agent] += float(reward)
        if env.agents:
            return None
        return Episode(self._steps, self._total_reward, any(terminations.values()))

    def close(self) -> None:
        """As `Player.close`."""
        self._env.close()


def play_episodes(place: Place, episodes: int, seed: int | None, *, renders: bool = False) -> int:
    """Play at random and tell how; returns the exit status.

    Args:
        place: Where.
        episodes: How many.
        seed: Of the agent, and of the first episode; the others follow it. None draws one.
        renders: Whether to show frames in a window.

    Raises:
        RemoteError: If there is no connection, or the environment fails.
    """
    with warnings_in_one_line(), closing(open_player(place, renders=renders)) as player:
        first = np_random(None)[1] % _DRAWN_SEEDS if seed is None else seed
        player.seed(first)
        steps, total = 0, 0.0
        for number in range(episodes):
            episode = player.play(first + number)
            steps += episode.steps
            total += sum(episode.total_reward.values())
            _say(f"episode {number}: {episode}")
        _say(f"{episodes} episodes, {steps} steps, mean return {total / episodes:g}, seed {first}")
    return 0


def open_player(place: Place, *, renders: bool = False, **options: Any) -> Player:
    """Connect; plays one agent or several, as the server's environment has them.

    Args:
        place: Where.
        renders: Whether to show frames in a window.
        options: Further ones of the client.

    Raises:
        RemoteError: If there is no connection, or the server refuses.
    """
    where = (place.url, place.port, place.remote_args, place.credentials)
    chosen: dict[str, Any] = {"render_mode": "human" if renders else None}
    chosen |= {**place.options, **options}
    try:
        return SinglePlayer(RemoteEnvironment(*where, **chosen))
    except UnsupportedByServerError as error:
        from netsecgame.remote.parallel import RemoteParallelEnv  # noqa: PLC0415 - needs PettingZoo

        try:
            return ParallelPlayer(RemoteParallelEnv(*where, **chosen))
        except UnsupportedByServerError:
            raise error from None  # it is of neither kind, and the first text says why


def _draw(space: Space[Any], info: Mapping[str, Any]) -> Any:
    mask = info.get("action_mask")
    if isinstance(space, Discrete) and isinstance(mask, np.ndarray) and mask.shape == (space.n,):
        return space.sample(mask=mask.astype(np.int8))
    return space.sample()


def _shorten(space: Space[Any]) -> str:
    text = " ".join(str(space).split())
    return text if len(text) <= _LONGEST_SPACE else f"{text[: _LONGEST_SPACE - 3]}..."


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - this is the command line
