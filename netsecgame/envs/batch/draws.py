"""Random numbers that compiled code, numpy and plain Python draw alike.

The generator is SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators",
2014): a counter and a mixing function, so a stream is one word of memory.
"""

from __future__ import annotations

from enum import IntEnum
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_T = TypeVar("_T")

GAMMA = 0x9E3779B97F4A7C15
MIX_1 = 0xBF58476D1CE4E5B9
MIX_2 = 0x94D049BB133111EB
_WORD = (1 << 64) - 1
_UNIT = 2.0**-53


class Stream(IntEnum):
    """What a number is drawn for; a draw in one stream never shifts another."""

    START = 0
    GOAL = 1
    ACTIONS = 2
    DETECTION = 3
    DEFENDER = 4
    CHOICE = 5


def mix(word: int) -> int:
    """A word with its bits mixed."""
    word = (word ^ word >> 30) * MIX_1 & _WORD
    word = (word ^ word >> 27) * MIX_2 & _WORD
    return word ^ word >> 31


def first_word(seed: int, stream: Stream) -> int:
    """Where a stream begins, for a seed of any size and sign."""
    return mix(mix(seed & _WORD) + (stream + 1) * GAMMA & _WORD)


def first_words(seeds: Sequence[int]) -> NDArray[np.uint64]:
    """Where all streams of some seeds begin, (seeds, streams) uint64."""
    words = [[first_word(seed, stream) for stream in Stream] for seed in seeds]
    return np.array(words, dtype=np.uint64)


class StreamRandom(Random):
    """One stream for code that takes a `random.Random`.

    Only `random` and `choice` draw from the stream; they are what the rules use.
    """

    def __init__(self, seed: int, stream: Stream) -> None:
        super().__init__(0)
        self.word = first_word(seed, stream)

    def next_word(self) -> int:
        """The next 64 random bits."""
        self.word = self.word + GAMMA & _WORD
        return mix(self.word)

    def random(self) -> float:
        """A number of 0 <= x < 1, in steps of 2**-53."""
        return (self.next_word() >> 11) * _UNIT

    def below(self, count: int) -> int:
        """A number of 0 <= n < count."""
        return (self.next_word() >> 32) * count >> 32

    def choice(self, candidates: Any) -> Any:
        """One of a sequence that is not empty."""
        return candidates[self.below(len(candidates))]
