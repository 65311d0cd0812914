"""ScanNetwork: find the addresses in a network that the source reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

    from netsecgame.core.actions.indexed import IndexedAction
    from netsecgame.core.knowledge import Knowledge
    from netsecgame.core.world_state import WorldState


def apply(
    truth: WorldState, known: Knowledge, action: IndexedAction, _agent: Hashable
) -> Knowledge:
    """Every existing address in the network that the source reaches becomes known, and logs it."""
    found = truth.connect(action.source, action.targets)
    truth.logs.write(found, action.log_entry)
    return known.with_hosts(found) if found & ~known.hosts else known
