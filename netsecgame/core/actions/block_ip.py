"""BlockIP: cut two addresses off from each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

    from netsecgame.core.actions.indexed import IndexedAction
    from netsecgame.core.knowledge import Knowledge
    from netsecgame.core.world_state import WorldState


def apply(truth: WorldState, known: Knowledge, action: IndexedAction, agent: Hashable) -> Knowledge:
    """The target and the blocked address no longer reach each other, until the next reset."""
    target, blocked = action.target, action.item
    if not known.controlled & action.targets or target == blocked:
        return known
    if not truth.connect(action.source, action.targets):
        return known
    if action.outsider is not None:
        blocked = truth.labels.admit_outsider(action.outsider)
    if blocked < 0:
        return known
    truth.block(target, blocked, agent)
    truth.logs.write(action.targets, action.log_entry)
    return known.with_blocks(target, 1 << blocked).with_blocks(blocked, 1 << target)
