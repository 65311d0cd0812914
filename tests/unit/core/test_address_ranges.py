from __future__ import annotations

from random import Random

import pytest

from netsecgame.core.address_ranges import AddressRanges
from netsecgame.core.bits import mask_of
from netsecgame.game_components import IP, Network

ADDRESSES = [
    IP(text) for text in ("10.0.1.3", "255.255.255.255", "10.0.0.255", "0.0.0.0", "10.0.1.2")
]


@pytest.mark.parametrize(
    ("network", "found"),
    [
        (Network("10.0.1.0", 24), [4, 0]),
        (Network("10.0.1.77", 24), [4, 0]),
        (Network("10.0.0.0", 16), [2, 4, 0]),
        (Network("10.0.1.2", 32), [4]),
        (Network("10.0.1.2", 31), [4, 0]),
        (Network("0.0.0.0", 0), [3, 2, 4, 0, 1]),
        (Network("255.255.255.0", 24), [1]),
        (Network("10.0.2.0", 24), []),
        (Network("net_1", 24), []),
        (Network("10.0.1.0", 33), []),
    ],
)
def test_indices_are_those_inside_in_the_order_of_their_numbers(
    network: Network, found: list[int]
) -> None:
    ranges = AddressRanges(ADDRESSES)

    assert ranges.indices(network) == found
    assert ranges.inside(network) == mask_of(found)


def test_inside_agrees_with_looking_at_each() -> None:
    rng = Random(1)
    addresses = [IP(f"10.0.{rng.randrange(4)}.{n}") for n in rng.sample(range(256), 50)]
    ranges = AddressRanges(addresses)

    for _ in range(200):
        network = Network(f"10.0.{rng.randrange(4)}.{rng.randrange(256)}", rng.randint(0, 32))
        expected = mask_of(index for index, ip in enumerate(addresses) if ip in network)
        assert ranges.inside(network) == expected
