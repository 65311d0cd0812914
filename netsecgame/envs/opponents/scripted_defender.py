"""The defender with a plan: the same as in the batched world."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsecgame.envs.batch import defenders
from netsecgame.game_components import AgentRole

if TYPE_CHECKING:
    from netsecgame.core.goal import Goal
    from netsecgame.core.knowledge import KnownState
    from netsecgame.envs.game import Game
    from netsecgame.game_components import AgentStatus


class ScriptedDefender:
    """Reads the logs of its hosts in turn, and cuts off whoever acted on one from outside."""

    def __init__(self, game: Game) -> None:
        self._defender = defenders.ScriptedDefender(game.action_index(AgentRole.Defender))

    def begin(self, state: KnownState, goal: Goal, seed: int | None) -> None:  # noqa: ARG002
        """A new episode begins; nothing is left to chance."""
        self._defender.begin()

    def act(self, state: KnownState) -> int | None:
        """The number of an action; None if it controls nothing."""
        return self._defender.act(state)

    def end(self, state: KnownState, reward: float, status: AgentStatus) -> None:
        """Nothing was learned."""
