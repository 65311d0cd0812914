"""The batch in machine code, on several threads."""

from __future__ import annotations

import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from netsecgame.envs.batch import numba_kernel
from netsecgame.envs.batch.arrays import AGENT
from netsecgame.envs.batch.layout import WORD_BITS
from netsecgame.envs.batch.numba_memory import Block
from netsecgame.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from netsecgame.envs.batch.arrays import Envs, Rewards, Roles
    from netsecgame.envs.batch.layout import Words
    from netsecgame.envs.batch.results import Results
    from netsecgame.envs.batch.tables import Tables

#: Fewer environments than that are not worth waking another thread for.
_MIN_ENVS_PER_THREAD = 256


class Batch(NamedTuple):
    """What all threads work on."""

    tables: Tables
    roles: Roles
    envs: Envs
    results: Results
    rewards: Rewards


class Scratch(NamedTuple):
    """Memory for one thread.

    Attributes:
        cuts: Mask of the addresses that each address is cut off from, (A, K).
        legal: A bit for each legal action: of all, or of one type and source from the first bit on.
            A word more than that takes.
    """

    cuts: Words
    legal: Words

    @classmethod
    def make(cls, tables: Tables, *, has_agent: bool) -> Scratch:
        """Memory for the environments of a game."""
        count = tables.addresses
        sizes = [tables.numbering.size, count * count if tables.has_blocks else 0]
        bits = max(*sizes, tables.defender_numbering.size if has_agent else 0)
        return cls(
            np.zeros((count, tables.address_words), np.uint64),
            np.zeros(bits // WORD_BITS + 2, np.uint64),
        )


class NumbaKernel:
    """Carries out steps with `numba_kernel`; see `Kernel` in `batched_world`."""

    def __init__(
        self,
        tables: Tables,
        roles: Roles,
        envs: Envs,
        results: Results,
        rewards: Rewards,
        threads: int | None,
    ) -> None:
        if threads is not None and threads < 1:
            raise ConfigurationError(f"expected at least 1, got {threads}", path="threads")
        self._batch = Block(Batch(tables, roles, envs, results, rewards))
        count = len(envs.steps)
        wanted = threads or len(os.sched_getaffinity(0))
        used = max(1, min(wanted, count // _MIN_ENVS_PER_THREAD))
        bounds = [count * part // used for part in range(used + 1)]
        self._parts = [
            (first, end, Block(Scratch.make(tables, has_agent=roles.who == AGENT)))
            for first, end in itertools.pairwise(bounds)
        ]
        self._pool = ThreadPoolExecutor(used - 1, "batch") if used > 1 else None

    def begin(self, chosen: NDArray[np.int64]) -> None:
        """Begin new episodes in the chosen environments."""
        numba_kernel.begin(self._batch, chosen)

    def step(
        self,
        actions: NDArray[np.int32],
        defender_actions: NDArray[np.int32],
        *,
        resets_at_once: bool,
    ) -> None:
        """Play one round in each environment; those that have ended begin anew instead."""

        def run(first: int, end: int, scratch: Block) -> None:
            numba_kernel.step(
                self._batch, scratch, actions, defender_actions, first, end, resets_at_once
            )

        self._run(run)

    def sample(self, actions: NDArray[np.int32], *, for_defenders: bool) -> None:
        """Write a random legal action for each environment; 0 where there is none."""

        def run(first: int, end: int, scratch: Block) -> None:
            numba_kernel.sample(self._batch, scratch, actions, first, end, for_defenders)

        self._run(run)

    def write_masks(
        self, masks: NDArray[np.bool_], chosen: NDArray[np.int64], *, for_defenders: bool
    ) -> None:
        """Write the flags of the legal actions of the chosen environments."""
        scratch = self._parts[0][2]
        numba_kernel.write_masks(self._batch, scratch, masks, chosen, for_defenders)

    def _run(self, run: Callable[[int, int, Block], None]) -> None:
        """Do something for all environments, the first part of them in this thread."""
        if self._pool is None:
            run(*self._parts[0])
            return
        others = [self._pool.submit(run, *part) for part in self._parts[1:]]
        try:
            run(*self._parts[0])
        finally:
            for other in others:
                other.result()
