"""Observations of many environments at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsecgame.envs.batch.features import Flattener

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from netsecgame.envs.batch.features import Floats
    from netsecgame.envs.batch.layout import Words
    from netsecgame.envs.batch.numpy_block import Block
    from netsecgame.envs.batch.numpy_words import Ints
    from netsecgame.envs.batch.tables import Tables

#: Bytes of observations that are written together.
_BYTES = 1 << 20


class Observations:
    """Writes what is wanted of the observations of one game; see `Flattener`.

    The limits are those of the roles; 0 is none.
    """

    def __init__(self, tables: Tables, attacker_max_steps: int, defender_max_steps: int) -> None:
        self._flattener = Flattener(tables.used_bits.tolist())
        self._attacker_max_steps = attacker_max_steps
        self._defender_max_steps = defender_max_steps

    def write_all(self, block: Block) -> None:
        """Those of all environments."""
        results = block.results
        at_once = max(1, _BYTES // self._flattener.bytes_per_row)
        for first in range(0, len(results.observations), at_once):
            piece = slice(first, first + at_once)
            self._write(block, piece, results.observations, results.defender_observations)

    def write(self, block: Block, rows: Ints) -> None:
        """Those of some environments."""
        results = block.results
        self._write(block, rows, results.observations, results.defender_observations)

    def write_final(self, block: Block, rows: Ints) -> None:
        """Those of some environments, as the last ones of their episodes."""
        results = block.results
        self._write(block, rows, results.final_observations, results.final_defender_observations)

    def _write(self, block: Block, rows: Ints | slice, ours: Floats, theirs: Floats) -> None:
        envs = block.envs
        if len(ours):
            self._flatten(envs.states, envs.steps, self._attacker_max_steps, rows, ours)
        if len(theirs):
            states, steps = envs.defender_states, envs.defender_steps
            self._flatten(states, steps, self._defender_max_steps, rows, theirs)

    def _flatten(
        self,
        states: Words,
        steps: NDArray[np.int32],
        max_steps: int,
        rows: Ints | slice,
        out: Floats,
    ) -> None:
        share = steps[rows] / max_steps if max_steps else 0.0
        if isinstance(rows, slice):
            self._flattener.flatten(states[rows], share, out[rows])
        else:
            out[rows] = self._flattener.flatten(states[rows], share)
