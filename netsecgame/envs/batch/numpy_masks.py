"""Flags of the legal actions of many environments."""

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
    from netsecgame.envs.batch.tables import Tables


class ActionMasks:
    """Writes one flag for every action: whether it is legal."""

    def __init__(self, tables: Tables) -> None:
        t = self._tables = tables
        self._addresses = np.arange(t.addresses)
        self._data_bits = t.data_bit[:, None] + np.arange(t.data)
        self._blocks_bits = t.blocks_bit[:, None] + self._addresses

    def of(self, states: Words) -> Flags:
        """The flags of some states (n, W), (n, N)."""
        t = self._tables
        count = len(states)
        known = np.unpackbits(
            states.astype("<u8", copy=False).view(np.uint8), axis=1, bitorder="little"
        ).view(np.bool_)
        networks = known[:, t.networks_bit : t.networks_bit + t.networks]
        hosts = known[:, t.hosts_bit : t.hosts_bit + t.addresses]
        controlled = known[:, t.controlled_bit : t.controlled_bit + t.addresses]
        sources = controlled[:, :, None]
        itself = np.eye(t.addresses, dtype=np.bool_)
        reached = np.ones((1, t.addresses, t.addresses), np.bool_)
        if t.has_blocks:
            cut = known[:, self._blocks_bits]
            reached = ~(cut | cut.transpose(0, 2, 1))
        items = known[:, self._data_bits]
        targets = controlled[:, None, :] & reached & ~itself
        parts = {
            EXFILTRATE_DATA: items[:, :, None, :] & targets[..., None],
            EXPLOIT_SERVICE: known[:, None, t.place_bit] & sources & reached[..., t.place_target],
            FIND_DATA: sources & itself,
            FIND_SERVICES: sources & hosts[:, None, :] & reached,
            SCAN_NETWORK: sources & networks[:, None, :],
        }
        if t.per_source[BLOCK_IP]:
            blockers = controlled[:, None, :] & reached & sources
            blocked = hosts[:, None, :] & reached & ~itself
            parts[BLOCK_IP] = blockers[..., None] & blocked[:, None]
        flags = np.empty((count, t.size), np.bool_)
        ...
