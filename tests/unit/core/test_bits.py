from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from netsecgame.core.bits import iter_bits, mask_of

INDICES = st.sets(st.integers(0, 2_000))


def test_iter_bits_gives_the_set_positions_lowest_first() -> None:
    assert list(iter_bits(0b1001_0010)) == [1, 4, 7]
    assert list(iter_bits(0)) == []


def test_mask_of_sets_a_bit_for_every_index() -> None:
    assert mask_of([1, 4, 4, 7]) == 0b1001_0010
    assert mask_of([]) == 0


@given(INDICES)
def test_iter_bits_of_a_mask_gives_back_its_indices(indices: set[int]) -> None:
    assert list(iter_bits(mask_of(indices))) == sorted(indices)
