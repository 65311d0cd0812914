"""Lets a saved policy play from what an agent knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netsecgame.core.legal_actions import legal_flags

if TYPE_CHECKING:
    from netsecgame.core.goal import Goal
    from netsecgame.core.knowledge import KnownState
    from netsecgame.envs.game import Game
    from netsecgame.envs.policies.saved import SavedPolicy


class PolicyPlayer:
    """A saved policy in a game.

    A policy that was trained alone knows no blocks. It plays with others too, and does not see
    those in its observations; actions that blocks rule out it is not offered.

    Attributes:
        policy: Who chooses.
    """

    def __init__(self, policy: SavedPolicy, game: Game) -> None:
        """Let a policy play.

        Raises:
            PolicyError: If it was made for another task.
        """
        self.policy = policy
        self._layout = policy.header.check(game)
        self._index = game.action_index(policy.role)
        self._max_steps = game.role_task(policy.role).max_steps
        self._steps = 0

    def begin(self, state: KnownState, goal: Goal, seed: int | None) -> None:
        """A new episode begins; as `SavedPolicy.begin`."""
        self._steps = 0
        self.policy.begin(state, goal, seed)

    def act(self, state: KnownState) -> int:
        """The number of the action to play, in the index of its role.

        Call it once for every step of the agent: it counts them.
        """
        share = self._steps / self._max_steps if self._max_steps else 0.0
        self._steps += 1
        known = state.knowledge
        mask = np.frombuffer(legal_flags(self._index, known), np.bool_)
        seen = known if self._layout.has_blocks else known._replace(blocks={})
        return self.policy.choose(self._layout.flatten(self._layout.encode(seen), share), mask)
