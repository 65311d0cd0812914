"""ScanNetwork: find the addresses in a network that the source reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsecgame.core.bits import iter_bits

if TYPE_CHECKING:
    from collections.abc import Hashable

    from netsecgame.core.actions.indexed import IndexedAction
    from netsecgame.core.knowledge import Knowledge
    from netsecgame.core.world_state import WorldState


def apply(
    truth: WorldState, known: Knowledge, action: IndexedAction, _agent: Hashable
) -> Knowledge:
    """Every existing address in the network that the source reaches becomes known, and logs it."""
    found = truth.connect_all(action.source, action.item)
    for address in iter_bits(found):
        truth.write_log(address, action.source, action.type)
    if not found & ~known.hosts:
        return known
    return known._replace(hosts=known.hosts | found)
