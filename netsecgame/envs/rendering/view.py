"""What there is to draw: what one agent knows, sorted by networks and hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netsecgame.core.bits import iter_bits, mask_of
from netsecgame.envs.goal_parts import name_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netsecgame.core.goal import Goal
    from netsecgame.core.knowledge import KnownState, Masks
    from netsecgame.game_components import IP, Data, Service


class View(NamedTuple):
    """One agent at one moment of an episode.

    Attributes:
        state: What it knows.
        goal: What it has to reach.
        steps: How many steps it has used.
        max_steps: Its step limit; None is no limit.
        title: Says whose view of what it is.
    """

    state: KnownState
    goal: Goal
    steps: int
    max_steps: int | None
    title: str


class HostView(NamedTuple):
    """What is known of one address.

    Attributes:
        address: Its index in the topology.
        ip: Its address in this episode.
        is_controlled: Whether the agent controls it.
        services: Its services; local ones in parentheses. None if nobody has looked.
        data: Names of its data. None if nobody has looked.
        wanted: The names among `data` that the goal wants, here or elsewhere.
        is_goal: Whether the goal asks for something on this host, or for the host.
        blocked: The addresses known to be cut off from it: index and IP. Some may be outsiders,
            which the scenario does not have.
    """

    address: int
    ip: str
    is_controlled: bool
    services: Sequence[str] | None
    data: Sequence[str] | None
    wanted: frozenset[str]
    is_goal: bool
    blocked: Sequence[tuple[int, str]]


class NetworkView(NamedTuple):
    """What is known of one network.

    Attributes:
        network: Its index in the topology.
        name: Its name in this episode; empty if only hosts in it are known.
        hosts: Its known hosts, in the order of their addresses.
    """

    network: int
    name: str
    hosts: Sequence[HostView]


def sort_view(view: View) -> list[NetworkView]:
    """The known networks, and those of known hosts, in the order of their addresses.

    The order is that of the scenario's own addresses, also when an episode has others.
    """
    labels, known = view.state.labels, view.state.knowledge
    topology = labels.topology
    hosts: dict[int, list[HostView]] = {network: [] for network in iter_bits(known.networks)}
    for address in sorted(_drawn_addresses(view), key=topology.addresses.__getitem__):
        network = topology.network_of[address]
        hosts.setdefault(network, []).append(_view_host(view, address))
    return [
        NetworkView(
            network,
            str(labels.networks[network]) if known.networks >> network & 1 else "",
            hosts[network],
        )
        for network in sorted(hosts, key=topology.networks.__getitem__)
    ]


def _drawn_addresses(view: View) -> list[int]:
    """All that the state says anything about, without outsiders."""
    known = view.state.knowledge
    named = known.hosts | known.controlled
    for masks in (known.services, known.data, known.blocks):
        named |= mask_of(masks)
    for blocked in known.blocks.values():
        named |= blocked
    count = len(view.state.labels.topology.addresses)
    return list(iter_bits(named & ((1 << count) - 1)))


def _view_host(view: View, address: int) -> HostView:
    labels, known = view.state.labels, view.state.knowledge
    topology = labels.topology
    ip = labels.addresses[address]
    services = _names(known.services, address, topology.services)
    data = _names(known.data, address, topology.data)
    blocked = sorted(iter_bits(known.blocks.get(address, 0)), key=labels.addresses.__getitem__)
    sought = view.goal.state.known_data.values()
    wanted = frozenset(name_of(datum) for some in sought for datum in some)
    return HostView(
        address,
        str(ip),
        bool(known.controlled >> address & 1),
        services,
        data,
        wanted.intersection(data or ()),
        ip in _goal_hosts(view.goal),
        [
            (other, str(labels.addresses[other]))
            for other in sorted(blocked, key=labels.addresses.__getitem__)
        ],
    )


def _goal_hosts(goal: Goal) -> set[IP]:
    wanted = goal.state
    return {
        *wanted.known_hosts,
        *wanted.controlled_hosts,
        *wanted.known_services,
        *wanted.known_data,
        *wanted.known_blocks,
        *goal.all_attackers,
    }


def _names(masks: Masks, address: int, things: Sequence[Service | Data]) -> list[str] | None:
    mask = masks.get(address)
    return None if mask is None else sorted(_name(things[i]) for i in iter_bits(mask))


def _name(thing: Service | Data) -> str:
    is_local = getattr(thing, "is_local", False)
    return f"({name_of(thing)})" if is_local else name_of(thing)
