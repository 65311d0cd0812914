"""States as rows of numbers, which is what networks learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float32]


class Flattener:
    """Turns words into numbers: one for each bit that means something, and one more.

    Attributes:
        num_features: F, how many bits mean something.
    """

    def __init__(self, used_bits: Sequence[int]) -> None:
        """Prepare for words of which so many bits mean something: the lowest ones of each."""
        self.num_features = sum(used_bits)
        #: By word: where its features are, and where its bits are.
        self._spans = []
        start = 0
        for word, used in enumerate(used_bits):
            first = word * 64
            self._spans.append((slice(start, start + used), slice(first, first + used)))
            start += used
        self._bits = np.concatenate([np.r_[bits] for _, bits in self._spans])

    @property
    def bytes_per_row(self) -> int:
        """Memory of one row."""
        return 4 * (self.num_features + 1)

    def flatten(
        self,
        words: NDArray[np.uint64],
        share: NDArray[np.float64] | float,
        out: Floats | None = None,
    ) -> Floats:
        """As `StateLayout.flatten`."""
        if out is None:
            out = np.empty((*words.shape[:-1], self.num_features + 1), np.float32)
        octets = np.ascontiguousarray(words, "<u8").view(np.uint8)
        bits = np.unpackbits(octets, axis=-1, bitorder="little")
        if words.ndim == 1:
            out[:-1] = bits[self._bits]
        else:  # several times faster than by index
            for features, of_word in self._spans:
                out[:, features] = bits[:, of_word]
        out[..., -1] = share
        return out
