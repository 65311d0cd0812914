"""The global defender of many environments at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netsecgame.core.rng import Stream
from netsecgame.envs.batch.layout import WORD_BITS
from netsecgame.envs.batch.numpy_words import split

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netsecgame.envs.batch.numpy_block import Block
    from netsecgame.envs.batch.numpy_words import Flags, Ints
    from netsecgame.envs.batch.tables import Tables


class Detection:
    """Notes what is played, and draws who is detected."""

    def __init__(self, tables: Tables) -> None:
        t = self._tables = tables
        #: By action type, (6,) or (6, 5); see `Tables.detection`.
        self._has_rule = t.detection[:, 0] != 0
        self._counts_repeats = t.repeat_first >= 0
        self._first_counter = t.repeat_first - t.numbering.starts

    def is_detected(
        self, block: Block, rows: Ints, kinds: Ints, numbers: NDArray[np.int32]
    ) -> Flags:
        """Note the actions of some environments, and say which are detected."""
        t, envs = self._tables, block.envs
        steps = envs.steps[rows]
        envs.recent[rows, (steps - 1) % t.window] = kinds
        repeats = self._count_repeats(block, rows, kinds, numbers)
        is_detected = np.zeros(len(rows), np.bool_)
        watched = np.flatnonzero(self._has_rule[kinds] & (steps >= t.window))
        rows, kinds, steps = rows[watched], kinds[watched], steps[watched]
        share, longest = self._compare_recent(block, rows, kinds, steps)
        _, probability, min_share, min_run, min_repeats = t.detection[kinds].T
        suspicious = np.flatnonzero(
            (repeats[watched] >= min_repeats) | (share >= min_share) | (longest >= min_run)
        )
        is_detected[watched[suspicious]] = block.succeeds(
            rows[suspicious], Stream.DETECTION, probability[suspicious]
        )
        return is_detected

    def _count_repeats(
        self, block: Block, rows: Ints, kinds: Ints, numbers: NDArray[np.int32]
    ) -> Ints:
        """How often the actions have been played, as far as that is counted; else 0."""
        t = self._tables
        repeats = np.zeros(len(rows), np.int64)
        counted = np.flatnonzero(self._counts_repeats[kinds])
        if len(counted) == 0:
            return repeats
        per_word = WORD_BITS // t.repeat_bits
        counter = self._first_counter[kinds[counted]] + numbers[counted]
        word, place = split(counter, per_word)
        shift = (place * t.repeat_bits).astype(np.uint64)
        most = np.uint64((1 << t.repeat_bits) - 1)
        counters = block.envs.repeats
        count = (counters[rows[counted], word] >> shift) & most
        counters[rows[counted], word] += (count < most).astype(np.uint64) << shift
        repeats[counted] = count.astype(np.int64) + 1
        return repeats

    def _compare_recent(
        self, block: Block, rows: Ints, kinds: Ints, steps: NDArray[np.int32]
    ) -> tuple[NDArray[np.float64], Ints]:
        """The share of a type among the newest actions, and the longest run of it."""
        t = self._tables
        same, run, longest = np.zeros((3, len(rows)), np.int64)
        for ago in range(t.window):
            is_same = block.envs.recent[rows, (steps + ago) % t.window] == kinds
            same += is_same
            run = (run + 1) * is_same
            np.maximum(longest, run, out=longest)
        return same / t.window, longest
