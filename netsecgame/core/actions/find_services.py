"""FindServices: see what a host offers."""

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
    """The target's services become known: all if it is controlled, else those not local to it."""
    target, targets = action.target, action.targets
    if not truth.connect(action.source, targets):
        return known
    truth.logs.write(targets, action.log_entry)
    topology = truth.topology
    services = topology.services_of[target]
    if not known.controlled & targets:
        services &= topology.open_services
    if not services:
        return known
    return known.with_services(target, topology.network_of[target], services)
