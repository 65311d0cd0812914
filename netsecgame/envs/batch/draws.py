"""The random streams of a batch: a column of words each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netsecgame.core.rng import Stream, first_word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: The streams that a batch draws from, in the order of their columns.
STREAMS = tuple(stream for stream in Stream if stream is not Stream.ADDRESSES)


def first_words(seeds: Sequence[int]) -> NDArray[np.uint64]:
    """Where all streams of some seeds begin, (seeds, streams) uint64."""
    words = [[first_word(seed, stream) for stream in STREAMS] for seed in seeds]
    return np.array(words, dtype=np.uint64)
