"""What all saved policies have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from netsecgame.core.rng import Stream, StreamRandom
from netsecgame.game_components import AgentRole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from numpy.typing import NDArray

    from netsecgame.core.goal import Goal
    from netsecgame.core.knowledge import KnownState
    from netsecgame.envs.game import Game
    from netsecgame.envs.policies.header import PolicyHeader

    Observation: TypeAlias = NDArray[np.float32]
    Mask: TypeAlias = NDArray[np.bool_]
    Arrays: TypeAlias = Mapping[str, NDArray[Any]]


class SavedPolicy(ABC):
    """Chooses actions from flat observations.

    With the same seed it makes the same choices, on any machine.

    Attributes:
        kind: What the file calls this type of policy.
        header: What it was made for.
    """

    kind: ClassVar[str]

    def __init__(self, header: PolicyHeader) -> None:
        self.header = header
        self._rng = StreamRandom(0, Stream.CHOICE)

    @property
    def role(self) -> AgentRole:
        """What it plays."""
        return AgentRole.from_string(self.header.role)

    def check(self, game: Game) -> None:
        """Make sure that it can play a game.

        Raises:
            PolicyError: If observations or actions of the game mean something else.
        """
        self.header.check(game)

    def begin(self, state: KnownState, goal: Goal, seed: int | None) -> None:  # noqa: ARG002
        """A new episode begins.

        Args:
            state: What the agent knows at its start.
            goal: What it has to reach.
            seed: Re-seeds the choices; None goes on with them as they are.
        """
        if seed is not None:
            self._rng = StreamRandom(seed, Stream.CHOICE)

    @abstractmethod
    def choose(self, observation: Observation, mask: Mask) -> int:
        """The number of a legal action; 0 if nothing is legal.

        Args:
            observation: A flat one, (F + 1,).
            mask: Which actions are legal, (N,).
        """

    @property
    @abstractmethod
    def options(self) -> Mapping[str, str]:
        """What the file has to say besides arrays."""

    @property
    @abstractmethod
    def arrays(self) -> Arrays:
        """What the file holds, by name."""

    @classmethod
    @abstractmethod
    def restore(cls, header: PolicyHeader, options: Mapping[str, str], arrays: Arrays) -> Self:
        """The policy that had these options and arrays.

        Raises:
            ValueError: If they do not fit together.
            KeyError: If one is missing.
        """

    def _any_legal(self, mask: Mask) -> int:
        legal = np.flatnonzero(mask)
        return int(legal[self._rng.below(len(legal))]) if len(legal) else 0
