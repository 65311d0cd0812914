"""The JSON of all actions there can be, as the white box tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from netsecgame.core.action_index import INDEX_ORDER
from netsecgame.game_components import ActionType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netsecgame.core.action_index import ActionIndex
    from netsecgame.core.addressing import Labels


def format_all_actions(index: ActionIndex, labels: Labels) -> str:
    """The wire form of every action of an index, as a JSON list in the order of the index.

    What follows the source is the same for every source, so it is put into words only once: a
    million actions take a second instead of ten.

    Args:
        index: Which actions.
        labels: The addresses to name them by.
    """
    hosts = [_text({"ip": str(labels.addresses[address])}) for address in index.addresses]
    parts = []
    for kind in INDEX_ORDER:
        if kind is ActionType.BlockIP and not index.include_blocks:
            continue
        rests = list(_format_rests(kind, index, labels, hosts))
        if not rests:
            continue
        for source in hosts:
            head = f'{{"action_type":"{kind}","parameters":{{"source_host":{source},'
            parts.append(head + f"}}}},{head}".join(rests) + "}}")
    return f"[{','.join(parts)}]"


def _format_rests(
    kind: ActionType, index: ActionIndex, labels: Labels, hosts: list[str]
) -> Iterable[str]:
    """The parameters after the source of all actions of a type from one source."""
    if kind is ActionType.ScanNetwork:
        networks = (labels.networks[network] for network in index.networks)
        return (f'"target_network":{_text({"ip": n.ip, "mask": n.mask})}' for n in networks)
    targets = [f'"target_host":{host}' for host in hosts]
    topology = index.topology
    if kind is ActionType.ExploitService:
        services = [_text(service) for service in topology.services]
        return (f'{targets[t]},"target_service":{services[s]}' for t, s in index.services)
    if kind is ActionType.ExfiltrateData:
        data = [_text(topology.data[datum]) for datum in index.data]
        return (f'{target},"data":{datum}' for target in targets for datum in data)
    if kind is ActionType.BlockIP:
        return (f'{target},"blocked_host":{host}' for target in targets for host in hosts)
    return targets


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
