"""Lets a policy that was learned and saved play in an environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsecgame.envs.opponents.seeding import opponent_seed
from netsecgame.envs.policies import PolicyPlayer
from netsecgame.errors import ConfigurationError

if TYPE_CHECKING:
    from netsecgame.core.goal import Goal
    from netsecgame.core.knowledge import KnownState
    from netsecgame.envs.game import Game
    from netsecgame.envs.policies import SavedPolicy
    from netsecgame.game_components import AgentRole, AgentStatus


class SavedPolicyOpponent:
    """Plays as the learner did that left the policy."""

    def __init__(self, policy: SavedPolicy, game: Game, role: AgentRole, seat: int = 0) -> None:
        """Get ready for the first episode.

        Raises:
            PolicyError: If the policy is one for another task.
            ConfigurationError: If the policy plays another role.
        """
        if policy.role is not role:
            name = policy.header.name
            raise ConfigurationError(f"expected a policy of role {role}, {name!r} is {policy.role}")
        self._player = PolicyPlayer(policy, game)
        self._role = role
        self._seat = seat

    def begin(self, state: KnownState, goal: Goal, seed: int | None) -> None:
        """A new episode begins."""
        own_seed = None if seed is None else opponent_seed(seed, self._role, self._seat)
        self._player.begin(state, goal, own_seed)

    def act(self, state: KnownState) -> int:
        """The number of an action."""
        return self._player.act(state)

    def end(self, state: KnownState, reward: float, status: AgentStatus) -> None:
        """Nothing is learned any more."""
