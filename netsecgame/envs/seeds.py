"""Seeds for those who give none."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_MAX_SEEDS = 2**31


def draw_seed(rng: np.random.Generator) -> int:
    """The seed of a game for which nobody gave one."""
    return int(rng.integers(_MAX_SEEDS))
