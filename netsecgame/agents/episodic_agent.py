"""A client that plays whole episodes; what to do next is all a subclass has to say."""

from __future__ import annotations

import json
from itertools import count
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple, Self

from netsecgame.agents.base_agent import BaseAgent
from netsecgame.agents.policy import IDLE, Policy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netsecgame.game_components import Observation

__all__ = ["IDLE", "EpisodeReport", "EpisodicAgent"]


class EpisodeReport(NamedTuple):
    """How one episode went.

    Attributes:
        episode: 1 for the agent's first.
        total_reward: The sum of all rewards.
        steps: Actions played.
        end_reason: As the server said, e.g. ``AgentStatus.Success``.
        seconds: From the first observation to the last.
    """

    episode: int
    total_reward: float
    steps: int
    end_reason: str
    seconds: float

    def to_json(self) -> str:
        """One line of JSON; the total reward is called ``return`` there."""
        fields = self._asdict()
        fields["return"] = fields.pop("total_reward")
        return json.dumps(fields)

    @classmethod
    def from_json(cls, line: str | bytes) -> Self:
        """Read what `to_json` wrote; ValueError if it is anything else."""
        try:
            fields = json.loads(line)
            fields["total_reward"] = fields.pop("return")
            return cls(**fields)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"no report of an episode: {line!r}") from error

    def __str__(self) -> str:
        return (
            f"episode {self.episode}: {self.end_reason.removeprefix('AgentStatus.')} after "
            f"{self.steps} steps, return {self.total_reward:g} ({self.seconds:.2f} s)"
        )


class EpisodicAgent(BaseAgent, Policy):
    """Joins, plays episode after episode, and asks for a reset in between.

    A subclass says which role it plays and chooses the actions. See `agents/random_attacker.py`.

    Args:
        host: Of the server.
        port: Of the server.
        seed: Of the agent's own random choices; None draws one.

    Attributes:
        plays_as: The role.
        rng: For all random choices of the agent.
    """

    def __init__(self, host: str, port: int, seed: int | None = None) -> None:
        BaseAgent.__init__(self, host, port, self.plays_as)
        Policy.__init__(self, seed)

    def play(
        self, episodes: int | None = None, topology_seed: int | None = None
    ) -> Iterator[EpisodeReport]:
        """Play, and report each episode when it is over.

        Args:
            episodes: How many; None goes on for ever.
            topology_seed: Ask for new addresses at each reset, drawn from this seed and the number
                of the reset. All agents of a game have to give the same.

        Raises:
            ConnectionError: If the server closes the connection or refuses to go on.
        """
        start = self._expect(self.register())
        for episode in count(1):
            yield self._play_episode(episode, start)
            if episode == episodes:
                return
            if topology_seed is None:
                start = self._expect(self.request_game_reset())
            else:
                seed = topology_seed + episode
                start = self._expect(self.request_game_reset(randomize_topology=True, seed=seed))

    def _play_episode(self, episode: int, start: Observation) -> EpisodeReport:
        began = perf_counter()
        self.begin_episode(start)
        observation = start
        total_reward, steps = 0.0, 0
        while not observation.end:
            observation = self._expect(self.make_step(self.choose_action(observation.state)))
            total_reward += observation.reward
            steps += 1
        self.end_episode(observation)
        end_reason = str(observation.info.get("end_reason"))
        return EpisodeReport(episode, total_reward, steps, end_reason, perf_counter() - began)

    def _expect(self, observation: Observation | None) -> Observation:
        if observation is None:
            host, port = self._connection_details
            raise ConnectionError(f"{host}:{port} does not let {self._join_name} play on")
        return observation
