"""The bit arithmetic of the numpy backend, against plain Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from netsecgame.core.bits import iter_bits
from netsecgame.envs.batch.numpy_words import (
    BitRows,
    count_bits,
    field_of,
    fields_of,
    flags_of,
    list_bits,
    masks_of,
    nth,
    nth_of_field,
    pick,
    running_sum,
    split,
)

if TYPE_CHECKING:
    from netsecgame.envs.batch.layout import Words

COUNT, WORDS = 300, 5


@pytest.fixture
def words() -> Words:
    """Words of all kinds of density, (COUNT, WORDS)."""
    rng = np.random.default_rng(3)
    words = rng.integers(0, 2**64, (COUNT, WORDS), np.uint64)
    words[::3] &= rng.integers(0, 2**64, (COUNT // 3, WORDS), np.uint64)
    words[::5] &= words[::-5]
    words[0], words[1], words[2] = 0, 2**64 - 1, 2**63
    return words


def as_int(row: Words) -> int:
    return int.from_bytes(row.astype("<u8").tobytes(), "little")


def test_nth_of_every_bit_of_words_is_its_place(words: Words) -> None:
    for word in words[:60].ravel():
        places = list(iter_bits(int(word)))
        n = np.arange(len(places))
        assert nth(np.full(len(places), word), n).tolist() == places


@pytest.mark.parametrize("width", [1, 2, 3, 9, 33, 63])
def test_nth_of_narrow_words_is_the_place_of_the_bit(words: Words, width: int) -> None:
    narrow = (words[:, 0] & np.uint64((1 << width) - 1)) | np.uint64(1 << width - 1)
    last = np.array([int(word).bit_count() - 1 for word in narrow])
    assert nth(narrow, last, width).tolist() == [width - 1] * COUNT


@pytest.mark.parametrize(("first", "width"), [(0, 64), (3, 9), (64, 64), (64, 200), (128, 129)])
def test_fields_of_every_shape_hold_their_bits(words: Words, first: int, width: int) -> None:
    field = field_of(words.T, first, width)
    several = fields_of(words.T, np.array([first, 0]), width)
    expected = [as_int(row) >> first & ((1 << width) - 1) for row in words]
    assert [as_int(column) for column in field.T] == expected
    assert several[0].tolist() == field.tolist()
    assert count_bits(several)[0].tolist() == [number.bit_count() for number in expected]
    flags = flags_of(field, np.arange(width))
    assert [np.flatnonzero(column).tolist() for column in flags.T] == [
        list(iter_bits(number)) for number in expected
    ]
    chosen = [i for i, number in enumerate(expected) if number]
    middle = np.array([expected[i].bit_count() // 2 for i in chosen])
    assert nth_of_field(field[:, chosen], width, middle).tolist() == [
        list(iter_bits(expected[i]))[n] for i, n in zip(chosen, middle, strict=True)
    ]


@pytest.mark.parametrize("columns", [5, 300])
def test_pick_of_every_thing_finds_its_row(columns: int) -> None:
    counts = np.random.default_rng(4).integers(0, 4, (7, columns)).astype(np.uint8)
    counts[3] += 1
    assert running_sum(counts).tolist() == np.cumsum(counts, axis=0, dtype=np.int64).tolist()
    for column in range(5):
        rows = np.repeat(np.arange(7), counts[:, column])
        within = np.concatenate([np.arange(count) for count in counts[:, column]])
        many = np.repeat(counts[:, column : column + 1], len(rows), axis=1)
        row, n = pick(many, np.arange(len(rows)))
        assert row.tolist() == rows.tolist()
        assert n.tolist() == within.tolist()


def test_list_bits_of_words_names_each_once(words: Words) -> None:
    which, places = list_bits(words[:, 0])
    assert len(which) == len(places)
    expected = {(i, bit) for i, word in enumerate(words[:, 0]) for bit in iter_bits(int(word))}
    assert set(zip(which.tolist(), places.tolist(), strict=True)) == expected
    assert len(which) == len(expected)


def test_masks_of_bits_have_these_bits_only() -> None:
    bits = np.array([0, 63, 64, 99])
    assert [as_int(mask) for mask in masks_of(bits, 100)] == [1 << bit for bit in bits.tolist()]


def test_split_of_numbers_gives_quotient_and_remainder() -> None:
    quotients, remainders = split(np.arange(20), 7)
    assert list(zip(quotients.tolist(), remainders.tolist(), strict=True)) == [
        divmod(number, 7) for number in range(20)
    ]


def test_bit_rows_changed_at_some_rows_change_these_bits_only(words: Words) -> None:
    before = [as_int(row) for row in words]
    rows, bits = np.array([0, 7, 8]), np.array([3, 100, 319])
    known = BitRows(words)
    known.set(rows, bits)
    assert known.has(rows, bits).all()
    known.add_part(np.array([9]), 70, 1, np.array([0b101], np.uint64))
    known.replace(
        np.array([10]), np.array([2]), np.array([0xFF], np.uint64), np.array([0x3C], np.uint64)
    )
    expected = before.copy()
    for row, bit in zip(rows.tolist(), bits.tolist(), strict=True):
        expected[row] |= 1 << bit
    expected[9] |= 0b101 << 128 + 6
    expected[10] = expected[10] & ~(0xFF << 128) | 0x3C << 128
    assert [as_int(row) for row in words] == expected
    part = known.part(np.arange(COUNT), 64, 1, 100)
    assert part.tolist() == [number >> 128 & ((1 << 36) - 1) for number in expected]
