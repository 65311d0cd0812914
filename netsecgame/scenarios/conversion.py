"""From the values of a scenario file, already checked, to a `Scenario`."""

from __future__ import annotations

import ipaddress
from itertools import product
from typing import TYPE_CHECKING, Any

from netsecgame.core.scenario import AllowRule, Host, Interface, Router, Scenario
from netsecgame.game_components import IP, Data, Network, Service

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def convert_scenario(name: str, content: Mapping[str, Any]) -> Scenario:
    """The scenario that checked values describe."""
    networks = content["networks"]
    table = NetworkTable(parse_networks(networks).values())
    return Scenario(
        name=name,
        hosts=tuple(
            Host(
                name=host_name,
                interfaces=_convert_interfaces(host["interfaces"], table),
                services=tuple(map(convert_service, host.get("services") or ())),
                data=tuple(map(convert_datum, host.get("data") or ())),
                is_start_place=host.get("is_start_place", False),
            )
            for host_name, host in content["hosts"].items()
        ),
        routers=tuple(
            Router(
                name=router_name,
                interfaces=_convert_interfaces(router["interfaces"], table),
                allow=tuple(
                    AllowRule(parse_rule_end(source, networks), parse_rule_end(target, networks))
                    for rule in router.get("allow") or ()
                    for source, target in product(
                        list_rule_end(rule["from"]), list_rule_end(rule["to"])
                    )
                ),
            )
            for router_name, router in (content.get("routers") or {}).items()
        ),
    )


def convert_service(said: Mapping[str, Any]) -> Service:
    """The service that an entry of a host describes."""
    return Service(
        said["name"], said.get("type", "passive"), said["version"], said.get("is_local", False)
    )


def convert_datum(said: Mapping[str, Any]) -> Data:
    """The data that an entry of a host describes."""
    return Data(said["owner"], said["id"])


def parse_networks(networks: Mapping[str, str]) -> dict[str, ipaddress.IPv4Network]:
    """The scenario's networks by name."""
    return {name: ipaddress.IPv4Network(text) for name, text in networks.items()}


class NetworkTable:
    """Finds the network around an address, among any number of them."""

    def __init__(self, blocks: Iterable[ipaddress.IPv4Network]) -> None:
        self._by_mask: dict[int, dict[int, Network]] = {}
        for block in blocks:
            same_size = self._by_mask.setdefault(int(block.netmask), {})
            same_size[int(block.network_address)] = _convert_network(block)

    def find(self, address: str) -> Network | None:
        """The network around an address; None if none of them is."""
        value = int(ipaddress.IPv4Address(address))
        found = (blocks.get(value & mask) for mask, blocks in self._by_mask.items())
        return next(filter(None, found), None)


def list_rule_end(said: str | list[str]) -> list[str]:
    """What one end of an ALLOW rule lists; a single thing is a list of one."""
    return [said] if isinstance(said, str) else said


def parse_rule_end(text: str, networks: Mapping[str, str]) -> Network:
    """One entry of one end of an ALLOW rule.

    Args:
        text: The name of a network, a network, or an address.
        networks: The scenario's networks by name.

    Raises:
        ValueError: If it is none of these.
    """
    return _convert_network(ipaddress.IPv4Network(networks.get(text, text)))


def _convert_interfaces(addresses: Iterable[str], table: NetworkTable) -> tuple[Interface, ...]:
    found = ((address, table.find(address)) for address in addresses)
    return tuple(Interface(IP(address), network) for address, network in found if network)


def _convert_network(block: ipaddress.IPv4Network) -> Network:
    return Network(str(block.network_address), block.prefixlen)
