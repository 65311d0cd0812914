"""Lets a policy that was learned and saved play in an environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsecgame.envs.opponents.seeding import opponent_seed
from netsecgame.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from netsecgame.core.goal import Goal
    from netsecgame.core.knowledge import KnownState
    from netsecgame.envs.game import Game
    from netsecgame.game_components import AgentRole, AgentStatus


class SavedPolicyOpponent:
    """Plays as the learner did whose policy is in a file."""

    def __init__(self, path: Path, game: Game, role: AgentRole, seat: int = 0) -> None:
        """Get ready for the first episode.

        Raises:
            PolicyError: If the file has no policy, or one for another task.
            ConfigurationError: If the policy plays another role.
        """
        # The names of opponents are of use where no file is read.
        from netsecgame.envs.policies import PolicyPlayer, load_policy  # noqa: PLC0415

        policy = load_policy(path)
        if policy.role is not role:
            raise ConfigurationError(
                f"expected a policy of role {role}, got {policy.role}", source=str(path)
            )
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
