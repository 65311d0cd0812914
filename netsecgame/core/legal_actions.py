"""All actions there can be in a game, listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsecgame.core.bits import iter_bits
from netsecgame.core.topology import LOG
from netsecgame.game_components import Action, ActionType

if TYPE_CHECKING:
    from netsecgame.core.addressing import Labels


def list_all_actions(labels: Labels, *, include_blocks: bool = True) -> list[Action]:
    """Every game action on things that exist, sorted by its wire form.

    Every source x network, x target (FindServices, FindData), x service of the target, x data and
    (with `include_blocks`) x blocked address; A addresses and D data give about A² (D + A) actions.

    Args:
        labels: The addresses to list them under.
        include_blocks: Whether BlockIP actions are listed.
    """
    topology = labels.topology
    addresses = labels.addresses[: len(topology.addresses)]
    data = [datum for index, datum in enumerate(topology.data) if index != LOG] + [
        topology.data[LOG]
    ]
    actions: list[Action] = []
    for source in addresses:
        actions.extend(
            Action(ActionType.ScanNetwork, {"source_host": source, "target_network": network})
            for network in labels.networks
        )
        for index, target in enumerate(addresses):
            pair = {"source_host": source, "target_host": target}
            actions.append(Action(ActionType.FindServices, dict(pair)))
            actions.append(Action(ActionType.FindData, dict(pair)))
            actions.extend(
                Action(
                    ActionType.ExploitService,
                    {**pair, "target_service": topology.services[service]},
                )
                for service in iter_bits(topology.services_of[index])
            )
            actions.extend(
                Action(ActionType.ExfiltrateData, {**pair, "data": datum}) for datum in data
            )
            if include_blocks:
                actions.extend(
                    Action(ActionType.BlockIP, {**pair, "blocked_host": blocked})
                    for blocked in addresses
                )
    return sorted(actions, key=Action.to_json)
