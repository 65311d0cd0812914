"""What an agent thinks, apart from how it is connected to a game."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, ClassVar

from netsecgame.game_components import IP, Action, ActionType

if TYPE_CHECKING:
    from netsecgame.game_components import AgentRole, GameState, Observation

#: An action that changes nothing, for an agent that can do nothing else: it costs a step.
IDLE = Action(
    ActionType.FindData, {"target_host": IP("255.255.255.255"), "source_host": IP("0.0.0.0")}
)


class Policy:
    """Chooses the actions of one agent, episode after episode.

    `EpisodicAgent` lets it play on a server, `netsecgame.envs` in an environment. A class that
    inherits a policy and `EpisodicAgent`, in this order, is an agent with that policy; for that the
    policy must do with this constructor.

    Args:
        seed: Of its own random choices; None draws one.

    Attributes:
        plays_as: The role.
        rng: For all random choices.
    """

    plays_as: ClassVar[AgentRole]

    def __init__(self, seed: int | None = None) -> None:
        self.rng = Random(seed)

    def begin_episode(self, start: Observation) -> None:
        """Called with the first observation of each episode; its info has the goal."""

    def choose_action(self, state: GameState) -> Action:
        """What to play next."""
        raise NotImplementedError

    def end_episode(self, last: Observation) -> None:
        """Called with the last observation of each episode; its info has the reason."""
