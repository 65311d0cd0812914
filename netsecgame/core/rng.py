"""Named random streams: all chance of one game, from one seed."""

from __future__ import annotations

from functools import cached_property
from random import Random


class RandomStreams:
    """One generator for every kind of chance, all derived from one seed.

    A draw in one stream never shifts another: adding a random start place does not change which
    actions fail. Streams are seeded by text, which `random.Random` hashes with SHA-512, so they are
    the same in every process. Most games draw from few of them, and to seed one takes 8 us, so
    each is made when it is first asked for.

    Attributes:
        seed: The seed all streams are made from.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    @cached_property
    def start(self) -> Random:
        """Words in start positions."""
        return Random(f"{self.seed}/start")

    @cached_property
    def goal(self) -> Random:
        """Words in goals."""
        return Random(f"{self.seed}/goal")

    @cached_property
    def actions(self) -> Random:
        """Success of actions."""
        return Random(f"{self.seed}/actions")

    @cached_property
    def detection(self) -> Random:
        """The global defender."""
        return Random(f"{self.seed}/detection")

    @cached_property
    def addresses(self) -> Random:
        """Dynamic addresses."""
        return Random(f"{self.seed}/addresses")
