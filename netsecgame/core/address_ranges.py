"""Which of some addresses are inside a network, found by bisection."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from netsecgame.core.bits import mask_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netsecgame.game_components import IP, Network

_ALL_ONES = 0xFFFFFFFF


class AddressRanges:
    """Addresses in the order of their numbers; a lookup costs no more than what it finds."""

    def __init__(self, addresses: Sequence[IP]) -> None:
        self._order = sorted(range(len(addresses)), key=lambda index: addresses[index].value)
        self._values = [addresses[index].value for index in self._order]

    def indices(self, network: Network) -> list[int]:
        """Indices of the addresses inside a network of any mask; none for what is no network."""
        is_name, first, netmask, *_ = network.sort_key
        if is_name:
            return []
        last = first | _ALL_ONES ^ netmask
        return self._order[bisect_left(self._values, first) : bisect_right(self._values, last)]

    def inside(self, network: Network) -> int:
        """Mask of the same addresses."""
        return mask_of(self.indices(network))
