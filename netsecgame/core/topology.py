"""A scenario compiled: addresses, networks, services and data as indices, reach as bit masks.

An *address* is one interface of a device and has a fixed index; which IP it carries is a label
(`addressing.py`). Masks have bit `i` set for index `i`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import groupby
from operator import attrgetter, or_
from typing import TYPE_CHECKING, TypeVar

from netaddr import IPAddress, IPNetwork

from netsecgame.core.action_index import ActionIndex
from netsecgame.core.address_ranges import AddressRanges
from netsecgame.core.bits import iter_bits, mask_of
from netsecgame.errors import ScenarioError
from netsecgame.game_components import IP, Data, Network, Service

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netsecgame.core.actions.indexed import IndexedAction, NumberedAction
    from netsecgame.core.scenario import AllowRule, Host, Interface, Router, Scenario
    from netsecgame.game_components import Action

_T = TypeVar("_T")

#: Stands for the outside; its addresses are not part of the game.
INTERNET = "internet"

#: Index of the log, which every device holds.
LOG = 0
LOG_DATA = Data(owner="system", id="logfile", type="log")


@dataclass(frozen=True)
class Topology:
    """One scenario under one firewall setting; never changes while games are played on it.

    Attributes:
        addresses: The IP of every address index, as the scenario has it.
        networks: Every network an agent may come to know: first those of the scenario, then the
            neighbours of the private ones, then those that only the task names.
        scenario_networks: Mask of the networks that the scenario has.
        device_of: Device index of every address.
        device_names: Name of every device.
        network_of: Network index of every address.
        private_addresses: Mask of the addresses in private networks.
        router_addresses: Mask of the addresses of routers.
        start_places: Addresses where an agent may start at random, in the order of the scenario.
        services: Every service, once.
        services_of: Mask of services, per address.
        open_services: Mask of the services that are not local to their host.
        data: Every datum, once; index 0 is the log.
        data_of: Mask of data at the start of an episode, per device.
        reach: Mask of the addresses that each address may connect to, before any block.
    """

    addresses: tuple[IP, ...]
    networks: tuple[Network, ...]
    scenario_networks: int
    device_of: tuple[int, ...]
    device_names: tuple[str, ...]
    network_of: tuple[int, ...]
    private_addresses: int
    router_addresses: int
    start_places: tuple[int, ...]
    services: tuple[Service, ...]
    services_of: tuple[int, ...]
    open_services: int
    data: tuple[Data, ...]
    data_of: tuple[int, ...]
    reach: tuple[int, ...]

    @cached_property
    def address_index(self) -> dict[IP, int]:
        """Index of every address, by the IP the scenario has for it."""
        return index_of_each(self.addresses)

    @cached_property
    def network_index(self) -> dict[Network, int]:
        """Index of every network."""
        return index_of_each(self.networks)

    @cached_property
    def action_index(self) -> ActionIndex:
        """All actions there can be, by number."""
        return ActionIndex(self)

    @cached_property
    def kept_actions(self) -> dict[Action, IndexedAction]:
        """Where `Labels` of the scenario's own addresses keep actions that they looked up."""
        return {}

    @cached_property
    def kept_numbers(self) -> dict[bool, dict[int, NumberedAction]]:
        """Where they keep actions of an index with and without blocks; see `Labels.numbered`."""
        return {}

    @cached_property
    def service_index(self) -> dict[Service, int]:
        """Index of every service."""
        return {service: index for index, service in enumerate(self.services)}

    @cached_property
    def data_index(self) -> dict[Data, int]:
        """Index of every datum, by its identity (owner, id, type)."""
        return {datum: index for index, datum in enumerate(self.data)}

    @cached_property
    def inside(self) -> tuple[int, ...]:
        """Mask of the addresses inside every network."""
        return tuple(map(self.ranges.inside, self.networks))

    @cached_property
    def ranges(self) -> AddressRanges:
        """The addresses by number, as the scenario has them."""
        return AddressRanges(self.addresses)

    @cached_property
    def private_networks(self) -> int:
        """Mask of the private ones among the scenario's networks."""
        own = iter_bits(self.scenario_networks)
        return mask_of(index for index in own if self.networks[index].is_private())

    @cached_property
    def start_place_mask(self) -> int:
        """Mask of the addresses where an agent may start at random."""
        return mask_of(self.start_places)

    @cached_property
    def device_masks(self) -> tuple[int, ...]:
        """Mask of the addresses of every device."""
        return tuple(map(mask_of, self.devices))

    @cached_property
    def devices(self) -> tuple[tuple[int, ...], ...]:
        """Addresses of every device."""
        found: list[list[int]] = [[] for _ in self.device_names]
        for address, device in enumerate(self.device_of):
            found[device].append(address)
        return tuple(map(tuple, found))


