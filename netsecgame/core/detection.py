"""The global defender: how likely an action gives its agent away."""

from __future__ import annotations

from collections import Counter, deque
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from random import Random

    from netsecgame.core.task import DetectionRule
    from netsecgame.game_components import Action, ActionType

#: Different actions counted per agent and episode; repeats of further ones are not noticed.
MAX_COUNTED_ACTIONS = 100_000


def is_suspicious(
    rule: DetectionRule, kind: ActionType, window: Iterable[ActionType], repeats: int
) -> bool:
    """Whether an action meets a threshold of its rule.

    Args:
        rule: The rule for its type.
        kind: Its type.
        window: The types of the newest actions, this one included.
        repeats: How often this very action was played in the episode, this time included.
    """
    if rule.min_repeats is not None and repeats >= rule.min_repeats:
        return True
    kinds = list(window)
    if rule.min_share is not None and kinds.count(kind) / len(kinds) >= rule.min_share:
        return True
    return rule.min_run is not None and longest_run(kinds, kind) >= rule.min_run


def longest_run(kinds: Iterable[ActionType], kind: ActionType) -> int:
    """The length of the longest run of one type."""
    return max((sum(1 for _ in run) for which, run in groupby(kinds) if which is kind), default=0)


class ActionHistory:
    """What the global defender remembers of one agent in one episode."""

    def __init__(self, window: int) -> None:
        self._window: deque[ActionType] = deque(maxlen=window)
        self._counts: Counter[int] = Counter()

    def is_detected(
        self, action: Action, rules: Mapping[ActionType, DetectionRule], rng: Random
    ) -> bool:
        """Note an action and draw whether it is detected.

        Nothing is drawn before the window is full, nor for an action below all thresholds.
        """
        kind = action.type
        self._window.append(kind)
        # By hash: an action may be as long as a message, and agents choose how many there are.
        key = hash((kind, frozenset(action.parameters.items())))
        if key in self._counts or len(self._counts) < MAX_COUNTED_ACTIONS:
            self._counts[key] += 1
        rule = rules.get(kind)
        if rule is None or len(self._window) != self._window.maxlen:
            return False
        if not is_suspicious(rule, kind, self._window, self._counts[key]):
            return False
        return rng.random() < rule.probability
