"""A scenario as plain values: what the YAML file says, before it is compiled into indices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netsecgame.game_components import IP, Data, Network, Service


@dataclass(frozen=True, slots=True)
class Interface:
    """One address of a device, inside one network."""

    ip: IP
    network: Network


@dataclass(frozen=True, slots=True)
class AllowRule:
    """A firewall rule: addresses in `source` may connect to addresses in `destination`."""

    source: Network
    destination: Network


@dataclass(frozen=True, slots=True)
class Host:
    """A machine with services and data.

    Attributes:
        name: Unique in the scenario.
        interfaces: At least one.
        services: In the order of the file.
        data: In the order of the file; the log every device holds is not listed.
        is_start_place: Whether an agent whose start position says `random` may start here.
    """

    name: str
    interfaces: tuple[Interface, ...]
    services: tuple[Service, ...] = ()
    data: tuple[Data, ...] = ()
    is_start_place: bool = False


@dataclass(frozen=True, slots=True)
class Router:
    """A device that joins networks and carries the ALLOW rules between them."""

    name: str
    interfaces: tuple[Interface, ...]
    allow: tuple[AllowRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """The network a game is played on.

    A router called `internet` stands for the outside: its addresses are not part of the game,
    its ALLOW rules are.

    Attributes:
        name: The name the scenario was asked for by.
        hosts: In the order of the file.
        routers: In the order of the file.
    """

    name: str
    hosts: tuple[Host, ...]
    routers: tuple[Router, ...] = ()
