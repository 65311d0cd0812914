"""Lets a policy, which thinks in states and actions, play in an environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsecgame.envs.opponents.seeding import opponent_seed
from netsecgame.game_components import Observation

if TYPE_CHECKING:
    from netsecgame.agents.policy import Policy
    from netsecgame.core.goal import Goal
    from netsecgame.core.knowledge import KnownState
    from netsecgame.envs.game import Game
    from netsecgame.game_components import Action, AgentStatus


class PolicyOpponent:
    """Plays as an agent with that policy would over TCP.

    A seed begins with a new policy, so that the same seed plays the same whatever came before;
    without one it goes on, with all it has learned.

    Attributes:
        policy: Who chooses now.
    """

    policy: Policy

    def __init__(self, policy_class: type[Policy], game: Game, seat: int = 0) -> None:
        """Get ready for the first episode.

        Raises:
            RoleNotAvailableError: If the task has no role as that of the policy.
        """
        self._policy_class = policy_class
        self._role = policy_class.plays_as
        self._seat = seat
        part = game.role_task(self._role)
        self._told = {"goal_description": part.goal_description, "max_steps": part.max_steps}
        self._reseed(0)

    def begin(self, state: KnownState, goal: Goal, seed: int | None) -> None:
        """A new episode begins."""
        if seed is not None:
            self._reseed(seed)
        told = {**self._told, "goal": goal.as_dict}
        self.policy.begin_episode(Observation(state, 0, end=False, info=told))

    def act(self, state: KnownState) -> Action:
        """What the policy chooses."""
        return self.policy.choose_action(state)

    def end(self, state: KnownState, reward: float, status: AgentStatus) -> None:
        """The policy may learn from how it went."""
        told = {"end_reason": str(status)}
        self.policy.end_episode(Observation(state, reward, end=True, info=told))

    def _reseed(self, seed: int) -> None:
        self.policy = self._policy_class(opponent_seed(seed, self._role, self._seat))
