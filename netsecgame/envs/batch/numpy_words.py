"""The words of many environments, read and written bit by bit, all of them at once.

Words are unsigned and places signed; they are never mixed in arithmetic, because the result would
be a float.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from netsecgame.envs.batch.layout import WORD_BITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netsecgame.envs.batch.layout import Words

    #: Numbers of environments, addresses, bits and the like.
    Ints: TypeAlias = NDArray[np.int64]
    Flags: TypeAlias = NDArray[np.bool_]

ZERO, ONE = np.uint64(0), np.uint64(1)

#: `np.cumsum` goes down the columns: with more of them, adding whole rows is several times faster.
_FEW_COLUMNS = 128

#: The word with one bit set, by its place.
ONE_BIT: Words = ONE << np.arange(WORD_BITS, dtype=np.uint64)


class BitRows:
    """Words of some environments, one a row.

    Rows that are written must be different from each other. `rows`, and bits that are an array,
    have one entry for each environment that is meant.
    """

    def __init__(self, words: Words) -> None:
        """Give a view of the words, (n, W); changes are made in them."""
        self.words = words
        # One index finds a word several times faster than two.
        self._flat = words.reshape(-1)
        self._width = words.shape[1]

    def has(self, rows: Ints, bits: Ints | int) -> Flags:
        """Whether a bit is set."""
        words: Words = self._flat.take(self._places(rows, bits))
        flags: Flags = words & ONE_BIT[bits & 63] != ZERO
        return flags

    def set(self, rows: Ints, bits: Ints | int) -> None:
        """Set a bit."""
        self._flat[self._places(rows, bits)] |= ONE_BIT[bits & 63]

    def part(self, rows: Ints, first: Ints | int, part: int, width: int) -> Words:
        """The `part`-th word of a field."""
        words: Words = self._flat.take(self._places(rows, first) + part)
        words >>= _shift(first)
        words &= part_mask(part, width)
        return words

    def add_part(self, rows: Ints, first: Ints | int, part: int, words: Words) -> None:
        """Set bits of the `part`-th word of a field."""
        self._flat[self._places(rows, first) + part] |= words << _shift(first)

    def replace(self, rows: Ints, word: Ints, field: Words, bits: Words) -> None:
        """Replace the bits of a field that lies within a word."""
        places = rows * self._width + word
        self._flat[places] = (self._flat.take(places) & ~field) | bits

    def _places(self, rows: Ints, bits: Ints | int) -> Ints:
        places: Ints = rows * self._width
        places += bits >> 6
        return places


def part_mask(part: int, width: int) -> np.uint64:
    """The bits that a field has in its `part`-th word."""
    return np.uint64((1 << min(WORD_BITS, width - part * WORD_BITS)) - 1)


def masks_of(bits: Ints, width: int) -> Words:
    """Masks of single bits, (bits, words of a field of so many bits)."""
    masks = np.zeros((len(bits), -(-width // WORD_BITS)), np.uint64)
    masks[np.arange(len(bits)), bits >> 6] = ONE_BIT[bits & 63]
    return masks


def field_of(columns: Words, first: int, width: int) -> Words:
    """The words of a field, (parts, n), of the words of n environments, (W, n)."""
    word = first >> 6
    words: Words = columns[word : word + -(-width // WORD_BITS)] >> _shift(first)
    words &= _part_masks(width)
    return words


def fields_of(columns: Words, firsts: Ints, width: int) -> Words:
    """The words of several fields of one width, (fields, parts, n)."""
    parts = np.arange(-(-width // WORD_BITS))
    words: Words = columns[(firsts >> 6)[:, None] + parts]
    words >>= _shift(firsts)[:, None, None]
    words &= _part_masks(width)
    return words


def count_bits(words: Words) -> NDArray[np.int32]:
    """How many bits of some words are set together, (..., n) of (..., parts, n)."""
    of_parts = np.bitwise_count(words)
    counts: NDArray[np.int32]
    if of_parts.shape[-2] == 1:
        counts = of_parts[..., 0, :].astype(np.int32)
    else:
        counts = of_parts.sum(axis=-2, dtype=np.int32)
    return counts


def flags_of(columns: Words, bits: Ints) -> Flags:
    """Whether some bits are set in the words of n environments, (bits, n)."""
    words: Words = columns[bits >> 6]
    flags: Flags = words & ONE_BIT[bits & 63][:, None] != ZERO
    return flags


def split(numbers: NDArray[Any], by: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Quotient and remainder of numbers from 0 on; several times faster than `np.divmod`."""
    quotients = numbers // by
    return quotients, numbers - quotients * by


def list_bits(words: Words) -> tuple[Ints, Ints]:
    """Every bit that is set in some words: which word of them, and its place there."""
    which = np.flatnonzero(words)
    left = words[which]
    found = [which]
    places = [which[:0]]
    while len(left):
        rest = left & (left - ONE)
        places.append(np.bitwise_count((left ^ rest) - ONE).astype(np.int64))
        is_more = rest != ZERO
        which, left = which[is_more], rest[is_more]
        found.append(which)
    return np.concatenate(found), np.concatenate(places)


def running_sum(counts: NDArray[Any]) -> Ints:
    """The sum of each row and those above, (rows, n)."""
    if counts.shape[1] < _FEW_COLUMNS:
        return np.cumsum(counts, axis=0, dtype=np.int64)
    ends = counts.astype(np.int64)
    for row in range(1, len(ends)):
        ends[row] += ends[row - 1]
    return ends


def pick(counts: NDArray[Any], n: NDArray[Any]) -> tuple[Ints, Ints]:
    """Where the n-th of many things is, of which each row of (rows, n) has so many.

    Returns:
        The row, and how many things of the row come before it.
    """
    ends = running_sum(counts)
    rows = (ends <= n).sum(axis=0)
    columns = np.arange(len(n))
    return rows, n - ends[rows, columns] + counts[rows, columns]


def nth_of_field(words: Words, width: int, n: NDArray[Any]) -> Ints:
    """The place of the n-th set bit of a field, given as its words, (parts, n)."""
    if len(words) == 1:
        return nth(words[0], n, width)
    part, n = pick(np.bitwise_count(words), n)
    return part * WORD_BITS + nth(words[part, np.arange(len(n))], n)


def nth(words: Words, n: NDArray[Any], width: int = WORD_BITS) -> Ints:
    """The place of the n-th set bit of words of so many bits."""
    places = np.zeros(len(words), np.int64)
    half = 1
    while half * 2 < width:
        half *= 2
    while half:
        in_lower = np.bitwise_count(words & part_mask(0, half))
        is_upper = n >= in_lower
        n = n - in_lower * is_upper
        shift = is_upper * np.int64(half)
        places += shift
        words = words >> shift.view(np.uint64)
        half //= 2
    return places


def _part_masks(width: int) -> Words:
    """All masks of a field, (parts, 1)."""
    parts = range(-(-width // WORD_BITS))
    return np.array([[part_mask(part, width)] for part in parts], np.uint64)


def _shift(first: Ints | int) -> Any:
    return np.asarray(first & 63, np.uint64)
