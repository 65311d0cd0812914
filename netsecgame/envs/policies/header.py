"""What a saved policy was made for."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Self

import msgspec

from netsecgame.envs.observations.layouts import lay_out
from netsecgame.errors import PolicyError
from netsecgame.game_components import AgentRole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netsecgame.envs.batch.layout import StateLayout
    from netsecgame.envs.game import Game


class PolicyHeader(msgspec.Struct, frozen=True, kw_only=True):
    """The observations and actions that a policy knows, and where it comes from.

    Attributes:
        role: What it plays, e.g. ``Attacker``.
        name: What to call it.
        task: The task it was trained on.
        num_features: F; an observation has one number more, the share of the steps that are used.
        num_actions: N.
        has_others: Whether anybody else played, so that observations tell of blocks.
        layout_hash: SHA-256 of what the features and actions mean, as hexadecimal digits.
        training: How it was trained: anything that JSON can say.
    """

    role: str
    name: str
    task: str
    num_features: int
    num_actions: int
    has_others: bool
    layout_hash: str
    training: dict[str, Any] = {}

    def __post_init__(self) -> None:
        AgentRole.from_string(self.role)
        if self.num_features < 1 or self.num_actions < 1:
            raise ValueError("expected at least one feature and one action")

    @classmethod
    def of(
        cls,
        game: Game,
        role: AgentRole,
        name: str,
        task: str,
        *,
        has_others: bool = False,
        training: Mapping[str, Any] | None = None,
    ) -> Self:
        """The header of a policy for a game.

        Args:
            game: What it was trained on.
            role: What it plays.
            name: What to call it.
            task: What to call the task.
            has_others: Whether anybody else played, so that observations tell of blocks.
            training: How it was trained.
        """
        layout = lay_out(game, role, has_others=has_others)
        num_actions = game.action_index(role).size
        return cls(
            role=str(role),
            name=name,
            task=task,
            num_features=layout.num_features,
            num_actions=num_actions,
            has_others=has_others,
            layout_hash=_hash(layout, num_actions),
            training=dict(training or {}),
        )

    def check(self, game: Game) -> StateLayout:
        """How the observations of such a policy are laid out in a game.

        Raises:
            PolicyError: If they, or the actions, mean something else there.
        """
        role = AgentRole.from_string(self.role)
        if role not in game.spec.task.roles:
            raise PolicyError(f"{self.name!r} plays {self.role}, which is no part of this task")
        layout = lay_out(game, role, has_others=self.has_others)
        num_actions = game.action_index(role).size
        if (
            (layout.num_features, num_actions) != (self.num_features, self.num_actions)
            or _hash(layout, num_actions) != self.layout_hash
        ):  # fmt: skip
            raise PolicyError(
                f"{self.name!r} was made for {self.task!r}, with {self.num_features} features and"
                f" {self.num_actions} actions; this task has {layout.num_features} and"
                f" {num_actions}, or they mean something else"
            )
        return layout


def _hash(layout: StateLayout, num_actions: int) -> str:
    return sha256("\n".join([*layout.feature_names, str(num_actions)]).encode()).hexdigest()
