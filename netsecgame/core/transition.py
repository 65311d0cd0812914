"""One game action applied to the world: the table of rules and what all of them share."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, TypeAlias

from netsecgame.core.actions import (
    block_ip,
    exfiltrate_data,
    exploit_service,
    find_data,
    find_services,
    scan_network,
)
from netsecgame.game_components import ActionType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netsecgame.core.actions.indexed import IndexedAction
    from netsecgame.core.knowledge import Knowledge
    from netsecgame.core.world_state import WorldState

Rule: TypeAlias = Callable[["WorldState", "Knowledge", "IndexedAction", Hashable], "Knowledge"]

RULES: Mapping[ActionType, Rule] = {
    ActionType.ScanNetwork: scan_network.apply,
    ActionType.FindServices: find_services.apply,
    ActionType.FindData: find_data.apply,
    ActionType.ExploitService: exploit_service.apply,
    ActionType.ExfiltrateData: exfiltrate_data.apply,
    ActionType.BlockIP: block_ip.apply,
}

#: The same by name: hashing a text is several times faster than hashing a member.
RULE_BY_NAME = {kind.name: rule for kind, rule in RULES.items()}


def apply_action(
    truth: WorldState, known: Knowledge, action: IndexedAction, agent: Hashable
) -> Knowledge:
    """What the agent knows after a game action; the same object if nothing changed for it."""
    if not known.controlled & action.source_mask:
        return known
    return RULE_BY_NAME[action.name](truth, known, action, agent)