def index_of_each(items: Iterable[_T]) -> dict[_T, int]:
    """The place of every item."""
    return {item: index for index, item in enumerate(items)}


def ip_from_value(value: int) -> IP:
    """The address with that number."""
    return IP(str(IPAddress(value, version=4)))


def neighbours(network: Network) -> list[Network]:
    """The networks one network-size below and above, if they and `network` are private."""
    if not network.is_private():
        return []
    own = IPNetwork(str(network)).cidr
    found = []
    for first in (own.first - own.size, own.first + own.size):
        if 0 <= first < 2**32:
            beside = Network(str(ip_from_value(first)), network.mask)
            if beside.is_private():
                found.append(beside)
    return found


def compile_scenario(
    scenario: Scenario,
    *,
    use_firewall: bool = True,
    extra_networks: Iterable[Network] = (),
    extra_services: Iterable[Service] = (),
) -> Topology:
    """Compile a scenario into indices.

    Args:
        scenario: What to compile.
        use_firewall: Whether the ALLOW rules decide who reaches whom; otherwise all reach all.
        extra_networks: Networks that the task names and the scenario may not have.
        extra_services: Services that the task names and the scenario may not have.

    Raises:
        ScenarioError: If an address is used twice.
    """
    devices: list[Host | Router] = [
        *scenario.hosts,
        *(r for r in scenario.routers if r.name != INTERNET),
    ]
    interfaces: list[Interface] = []
    device_of: list[int] = []
    for device, node in enumerate(devices):
        interfaces.extend(node.interfaces)
        device_of.extend([device] * len(node.interfaces))
    addresses = tuple(interface.ip for interface in interfaces)
    if len(set(addresses)) != len(addresses):
        twice = next(ip for ip in addresses if addresses.count(ip) > 1)
        raise ScenarioError(f"address {twice} is used twice", source=scenario.name)

    own_networks = list(dict.fromkeys(interface.network for interface in interfaces))
    beside = [near for network in own_networks for near in neighbours(network)]
    networks = tuple(dict.fromkeys([*own_networks, *beside, *extra_networks]))
    network_index = {network: index for index, network in enumerate(networks)}
    network_of = tuple(network_index[interface.network] for interface in interfaces)

    services = tuple(
        dict.fromkeys([*(s for host in scenario.hosts for s in host.services), *extra_services])
    )
    service_index = {service: index for index, service in enumerate(services)}
    services_of_host = [mask_of(service_index[s] for s in host.services) for host in scenario.hosts]
    services_of = tuple(
        services_of_host[device] if device < len(services_of_host) else 0 for device in device_of
    )

    data = tuple(dict.fromkeys([LOG_DATA, *(d for host in scenario.hosts for d in host.data)]))
    data_index = {datum: index for index, datum in enumerate(data)}
    data_of_host = [mask_of(data_index[d] for d in host.data) for host in scenario.hosts]
    data_of = tuple(
        1 << LOG | (data_of_host[device] if device < len(data_of_host) else 0)
        for device in range(len(devices))
    )

    private_networks = {network for network in own_networks if network.is_private()}
    private = mask_of(i for i, itf in enumerate(interfaces) if itf.network in private_networks)
    rules = [rule for router in scenario.routers for rule in router.allow]
    return Topology(
        addresses=addresses,
        networks=networks,
        scenario_networks=(1 << len(own_networks)) - 1,
        device_of=tuple(device_of),
        device_names=tuple(node.name for node in devices),
        network_of=network_of,
        private_addresses=private,
        router_addresses=mask_of(i for i, d in enumerate(device_of) if d >= len(scenario.hosts)),
        start_places=tuple(
            address
            for address, device in enumerate(device_of)
            if device < len(scenario.hosts) and scenario.hosts[device].is_start_place
        ),
        services=services,
        services_of=services_of,
        open_services=mask_of(i for i, s in enumerate(services) if not s.is_local),
        data=data,
        data_of=data_of,
        reach=_compile_reach(addresses, network_of, private, rules if use_firewall else None),
    )


def _compile_reach(
    addresses: Sequence[IP],
    network_of: Sequence[int],
    private: int,
    rules: Sequence[AllowRule] | None,
) -> tuple[int, ...]:
    everyone = (1 << len(addresses)) - 1
    if rules is None:
        return (everyone,) * len(addresses)
    members: dict[int, int] = {}
    for address, network in enumerate(network_of):
        members[network] = members.get(network, 0) | 1 << address
    public = everyone & ~private
    reach = [
        members[network_of[a]] | public if private >> a & 1 else 1 << a
        for a in range(len(addresses))
    ]
    ranges = AddressRanges(addresses)
    for source, some in groupby(rules, key=attrgetter("source")):
        destinations = reduce(or_, (ranges.inside(rule.destination) for rule in some))
        for address in ranges.indices(source):
            reach[address] |= destinations
    return tuple(reach)
