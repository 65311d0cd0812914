"""Named random streams: all chance of one game, from one seed."""

from __future__ import annotations

from random import Random


class RandomStreams:
    """One generator for every kind of chance, all derived from one seed.

    A draw in one stream never shifts another: adding a random start place does not change which
    actions fail. Streams are seeded by text, which `random.Random` hashes with SHA-512, so they are
    the same in every process.

    Attributes:
        seed: The seed all streams were made from.
        start: Words in start positions.
        goal: Words in goals.
        actions: Success of actions.
        detection: The global defender.
        addresses: Dynamic addresses.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.start = Random(f"{seed}/start")
        self.goal = Random(f"{seed}/goal")
        self.actions = Random(f"{seed}/actions")
        self.detection = Random(f"{seed}/detection")
        self.addresses = Random(f"{seed}/addresses")
