"""The global defender under the name that users of the public game know."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from netsecgame.core.detection import is_suspicious
from netsecgame.core.task import DEFAULT_DETECTION, DEFAULT_DETECTION_WINDOW, DetectionRule
from netsecgame.game_components import Action, ActionType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class GlobalDefender:
    """Decides by chance whether an action is detected.

    Args:
        rng: Draws the detections; None makes one with seed 42.
        rules: When and how likely each type is detected; actions without a rule never are.
    """

    def __init__(
        self,
        rng: Random | None = None,
        rules: Mapping[ActionType, DetectionRule] = DEFAULT_DETECTION,
    ) -> None:
        self._rng = rng or Random(42)
        self._rules = rules

    def stochastic(self, action_type: ActionType) -> bool:
        """Whether an action of this type is detected, whatever was played before it."""
        rule = self._rules.get(action_type)
        return rule is not None and self._rng.random() < rule.probability

    def stochastic_with_threshold(
        self,
        action: Action,
        episode_actions: Sequence[Action | Mapping[str, Any]],
        tw_size: int = DEFAULT_DETECTION_WINDOW,
    ) -> bool:
        """Whether an action is detected, given what the agent played before it in the episode.

        Args:
            action: The action.
            episode_actions: The actions before it, as actions or in wire form.
            tw_size: How many of the newest actions, this one included, are looked at; with fewer
                played, nothing is detected.
        """
        played = [a if isinstance(a, Action) else Action.from_dict(a) for a in episode_actions]
        played.append(action)
        rule = self._rules.get(action.type)
        if rule is None or len(played) < tw_size:
            return False
        window = [one.type for one in played[-tw_size:]]
        if not is_suspicious(rule, action.type, window, played.count(action)):
            return False
        return self.stochastic(action.type)
