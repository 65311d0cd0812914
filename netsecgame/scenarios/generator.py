"""Scenarios of any size, drawn from a seed.

There are clients in client networks, servers in server networks, and outside the machine that an
attacker brings data to. Server networks hang from each other like a tree. From elsewhere only the
*doors* of each can be reached, one or two of its servers: those of the first network from every
client network, those of another one from a server of the network that it hangs from. The prize, a
datum, is in the network that is farthest from the first, and not on a door if there is another
server. It can be won from every client, because every server offers something to exploit.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from netsecgame.core.scenario import AllowRule, Host, Interface, Router, Scenario
from netsecgame.core.topology import INTERNET
from netsecgame.errors import ConfigurationError
from netsecgame.game_components import IP, Data, Network, Service

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

#: Who reaches whom is a square of bits: beyond this many hosts it is hundreds of megabytes.
MAX_HOSTS = 10_000
MAX_NETWORKS = 1_000

#: Private networks follow each other from here on, all of one size.
_PRIVATE_SPACE = IPv4Network("10.0.0.0/8")

#: The smallest size that private networks have.
_LONGEST_MASK = 24

#: The same outside as in the shipped scenarios.
_OUTSIDE = Network("213.47.23.192", 26)
_INTERNET_IP = IP("213.47.23.193")
_COMMAND_IP = IP("213.47.23.195")

#: Networks that one router joins.
_PER_ROUTER = 8

#: One network in so many is for servers, if there are enough clients and servers.
_NETWORKS_PER_SERVER_NETWORK = 3


class _Profile(NamedTuple):
    """A kind of machine.

    Attributes:
        name: Its hosts are called ``name_1``, ``name_2`` and so on.
        offered: Names and versions of services that others can exploit.
        local: Likewise of services that only who controls the machine sees.
    """

    name: str
    offered: tuple[tuple[str, tuple[str, ...]], ...]
    local: tuple[tuple[str, tuple[str, ...]], ...]


_SSH = ("ssh", ("8.1.0", "8.9.1", "9.6.0"))
_RDP = ("ms-wbt-server", ("10.0.19041", "10.0.22631"))
_BASH = ("bash", ("5.0.0", "5.2.21"))
_POWERSHELL = ("powershell", ("10.0.19041", "10.0.22631"))
_LOGIN = ("windows login", ("10.0.19041", "10.0.22631"))

_SERVERS = (
    _Profile("web_server", (("http", ("1.4.54", "2.4.58")), _SSH), (_BASH,)),
    _Profile("db_server", (("postgresql", ("14.3.0", "16.1.0")), _SSH), (_BASH,)),
    _Profile("mail_server", (("smtp", ("3.6.4", "3.8.1")), ("imap", ("2.3.19",))), (_BASH,)),
    _Profile("smb_server", (("microsoft-ds", _RDP[1]), _RDP), (_LOGIN, _POWERSHELL)),
    _Profile("ad_server", (("active-directory", _RDP[1]),), (_LOGIN, _POWERSHELL)),
)
_CLIENTS = (
    _Profile("client", (_RDP,), (_POWERSHELL,)),
    _Profile("client", (_SSH,), (_BASH,)),
    _Profile("client", (), (_POWERSHELL,)),
)
_COMMAND = _Profile("command_server", (("listener", ("1.0.0",)),), (_BASH,))

_TOPICS = ("Contracts", "Customers", "Invoices", "Keys", "Mails", "Payroll", "Plans", "Reports")


@dataclass(frozen=True)
class GeneratedScenario:
    """A scenario, and what a task needs to know of it.

    Attributes:
        scenario: The scenario.
        network_names: The name of every network, in order.
        server_networks: Where the servers are.
        doors: The servers that other networks reach.
        command_ip: The machine outside to which data are exfiltrated.
        prize: A datum that one server holds.
        prize_host: That server.
    """

    scenario: Scenario
    network_names: Mapping[Network, str]
    server_networks: tuple[Network, ...]
    doors: tuple[IP, ...]
    command_ip: IP
    prize: Data
    prize_host: Host


def generate_scenario(networks: int, clients: int, servers: int, seed: int = 42) -> Scenario:
    """A scenario of that size; the same for the same arguments, always.

    Args:
        networks: Private networks, of which about a third are for servers; outside is one more.
        clients: Clients in all of them together.
        servers: Servers in all of them together.
        seed: Of everything that is drawn.

    Raises:
        ConfigurationError: If there can be no such scenario.
    """
    return draw_scenario(networks, clients, servers, seed).scenario


def draw_scenario(networks: int, clients: int, servers: int, seed: int = 42) -> GeneratedScenario:
    """As `generate_scenario`, with what a task needs to know besides."""
    _check_size(networks, clients, servers)
    return _Generator(networks, clients, servers, seed).draw()


def _check_size(networks: int, clients: int, servers: int) -> None:
    reason = None
    if not 2 <= networks <= MAX_NETWORKS:
        reason = (
            f"expected 2 to {MAX_NETWORKS:,} networks (one for clients, one for servers at least), "
            f"got {networks:,}"
        )
    elif clients < 1 or servers < 1:
        reason = (
            f"expected at least 1 client and 1 server, got {clients:,} clients, {servers:,} servers"
        )
    elif clients + servers > MAX_HOSTS:
        reason = (
            f"expected at most {MAX_HOSTS:,} clients and servers together, "
            f"got {clients + servers:,}"
        )
    elif networks > clients + servers:
        reason = (
            f"expected a client or a server for every network, got {networks:,} networks "
            f"for {clients + servers:,} hosts"
        )
    if reason is not None:
        raise ConfigurationError(reason)


class _Generator:
    """Draws one scenario; every kind of chance has a generator of its own, seeded by text."""

    def __init__(self, networks: int, clients: int, servers: int, seed: int) -> None:
        shape = f"{seed}/{networks}/{clients}/{servers}"
        self._rules_rng = Random(f"{shape}/rules")
        self._services_rng = Random(f"{shape}/services")
        self._data_rng = Random(f"{shape}/data")
        self._name = f"generated_{networks}_{clients}_{servers}_{seed}"
        self._clients = clients
        wanted = networks // _NETWORKS_PER_SERVER_NETWORK
        self._server_network_count = min(max(wanted, 1, networks - clients), servers, networks - 1)
        # Routers come first in each network.
        blocks = _cut_networks(networks, clients, servers, self._server_network_count)
        self._server_blocks = blocks[: self._server_network_count]
        self._client_blocks = blocks[self._server_network_count :]
        self._network_names = {
            **{_network(b): f"servers_{i}" for i, b in enumerate(self._server_blocks, 1)},
            **{_network(b): f"clients_{i}" for i, b in enumerate(self._client_blocks, 1)},
            _OUTSIDE: "outside",
        }
        self._server_ips = _spread(servers, self._server_blocks)
        self._client_ips = _spread(clients, self._client_blocks)

    def draw(self) -> GeneratedScenario:
        """The scenario."""
        parents = self._draw_tree()
        depth = _depths(parents)
        prize_place = depth.index(max(depth))
        prize_ip = self._rules_rng.choice(self._server_ips[prize_place])
        doors = [
            self._draw_doors(ips, avoid=prize_ip if place == prize_place else None)
            for place, ips in enumerate(self._server_ips)
        ]
        servers = self._draw_servers()
        prize_host = next(h for h in servers if h.interfaces[0].ip == prize_ip)
        clients = self._draw_clients()
        outside = Host(
            _COMMAND.name, (Interface(_COMMAND_IP, _OUTSIDE),), self._draw_services(_COMMAND)
        )
        return GeneratedScenario(
            scenario=Scenario(
                self._name,
                hosts=(*servers, *clients, outside),
                routers=(
                    *self._join(self._draw_rules(parents, doors)),
                    Router(INTERNET, (Interface(_INTERNET_IP, _OUTSIDE),)),
                ),
            ),
            network_names=self._network_names,
            server_networks=tuple(map(_network, self._server_blocks)),
            doors=tuple(sorted(ip for some in doors for ip in some)),
            command_ip=_COMMAND_IP,
            prize=prize_host.data[0],
            prize_host=prize_host,
        )

    # --- who reaches whom ---

    def _draw_tree(self) -> list[int]:
        """For every server network which one it hangs from; the first hangs from none: -1."""
        return [-1, *(self._rules_rng.randrange(i) for i in range(1, self._server_network_count))]

    def _draw_doors(self, ips: Sequence[IP], avoid: IP | None) -> list[IP]:
        candidates = [ip for ip in ips if ip != avoid] or list(ips)
        return sorted(self._rules_rng.sample(candidates, min(len(candidates), 2)))

    def _draw_rules(
        self, parents: Sequence[int], doors: Sequence[Sequence[IP]]
    ) -> dict[IPv4Network, list[AllowRule]]:
        """The rules, by the network that they are about."""
        rules = {
            block: [AllowRule(_network(block), _single(door)) for door in doors[0]]
            for block in self._client_blocks
        }
        for place, block in enumerate(self._server_blocks):
            if parents[place] >= 0:
                source = self._rules_rng.choice(self._server_ips[parents[place]])
                rules[block] = [AllowRule(_single(source), _single(door)) for door in doors[place]]
        return rules

    def _join(self, rules: Mapping[IPv4Network, Sequence[AllowRule]]) -> Iterator[Router]:
        """Routers between the networks, each with the rules of its own ones."""
        blocks = [*self._server_blocks, *self._client_blocks]
        for number, first in enumerate(range(0, len(blocks), _PER_ROUTER), 1):
            own = blocks[first : first + _PER_ROUTER]
            yield Router(
                f"router_{number}",
                tuple(Interface(_ip(block, 1), _network(block)) for block in own),
                tuple(rule for block in own for rule in rules.get(block, ())),
            )

    # --- machines ---

    def _draw_servers(self) -> list[Host]:
        places = zip(self._server_blocks, self._server_ips, strict=True)
        return self._draw_hosts(places, _SERVERS, "S", (1, 3), is_start_place=False)

    def _draw_clients(self) -> list[Host]:
        places = zip(self._client_blocks, self._client_ips, strict=True)
        return self._draw_hosts(places, _CLIENTS, "C", (0, 1), is_start_place=True)

    def _draw_hosts(
        self,
        places: Iterable[tuple[IPv4Network, Sequence[IP]]],
        profiles: Sequence[_Profile],
        letter: str,
        data: tuple[int, int],
        *,
        is_start_place: bool,
    ) -> list[Host]:
        """A machine on every address, each with at least and at most so many data."""
        hosts: list[Host] = []
        for block, ips in places:
            for ip in ips:
                profile = self._services_rng.choice(profiles)
                number = len(hosts) + 1
                hosts.append(
                    Host(
                        f"{profile.name}_{number}",
                        (Interface(ip, _network(block)),),
                        self._draw_services(profile),
                        self._draw_data(f"{letter}{number}", self._data_rng.randint(*data)),
                        is_start_place,
                    )
                )
        return hosts

    def _draw_services(self, profile: _Profile) -> tuple[Service, ...]:
        rng = self._services_rng
        offered = [Service(n, "passive", rng.choice(v), False) for n, v in profile.offered]
        local = [Service(n, "passive", rng.choice(v), True) for n, v in profile.local]
        return (*offered, *local)

    def _draw_data(self, place: str, count: int) -> tuple[Data, ...]:
        rng = self._data_rng
        return tuple(
            Data(f"User{rng.randint(1, self._clients)}", f"{topic}{place}")
            for topic in rng.sample(_TOPICS, count)
        )


def _cut_networks(
    networks: int, clients: int, servers: int, server_networks: int
) -> list[IPv4Network]:
    """Private networks in a row, each with room for its hosts, a router and as much again."""
    per_network = max(-(-servers // server_networks), -(-clients // (networks - server_networks)))
    mask = min(_LONGEST_MASK, 32 - (2 * (per_network + 3) - 1).bit_length())
    size = 1 << (32 - mask)
    first = int(_PRIVATE_SPACE.network_address)
    return [IPv4Network((first + i * size, mask)) for i in range(1, networks + 1)]


def _spread(hosts: int, blocks: Sequence[IPv4Network]) -> list[list[IP]]:
    """Addresses for hosts, as evenly as can be over some networks."""
    share, more = divmod(hosts, len(blocks))
    return [
        [_ip(block, 2 + host) for host in range(share + (place < more))]
        for place, block in enumerate(blocks)
    ]


def _depths(parents: Sequence[int]) -> list[int]:
    """How far each node of a tree is from the root; parents come first."""
    depths: list[int] = []
    for parent in parents:
        depths.append(depths[parent] + 1 if parent >= 0 else 0)
    return depths


def _ip(block: IPv4Network, offset: int) -> IP:
    return IP(str(IPv4Address(int(block.network_address) + offset)))


def _network(block: IPv4Network) -> Network:
    return Network(str(block.network_address), block.prefixlen)


def _single(ip: IP) -> Network:
    return Network(str(ip), 32)
