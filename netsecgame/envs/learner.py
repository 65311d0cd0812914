"""What a learner among others sees: observations with masks, and infos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces

from netsecgame.core.knowledge import Knowledge
from netsecgame.core.legal_actions import legal_flags
from netsecgame.envs.observations import make_observer
from netsecgame.envs.observations.observer import says_the_same

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netsecgame.envs.rounds import Rounds, Seat


class Learner:
    """One agent of a game, looked at from outside.

    Attributes:
        agent: Its name.
        action_space: The numbers of its actions.
        observation_space: Dict of `observation` and `action_mask`.
    """

    def __init__(self, rounds: Rounds, seat: Seat, observation: str) -> None:
        """Get ready for the first episode.

        Raises:
            ConfigurationError: If there is no such kind of observation.
        """
        self.agent = seat.agent
        self._rounds = rounds
        self._index = rounds.game.action_index(seat.role)
        self._observer = make_observer(
            observation, rounds.game, seat.role, has_others=len(rounds.seats) > 1
        )
        self._known = Knowledge()  # what the mask goes by
        self._mask = np.zeros(self._index.size, np.int8)
        self.action_space = spaces.Discrete(self._index.size)
        self.observation_space = spaces.Dict(
            {
                "observation": self._observer.space,
                "action_mask": spaces.Box(0, 1, self._mask.shape, np.int8),
            }
        )

    def begin(self) -> None:
        """A new episode has begun."""
        self._observer.begin(self._rounds.goal(self.agent))

    def observe(self) -> dict[str, Any]:
        """What the agent observes now."""
        state = self._rounds.state(self.agent)
        share = self._rounds.share_of_steps(self.agent)
        return {
            "observation": self._observer.observe(state, share),
            "action_mask": self._mask_of(state.knowledge).copy(),
        }

    def describe(self, mask: NDArray[np.int8], *, is_waiting: bool) -> dict[str, Any]:
        """What else there is to say of the agent now."""
        player = self._rounds.world.player(self.agent)
        return {
            "action_mask": mask,
            "status": player.status.to_string(),
            "steps": player.steps,
            "is_waiting": is_waiting,
        }

    def _mask_of(self, known: Knowledge) -> NDArray[np.int8]:
        # Most actions change nothing, and a mask takes longer than all the rest.
        if known is not self._known:
            if not says_the_same(known, self._known):
                self._mask = np.frombuffer(legal_flags(self._index, known), np.int8)
            self._known = known
        return self._mask
