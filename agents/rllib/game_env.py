"""The game as RLlib wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ray import cloudpickle
from ray.rllib.env.multi_agent_env import MultiAgentEnv

from netsecgame.envs import parallel_env

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from numpy.typing import NDArray

    #: By agent: `observation` and `action_mask`.
    Seen: TypeAlias = dict[str, dict[str, NDArray[Any]]]


class GameEnv(MultiAgentEnv):
    """The parallel environment; who has nothing to choose is shown nothing.

    Attributes:
        possible_agents: All of them; `agents` is the same.
        observation_spaces: By agent.
        action_spaces: By agent.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Set up a game.

        Args:
            config: `game`, a `GameSpec` as bytes: other machines have no task files. `attackers`,
                `defenders` and `benign`: how many play; benign agents play at random.
        """
        super().__init__()
        options = dict(config)
        game = cloudpickle.loads(options.pop("game"))
        opponents = {"Benign": "random"} if options["benign"] else {}
        self._env = parallel_env(game, **options, opponents=opponents)
        self.possible_agents = self._env.possible_agents[:]
        self.agents = self.possible_agents[:]
        self.observation_spaces = {a: self._env.observation_space(a) for a in self.agents}
        self.action_spaces = {a: self._env.action_space(a) for a in self.agents}

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Seen, dict[str, Any]]:
        """Begin an episode."""
        observations, _ = self._env.reset(seed=seed, options=options)
        return observations, {agent: {} for agent in observations}

    def step(self, action_dict: Mapping[str, int]) -> tuple[Any, ...]:
        """Play a round; infos say who has `won`.

        A defender that waits for its final reward is shown nothing until that comes. So these
        rounds are no steps of it: nothing is learned from what it might have chosen, and what it is
        paid in the end belongs to the last action that counted, not discounted by the wait.

        A step limit is an end like others: agents see it coming, and are paid by its outcome.
        """
        ignored = dict.fromkeys(self._env.agents, 0)  # of those that wait
        observations, rewards, terminated, truncated, infos = self._env.step(
            {**ignored, **action_dict}
        )
        shown = [agent for agent, info in infos.items() if not info["is_waiting"]]
        ends = {agent: terminated[agent] or truncated[agent] for agent in shown}
        return (
            {agent: observations[agent] for agent in shown},
            rewards,
            {**ends, "__all__": not self._env.agents},
            {**dict.fromkeys(shown, False), "__all__": False},
            {agent: {"won": infos[agent].get("is_success", False)} for agent in shown},
        )


def role_of(agent: str, *_: Any, **__: Any) -> str:
    """Which policy plays an agent, e.g. ``attacker``."""
    return agent.rpartition("_")[0]
