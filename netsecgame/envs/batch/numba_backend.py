"""The batch in machine code, on several threads."""

from __future__ import annotations

import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from netsecgame.envs.batch import numba_kernel
from netsecgame.envs.batch.layout import WORD_BITS
from netsecgame.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from netsecgame.envs.batch.arrays import Envs, Results, Roles, Scratch
    from netsecgame.envs.batch.tables import Tables

#: Fewer environments than that are not worth waking another thread for.
_MIN_ENVS_PER_THREAD = 256


def make_scratch(tables: Tables) -> Scratch:
    """Memory for one thread."""
    longest = max(tables.addresses, tables.data, tables.networks)
    return (
        np.zeros((tables.addresses, tables.address_words), np.uint64),
        np.zeros(-(-longest // WORD_BITS), np.uint64),
        np.zeros(4, np.int64),
        np.zeros(0, np.int32),
    )


class NumbaKernel:
    """Carries out steps with `numba_kernel`; see `Kernel` in `batched_world`."""

    def __init__(
        self,
        tables: Tables,
        roles: Roles,
        envs: Envs,
        results: Results,
        rewards: NDArray[np.float64],
        threads: int | None,
    ) -> None:
        if threads is not None and threads < 1:
            raise ConfigurationError(f"expected at least 1, got {threads}", path="threads")
        self._tables = tables
        self._roles = roles
        self._envs = envs
        self._results = results
        self._rewards = rewards
        count = len(envs.steps)
        wanted = threads or len(os.sched_getaffinity(0))
        used = max(1, min(wanted, count // _MIN_ENVS_PER_THREAD))
        bounds = [count * part // used for part in range(used + 1)]
        self._parts = [
            (first, end, make_scratch(tables)) for first, end in itertools.pairwise(bounds)
        ]
        self._pool = ThreadPoolExecutor(used - 1, "batch") if used > 1 else None

    def begin(self, chosen: NDArray[np.int64]) -> None:
        """Begin new episodes in the chosen environments."""
        numba_kernel.begin(self._tables, self._roles, self._envs, chosen)

    def step(self, actions: NDArray[np.int32], *, resets_at_once: bool) -> None:
        """Play one action in each environment; those that have ended begin anew instead."""

        def run(first: int, end: int, scratch: Scratch) -> None:
            numba_kernel.step(
                self._tables,
                self._roles,
                self._envs,
                self._results,
                scratch,
                actions,
                first,
                end,
                resets_at_once,
                self._rewards,
            )

        self._run(run)

    def sample(self, actions: NDArray[np.int32]) -> None:
        """Write a random legal action for each environment; 0 where there is none."""

        def run(first: int, end: int, scratch: Scratch) -> None:
            numba_kernel.sample(self._tables, self._envs, scratch, actions, first, end)

        self._run(run)

    def write_masks(self, masks: NDArray[np.bool_], chosen: NDArray[np.int64]) -> None:
        """Write the flags of the legal actions of the chosen environments."""
        scratch = self._parts[0][2]
        numba_kernel.write_masks(self._tables, self._envs, scratch, masks, chosen)

    def _run(self, run: Callable[[int, int, Scratch], None]) -> None:
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
