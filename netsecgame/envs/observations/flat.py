"""Observations as one row of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from gymnasium import spaces

from netsecgame.core.knowledge import Knowledge
from netsecgame.envs.observations.observer import says_the_same

if TYPE_CHECKING:
    from netsecgame.core.goal import Goal
    from netsecgame.core.knowledge import KnownState
    from netsecgame.envs.batch.features import Floats
    from netsecgame.envs.batch.layout import StateLayout


class FlatObserver:
    """A number for each thing that can be known, 1.0 if it is, and the share of the steps used.

    The features of the last state are kept, because most actions change nothing.

    Attributes:
        layout: Says what each number stands for (`layout.feature_names`).
        space: Box (F + 1,) float32, 0..1.
    """

    def __init__(self, layout: StateLayout) -> None:
        self.layout = layout
        self.space = spaces.Box(0, 1, (layout.num_features + 1,), np.float32)
        self._known = Knowledge()  # that of the features
        self._features: Floats = np.zeros(layout.num_features + 1, np.float32)

    def begin(self, goal: Goal) -> None:
        """Nothing to do: numbers do not tell the goal."""

    def observe(self, state: KnownState, share: float) -> Floats:
        """The observation of a state, (F + 1,) float32."""
        known = state.knowledge
        if known is not self._known:
            if not says_the_same(known, self._known):
                words = self.layout.encode(known)
                self._features = self.layout.flatten(words, 0.0)
            self._known = known
        observation = self._features.copy()
        observation[-1] = share
        return observation
