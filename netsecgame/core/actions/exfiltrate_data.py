"""ExfiltrateData: copy data from one controlled host to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsecgame.core.topology import LOG

if TYPE_CHECKING:
    from collections.abc import Hashable

    from netsecgame.core.actions.indexed import IndexedAction
    from netsecgame.core.knowledge import Knowledge
    from netsecgame.core.world_state import WorldState


def apply(
    truth: WorldState, known: Knowledge, action: IndexedAction, _agent: Hashable
) -> Knowledge:
    """The datum that the source holds is from now on held, and known, on the target too."""
    source, target, datum = action.source, action.target, action.item
    if not known.controlled & action.targets or not truth.connect(source, action.targets):
        return known
    if datum < 0 or not known.data.get(source, 0) >> datum & 1:
        return known
    truth.logs.write(action.targets, action.log_entry)
    if not truth.data_on(source) >> datum & 1:
        return known
    if datum == LOG:
        return known.with_log(target, truth.read_log(source))
    truth.put_data(target, datum)
    return known.with_data(target, 1 << datum)
