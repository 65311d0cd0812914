"""Some of the environments of a batch: as many as fit into the cache together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netsecgame.core import rng
from netsecgame.envs.batch.arrays import Envs
from netsecgame.envs.batch.numpy_words import BitRows
from netsecgame.envs.batch.results import Results

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netsecgame.core.rng import Stream
    from netsecgame.envs.batch.numpy_words import Flags, Ints

_GAMMA, _MIX_1, _MIX_2 = (np.uint64(n) for n in (rng.GAMMA, rng.MIX_1, rng.MIX_2))
_UNIT = 2.0**-53


class Block:
    """The environments from one to before another, numbered from 0 on.

    Attributes:
        envs: What is true in them.
        results: What came of their last step.
        states: What the attackers know.
        defender_states: What the defenders know.
        truth: See `Tables`.
    """

    def __init__(self, envs: Envs, results: Results, first: int, end: int) -> None:
        # Views: what changes here changes there.
        self.envs = Envs._make(array[first:end] for array in envs)
        self.results = Results._make(array[first:end] for array in results)
        self.first = first
        self.end = end
        self.states = BitRows(self.envs.states)
        self.defender_states = BitRows(self.envs.defender_states)
        self.truth = BitRows(self.envs.truth)

    def next_word(self, rows: Ints, stream: Stream) -> NDArray[np.uint64]:
        """The next 64 random bits of some environments."""
        words: NDArray[np.uint64] = self.envs.streams[rows, stream] + _GAMMA
        self.envs.streams[rows, stream] = words
        words = (words ^ (words >> np.uint64(30))) * _MIX_1
        words = (words ^ (words >> np.uint64(27))) * _MIX_2
        words ^= words >> np.uint64(31)
        return words

    def below(self, rows: Ints, stream: Stream, counts: NDArray[np.integer]) -> Ints:
        """A number of 0 <= n < count in some environments."""
        words = (self.next_word(rows, stream) >> np.uint64(32)) * counts.astype(np.uint64)
        return (words >> np.uint64(32)).astype(np.int64)

    def succeeds(self, rows: Ints, stream: Stream, chance: NDArray[np.float64] | float) -> Flags:
        """Whether something of a chance happens in some environments."""
        return (self.next_word(rows, stream) >> np.uint64(11)) * _UNIT < chance
