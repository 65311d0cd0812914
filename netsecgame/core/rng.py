"""Random streams: all chance of one game, from one seed.

The generator is SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators",
2014): a counter and a mixing function. A stream is one word of memory and takes no time to begin,
and arrays and compiled code draw the same numbers (`netsecgame.envs.batch`).
"""

from __future__ import annotations

from enum import IntEnum
from functools import cached_property
from random import Random
from typing import Any

GAMMA = 0x9E3779B97F4A7C15
MIX_1 = 0xBF58476D1CE4E5B9
MIX_2 = 0x94D049BB133111EB
_WORD = (1 << 64) - 1
_UNIT = 2.0**-53


class Stream(IntEnum):
    """What a number is drawn for.

    - START, GOAL: words in start positions and goals.
    - ACTIONS: success of actions.
    - DETECTION: the global defender.
    - DEFENDER: what a random defender of the batched world plays.
    - CHOICE: what its `sample_actions` gives.
    - ADDRESSES: dynamic addresses.
    """

    START = 0
    GOAL = 1
    ACTIONS = 2
    DETECTION = 3
    DEFENDER = 4
    CHOICE = 5
    ADDRESSES = 6


def mix(word: int) -> int:
    """A word with its bits mixed."""
    word = (word ^ word >> 30) * MIX_1 & _WORD
    word = (word ^ word >> 27) * MIX_2 & _WORD
    return word ^ word >> 31


def first_word(seed: int, stream: Stream) -> int:
    """Where a stream begins, for a seed of any size and sign."""
    return mix(mix(seed & _WORD) + (stream + 1) * GAMMA & _WORD)


class StreamRandom(Random):
    """One stream for code that takes a `random.Random`."""

    def __init__(self, seed: int = 0, stream: Stream = Stream.START) -> None:
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
        """A number of 0 <= n < count, which is at most 2**32."""
        return (self.next_word() >> 32) * count >> 32

    def choice(self, candidates: Any) -> Any:
        """One of a sequence that is not empty."""
        return candidates[self.below(len(candidates))]

    def getrandbits(self, count: int, /) -> int:
        """That many random bits."""
        words = -(-count // 64)
        bits = 0
        for _ in range(words):
            bits = bits << 64 | self.next_word()
        return bits >> 64 * words - count

    def getstate(self) -> tuple[Any, ...]:
        """What `setstate` takes to go on from here."""
        return (self.word,)

    def setstate(self, state: tuple[Any, ...]) -> None:
        """Go on from where `getstate` was called."""
        (self.word,) = state


class RandomStreams:
    """One generator for every kind of chance, all derived from one seed.

    A draw in one stream never shifts another: adding a random start place does not change which
    actions fail. Most games draw from few of them, so each is made when it is first asked for.

    Attributes:
        seed: The seed all streams are made from.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    @cached_property
    def start(self) -> StreamRandom:
        """Words in start positions."""
        return StreamRandom(self.seed, Stream.START)

    @cached_property
    def goal(self) -> StreamRandom:
        """Words in goals."""
        return StreamRandom(self.seed, Stream.GOAL)

    @cached_property
    def actions(self) -> StreamRandom:
        """Success of actions."""
        return StreamRandom(self.seed, Stream.ACTIONS)

    @cached_property
    def detection(self) -> StreamRandom:
        """The global defender."""
        return StreamRandom(self.seed, Stream.DETECTION)

    @cached_property
    def addresses(self) -> StreamRandom:
        """Dynamic addresses."""
        return StreamRandom(self.seed, Stream.ADDRESSES)
