"""What the wrappers need of the environment that they wrap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    import gymnasium

    from netsecgame.core.goal import Goal
    from netsecgame.core.knowledge import KnownState
    from netsecgame.envs.game import Game
    from netsecgame.game_components import AgentRole

_NEEDED = ("state", "goal", "game", "role")


class GameEnv(Protocol):
    """The environment of one agent, below all wrappers.

    Before the first reset there is neither a state nor a goal.
    """

    @property
    def state(self) -> KnownState:
        """What the agent knows now."""

    @property
    def goal(self) -> Goal:
        """What it has to reach in this episode."""

    @property
    def game(self) -> Game:
        """What is played."""

    @property
    def role(self) -> AgentRole:
        """What the agent plays."""


def game_of(env: gymnasium.Env[Any, Any]) -> GameEnv:
    """The environment below all wrappers.

    Raises:
        TypeError: If it is none of this game.
    """
    inner = env.unwrapped
    # Of the type, because before the first reset there is no state to get.
    if not all(hasattr(type(inner), name) or name in vars(inner) for name in _NEEDED):
        raise TypeError(f"expected an environment of netsecgame, got {inner}")
    return cast("GameEnv", inner)
