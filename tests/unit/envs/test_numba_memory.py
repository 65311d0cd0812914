"""Machine code reads the members of a tuple out of a block."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from numba import njit

from netsecgame.envs.batch import numba_memory
from netsecgame.envs.batch.numba_memory import Block

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Compiling takes a while on a busy machine.
pytestmark = pytest.mark.timeout(400)


class Inner(NamedTuple):
    is_set: bool
    words: NDArray[np.uint64]
    is_clear: bool


class Outer(NamedTuple):
    first: int
    share: float
    table: NDArray[np.int32]
    inner: Inner
    last: int


def _make() -> Outer:
    words = np.array([2**64 - 1, 7], np.uint64)
    table = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
    return Outer(-5, -0.375, table, Inner(True, words, False), 2**40)


def test_block_in_machine_code_has_the_members_of_the_tuple() -> None:
    @njit
    def read(block, numbers, words, shares):  # type: ignore[no-untyped-def]
        inner = block.inner
        numbers[0], numbers[1] = block.first, block.last
        numbers[2], numbers[3] = inner.is_set, inner.is_clear
        numbers[4], numbers[5] = block.table[1, 2, 3], block.table[1][0, 2]
        for axis in range(3):
            numbers[6 + axis] = block.table.shape[axis]
        numbers[9], numbers[10] = block.table.size, len(inner.words)
        shares[0] = block.share * 2
        words[:] = inner.words
        inner.words[1] = 9

    value = _make()
    numbers, words = np.zeros(11, np.int64), np.zeros(2, np.uint64)
    shares = np.zeros(1)
    read(Block(value), numbers, words, shares)
    assert shares.tolist() == [-0.75]
    assert numbers.tolist() == [-5, 2**40, 1, 0, 23, 14, 2, 3, 4, 24, 2]
    assert words.tolist() == [2**64 - 1, 7]
    assert value.inner.words.tolist() == [2**64 - 1, 9]


def test_block_of_an_array_in_another_order_is_refused() -> None:
    value = _make()
    with pytest.raises(TypeError, match="expected an array in C order"):
        Block(value._replace(table=value.table[:, :, ::2]))


def test_block_type_of_the_same_members_is_the_same() -> None:
    assert Block(_make())._numba_type_ == Block(_make())._numba_type_


def test_block_type_of_other_members_is_another() -> None:
    value = _make()
    narrow = value._replace(table=value.table.astype(np.int16))
    assert Block(value)._numba_type_ != Block(narrow)._numba_type_


def test_block_type_of_other_sources_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = Block(_make())._numba_type_
    monkeypatch.setattr(numba_memory, "_SOURCES", "changed")
    assert Block(_make())._numba_type_ != kind
