"""Flags of the legal actions of many environments at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netsecgame.envs.batch.tables import (
    BLOCK_IP,
    EXFILTRATE_DATA,
    EXPLOIT_SERVICE,
    FIND_DATA,
    FIND_SERVICES,
    SCAN_NETWORK,
)

if TYPE_CHECKING:
    from netsecgame.envs.batch.layout import Words
    from netsecgame.envs.batch.numpy_words import Flags
    from netsecgame.envs.batch.tables import Numbering, Tables


class ActionMasks:
    """Writes one flag for every action of an index: whether it is legal."""

    def __init__(self, tables: Tables, numbering: Numbering) -> None:
        t = self._tables = tables
        self._numbering = numbering
        addresses = np.arange(t.addresses)
        self._data_bits = t.data_bit[:, None] + np.arange(t.data)
        self._blocks_bits = t.blocks_bit[:, None] + addresses
        self._is_itself = addresses[:, None] == addresses

    def write(self, states: Words, flags: Flags) -> None:
        """Write the flags of some states (n, W) into (n, N)."""
        t, numbering = self._tables, self._numbering
        known = _bits_of(states)
        networks = known[:, t.networks_bit : t.networks_bit + t.networks]
        hosts = known[:, t.hosts_bit : t.hosts_bit + t.addresses]
        controlled = known[:, t.controlled_bit : t.controlled_bit + t.addresses]
        services = known[:, t.place_bit]
        data = known[:, self._data_bits]
        # Axes: environment, source, then the parts of a place in the order of the index.
        sources = controlled[:, :, None]
        reached = np.ones((1, t.addresses, t.addresses), np.bool_)
        if t.has_blocks:
            cut = known[:, self._blocks_bits]
            reached = ~(cut | cut.transpose(0, 2, 1))
        others = reached & ~self._is_itself

        def write(kind: int, one: Flags, other: Flags, *shape: int) -> None:
            start = numbering.starts[kind]
            section = flags[:, start : start + t.addresses * numbering.per_source[kind]]
            view = section.reshape(len(states), t.addresses, *shape)
            np.logical_and(one, other, out=view)

        targets = controlled[:, None] & others
        write(EXFILTRATE_DATA, targets[..., None], data[:, :, None], t.addresses, t.data)
        offered = services[:, None] & reached[..., t.place_target]
        write(EXPLOIT_SERVICE, sources, offered, len(t.place_bit))
        write(FIND_DATA, sources, self._is_itself, t.addresses)
        write(FIND_SERVICES, sources, hosts[:, None] & reached, t.addresses)
        write(SCAN_NETWORK, sources, networks[:, None], t.networks)
        if numbering.per_source[BLOCK_IP]:
            blockers = sources & controlled[:, None] & reached
            blocked = hosts[:, None] & others
            write(BLOCK_IP, blockers[..., None], blocked[:, None], t.addresses, t.addresses)


def _bits_of(words: Words) -> Flags:
    """All bits of the words of (n, W), (n, 64 W)."""
    octets = np.ascontiguousarray(words, "<u8").view(np.uint8)
    return np.unpackbits(octets, axis=1, bitorder="little").view(np.bool_)
