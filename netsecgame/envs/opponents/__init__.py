"""Who plays the agents of a game that are not learners."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from netsecgame.core.goal import Goal
    from netsecgame.core.knowledge import KnownState
    from netsecgame.game_components import Action


class Opponent(Protocol):
    """Plays one agent."""

    def begin(self, state: KnownState, goal: Goal, seed: int | None) -> None:
        """A new episode begins.

        Args:
            state: What the agent knows at its start.
            goal: What it has to reach.
            seed: Re-seeds the choices of the opponent; None goes on with them as they are.
        """

    def act(self, state: KnownState) -> Action | None:
        """What to play; None is nothing, and costs no step."""
