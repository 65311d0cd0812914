"""FindData: read what a controlled host holds."""

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
    """The target's data, its log and the blocks on it become known, if it is controlled."""
    target, targets = action.target, action.targets
    if not truth.connect(action.source, targets):
        return known
    truth.logs.write(targets, action.log_entry)
    if not known.controlled & targets:
        return known
    held = truth.data_on(target)
    known = known.with_log(target, truth.read_log(target), held)
    blocked = truth.blocked.get(target, 0)
    return known.with_blocks(target, blocked) if blocked else known
