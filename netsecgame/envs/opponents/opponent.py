"""What somebody has to be able to do to play an agent of a game in place of a learner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from netsecgame.core.goal import Goal
    from netsecgame.core.knowledge import KnownState
    from netsecgame.game_components import Action, AgentStatus


class Opponent(Protocol):
    """Plays one agent."""

    def begin(self, state: KnownState, goal: Goal, seed: int | None) -> None:
        """A new episode begins.

        Args:
            state: What the agent knows at its start.
            goal: What it has to reach.
            seed: Of the game, which re-seeds the choices of the opponent, and it forgets what it
                has learned; None goes on with all that as it is.
        """

    def act(self, state: KnownState) -> Action | int | None:
        """What to play: an action, or its number in the index of the agent's role.

        None is nothing, and costs no step.
        """

    def end(self, state: KnownState, reward: float, status: AgentStatus) -> None:
        """The episode of the agent has ended.

        Nobody calls this if the game goes on to the next episode before.

        Args:
            state: What the agent knows.
            reward: Of its last action, with its final reward.
            status: How it ended.
        """
